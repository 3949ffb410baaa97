"""Ends this process at its first internet socket, whatever code asks for it.

Python's audit hook (``sitecustomize.py``) does not see the sockets that native libraries open; the
kernel does. Linux only: a seccomp filter (man 2 seccomp) that every thread and child inherits.
"""

from __future__ import annotations

import ctypes
import platform
import socket
import struct

_ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Audit number of the architecture, number of the system call socket (linux/audit.h, unistd.h)."""

SUPPORTED = platform.system() == "Linux" and platform.machine() in _ARCHITECTURES

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_KILL_PROCESS = 0x80000000
_ALLOW = 0x7FFF0000
_LOAD_WORD = 0x20
_JUMP_IF_EQUAL = 0x15
_RETURN = 0x06


def forbid_internet_sockets() -> None:
    """Let the kernel end this process with SIGSYS when a socket of IPv4 or IPv6 is made.

    Raises
    ------
    OSError
        The kernel does not take the filter.
    """
    architecture, socket_call = _ARCHITECTURES[platform.machine()]
    # (code, jump if true, jump if false, operand); jumps count from the next instruction.
    program = [
        (_LOAD_WORD, 0, 0, 4),
        (_JUMP_IF_EQUAL, 0, 5, architecture),
        (_LOAD_WORD, 0, 0, 0),
        (_JUMP_IF_EQUAL, 0, 3, socket_call),
        (_LOAD_WORD, 0, 0, 16),
        (_JUMP_IF_EQUAL, 2, 0, socket.AF_INET),
        (_JUMP_IF_EQUAL, 1, 0, socket.AF_INET6),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL_PROCESS),
    ]
    code = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    )
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl refused the filter")
