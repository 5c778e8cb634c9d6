"""Ubuntu's OSV records and the files of its CVE tracker."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from martello.core.errors import BadInput
from martello.core.vulnerability import Affected, Events
from martello.practices.images.advisories import ubuntu
from martello.practices.images.advisories.record import Item, Record, Skipped, until


def package(ecosystem: str, fixed: str = "", versions: tuple[str, ...] = ()) -> dict[str, Any]:
    """What an OSV record of Ubuntu's says of one source package."""
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    return {
        "package": {"ecosystem": ecosystem, "name": "php"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
        "versions": list(versions),
        "ecosystem_specific": {"binaries": [{"binary_name": "php-cli", "binary_version": "1"}]},
    }


def read(tmp_path: Path, *affected: dict[str, Any], **more: Any) -> list[Record]:
    body = {
        "id": "UBUNTU-CVE-2025-6491",
        "modified": "2025-09-08T17:06:51Z",
        "upstream": ["CVE-2025-6491"],
        "severity": [{"type": "Ubuntu", "score": "medium"}],
        "affected": list(affected),
    } | more
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.json", json.dumps(body))
    items = list(ubuntu.read(path))
    records = [item for item in items if isinstance(item, Record)]
    assert len(records) == len(items)
    return records


def test_a_record_of_a_cve(tmp_path: Path) -> None:
    versions = ("8.1.2-1", "8.1.2-1ubuntu2.21")
    (record,) = read(tmp_path, package("Ubuntu:22.04:LTS", "8.1.2-1ubuntu2.22", versions))
    assert record.vulnerability.aliases == ("CVE-2025-6491",)
    assert record.vulnerability.severity == "medium"
    (row,) = record.affected
    assert (row.ecosystem, row.ranges) == ("Ubuntu:22.04", until("8.1.2-1ubuntu2.22"))
    assert row.versions == (), "the range holds all of them"


def test_a_version_beyond_the_range_stays(tmp_path: Path) -> None:
    (record,) = read(tmp_path, package("Ubuntu:22.04:LTS", "2", ("1", "2")))
    assert record.affected[0].versions == ("1", "2")


def limit(version: str) -> tuple[Events, ...]:
    return (Events("ECOSYSTEM", (("introduced", "0"), ("limit", version))),)


def test_what_is_fixed_for_subscribers_only(tmp_path: Path) -> None:
    (record,) = read(tmp_path, package("Ubuntu:Pro:18.04:LTS", "7.2-1+esm9", ("7.2-1",)))
    (row,) = record.affected
    assert (row.ecosystem, row.status, row.ranges) == (
        "Ubuntu:18.04",
        "affected",
        limit("7.2-1+esm9"),
    )
    assert row.note == "fixed in 7.2-1+esm9, with Ubuntu Pro only"


@pytest.mark.parametrize(
    ("plain", "ranges", "status"),
    [("", limit("1+esm1"), "affected"), ("0.9", until("0.9"), "fixed")],
)
def test_a_release_that_is_named_twice(
    tmp_path: Path, plain: str, ranges: tuple[Events, ...], status: str
) -> None:
    (record,) = read(
        tmp_path,
        package("Ubuntu:Pro:22.04:LTS", "1+esm1"),
        package("Ubuntu:22.04:LTS", plain),
        package("Ubuntu:Pro:FIPS:22.04:LTS", "1+fips1"),
    )
    (row,) = record.affected
    assert (row.ecosystem, row.ranges, row.status) == ("Ubuntu:22.04", ranges, status)


def test_a_release_that_only_subscribers_get_support_for(tmp_path: Path) -> None:
    (record,) = read(tmp_path, package("Ubuntu:Pro:14.04:LTS"))
    (row,) = record.affected
    assert (row.status, row.ranges) == ("affected", until(""))
    assert row.note == "only Ubuntu Pro still supports it"


def test_a_notice_becomes_the_cves_that_it_mends(tmp_path: Path) -> None:
    records = read(
        tmp_path,
        package("Ubuntu:22.04:LTS", "2"),
        id="USN-7548-1",
        upstream=["UBUNTU-CVE-2023-52969", "UBUNTU-CVE-2023-52970"],
    )
    assert [(r.vulnerability.id, r.vulnerability.aliases) for r in records] == [
        ("CVE-2023-52969", ()),
        ("CVE-2023-52970", ()),
    ]
    assert {r.affected[0].note for r in records} == {"fixed by USN-7548-1"}


TRACKED = """PublicDateAtUSN: 2024-01-01
Candidate: CVE-2024-0397
PublicDate: 2024-06-17 16:15:00 UTC
References:
 https://www.cve.org/CVERecord?id=CVE-2024-0397
Description:
 A defect was discovered
 in the ssl module.
Ubuntu-Description:
Notes:
 someone> a note
Priority: medium
 why it is so
Priority_tiff: low
CVSS:
 nvd: CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H [5.9 MEDIUM]

Patches_openssl:
upstream_openssl: released (3.0.2)
jammy_openssl: released (3.0.2-0ubuntu1.15)
noble_openssl: not-affected (3.0.13-0ubuntu3)
focal_openssl: ignored (end of standard support, was needed)
esm-infra/focal_openssl: released (1.1.1f-1ubuntu2.23+esm1)
bionic_openssl: ignored (end of standard support)
esm-infra/bionic_openssl: needed
trusty/esm_openssl: needs-triage
xenial_openssl: DNE
devel_openssl: needed
plucky_openssl: pending (3.4.1-1ubuntu2)
oracular_openssl: deferred (2024-10-01)
fips/focal_openssl: needed

Patches_tiff:
jammy_tiff: needed
noble_tiff: ignored (changes too intrusive)
esm-apps/jammy_tiff: needed
questing_tiff: released
"""


def rows(items: list[Item]) -> dict[tuple[str, str], Affected]:
    found: dict[tuple[str, str], Affected] = {}
    for item in items:
        assert isinstance(item, Record)
        found |= {(a.name, a.ecosystem.removeprefix("Ubuntu:")): a for a in item.affected}
    return found


def test_the_tracker_keeps_why_something_is_not_fixed() -> None:
    record = ubuntu.parse_tracker(TRACKED.encode(), "active/CVE-2024-0397")
    assert isinstance(record, Record)
    said = {key: (a.status, a.ranges, a.note) for key, a in rows([record]).items()}
    every = until("")
    assert said == {
        ("openssl", "22.04"): ("fixed", until("3.0.2-0ubuntu1.15"), ""),
        ("openssl", "24.04"): ("not-affected", (), "not affected (3.0.13-0ubuntu3)"),
        ("openssl", "20.04"): (
            "affected",
            limit("1.1.1f-1ubuntu2.23+esm1"),
            "fixed in 1.1.1f-1ubuntu2.23+esm1, with Ubuntu Pro only",
        ),
        ("openssl", "18.04"): ("end-of-life", every, "end of standard support"),
        ("openssl", "14.04"): ("under-investigation", every, ""),
        ("openssl", "25.04"): ("affected", every, "a fix is about to come out: 3.4.1-1ubuntu2"),
        ("openssl", "24.10"): ("deferred", every, "2024-10-01"),
        ("tiff", "22.04"): ("affected", every, ""),
        ("tiff", "24.04"): ("will-not-fix", every, "changes too intrusive"),
        ("tiff", "25.10"): ("under-investigation", every, "released, without a version"),
    }
    severities = {key[0]: a.severity for key, a in rows([record]).items()}
    assert severities == {"openssl": "medium", "tiff": "low"}
    about = record.vulnerability
    assert (about.published, about.summary) == (
        "2024-06-17T16:15:00Z",
        "A defect was discovered in the ssl module.",
    )
    assert about.vectors == (("CVSS_V3", "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H"),)
    assert about.references == ("https://www.cve.org/CVERecord?id=CVE-2024-0397",)


def test_a_checkout_and_an_archive_of_it_say_the_same(tmp_path: Path) -> None:
    tree = tmp_path / "tracker"
    for name in ("active/CVE-2024-0397", "retired/CVE-2024-1000", "active/00boilerplate", "README"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(TRACKED.replace("0397", "1000") if "1000" in name else TRACKED)
    archive = tmp_path / "tracker.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        out.add(tree, "ubuntu-cve-tracker-main")
    one = list(ubuntu.read_tracker(tree))
    other = list(ubuntu.read_tracker(archive))
    assert len(one) == 2
    assert {r.vulnerability.id for r in one if isinstance(r, Record)} == {
        "CVE-2024-0397",
        "CVE-2024-1000",
    }
    assert sorted(map(repr, one)) == sorted(map(repr, other))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"Candidate: x", b"jammy_a: needed"])
