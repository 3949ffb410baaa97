from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.request

import pytest


def _network_used(error: BaseException) -> bool:
    return type(error).__name__ == "NetworkUsedError"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_an_internet_socket_is_refused(family: socket.AddressFamily) -> None:
    with pytest.raises(BaseException, match="internet socket") as caught:
        socket.socket(family)
    assert _network_used(caught.value)


def test_a_look_up_is_refused() -> None:
    with pytest.raises(BaseException, match="was looked up") as caught:
        socket.getaddrinfo("registry.example", 443)
    assert _network_used(caught.value)


def test_urllib_cannot_swallow_the_refusal() -> None:
    with pytest.raises(BaseException, match="nothing here may use the network") as caught:
        urllib.request.urlopen("http://127.0.0.1:9/", timeout=1)
    assert _network_used(caught.value)


def test_sockets_within_the_machine_work() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"x")
        assert right.recv(1) == b"x"
    assert asyncio.run(asyncio.sleep(0, "done")) == "done"


def test_a_process_started_by_a_test_is_guarded_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import socket; socket.socket(socket.AF_INET)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "NetworkUsedError" in done.stderr


@pytest.mark.registry
def test_a_marked_test_reaches_this_machine_and_no_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), timeout=5):
            pass
        with (
            socket.socket() as other,
            pytest.raises(BaseException, match=r"192\.0\.2\.1") as caught,
        ):
            other.connect(("192.0.2.1", 9))
        assert _network_used(caught.value)
