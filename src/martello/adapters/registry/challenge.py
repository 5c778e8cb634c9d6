"""WWW-Authenticate, parsed: schemes with parameters, quoted commas and all.

Source: RFC 9110, section 11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

_LARGEST: Final = 16 << 10
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's word, no secret
_PIECE: Final = re.compile(
    rf"[\s,]*(?:({_TOKEN})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|({_TOKEN}))(?=[\s,]|$)|({_TOKEN}=*))",
    re.DOTALL,
)


class Challenge(msgspec.Struct, frozen=True):
    """What a registry wants to see: scheme in lower case, parameters by lower-case name."""

    scheme: str
    params: Mapping[str, str] = {}


def parse(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all WWW-Authenticate headers; what cannot be read is left out."""
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        header = header[:_LARGEST]
        position = 0
        fresh = False  # parameters belong to a scheme of the same header
        while match := _PIECE.match(header, position):
            position = match.end()
            name, quoted, plain, scheme = match.groups()
            if scheme is not None:
                found.append((scheme.lower(), {}))
                fresh = True
            elif fresh:
                value = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if plain is None else plain
                found[-1][1].setdefault(name.lower(), value)
    return tuple(Challenge(scheme, params) for scheme, params in found)
