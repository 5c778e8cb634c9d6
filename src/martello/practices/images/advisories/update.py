"""Which feeds an inventory needs, and how they get into a folder: the last good file of a feed
stays when the new one is broken. Who fetches is handed in.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from martello.adapters.whole import whole
from martello.core.errors import BadInput, MartelloError
from martello.core.package import Inventory
from martello.practices.images.advisories.pointers import Fetch, followed
from martello.practices.images.advisories.pointers import Fetched as Fetched
from martello.practices.images.advisories.sources import KEPT, Kept, read_kept, written_kept
from martello.practices.images.ecosystems import LANGUAGES, family

OSV: Final = "https://osv-vulnerabilities.storage.googleapis.com"
LARGEST: Final = 4 << 30  # bytes of one feed
_COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")
_TRACKER: Final = "https://security-tracker.debian.org/tracker/data/json"
_SECDB: Final = "https://secdb.alpinelinux.org"
_SECURITY: Final = {
    "Wolfi": "https://packages.wolfi.dev/os/security.json",
    "Chainguard": "https://packages.cgr.dev/chainguard/security.json",
}
_KEV: Final = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
_EPSS: Final = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
_VEX: Final = "https://security.access.redhat.com/data/csaf/v2/vex/archive_latest.txt"
_REPOSITORIES: Final = "https://security.access.redhat.com/data/meta/v1/repository-to-cpe.json"
_AMAZON: Final = {  # release 1 is only handed out without encryption: not by us
    "2": "https://cdn.amazonlinux.com/2/core/latest/x86_64/mirror.list",
    "2023": "https://cdn.amazonlinux.com/al2023/core/mirrors/latest/x86_64/mirror.list",
}
_ORACLE: Final = "https://yum.oracle.com/repo/OracleLinux/OL{}/{}/x86_64/repodata/repomd.xml"
_ORACLE_PARTS: Final = {"6": ("latest",), "7": ("latest",)}
_NEWER_PARTS: Final = ("baseos/latest", "appstream")
# Families that OSV gathers as a whole, all releases in one zip.
_GATHERED: Final = frozenset(
    ("Ubuntu", "Rocky Linux", "AlmaLinux", "SUSE", "openSUSE", "Photon OS", "Mageia",
     "Azure Linux", "openEuler", "Echo", "MinimOS", "Alpaquita")
) | frozenset(LANGUAGES.values())  # fmt: skip


class Download(msgspec.Struct, frozen=True):
    """One file to fetch: its address, and its place in the folder. `way`: how to get from the
    address to that of the file, where its name changes (see pointers.py).
    """

    url: str
    file: str
    way: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """What became of one file: new, unchanged or, with an error, kept or missing."""

    download: Download
    state: str
    size: int = 0
    error: str = ""


def needed(inventories: Iterable[Inventory]) -> tuple[str, ...]:
    """The ecosystems, with their releases, of all packages."""
    return tuple(sorted({p.ecosystem for i in inventories for p in i.packages if p.ecosystem}))


def plan(ecosystems: Iterable[str], base: str = "", *, more: bool = True) -> tuple[Download, ...]:
    """The files that hold what is known of these ecosystems, each once. With `base`, the address
    of a mirror that is laid out like the folder, all come from there; `more` adds what is known of
    exploitation.
    """
    found: dict[str, str] = {}
    ways: dict[str, tuple[str, ...]] = {}
    for ecosystem in ecosystems:
        kind, _, release = ecosystem.partition(":")
        if kind == "Debian":
            found["debian/tracker.json"] = _TRACKER
        elif kind == "Alpine" and release:
            for part in ("main", "community"):
                found[f"alpine/{release}/{part}.json"] = f"{_SECDB}/{release}/{part}.json"
        elif kind in _SECURITY:
            found[f"{kind.lower()}/security.json"] = _SECURITY[kind]
        elif kind == "Red Hat" and release:
            found["redhat/vex.tar.zst"] = _VEX
            ways["redhat/vex.tar.zst"] = ("line",)
            found["redhat/repository-to-cpe.json"] = _REPOSITORIES
        elif kind == "Amazon Linux" and release in _AMAZON:
            file = f"amazon/{release}/core/updateinfo.xml.gz"
            found[file], ways[file] = _AMAZON[release], ("mirror", "updateinfo")
        elif kind == "Oracle Linux" and release:
            for part in _ORACLE_PARTS.get(release, _NEWER_PARTS):
                file = f"oracle/{release}/{part.partition('/')[0]}/updateinfo.xml.gz"
                found[file], ways[file] = _ORACLE.format(release, part), ("updateinfo",)
        elif kind in _GATHERED:
            found[f"{kind}/all.zip"] = f"{OSV}/{quote(kind)}/all.zip"
    if more:
        found["known_exploited_vulnerabilities.json"] = _KEV
        found["epss_scores-current.csv.gz"] = _EPSS
    if base:
        found, ways = {file: f"{base.rstrip('/')}/{quote(file)}" for file in found}, {}
    return tuple(Download(url, file, ways.get(file, ())) for file, url in sorted(found.items()))


def without_feed(ecosystems: Iterable[str]) -> tuple[str, ...]:
    """Those for which there is no public feed that can be read."""
    return tuple(sorted(e for e in set(ecosystems) if not plan((e,), more=False)))


def update(
    downloads: Sequence[Download], folder: Path, fetch: Fetch, now: str = ""
) -> tuple[Outcome, ...]:
    """Fetches what has changed. A file takes its place only when it is whole and of its kind. `now`
    (RFC 3339) is written down as the time at which a file was the newest. Raises OSError where the
    folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = read_kept(folder)
    outcomes = []
    for download in downloads:
        outcomes.append(_one(download, folder, fetch, kept, now))
        with whole(folder / KEPT) as out:
            out.write(written_kept(kept))
    return tuple(outcomes)


