"""How deep an object may be nested: what walks over objects calls itself at every level."""

from __future__ import annotations

from typing import Any, Final

from martello.core.errors import BadInput

DEEPEST: Final = 200  # as in files


def refuse_deep(raw: Any) -> None:
    """Raises BadInput for an object that is nested deeper than DEEPEST."""
    level = [raw]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise BadInput("it cannot be judged", f"it is nested more than {DEEPEST} deep")
