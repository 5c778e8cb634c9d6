"""How far back events are asked for: `30d`, `12h`, `2w`."""

from __future__ import annotations

import re
from typing import Final

from martello.core.errors import BadInput

_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_NS: Final = 1_000_000_000


def nanoseconds(text: str) -> int:
    """The length of a window in ns; 0 for an empty text. Raises BadInput."""
    if not text:
        return 0
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if not found:
        raise BadInput(f"--since {text} is no length of time", "", "such as 30d, 12h or 2w")
    return int(found[1]) * _UNITS[found[2]] * _NS


def day(at: int) -> str:
    """The date of a time in ns, UTC; empty for 0."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at // _NS, UTC).date().isoformat() if at else ""
