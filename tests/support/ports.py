"""Ports of loopback for servers that must be told theirs before they start.

A port that the kernel chooses may be given to another worker, or to the near end of a connection,
between the choice and the server's start. These lie below the range that the kernel chooses from,
and every process goes through them from a place of its own.
"""

from __future__ import annotations

import itertools
import os
import socket
from typing import Final

_FIRST, _COUNT = 20_000, 12_000
_STRIDE: Final = 211  # between the places where neighbouring process ids begin
_TURN = itertools.count()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that nobody uses now and that this process has not given before."""
    for turn in itertools.islice(_TURN, _COUNT):
        port = _FIRST + (os.getpid() * _STRIDE + turn) % _COUNT
        with socket.socket(socket.AF_INET, kind) as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port from {_FIRST} to {_FIRST + _COUNT}")
