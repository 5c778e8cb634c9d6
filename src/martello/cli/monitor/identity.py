"""What an installation of the monitor is known by: its name among writers, its key for secrets."""

from __future__ import annotations

import secrets
import socket
from typing import Final

from martello.cli.store.places import Places
from martello.core.errors import Unreachable

_KEY: Final = "redaction.key"


def holder(where: Places) -> str:
    """The name of this installation among those who write: the same after a restart, since nobody
    else can have its spool.
    """
    path = where.spool / "holder"
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        name = f"{socket.gethostname()}-{secrets.token_hex(6)}"
        path.write_text(name, encoding="utf-8")
        return name


def key(where: Places) -> bytes:
    """The key of this installation that covers secrets: made once. Raises Unreachable."""
    path = where.spool.parent / _KEY
    try:
        if path.exists():
            return path.read_bytes()[:32]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = secrets.token_bytes(32)
        path.touch(mode=0o600)
        path.write_bytes(made)
    except OSError as error:
        why = error.strerror or str(error)
        next_ = "make its directory writable, or name another by XDG_STATE_HOME"
        raise Unreachable(f"cannot keep {path}", why, next_) from None
    return made
