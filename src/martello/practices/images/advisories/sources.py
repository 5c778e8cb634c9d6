"""Finds the feeds in a folder by how their files are named.

| file | feed |
|---|---|
| `PyPI/all.zip`, `osv-scanner/PyPI/all.zip` | `osv:PyPI`; so any OSV ecosystem |
| `records/NAME/….json` | `osv:NAME`: single OSV records, such as your own |
| `debian/tracker.json` | `debian-tracker` |
| `alpine/v3.19/main.json` | `alpine-secdb:v3.19/main` |
| `wolfi/security.json`, `chainguard/security.json` | `wolfi-secdb`, `chainguard-secdb` |
| `ubuntu/tracker/` (a checkout), `ubuntu/tracker.tar.gz` | `ubuntu-tracker` |
| `redhat/vex/` (documents), `redhat/vex.tar.zst` | `redhat-vex` |
| `redhat/repository-to-cpe.json` | `redhat-repositories` |
| `amazon/2023/core/updateinfo.xml.gz`, so oracle, rocky, … | `amazon-updateinfo:2023/core` |
| `known_exploited_vulnerabilities.json` or `.csv` | `cisa-kev` |
| `epss_scores-current.csv.gz`, any `epss*.csv` | `epss` |
| `endoflife/debian.json` | `end-of-life:debian` |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from martello.core.errors import BadInput
from martello.practices.images.advisories import alpine, debian, redhat, ubuntu, updateinfo
from martello.practices.images.advisories.archive import whole
from martello.practices.images.advisories.build import Extra, Source
from martello.practices.images.advisories.record import Item

KEPT: Final = "feeds.json"  # what is known of the files of a folder that was filled by an update
_MOST_FILES: Final = 1_000_000
Reader = Callable[[Path], Iterator[Item]]


class Kept(msgspec.Struct, frozen=True):
    """Where a file came from, when its source made it, and when it was last seen to be current."""

    url: str = ""
    etag: str = ""
    time: str = ""
    checked: str = ""
    sha256: str = ""
    size: int = 0


class Found(msgspec.Struct, frozen=True):
    """The feeds of a folder, and the files that belong to none."""

    sources: tuple[Source, ...] = ()
    extras: tuple[Extra, ...] = ()
    strange: tuple[str, ...] = ()


class Kind(msgspec.Struct, frozen=True):
    """One kind of feed: the patterns of its files, its name and its reader by a file's path."""

    patterns: tuple[str, ...]
    name: Callable[[PurePosixPath], str]
    reader: Callable[[str], Reader]  # of the feed's name


def _osv_reader(name: str) -> Reader:
    return partial(ubuntu.read, feed=name)  # a folder of records may hold some of Ubuntu's


def _secdb_reader(name: str) -> Reader:
    return partial(alpine.read, feed=name)


def _tracker_reader(_: str) -> Reader:
    return debian.read


def _updateinfo_reader(name: str) -> Reader:
    return partial(updateinfo.read, feed=name)


def _updateinfo_name(path: PurePosixPath) -> str:
    parts = path.parts[:-1]
    place = max(at for at, part in enumerate(parts) if part in updateinfo.DISTRIBUTIONS)
    return f"{parts[place]}-updateinfo:{'/'.join(parts[place + 1 :])}"


_TARS: Final = ("tar", "tar.gz", "tar.zst", "tar.xz", "tar.bz2")
KINDS: Final = (
    Kind(
        ("ubuntu/tracker", *(f"ubuntu/tracker.{end}" for end in _TARS)),
        lambda _: ubuntu.TRACKER,
        lambda _: ubuntu.read_tracker,
    ),
    Kind(
        ("redhat/vex", *(f"redhat/{name}.{end}" for end in _TARS for name in ("vex", "csaf_vex*"))),
        lambda _: redhat.FEED,
        lambda _: redhat.read,
    ),
    Kind(
        tuple(
            f"{name}/{between}*updateinfo.xml*"
            for name in updateinfo.DISTRIBUTIONS
            for between in ("*/", "*/*/")
        ),
        _updateinfo_name,
        _updateinfo_reader,
    ),
    Kind(("*/all.zip",), lambda path: f"osv:{path.parent.name}", _osv_reader),
    Kind(("debian/tracker.json", "debian-tracker.json"), lambda _: debian.FEED, _tracker_reader),
    Kind(
        ("alpine/*/*.json",),
        lambda path: f"alpine-secdb:{path.parent.name}/{path.stem}",
        _secdb_reader,
    ),
    Kind(
        ("wolfi/security.json", "chainguard/security.json"),
        lambda path: f"{path.parent.name}-secdb",
        _secdb_reader,
    ),
)
_EXTRAS: Final = (
    (("known_exploited_vulnerabilities.json", "known_exploited_vulnerabilities.csv"), "exploited"),
    (("epss*.csv", "epss*.csv.gz"), "epss"),
    (("redhat/repository-to-cpe.json", "repository-to-cpe.json"), "products"),
    (("endoflife/*.json",), "ends"),
)
_EXTRA_NAMES: Final = {
    "exploited": "cisa-kev",
    "epss": "epss",
    "products": "redhat-repositories",
}
_FOLDERS: Final = (("records", ""), ("ubuntu", "tracker"), ("redhat", "vex"))  # each is one feed


