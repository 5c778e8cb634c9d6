"""Packages of Debian and its relatives: dpkg's database, its file lists, and copyright files.

Sources: deb-control(5), dpkg(1) on package states, and Debian's copyright format 1.0 (DEP-5). In
distroless images each package has a file of its own in status.d, without a state.
"""

from __future__ import annotations

import re
from typing import Final

from martello.core.package import Package, Unread
from martello.practices.images.evidence.model import (
    NOTHING,
    Body,
    Claim,
    Licence,
    Parsed,
    Reader,
)
from martello.practices.images.evidence.ownership import MOST, may_be_evidence, worth_keeping
from martello.practices.images.evidence.text import at_most, lines, paragraphs, word, words

STATUS: Final = "var/lib/dpkg/status"
STATUS_D: Final = "var/lib/dpkg/status.d"
INFO: Final = "var/lib/dpkg/info"
DOCUMENTS: Final = "usr/share/doc"
_LARGEST: Final = 64 << 20
_COPYRIGHT: Final = 1 << 20  # bytes of it that are read: licences of bundled code may follow
_MOST: Final = 200_000  # packages: all of Debian has half as many
_MOST_TOLD: Final = 20
_FIELD: Final = re.compile(
    r"^(package|status|version|source|architecture):[ \t]*(.*?)[ \t\r]*$", re.I | re.M
)
# The states in which files of a package are there: in `half-installed`, at least some of them may
# be. `hold` is no state but a selection.
_PRESENT: Final = frozenset(
    ("installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending")
)
_PARTLY: Final = "half-installed"
_ABSENT: Final = frozenset(("not-installed", "config-files"))
_SOURCE: Final = re.compile(r"(\S+)(?:\s+\((\S+)\))?\Z")
_LICENCE: Final = re.compile(r"^license:[ \t]*(\S[^\n]*)$", re.I | re.M)
_COMMON: Final = re.compile(r"/usr/share/common-licenses/([A-Za-z][\w.+-]*[\w+])")


def read_status(path: str, body: Body) -> Parsed:
    """The packages whose files are there. A paragraph that cannot be read is told, the others
    count. Raises TooLarge.
    """
    packages: list[Package] = []
    unread: list[Unread] = []
    stateless = path.startswith(STATUS_D)
    with body.spooled(_LARGEST) as file:
        many = filter(str.strip, paragraphs(file))
        for number, paragraph in enumerate(at_most(many, _MOST, "paragraphs"), 1):
            found = {key.lower(): value for key, value in _FIELD.findall(paragraph)}
            state = " ".join(found.get("status", "").split()[2:])
            if state in _ABSENT or (state == _PARTLY and not found.get("version")):
                continue
            package = _package(found)
            stated = state in _PRESENT or state == _PARTLY or (stateless and "status" not in found)
            if package is None or not stated:
                why = (
                    "it names no package or no version"
                    if stated
                    else "it has no state that is known"
                )
                where = f"{path} no. {number}"
                unread.append(Unread("dpkg paragraph", where, why))
            else:
                packages.append(package)
    if len(unread) > _MOST_TOLD:
        more = Unread("dpkg paragraphs", path, f"{len(unread) - _MOST_TOLD} more are malformed")
        unread = [*unread[:_MOST_TOLD], more]
    return Parsed(tuple(packages), unread=tuple(unread))


def read_list(path: str, body: Body) -> Parsed:
    """The files of a package, of its `.list` or, in distroless images, `.md5sums`. Raises
    TooLarge.
    """
    name = path.rpartition("/")[2]
    with body.spooled(_LARGEST) as file:
        listed = lines(file)
        if name.endswith(".md5sums"):
            files = filter(may_be_evidence, (line.partition(" ")[2].strip() for line in listed))
            listed = iter(sorted(at_most(files, MOST, "files that may be evidence")))
        kept = worth_keeping(listed)
    package = name.rpartition(".")[0].partition(":")[0]
    return Parsed(claims=(Claim(package, kept),)) if kept else NOTHING


def read_copyright(path: str, body: Body) -> Parsed:
    """The licences of a package: the short names of a machine-readable file, else the common
    licences that it refers to. Raises TooLarge.
    """
    with body.spooled(_LARGEST) as file:
        text = file.read(_COPYRIGHT).decode("utf-8", "replace").replace("\r\n", "\n")
    found = words([match.rstrip(" \t,") for match in _LICENCE.findall(text)])
    if not found:
        found = words(_COMMON.findall(text))
    package = path.split("/")[-2]
    return Parsed(licences=(Licence(package, found),)) if found else NOTHING


def _package(found: dict[str, str]) -> Package | None:
    name, version = word(found.get("package")), word(found.get("version"))
    if not name or not version:
        return None
    match = _SOURCE.match(word(found.get("source")))
    source, source_version = (match[1], match[2] or "") if match else (name, "")
    return Package(
        type="deb",
        name=name,
        version=version,
        source=source,
        source_version=source_version or version,
        arch=word(found.get("architecture")),
    )


def _is_status(path: str) -> bool:
    if path == STATUS:
        return True
    folder, _, name = path.rpartition("/")
    return folder == STATUS_D and not name.endswith(".md5sums")


def _is_list(path: str) -> bool:
    return path.endswith(".list") if path.startswith(INFO) else path.endswith(".md5sums")


READERS: Final = (
    Reader(
        "dpkg", read_status, names=frozenset(("status",)), under=(STATUS_D,), accepts=_is_status
    ),
    Reader("dpkg files", read_list, under=(INFO, STATUS_D), accepts=_is_list),
    Reader(
        "Debian copyright",
        read_copyright,
        names=frozenset(("copyright",)),
        accepts=lambda path: path.startswith(f"{DOCUMENTS}/") and path.count("/") == 4,
    ),
)
