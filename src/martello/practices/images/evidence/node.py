"""Node.js: packages that npm, pnpm or Yarn put below a `node_modules`, and Yarn itself.

A package.json elsewhere is a project's own: what it asks for need not be there.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from martello.core.package import Package
from martello.practices.images.evidence.model import NOTHING, Body, Parsed, Reader
from martello.practices.images.evidence.text import decoded, proven, word

_LARGEST: Final = 4 << 20
_ROOT: Final = re.compile(
    r"(?:\A|/)(?:node_modules/(?:@[^/]+/)?[^/@][^/]*|yarn-v\d[^/]*)/package\.json\Z"
)


class _Manifest(msgspec.Struct, frozen=True):
    name: object = None
    version: object = None
    license: object = None
    licenses: object = None


def read_package(path: str, body: Body) -> Parsed:
    """The package of a package.json; nothing where it has no name: such ones only say how a
    folder's modules are to be read. Raises ValueError, TooLarge.
    """
    manifest = decoded(body.whole(_LARGEST), _Manifest)
    if not word(manifest.name):
        return NOTHING
    if not word(manifest.version):  # of the project's own, or damaged: that tells who matches it
        return Parsed((Package("npm", word(manifest.name), ""),))
    licences = [*_licences(manifest.license), *_licences(manifest.licenses)]
    return Parsed((proven("npm", manifest.name, manifest.version, licences),))


def _licences(value: object) -> list[object]:
    """A text, or an object with a `type`, or a list of both: all were once allowed."""
    many = value if isinstance(value, list) else [value]
    return [one.get("type") or one.get("name") if isinstance(one, dict) else one for one in many]


READERS: Final = (
    Reader(
        "Node.js package",
        read_package,
        names=frozenset(("package.json",)),
        accepts=lambda path: _ROOT.search(path) is not None,
    ),
)
