"""Which feeds are needed, how they come, and how the database is handed on (D2, D4)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from martello.core.artifact import Manifest, digest_of, parse_manifest
from martello.core.errors import BadInput, Refused, Unreachable
from martello.core.package import Inventory, Package
from martello.practices.images.advisories import ship
from martello.practices.images.advisories.build import build
from martello.practices.images.advisories.db import open_database
from martello.practices.images.advisories.sources import find, read_kept
from martello.practices.images.advisories.update import (
    Download,
    Fetched,
    needed,
    plan,
    update,
    without_feed,
)

RECORD = (
    b'{"id":"GHSA-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm",'
    b'"name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}'
)


def zipped(content: bytes = RECORD) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("GHSA-1.json"), content)
    return out.getvalue()


class Server:
    """Answers from memory, with etags."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.asked: list[tuple[str, str]] = []
        self.size: int | None = None

    def __call__(self, url: str, etag: str) -> Fetched | None:
        self.asked.append((url, etag))
        content = self.files.get(url)
        if content is None:
            raise Unreachable(f"cannot reach {url}", "404 not found")
        tag = str(hash(content))
        if tag == etag:
            return None
        size = len(content) if self.size is None else self.size
        parts = iter([content[:5], content[5:]])
        return Fetched(parts, size, tag, "2026-02-02T00:00:00Z")


ONE = (Download("u", "npm/all.zip"),)


def test_what_an_inventory_needs() -> None:
    packages = (
        Package("deb", "a", "1", "Debian:12"),
        Package("npm", "a", "1", "npm"),
        Package("npm", "b", "1", "npm"),
        Package("rpm", "x", "1", ""),
    )
    ecosystems = needed([Inventory("i", packages=packages)])
    assert ecosystems == ("Debian:12", "npm")
    assert [d.file for d in plan(ecosystems, more=False)] == ["debian/tracker.json", "npm/all.zip"]


def test_a_plan_names_each_file_once_and_takes_a_mirror() -> None:
    found = plan(["Alpine:v3.19", "Ubuntu:22.04", "Ubuntu:24.04", "Rocky Linux:9"], "https://m/o/")
    assert [d.url for d in found] == [
        "https://m/o/Rocky%20Linux/all.zip",
        "https://m/o/Ubuntu/all.zip",
        "https://m/o/alpine/v3.19/community.json",
        "https://m/o/alpine/v3.19/main.json",
        "https://m/o/epss_scores-current.csv.gz",
        "https://m/o/known_exploited_vulnerabilities.json",
    ]
    assert without_feed(["npm", "Amazon Linux:2", "Nowhere"]) == ("Nowhere",)


def test_only_what_changed_is_fetched(tmp_path: Path) -> None:
    server = Server(u=zipped())
    assert [o.state for o in update(ONE, tmp_path, server)] == ["new"]
    assert [o.state for o in update(ONE, tmp_path, server)] == ["unchanged"]
    assert server.asked[1][1] == read_kept(tmp_path)["npm/all.zip"].etag != ""
    found = find(tmp_path)
    assert [source.time for source in found.sources] == ["2026-02-02T00:00:00Z"]
    assert found.strange == ()


@pytest.mark.parametrize("broken", [b"<html>429</html>", b"", zipped()[:-30], None])
def test_the_last_good_file_stays(tmp_path: Path, broken: bytes | None) -> None:
    server = Server(u=zipped())
    update(ONE, tmp_path, server)
    server.files = {} if broken is None else {"u": broken}
    (outcome,) = update(ONE, tmp_path, server)
    assert outcome.state == "kept"
    assert outcome.error
    assert (tmp_path / "npm" / "all.zip").read_bytes() == zipped()
    assert [p.name for p in (tmp_path / "npm").iterdir()] == ["all.zip"]


def test_a_cut_answer_is_not_taken(tmp_path: Path) -> None:
    server = Server(u=zipped())
    server.size = 1_000_000
    (outcome,) = update(ONE, tmp_path, server)
    assert (outcome.state, find_or_none(tmp_path)) == ("missing", None)


def find_or_none(folder: Path) -> object:
    try:
        return find(folder)
    except BadInput:
        return None


