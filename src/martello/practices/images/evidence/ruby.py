"""Ruby: installed gems by the specifications that RubyGems writes, default gems among them."""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.evidence.model import Body, Parsed, Reader
from martello.practices.images.evidence.text import proven, word

_LARGEST: Final = 4 << 20
_PLACE: Final = re.compile(r"(?:\A|/)specifications/(?:default/)?[^/]+\.gemspec\Z")
_STUB: Final = re.compile(r"^# stub: ([\w.-]+) (\d[\w.]*) \S+ ", re.MULTILINE)
_NAME: Final = re.compile(r"""^[ \t]*\w+\.name[ \t]*=[ \t]*["']([^"'\n]+)["']""", re.MULTILINE)
_VERSION: Final = re.compile(
    r"""^[ \t]*\w+\.version[ \t]*=[ \t]*(?:Gem::Version\.new[ \t]*\(?[ \t]*)?["']([^"'\n]+)["']""",
    re.MULTILINE,
)
_LICENCES: Final = re.compile(r"^[ \t]*\w+\.licenses?[ \t]*=[ \t]*([^\n]{1,1000})", re.MULTILINE)
_QUOTED: Final = re.compile(r"""["']([^"'\n]+)["']""")
_FILE: Final = re.compile(r"([^/]+?)-(\d[0-9A-Za-z.]*)(?:-[^/]*)?\.gemspec\Z")


def read_specification(path: str, body: Body) -> Parsed:
    """The gem of a specification, which is Ruby's own code and is not run. Raises ValueError,
    TooLarge.
    """
    text = body.whole(_LARGEST).decode("utf-8", "replace")
    stub, file = _STUB.search(text), _FILE.search(path)
    stated = _NAME.search(text), _VERSION.search(text)
    name, version = (found[1] if found else "" for found in stated)
    for other in (stub, file):
        if other and not (word(name) and word(version)):
            name, version = other[1], other[2]
    licences = _LICENCES.search(text)
    return Parsed((proven("gem", name, version, _QUOTED.findall(licences[1]) if licences else ()),))


READERS: Final = (
    Reader(
        "Ruby gem",
        read_specification,
        suffixes=(".gemspec",),
        accepts=lambda path: _PLACE.search(path) is not None,
    ),
)
