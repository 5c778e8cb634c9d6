"""Reading OSV records: what is taken, and what is skipped, counted and named (D4, D5)."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from martello.core.errors import BadInput
from martello.practices.images.advisories import osv
from martello.practices.images.advisories.archive import Limits
from martello.practices.images.advisories.record import Record, Skipped

GOOD: dict[str, Any] = {
    "id": "GHSA-xxxx-1",
    "modified": "2024-01-01T00:00:00Z",
    "aliases": ["CVE-2024-0001"],
    "summary": "s",
    "database_specific": {"severity": "MODERATE"},
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Foo_Bar"},
            "ranges": [
                {"type": "ECOSYSTEM", "events": [{"fixed": "2.0"}, {"introduced": "0"}]},
                {"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]},
            ],
            "versions": ["1.0"],
        }
    ],
}


def parse(**changes: Any) -> tuple[list[Record], list[Skipped]]:
    items = list(osv.parse(json.dumps(GOOD | changes).encode(), "osv:PyPI"))
    records = [item for item in items if isinstance(item, Record)]
    return records, [item for item in items if isinstance(item, Skipped)]


def package(ecosystem: str, name: str = "a", **more: Any) -> list[dict[str, Any]]:
    events = [{"introduced": "0"}, {"fixed": "2"}]
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    return [{"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges} | more]


def test_a_record() -> None:
    (record,), (skipped,) = parse()
    assert record.vulnerability.severity == "medium"
    assert record.vulnerability.aliases == ("CVE-2024-0001",)
    (affected,) = record.affected
    assert affected.name == "foo-bar"
    assert affected.ranges[0].events == (("introduced", "0"), ("fixed", "2.0"))
    assert (affected.versions, affected.status, len(affected.ranges)) == (("1.0",), "fixed", 1)
    assert (skipped.where, skipped.whole) == ("GHSA-xxxx-1", False)


def test_only_git_is_counted_and_not_taken() -> None:
    ranges = [{"type": "GIT", "events": [{"introduced": "0"}]}]
    records, skipped = parse(affected=[GOOD["affected"][0] | {"ranges": ranges, "versions": []}])
    assert not records
    assert [item.whole for item in skipped] == [False, True]


def test_an_unknown_range_is_told_as_open() -> None:
    ranges = [{"type": "ORBITAL", "events": [{"introduced": "0"}]}]
    records, _ = parse(affected=[GOOD["affected"][0] | {"ranges": ranges, "versions": []}])
    assert records[0].affected[0].status == "under-investigation"
    assert "ORBITAL" in records[0].affected[0].note


def test_withdrawn_affects_nothing() -> None:
    (record,), _ = parse(withdrawn="2024-02-02T00:00:00Z")
    assert record.vulnerability.withdrawn
    assert record.affected[0].status == "not-affected"


def test_informational_has_a_status_of_its_own() -> None:
    (record,), _ = parse(
        affected=package("crates.io", database_specific={"informational": "unmaintained"})
    )
    assert (record.affected[0].status, record.affected[0].note) == ("informational", "unmaintained")


def test_symbols_become_a_short_note() -> None:
    imports = [{"path": "net/http", "symbols": ["A", "B", "C", "D"]}]
    (record,), _ = parse(affected=package("Go", ecosystem_specific={"imports": imports}))
    assert record.affected[0].note == ("symbols net/http: A, net/http: B, net/http: C and 1 more")


def test_a_bulletin_becomes_its_cves() -> None:
    records, _ = parse(
        id="USN-1", aliases=[], upstream=["CVE-2024-0002", "CVE-2024-0001"],
        affected=package("Ubuntu:22.04:LTS"),
    )  # fmt: skip
    assert [record.vulnerability.id for record in records] == ["CVE-2024-0001", "CVE-2024-0002"]
    assert records[0].affected[0].ecosystem == "Ubuntu:22.04"
    assert records[0].affected[0].note == "fixed by USN-1"


def test_products_of_red_hat_stay_with_the_statement() -> None:
    (record,), _ = parse(affected=package("Red Hat:enterprise_linux:9::crb"))
    assert record.affected[0].ecosystem == "Red Hat:9"
    assert "cpe:/a:redhat:enterprise_linux:9::crb" in record.affected[0].cpes


def test_a_bulletin_of_one_cve_is_its_alias() -> None:
    (record,), _ = parse(
        id="ALSA-1", aliases=[], related=["CVE-2024-0001"], affected=package("AlmaLinux:9")
    )
    assert record.vulnerability.aliases == ("CVE-2024-0001",)


@pytest.mark.parametrize(
    ("given", "level"),
    [
        (
            {"affected": package("Debian:12", ecosystem_specific={"urgency": "unimportant"})},
            "negligible",
        ),
        (
            {"affected": package("Debian:12", ecosystem_specific={"urgency": "not yet assigned"})},
            "",
        ),
        (
            {"affected": package("Rocky Linux:9", severity=[{"type": "Ubuntu", "score": "high"}])},
            "high",
        ),
    ],
)
def test_severity_of_a_package(given: dict[str, Any], level: str) -> None:
    assert parse(**given)[0][0].affected[0].severity == level


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"id": 5}',
        b'{"id": ""}',
        b'{"id": "a", "affected": 3}',
        b'{"id": "a", "affected": [{"package": "b"}]}',
        b'{"id": "a", "affected": [{"package": {"ecosystem": "npm", "name": "b"}, "ranges": 1}]}',
        b'{"id": "a", "affected": [{"package": {"ecosystem": "npm", "name": "b"}}]}',
        b"\xff\xfe",
        b'{"id": "a", "database_specific": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    ],
)
def test_broken_records_are_named(content: bytes) -> None:
    (skipped,) = osv.parse(content, "osv:npm", "npm/a.json")
    assert isinstance(skipped, Skipped)
    assert skipped.whole
    assert skipped.why


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_folder_zip_and_file_give_the_same(tmp_path: Path) -> None:
    content = json.dumps(GOOD).encode()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.json").write_bytes(content)
    (folder / "link.json").symlink_to("/etc/passwd")
    archive = zipped(tmp_path / "all.zip", {"a.json": content, "README": b"x"})
    assert (
        list(osv.read(folder, "f")) == list(osv.read(archive, "f"))
        == list(osv.read(folder / "a.json", "f"))
    )  # fmt: skip


def test_a_huge_record_is_skipped_and_the_others_stay(tmp_path: Path) -> None:
    huge = json.dumps(GOOD | {"details": "x" * 5_000_000}).encode()
    archive = zipped(tmp_path / "all.zip", {"a.json": huge, "b.json": json.dumps(GOOD).encode()})
    items = list(osv.read(archive, "f", Limits(record=1 << 20)))
    assert isinstance(items[0], Skipped)
    assert "1 MiB" in items[0].why
    assert any(isinstance(item, Record) for item in items)


def test_a_bomb_ends_at_the_limit_of_the_feed(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "all.zip", {f"{n}.json": b" " * 1_000_000 for n in range(50)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(BadInput, match="cannot read all of"):
        list(osv.read(archive, "f", Limits(total=5_000_000)))


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "all.zip", {"a.json": json.dumps(GOOD).encode() * 3})
    content = bytearray(archive.read_bytes())
    content[60:90] = bytes(30)
    archive.write_bytes(content)
    (skipped,) = osv.read(archive, "f")
    assert isinstance(skipped, Skipped)
    assert skipped.where == "a.json"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04junk", b"<html>429</html>"])
def test_no_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "all.zip").write_bytes(content)
    with pytest.raises(BadInput):
        list(osv.read(tmp_path / "all.zip", "f"))