def test_files_of_a_folder_are_known_by_their_names(tmp_path: Path) -> None:
    for name in (
        "osv-scanner/PyPI/all.zip", "debian/tracker.json", "alpine/v3.19/main.json",
        "wolfi/security.json", "records/own/2026/a.json", "records/own/b.json",
        "known_exploited_vulnerabilities.csv", "epss-2026.csv", "endoflife/debian.json", "x.txt",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(RECORD)
    found = find(tmp_path)
    assert sorted(source.name for source in found.sources) == [
        "alpine-secdb:v3.19/main", "debian-tracker", "osv:PyPI", "osv:own", "wolfi-secdb",
    ]  # fmt: skip
    assert sorted(extra.name for extra in found.extras) == [
        "cisa-kev",
        "end-of-life:debian",
        "epss",
    ]
    assert found.strange == ("x.txt",)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    update(ONE, tmp_path / "feeds", Server(u=zipped()))
    return build(find(tmp_path / "feeds").sources, tmp_path / "a.db").path


def parcel(database: Path, tmp_path: Path) -> tuple[ship.Parcel, Manifest]:
    packed = ship.pack(database, tmp_path / "layer.zst")
    manifest = parse_manifest(packed.manifest)
    assert isinstance(manifest, Manifest)
    return packed, manifest


def parts(content: bytes, size: int = 7) -> Iterator[bytes]:
    return (content[n : n + size] for n in range(0, len(content), size))


def test_it_comes_out_as_it_went_in(database: Path, tmp_path: Path) -> None:
    packed, manifest = parcel(database, tmp_path)
    label = ship.label_of(manifest, packed.config)
    assert (label.ecosystems, label.feeds[0].name) == (("npm",), "osv:npm")
    ship.unpack(manifest, label, parts(packed.layer.read_bytes()), tmp_path / "b.db")
    assert (tmp_path / "b.db").read_bytes() == database.read_bytes()
    with open_database(tmp_path / "b.db") as opened:
        assert opened.digest == label.digest
    again = ship.pack(database, tmp_path / "other.zst")
    assert again.manifest == packed.manifest


def test_what_is_not_as_promised_is_refused(database: Path, tmp_path: Path) -> None:
    packed, manifest = parcel(database, tmp_path)
    label = ship.label_of(manifest, packed.config)
    out = tmp_path / "b.db"
    layer = packed.layer.read_bytes()
    for wrong in (layer[:-1], layer + b"\0", layer[:40] + b"\0\0" + layer[42:], b"", b"x" * 90):
        with pytest.raises((Refused, BadInput)):
            ship.unpack(manifest, label, parts(wrong), out)
        assert not out.exists()
    small = msgspec.structs.replace(label, size=label.size - 1)
    with pytest.raises(Refused, match="longer"):
        ship.unpack(manifest, small, parts(layer), out)
    with pytest.raises(Refused):
        ship.label_of(manifest, packed.config + b" ")


def test_another_artefact_and_a_newer_schema(database: Path, tmp_path: Path) -> None:
    packed, manifest = parcel(database, tmp_path)
    with pytest.raises(BadInput, match="no advisory database"):
        ship.label_of(msgspec.structs.replace(manifest, artifact="x/y"), packed.config)
    newer = msgspec.json.encode(msgspec.json.decode(packed.config) | {"schema": 99})
    described = msgspec.structs.replace(manifest.config, digest=digest_of(newer))
    with pytest.raises(BadInput, match="cannot use") as caught:
        ship.label_of(msgspec.structs.replace(manifest, config=described), newer)
    assert caught.value.next == "update martello"


def test_a_file_that_is_still_the_newest_is_as_fresh_as_that(tmp_path: Path) -> None:
    server = Server(u=zipped())
    update(ONE, tmp_path, server, "2026-02-03T00:00:00Z")
    first = build(find(tmp_path).sources, tmp_path / "1.db", "2026-03-01T00:00:00Z")
    (outcome,) = update(ONE, tmp_path, server, "2026-02-20T00:00:00Z")
    assert outcome.state == "unchanged"
    (source,) = find(tmp_path).sources
    assert (source.time, source.revision) == ("2026-02-20T00:00:00Z", "2026-02-02T00:00:00Z")
    second = build(find(tmp_path).sources, tmp_path / "2.db", "2026-03-01T00:00:00Z")
    again = build(find(tmp_path).sources, tmp_path / "3.db", "2026-03-05T00:00:00Z")
    assert first.digest != second.digest
    assert second.digest == again.digest, "the same folder makes the same file"
    with open_database(tmp_path / "3.db") as database:
        assert [feed.time for feed in database.feeds] == ["2026-02-20T00:00:00Z"]
    server.files = {}
    update(ONE, tmp_path, server, "2026-02-25T00:00:00Z")
    assert find(tmp_path).sources[0].time == "2026-02-20T00:00:00Z", "nobody confirmed it"


def test_feeds_whose_files_change_their_names(tmp_path: Path) -> None:
    content = b"\x28\xb5\x2f\xfd" + b"x" * 60
    server = Server(
        **{"https://r/latest.txt": b"vex_1.tar.zst", "https://r/vex_1.tar.zst": content}
    )
    wanted = (Download("https://r/latest.txt", "redhat/vex.tar.zst", ("line",)),)
    assert [o.state for o in update(wanted, tmp_path, server)] == ["new"]
    assert [o.state for o in update(wanted, tmp_path, server)] == ["unchanged"]
    server.files = {"https://r/latest.txt": b"vex_2.tar.zst", "https://r/vex_2.tar.zst": b"<html>"}
    (outcome,) = update(wanted, tmp_path, server)
    assert (outcome.state, (tmp_path / "redhat" / "vex.tar.zst").read_bytes()) == ("kept", content)


@pytest.mark.parametrize(
    ("ecosystem", "files"),
    [
        ("Red Hat:9", ["redhat/repository-to-cpe.json", "redhat/vex.tar.zst"]),
        ("Amazon Linux:2023", ["amazon/2023/core/updateinfo.xml.gz"]),
        ("Amazon Linux:1", []),
        ("Oracle Linux:7", ["oracle/7/latest/updateinfo.xml.gz"]),
        (
            "Oracle Linux:9",
            ["oracle/9/appstream/updateinfo.xml.gz", "oracle/9/baseos/updateinfo.xml.gz"],
        ),
        ("SUSE:Linux Enterprise Server 15.5", ["SUSE/all.zip"]),
        ("openSUSE:Leap 15.6", ["openSUSE/all.zip"]),
        ("Rocky Linux:9", ["Rocky Linux/all.zip"]),
    ],
)
def test_the_plan_of_a_distribution(ecosystem: str, files: list[str]) -> None:
    assert [d.file for d in plan([ecosystem], more=False)] == files
