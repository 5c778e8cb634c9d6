"""What an installation of the monitor is known by: its name among writers, its key for secrets."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
from pathlib import Path
from typing import Final

from martello.cli.store.places import Places
from martello.core.errors import Unreachable

_KEY: Final = "redaction.key"
_SIZE: Final = 32  # bytes


def holder(where: Places) -> str:
    """The name of this installation among those who write: the same after a restart, since nobody
    else can have its spool.
    """
    made = f"{socket.gethostname()}-{secrets.token_hex(6)}"
    return _kept(where.spool / "holder", made.encode()).decode("utf-8", "replace").strip()


def key(where: Places) -> bytes:
    """The key of this installation that covers secrets: made once. Raises Unreachable."""
    path = where.spool.parent / _KEY
    found = _kept(path, secrets.token_bytes(_SIZE))
    if len(found) < _SIZE:
        why = f"it has {len(found)} bytes of {_SIZE}: anybody could guess what it covers"
        raise Unreachable(f"cannot use {path}", why, "remove it: another one is made")
    return found[:_SIZE]


def _kept(path: Path, made: bytes) -> bytes:
    """What a file holds; `made` where there is none, or an empty one. Whole or not at all, so that
    none is there by half where it ends meanwhile. Raises Unreachable.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            if found := path.read_bytes():
                return found
            path.unlink()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(made)
                file.flush()
                os.fsync(descriptor)
            with contextlib.suppress(FileExistsError):  # another one was quicker
                os.link(beside, path)
        finally:
            os.unlink(beside)
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        next_ = "make its directory writable, or name another by XDG_STATE_HOME"
        raise Unreachable(f"cannot keep {path}", why, next_) from None
