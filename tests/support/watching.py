"""What this thread asks of the system while a block runs, by the audit events of Python."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

IO: Final = ("open", "os.", "socket.", "sqlite3.", "subprocess.")

# A hook stays as long as the process: there is one, and it looks at one thread at most.
_hooked = False
_thread = 0
_prefixes: tuple[str, ...] = ()
_seen: list[str] = []


@contextmanager
def watching(*more: str) -> Iterator[list[str]]:
    """The events of IO and of `more` prefixes, in order; those of other threads are theirs."""
    global _hooked, _thread, _prefixes, _seen
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    _seen, _prefixes, _thread = [], (*IO, *more), threading.get_ident()
    try:
        yield _seen
    finally:
        _thread = 0


def _hook(event: str, _: tuple[object, ...]) -> None:
    if _thread and event.startswith(_prefixes) and threading.get_ident() == _thread:
        _seen.append(event)
