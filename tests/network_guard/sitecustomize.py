"""Refuses internet sockets in a Python process that has this folder on its PYTHONPATH.

The tests run under it, and so does every Python process that they start: edgeavatar must work with
no network at all. The interpreter imports a module of this name by itself. An audit hook sees the
sockets of extension modules of Python's own too, and cannot be taken out again.
"""

from __future__ import annotations

import os
import socket
import sys

LOOPBACK = ("127.0.0.1", "::1", "localhost")

allow_loopback = os.environ.get("EDGEAVATAR_TEST_LOOPBACK") == "1"
"""Set by ``tests/conftest.py`` while a test with its own server on this machine runs."""


class NetworkUsedError(BaseException):
    """A socket where none may be; no handler for ordinary errors catches it."""


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.__new__":
        if arguments[1] in (socket.AF_INET, socket.AF_INET6) and not allow_loopback:
            raise NetworkUsedError("an internet socket was made; nothing here may use the network")
    elif event in ("socket.connect", "socket.bind", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not (allow_loopback and address[0] in LOOPBACK):
            raise NetworkUsedError(f"{event} to {address!r}; nothing here may use the network")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        if not (allow_loopback and host in LOOPBACK):
            raise NetworkUsedError(f"{host!r} was looked up; nothing here may use the network")


sys.addaudithook(_refuse)
