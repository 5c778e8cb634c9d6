"""R: packages of a library of installed ones, by their DESCRIPTION."""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.evidence.model import NOTHING, Body, Parsed, Reader
from martello.practices.images.evidence.text import fields, proven

_LARGEST: Final = 4 << 20
_PLACE: Final = re.compile(r"(?:\A|/)(?:site-)?library/[^/]+/DESCRIPTION\Z")


def read_description(path: str, body: Body) -> Parsed:
    """The package of a DESCRIPTION; nothing for those that are a part of R itself. Raises
    ValueError, TooLarge.
    """
    found = dict(fields(body.whole(_LARGEST)))
    if found.get("priority") == "base":
        return NOTHING
    kind = "bioconductor" if "biocviews" in found else "cran"
    licences = (found.get("license", ""),)
    return Parsed((proven(kind, found.get("package"), found.get("version"), licences),))


READERS: Final = (
    Reader(
        "R package",
        read_description,
        names=frozenset(("DESCRIPTION",)),
        accepts=lambda path: _PLACE.search(path) is not None,
    ),
)
