"""Python: installed distributions by their metadata, eggs, and conda's own records.

Sources: the specifications of core metadata and of recording installed projects (PyPA), the
formats of setuptools for eggs, and conda's `conda-meta`.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from martello.practices.images.evidence.archive import inflated, members, open_archive
from martello.practices.images.evidence.model import Body, Parsed, Reader
from martello.practices.images.evidence.text import decoded, fields, proven, word

_LARGEST: Final = 64 << 20
_HEADER: Final = 1 << 20  # where the fields stand; the description follows them
_EGG: Final = 512 << 20
_CONDA: Final = 32 << 20  # they list every file
_FOLDER: Final = re.compile(
    r"(?P<name>[^/]+?)-(?P<version>[^/-]+)(?:-py\d[\d.]*)?\.(?:dist-info|egg-info|egg)\Z"
)
_INSTALLED: Final = re.compile(
    r"(?:\.dist-info/METADATA|(?:\.egg-info|(?:\A|/)EGG-INFO)/PKG-INFO|\.egg-info)\Z"
)
_CONDA_META: Final = re.compile(r"(?:\A|/)conda-meta/[^/]+\.json\Z")


class _Conda(msgspec.Struct, frozen=True):
    name: object = None
    version: object = None
    license: object = None


def read_metadata(path: str, body: Body) -> Parsed:
    """The distribution of a METADATA or PKG-INFO. Raises ValueError, TooLarge."""
    with body.spooled(_LARGEST) as file:
        return _distribution(path, file.read(_HEADER))


def read_egg(path: str, body: Body) -> Parsed:
    """The distribution of a zipped egg. Raises ValueError, TooLarge."""
    with body.spooled(_EGG) as file:
        archive = open_archive(file)
        for member in members(archive, lambda name: name == b"EGG-INFO/PKG-INFO"):
            return _distribution(path, inflated(archive, member, _HEADER))
    raise ValueError("it is an egg without EGG-INFO/PKG-INFO")


def read_conda(path: str, body: Body) -> Parsed:
    """The package of one of conda's records. Raises ValueError, TooLarge."""
    record = decoded(body.whole(_CONDA), _Conda)
    return Parsed((proven("conda", record.name, record.version, (record.license,)),))


def _distribution(path: str, data: bytes) -> Parsed:
    found: dict[str, str] = {}
    classified: list[str] = []
    for key, value in fields(data):
        found.setdefault(key, value)
        if key == "classifier" and value.startswith("License ::"):
            classified.append(value.rpartition("::")[2])
    name, version = word(found.get("name", "")), word(found.get("version", ""))
    if not (name and version):
        folder = path if path.endswith((".egg-info", ".egg")) else path.rpartition("/")[0]
        match = _FOLDER.search(folder.removesuffix("/EGG-INFO")[-300:])
        if match:
            name, version = name or match["name"], version or match["version"]
    return Parsed((proven("pypi", name, version, _licences(found, classified)),))


def _licences(found: dict[str, str], classified: list[str]) -> tuple[str, ...]:
    expression = word(found.get("license-expression", ""))
    if expression:
        return (expression,)
    stated = word(found.get("license", ""))  # some put the whole text there
    if stated and stated.upper() != "UNKNOWN" and len(stated) <= 100:
        return (stated,)
    return tuple(name for name in classified if name.strip() != "OSI Approved")


READERS: Final = (
    Reader(
        "Python distribution",
        read_metadata,
        names=frozenset(("METADATA", "PKG-INFO")),
        suffixes=(".egg-info",),
        accepts=lambda path: _INSTALLED.search(path) is not None,
    ),
    Reader("Python egg", read_egg, suffixes=(".egg",)),
    Reader(
        "conda package",
        read_conda,
        suffixes=(".json",),
        accepts=lambda path: _CONDA_META.search(path) is not None,
    ),
)