def find(folder: Path, kinds: tuple[Kind, ...] = KINDS) -> Found:
    """All feeds below a folder, or the one that a file is. Raises BadInput where there is none at
    all.
    """
    kept = read_kept(folder) if folder.is_dir() else {}
    sources: dict[str, Source] = {}
    extras: dict[str, Extra] = {}
    strange: list[str] = []
    for path, told in _files(folder):
        made = _made(path, told, kept.get(told.as_posix(), Kept()), kinds)
        if isinstance(made, Source) and made.name not in sources:
            sources[made.name] = made
        elif isinstance(made, Extra) and made.name not in extras:
            extras[made.name] = made
        else:
            strange.append(told.as_posix())
    if not sources:
        raise BadInput(
            f"no advisories in {folder}",
            "it holds no feed, such as PyPI/all.zip",
            "martello db update",
        )
    return Found(tuple(sources.values()), tuple(extras.values()), tuple(strange))


def read_kept(folder: Path) -> dict[str, Kept]:
    """What an update wrote down of the files of a folder; nothing where it is unreadable."""
    try:
        return msgspec.json.decode(whole(folder / KEPT, 16 << 20), type=dict[str, Kept])
    except (BadInput, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def written_kept(kept: Mapping[str, Kept]) -> bytes:
    """The bytes of what is known of the files of a folder."""
    return msgspec.json.format(msgspec.json.encode(dict(sorted(kept.items())))) + b"\n"


def _files(folder: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    """Files with their names from the folder on; a folder that is one feed counts as one."""
    if folder.is_file():
        yield folder, PurePosixPath(*folder.absolute().parts[1:])
        return
    whole_feeds: set[Path] = set()
    for count, path in enumerate(sorted(folder.rglob("*"))):
        told = PurePosixPath(path.relative_to(folder).as_posix())
        if count > _MOST_FILES:
            raise BadInput(f"cannot read {folder}", f"it holds more than {_MOST_FILES} files")
        feed = _feed_folder(told)
        if feed is not None:
            whole_feeds.add(folder / feed)
        elif path.is_file() and told.name != KEPT and not told.name.startswith("."):
            yield path, told
    for path in sorted(whole_feeds):
        yield path, PurePosixPath(path.relative_to(folder).as_posix())


def _feed_folder(told: PurePosixPath) -> PurePosixPath | None:
    """The folder above a file that is one feed as a whole; None where there is none."""
    parts = told.parts
    for at, (part, following) in enumerate(pairwise(parts[:-1])):
        if any(part == first and second in ("", following) for first, second in _FOLDERS):
            return PurePosixPath(*parts[: at + 2])
    return None


def _made(
    path: Path, told: PurePosixPath, kept: Kept, kinds: tuple[Kind, ...]
) -> Source | Extra | None:
    # a file that was confirmed to be the newest is as fresh as that; its own time stays beside it
    time = kept.checked or kept.time
    revision = kept.time if kept.checked else ""
    for kind in kinds:
        if any(told.match(pattern) for pattern in kind.patterns):
            name = kind.name(told)
            return Source(name, path, kind.reader(name), revision, time)
    if path.is_dir():
        name = f"osv:{path.name}"
        return Source(name, path, _osv_reader(name), revision, time)
    for patterns, sort in _EXTRAS:
        if any(told.match(pattern) for pattern in patterns):
            return Extra(_EXTRA_NAMES.get(sort, f"end-of-life:{path.stem}"), path, sort, time)
    return None
