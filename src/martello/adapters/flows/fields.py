"""Fields of JSON objects whose writers are loose about types, and lines that hold one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from martello.adapters.flows.ends import BadLine, seconds_of

Json = dict[str, Any]

_DECODE: Final = msgspec.json.Decoder(Json).decode
_LONGEST_NUMBER: Final = 20


def parsed(line: bytes) -> Json:
    """The object of a line; `data: ` of server-sent events is taken off. Raises BadLine."""
    if line.startswith(b"data:"):
        line = line[5:]
    try:
        return _DECODE(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise BadLine("it is no JSON object") from None


def text(raw: Json, *keys: str) -> str:
    """The first of these fields that is there; nothing for null and for `-`. Raises BadLine."""
    for key in keys:
        value = raw.get(key)
        if value is None or value in ("", "-", "<NA>"):
            continue
        if not isinstance(value, str):
            raise BadLine("a field that should be text is not")
        return value
    return ""


def number(raw: Json, *keys: str) -> int | None:
    """The first of these fields that is there, as a number or digits. Raises BadLine."""
    for key in keys:
        value = raw.get(key)
        if value is None or value in ("", "-"):
            continue
        if isinstance(value, str):
            return digits(value)
        if isinstance(value, float) and math.isfinite(value) and value.is_integer():
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadLine("a field that should be a number is not")
        return value
    return None


def digits(value: str) -> int:
    """The number of decimal digits. Raises BadLine."""
    if not (value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER):
        raise BadLine("a field that should be a number is not")
    return int(value)


def part(raw: Json, *keys: str) -> Json:
    """The first of these fields that is an object; an empty one where there is none."""
    for key in keys:
        value = raw.get(key)
        if isinstance(value, dict):
            return value
    return {}


def texts(raw: Json, key: str) -> Sequence[str]:
    """The texts of a list; none where there is no list."""
    value = raw.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else ()


def time(raw: Json, *keys: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; 0 where there is none. Raises BadLine."""
    value = text(raw, *keys)
    return seconds_of(value) if value else 0.0


def host_port(value: str) -> tuple[str, int]:
    """The two parts of `address:port` or `[address]:port`. Raises BadLine."""
    host, colon, port = value.rpartition(":")
    if not colon:
        raise BadLine("an address has no port")
    return host.removeprefix("[").removesuffix("]"), digits(port)
