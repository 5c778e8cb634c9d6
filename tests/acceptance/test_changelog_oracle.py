"""A real Debian root file system judged by its own changelogs.

Each changelog says, in the order of its entries, in which version which CVE was fixed. Of these
triples a database is made; what the changelog says by its order alone, without comparing a version,
must be what the whole pipeline finds: nothing at the installed versions, and at any older one
exactly the fixes that came later.

One thing is left out, and counted: an entry whose version is not lower than that of the entry
above it, as dpkg itself compares them, where the changelog's order says nothing of versions. Of
2,993 entries 8 are so: five are the upload to unstable of which the entry above is the rebuild for
this release (`5.7-0.5` below `5.7-0.5~deb12u1`), two are of an epoch that was given up, one went to
experimental. What they fix is in the entry above them, and counts there.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from tests.support import images
from tests.support.images import Image, Memory
from tests.support.rootfs import debian_rootfs

from martello.core.package import Inventory
from martello.practices.images.advisories.build import build
from martello.practices.images.advisories.db import Database, open_database
from martello.practices.images.advisories.sources import find
from martello.practices.images.facts import LayerFacts
from martello.practices.images.match import match
from martello.practices.images.scan import scan_image

pytestmark = pytest.mark.slow

_ENTRY: Final = re.compile(r"^([a-z0-9][a-z0-9+.-]*) \(([^)\s]+)\) ", re.MULTILINE)
_CVE: Final = re.compile(r"\bCVE-\d{4}-\d{4,}\b")
Fault = tuple[str, str]  # source package, CVE


class Entry(NamedTuple):
    """One entry of a changelog."""

    version: str
    cves: frozenset[str]


class Debian(NamedTuple):
    """The root file system: its tar, its dpkg status, the changelogs of its sources."""

    tar: bytes
    status: str
    logs: dict[str, list[Entry]]  # newest first
    unordered: int  # entries that were left out


class Kept:
    """Facts in memory: the large layer is read once."""

    def __init__(self) -> None:
        self.diff_ids: dict[str, str] = {}
        self.facts: dict[tuple[str, str], bytes] = {}

    def diff_id(self, blob: str) -> str | None:
        return self.diff_ids.get(blob)

    def get(self, diff_id: str, version: str) -> LayerFacts | None:
        raw = self.facts.get((diff_id, version))
        return msgspec.json.decode(raw, type=LayerFacts) if raw is not None else None

    def put(self, blob: str, diff_id: str, version: str, facts: LayerFacts) -> None:
        self.diff_ids[blob] = diff_id
        self.facts[diff_id, version] = msgspec.json.encode(facts)


@pytest.fixture(scope="module")
def debian() -> Debian:
    """The root file system, its changelogs parsed."""
    if shutil.which("dpkg") is None:
        pytest.skip("no dpkg: apt-get install dpkg")
    path = debian_rootfs()
    logs: dict[str, list[Entry]] = {}
    unordered = 0
    with tarfile.open(path) as archive:
        status_file = archive.extractfile("./var/lib/dpkg/status")
        assert status_file is not None
        status = status_file.read().decode()
        for member in archive:
            if not re.search(r"usr/share/doc/[^/]+/changelog(\.Debian)?\.gz$", member.name):
                continue
            file = archive.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            text = gzip.decompress(file.read()).decode("utf-8", "replace")
            source, entries, left = _parsed(text)
            if source and source not in logs:
                logs[source] = entries
                unordered += left
    installed = dict(_sources(status))
    assert set(installed) <= set(logs), "each package has a changelog"
    logs = {s: log for s, log in logs.items() if s in installed}
    for source, log in logs.items():
        assert log[0].version == installed[source], f"{source}: the changelog is of another version"
    return Debian(path.read_bytes(), status, logs, unordered)


def _parsed(text: str) -> tuple[str, list[Entry], int]:
    """The source package of a Debian changelog, and its entries that follow the order of versions;
    how many do not. An upstream's changelog has no such entries.
    """
    heads = list(_ENTRY.finditer(text))
    if not heads or heads[0].start() != 0:
        return "", [], 0
    source = heads[0][1]
    found: list[Entry] = []
    left = 0
    for at, head in enumerate(heads):
        end = heads[at + 1].start() if at + 1 < len(heads) else len(text)
        if head[1] != source:
            break  # the package had another name before
        cves = frozenset(_CVE.findall(text[head.end() : end]))
        if found and not _older(head[2], found[-1].version):
            left += 1
            # what it fixed was in all that follows
            found[-1] = Entry(found[-1].version, found[-1].cves | cves)
            continue
        found.append(Entry(head[2], cves))
    return source, found, left


def _older(version: str, other: str) -> bool:
    words = ("dpkg", "--compare-versions", version, "lt", other)
    return subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _paragraphs(status: str) -> Iterator[dict[str, str]]:
    for paragraph in status.strip().split("\n\n"):
        yield dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))


def _source(fields: dict[str, str]) -> tuple[str, str]:
    name, _, version = fields.get("Source", fields["Package"]).partition(" ")
    return name, version.strip("()") or fields["Version"]


def _sources(status: str) -> Iterator[tuple[str, str]]:
    for fields in _paragraphs(status):
        yield _source(fields)


def _first_fixes(log: list[Entry]) -> dict[str, int]:
    """Each CVE of a changelog with the entry that named it first: the oldest."""
    return {cve: at for at, entry in enumerate(log) for cve in entry.cves}


@pytest.fixture(scope="module")
def database(debian: Debian, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """The triples of all changelogs as OSV records, built as any other feed is."""
    folder = tmp_path_factory.mktemp("feeds")
    (folder / "Debian").mkdir()
    affected: dict[str, list[Any]] = {}
    for source, log in debian.logs.items():
        for cve, at in _first_fixes(log).items():
            events = [{"introduced": "0"}, {"fixed": log[at].version}]
            entry = {
                "package": {"ecosystem": "Debian:12", "name": source},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
            affected.setdefault(cve, []).append(entry)
    with zipfile.ZipFile(folder / "Debian" / "all.zip", "w") as archive:
        for cve, entries in affected.items():
            record = {"id": cve, "modified": "2031-01-01T00:00:00Z", "affected": entries}
            archive.writestr(f"{cve}.json", json.dumps(record))
    out = folder / "advisories.db"
    build(find(folder).sources, out)
    return open_database(out)


@pytest.fixture(scope="module")
def base(debian: Debian) -> Image:
    """The root file system as an image of one layer."""
    return images.image(images.compressed(debian.tar, "zstd"))


def _over(base: Image, upper: bytes) -> Image:
    """The image with one more layer; the large one is not decompressed again to name it."""
    body = json.loads(base.blobs[base.image.config.digest])
    body["rootfs"]["diff_ids"].append(images.digest(images.uncompressed(upper)))
    config = json.dumps(body).encode()
    digest = images.digest(config)
    layer = msgspec.structs.replace(
        base.image.layers[0], digest=images.digest(upper), size=len(upper)
    )
    manifest = msgspec.structs.replace(
        base.image,
        config=msgspec.structs.replace(base.image.config, digest=digest, size=len(config)),
        layers=(*base.image.layers, layer),
    )
    return Image(manifest, {**base.blobs, layer.digest: upper, digest: config})


def _found(image: Image, kept: Kept, database: Database) -> tuple[Inventory, set[Fault]]:
    inventory = scan_image(image.image, Memory({"x": image}), kept, name="x")
    result = match(inventory, database)
    return inventory, {(m.package.source or m.package.name, m.id) for m in result.found}


def test_nothing_is_found_at_the_installed_versions(
    debian: Debian, database: Database, base: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Kept()
    inventory, found = _found(base, kept, database)
    triples = sum(len(_first_fixes(log)) for log in debian.logs.values())
    entries = sum(map(len, debian.logs.values()))
    with capsys.disabled():
        print(
            f"\n{len(inventory.packages)} packages, {len(debian.logs)} changelogs, "
            f"{triples} fixes in {entries} entries, {debian.unordered} out of order left out"
        )
    assert debian.unordered < entries / 100
    assert triples >= 200
    assert len(debian.logs) >= 40
    assert found == set()


def test_older_versions_lack_exactly_the_later_fixes(
    debian: Debian, database: Database, base: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    """All sources go back step by step, each to the entries around its fixes."""
    steps = {source: _steps(log) for source, log in debian.logs.items()}
    kept = Kept()
    _found(base, kept, database)
    known = len(kept.diff_ids)
    checked = wrong = 0
    for step in range(max(map(len, steps.values()))):
        now = {source: at[min(step, len(at) - 1)] for source, at in steps.items()}
        upper = images.layer({"var/lib/dpkg/status": _downgraded(debian, now)})
        inventory, found = _found(_over(base, upper), kept, database)
        assert inventory.bytes_read == len(upper), "the large layer was read once, and kept"
        for source, at in now.items():
            fixes = _first_fixes(debian.logs[source])
            later = {(source, cve) for cve, fixed in fixes.items() if fixed < at}
            here = {fault for fault in found if fault[0] == source}
            checked += len(fixes)
            wrong += len(later ^ here)
            assert here == later, f"{source} at {debian.logs[source][at].version}"
    with capsys.disabled():
        print(f"\n{checked} verdicts at older versions, {wrong} wrong")
    assert checked > 5_000
    assert known == 1


def test_every_version_of_every_changelog_lacks_exactly_the_later_fixes(
    debian: Debian, database: Database, base: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    """The versions between two fixes too, by matching alone: the image is scanned once."""
    inventory, _ = _found(base, Kept(), database)
    fixes = {source: _first_fixes(log) for source, log in debian.logs.items()}
    checked = 0
    for step in range(max(map(len, debian.logs.values()))):
        now = {source: step for source, log in debian.logs.items() if step < len(log)}
        older = tuple(
            msgspec.structs.replace(
                package, source_version=debian.logs[package.source][now[package.source]].version
            )
            for package in inventory.packages
            if package.source in now
        )
        result = match(msgspec.structs.replace(inventory, packages=older), database)
        found = {(one.package.source, one.id) for one in result.found}
        later = {(s, cve) for s, at in now.items() for cve, fixed in fixes[s].items() if fixed < at}
        assert found == later, f"{step} entries back"
        checked += sum(len(fixes[source]) for source in now)
    with capsys.disabled():
        print(f"\n{checked} verdicts at all versions, none wrong")
    assert checked > 20_000


def _steps(log: list[Entry]) -> list[int]:
    """The entries around each fix, and the oldest one."""
    fixes = set(_first_fixes(log).values())
    near = {at + by for at in fixes for by in (0, 1)} | {0, len(log) - 1}
    return sorted(at for at in near if at < len(log))


def _downgraded(debian: Debian, now: dict[str, int]) -> str:
    """The dpkg status with the packages of each source at another version."""
    out = io.StringIO()
    for paragraph in debian.status.strip().split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        source = _source(fields)[0]
        if source in now:
            version = debian.logs[source][now[source]].version
            paragraph = re.sub(r"^Source: .*\n", "", paragraph, flags=re.MULTILINE)
            paragraph = re.sub(
                r"^Version: .*$",
                f"Source: {source} ({version})\nVersion: {version}",
                paragraph,
                flags=re.MULTILINE,
            )
        out.write(f"{paragraph}\n\n")
    return out.getvalue()


def test_the_oracle_can_fail(debian: Debian, database: Database, base: Image) -> None:
    """One fix moved by one entry is noticed."""
    log = debian.logs["openssl"]
    fixes = _first_fixes(log)
    cve, at = next((cve, at) for cve, at in fixes.items() if 0 < at < len(log) - 1)
    kept = Kept()
    upper = images.layer({"var/lib/dpkg/status": _downgraded(debian, {"openssl": at + 1})})
    _, found = _found(_over(base, upper), kept, database)
    assert ("openssl", cve) in found
    upper = images.layer({"var/lib/dpkg/status": _downgraded(debian, {"openssl": at})})
    _, found = _found(_over(base, upper), kept, database)
    assert ("openssl", cve) not in found
