"""PHP: packages that Composer installed, by the list that it keeps in `vendor/composer`."""

from __future__ import annotations

from typing import Final

import msgspec

from martello.core.package import Package, Unread
from martello.practices.images.evidence.model import Body, Parsed, Reader
from martello.practices.images.evidence.text import decoded, proven

_LARGEST: Final = 64 << 20


class _Entry(msgspec.Struct, frozen=True):
    name: object = None
    version: object = None
    license: object = None


class _Installed(msgspec.Struct, frozen=True):
    packages: list[_Entry]


def read_installed(path: str, body: Body) -> Parsed:
    """The packages of an installed.json: a list with Composer 1, an object with 2. Development
    packages are listed because they are there. Raises ValueError, TooLarge.
    """
    data = body.whole(_LARGEST)
    old = data.lstrip()[:1] == b"["
    entries = decoded(data, list[_Entry]) if old else decoded(data, _Installed).packages
    packages: list[Package] = []
    nameless = 0
    for entry in entries:
        licences = entry.license if isinstance(entry.license, list) else [entry.license]
        try:
            packages.append(proven("composer", entry.name, entry.version, licences))
        except ValueError:
            nameless += 1
    why = f"{nameless} entries state no usable name or version"
    unread = (Unread("Composer packages", path, why),) if nameless else ()
    return Parsed(tuple(packages), unread=unread)


READERS: Final = (
    Reader(
        "Composer packages",
        read_installed,
        names=frozenset(("installed.json",)),
        accepts=lambda path: path.endswith("composer/installed.json"),
    ),
)
