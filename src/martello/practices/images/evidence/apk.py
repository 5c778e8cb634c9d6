"""Packages of Alpine and its relatives: apk's database of what is installed.

Source: the APK package format of apk-tools: one letter a field, an empty line between packages,
`F:` a directory and `R:` a file in it. Since Alpine 3.22 the database may lie below /usr.
"""

from __future__ import annotations

import re
from typing import Final

from martello.core.package import Package, Unread
from martello.practices.images.evidence.model import Body, Claim, Parsed, Reader, TooLarge
from martello.practices.images.evidence.ownership import MOST, may_be_evidence
from martello.practices.images.evidence.text import at_most, paragraphs, word, words

PLACES: Final = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_LARGEST: Final = 64 << 20
_FIELD: Final = re.compile(r"^([^\n]):([^\n]*)", re.MULTILINE)
_MOST: Final = 200_000  # packages: all of Alpine has a tenth
_MOST_TOLD: Final = 20


def read_installed(path: str, body: Body) -> Parsed:
    """The packages of a database, and which of its files may be evidence. Raises TooLarge."""
    packages: list[Package] = []
    claims: list[Claim] = []
    unread: list[Unread] = []
    claimed = 0
    with body.spooled(_LARGEST) as file:
        many = filter(str.strip, paragraphs(file))
        for number, block in enumerate(at_most(many, _MOST, "entries"), 1):
            found, files = _fields(block)
            name, version = word(found.get("P")), word(found.get("V"))
            if not name or not version:
                why = "it names no package or no version"
                unread.append(Unread("apk entry", f"{path} no. {number}", why))
                continue
            packages.append(
                Package(
                    type="apk",
                    name=name,
                    version=version,
                    source=word(found.get("o")) or name,
                    source_version=version,
                    arch=word(found.get("A")),
                    licences=words(found.get("L")) if found.get("L") else (),
                )
            )
            if files:
                claims.append(Claim(name, tuple(files)))
                claimed += len(files)
            if claimed > MOST:
                raise TooLarge(f"it names more than {MOST:,} files that may be evidence")
    if len(unread) > _MOST_TOLD:
        more = Unread("apk entries", path, f"{len(unread) - _MOST_TOLD} more are malformed")
        unread = [*unread[:_MOST_TOLD], more]
    return Parsed(tuple(packages), claims=tuple(claims), unread=tuple(unread))


def _fields(block: str) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    files: list[str] = []
    folder = ""
    for match in _FIELD.finditer(block):
        key, value = match.groups()
        if key == "F":
            folder = value.strip("/")
        elif key == "R":
            file = f"{folder}/{value}" if folder else value
            if len(files) <= MOST and may_be_evidence(file):
                files.append(file)
        else:
            found.setdefault(key, value.strip())
    return found, files


READERS: Final = (
    Reader(
        "apk",
        read_installed,
        names=frozenset(("installed",)),
        accepts=frozenset(PLACES).__contains__,
    ),
)
