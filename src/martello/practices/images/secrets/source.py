"""Secrets in a source tree: each small text file counts, not only those that images keep."""

from __future__ import annotations

from typing import Final

import msgspec

from martello.practices.images.evidence.model import NOTHING, Body, Parsed, Reader
from martello.practices.images.secrets import LARGEST, scan_text, wanted

_HEAD: Final = 4096
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
# `bin/` and `lib/` are the project's own here, not the distribution's: nothing lies at the root
_HERE: Final = "./"


def _read(path: str, body: Body) -> Parsed:
    if body.size > LARGEST:
        return NOTHING
    head = body.head(_HEAD)
    if b"\0" in head and head[:2] not in _UTF16:
        return NOTHING
    found = scan_text(_HERE + path, body.whole(LARGEST))
    leaks = tuple(msgspec.structs.replace(one, path=one.path.removeprefix(_HERE)) for one in found)
    return Parsed(leaks=leaks) if leaks else NOTHING


READERS: Final = (
    Reader(
        name="source-secrets", read=_read, under=("",), accepts=lambda path: wanted(_HERE + path)
    ),
)
