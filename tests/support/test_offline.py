"""The network ban holds, and lets this machine through."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.support.offline import NetworkUsed, loopback


def test_another_machine_is_refused() -> None:
    with socket.socket() as caller, pytest.raises(NetworkUsed):
        caller.connect(("192.0.2.1", 443))
    with pytest.raises(NetworkUsed):
        socket.create_connection(("martello.example", 443), timeout=1)


def test_this_machine_is_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()[:2], timeout=1).close()
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        listener.bind(path)
        listener.listen()
        caller.connect(path)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("127.0.0.9", 1), True),
        (("::1", 1, 0, 0), True),
        (("localhost", 1), True),
        (("10.0.0.1", 1), False),
        (("::ffff:8.8.8.8", 1, 0, 0), False),
        (("example.org", 1), False),
    ],
)
def test_loopback(address: tuple[str, int], expected: bool) -> None:
    assert loopback(address) is expected