def _one(
    download: Download, folder: Path, fetch: Fetch, kept: dict[str, Kept], now: str
) -> Outcome:
    place = folder / download.file
    known = kept.get(download.file, Kept())
    try:
        url = followed(download.url, download.way, fetch)
        same = place.is_file() and known.url == url
        answer = fetch(url, known.etag if same else "")
        if answer is None:
            kept[download.file] = msgspec.structs.replace(known, checked=now)
            return Outcome(download, "unchanged", known.size)
        place.parent.mkdir(parents=True, exist_ok=True)
        size, digest = _saved(answer, place)
    except MartelloError as error:
        state = "kept" if place.is_file() else "missing"
        return Outcome(download, state, known.size, f"{error.what}: {error.why}".strip(": "))
    kept[download.file] = Kept(url, answer.etag, answer.time, now, digest, size)
    return Outcome(download, "unchanged" if digest == known.sha256 else "new", size)


def _saved(answer: Fetched, place: Path) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    with tempfile.TemporaryDirectory(prefix=".martello-", dir=place.parent) as directory:
        made = Path(directory) / place.name
        with made.open("wb") as out:
            for part in answer.content:
                size += len(part)
                if size > LARGEST:
                    why = f"it is larger than {LARGEST >> 30} GiB"
                    raise BadInput(f"cannot take {place.name}", why)
                digest.update(part)
                out.write(part)
            out.flush()
            os.fsync(out.fileno())
        if answer.size not in (-1, size):
            raise BadInput(f"cannot take {place.name}", f"{size} of {answer.size} bytes came")
        _checked(made, place)
        made.replace(place)
    return size, digest.hexdigest()


def _checked(made: Path, place: Path) -> None:
    """Refuses what is not even of its kind: an error page, half a zip. Raises BadInput."""
    with made.open("rb") as file:
        head = file.read(64).lstrip()
    if place.suffix == ".zip":
        try:
            with closing(zipfile.ZipFile(made)) as archive:
                empty = not archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise BadInput(f"cannot take {place.name}", f"it is no whole zip ({error})") from None
        if empty:
            raise BadInput(f"cannot take {place.name}", "it is empty")
    elif place.suffix == ".json" and head[:1] not in (b"{", b"["):
        raise BadInput(f"cannot take {place.name}", "it is no JSON")
    elif place.suffix in (".gz", ".zst") and not head.startswith(_COMPRESSED):
        raise BadInput(f"cannot take {place.name}", "it is not compressed")
    elif not head:
        raise BadInput(f"cannot take {place.name}", "it is empty")


def families(ecosystems: Iterable[str]) -> tuple[str, ...]:
    """The ecosystems without their releases, each once."""
    return tuple(sorted({family(ecosystem) for ecosystem in ecosystems}))
