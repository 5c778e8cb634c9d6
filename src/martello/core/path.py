"""Paths into an object: tuples of keys and indexes, and their text form
`spec.containers[0].image`.
"""

from __future__ import annotations

import re
from typing import Any, Final

Path = tuple[str | int, ...]

_PLAIN: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_TOKEN: Final = re.compile(
    r"""\.?([A-Za-z_$][A-Za-z0-9_$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]""", re.VERBOSE
)
_MISSING: Final = object()


def show(path: Path) -> str:
    """Text of a path. Keys that are no plain names are quoted: `metadata.labels["a.b/c"]`."""
    text: list[str] = []
    for part in path:
        if isinstance(part, int):
            text.append(f"[{part}]")
        elif _PLAIN.fullmatch(part):
            text.append(f".{part}" if text else part)
        else:
            escaped = part.replace("\\", "\\\\").replace('"', '\\"')
            text.append(f'["{escaped}"]')
    return "".join(text)


def parse(text: str) -> Path:
    """The path that `show` wrote. Raises ValueError where the text is no path."""
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"no path: {text!r} at {position}")
        name, index, quoted = match.groups()
        if name is not None:
            parts.append(name)
        elif index is not None:
            parts.append(int(index))
        else:
            parts.append(re.sub(r"\\(.)", r"\1", quoted[1:-1]))
        position = match.end()
    return tuple(parts)


def look_up(value: Any, path: Path, default: Any = None) -> Any:
    """What lies at the path of a plain object, or the default where a part is missing or of another
    kind.
    """
    for part in path:
        if isinstance(part, str):
            if not isinstance(value, dict):
                return default
            value = value.get(part, _MISSING)
            if value is _MISSING:
                return default
        else:
            if not isinstance(value, list) or part >= len(value):
                return default
            value = value[part]
    return value