def test_a_file_that_names_no_cve_is_skipped(content: bytes) -> None:
    assert ubuntu.parse_tracker(content, "active/CVE-1") == Skipped(
        "active/CVE-1", "it names no candidate"
    )


def test_a_line_of_any_length_is_read_in_linear_time() -> None:
    junk = (
        "a_" * 300_000 + "\n" + "jammy_" + "a" * 600_000 + ": needed (" + "(" * 600_000
    ).encode()
    assert isinstance(ubuntu.parse_tracker(junk, "x"), Skipped)


def test_an_empty_checkout_is_no_feed(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        list(ubuntu.read_tracker(tmp_path))
    archive = tmp_path / "tracker.tar"
    with tarfile.open(archive, "w") as out:
        out.addfile(tarfile.TarInfo("README"), io.BytesIO())
    with pytest.raises(BadInput):
        list(ubuntu.read_tracker(archive))


def test_records_of_ubuntu_in_any_folder_are_read_as_ubuntus(tmp_path: Path) -> None:
    from martello.practices.images.advisories.sources import find

    affected = [
        {
            "package": {"ecosystem": ecosystem, "name": "bash"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2+esm1"}]}],
        }
        for ecosystem in ("Ubuntu:Pro:18.04:LTS", "PyPI")
    ]
    record = {"id": "X-1", "modified": "2024-01-01T00:00:00Z", "affected": affected}
    (tmp_path / "records" / "own").mkdir(parents=True)
    (tmp_path / "records" / "own" / "a.json").write_text(json.dumps(record))
    (source,) = find(tmp_path).sources
    (item,) = source.read(source.path)
    assert isinstance(item, Record)
    assert sorted(row.ecosystem for row in item.affected) == ["PyPI", "Ubuntu:18.04"]
