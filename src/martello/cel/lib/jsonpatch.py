"""The jsonpatch library: keys escaped for a JSON Pointer."""

from __future__ import annotations

from typing import Final

from martello.cel.lib.costs import tenth
from martello.cel.types import STRING, Library, Overload


def escape_key(key: str) -> str:
    """A map key as a segment of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


LIBRARY: Final = Library(
    "jsonpatch",
    (
        Overload(
            "jsonpatch.escapeKey",
            "string_jsonpatch_escapeKey_string",
            (STRING,),
            STRING,
            escape_key,
            cost=tenth,
        ),
    ),
    since=32,
)
