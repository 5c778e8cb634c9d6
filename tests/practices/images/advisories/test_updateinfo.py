"""updateinfo.xml of rpm repositories: what is read of it, and what breaks it."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from martello.adapters.zstd import zstd
from martello.core.errors import BadInput
from martello.core.vulnerability import Affected
from martello.practices.images.advisories import updateinfo
from martello.practices.images.advisories.record import Item, Record, Skipped, until

FEED = "amazon-updateinfo:2023/core"
PACKAGES = """
  <package name="curl" version="8.5.0" release="1.amzn2023.0.4" epoch="0" arch="x86_64">
    <filename>Packages/curl.rpm</filename></package>
  <package name="curl" version="8.5.0" release="1.amzn2023.0.4" epoch="0" arch="i686"/>
  <package name="curl" version="8.5.0" release="1.amzn2023.0.4" epoch="0" arch="src"/>
  <package name="bind" version="9.18" release="2.amzn2023" epoch="32" arch="noarch"/>
"""


def update(
    id: str = "ALAS2023-2024-1",
    *,
    kind: str = "security",
    cves: tuple[str, ...] = ("CVE-2024-1111", "CVE-2024-2222"),
    packages: str = PACKAGES,
    module: str = "",
    severity: str = "Important",
) -> str:
    """One advisory in the form that repositories have it."""
    refs = "".join(
        f'<reference href="https://alas.example/{c}.html" id="{c}" title="" type="cve"/>'
        for c in cves
    )
    return f"""<update author="a" from="b" status="final" type="{kind}" version="1.4"><id>{id}</id>
    <title>curl &amp; bind</title><issued date="2024-02-17 20:41"/>
    <updated date="2024-02-22 23:22:01"/>
    <severity>{severity}</severity><description>A flaw.</description>
    <references>{refs}</references><pkglist><collection short="c"><name>N</name>{module}{packages}
    </collection></pkglist></update>"""


def written(path: Path, *updates: str, packed: Callable[[bytes], bytes] = gzip.compress) -> Path:
    body = '<?xml version="1.0" ?>\n<updates>' + "".join(updates) + "</updates>"
    path.write_bytes(packed(body.encode()))
    return path


def rows(items: list[Item]) -> list[Affected]:
    return [a for item in items if isinstance(item, Record) for a in item.affected]


def test_each_cve_names_what_its_advisory_says(tmp_path: Path) -> None:
    items = list(updateinfo.read(written(tmp_path / "u.xml.gz", update()), FEED))
    records = [item for item in items if isinstance(item, Record)]
    ids = [record.vulnerability.id for record in records]
    assert ids == ["ALAS2023-2024-1", "CVE-2024-1111", "CVE-2024-2222"]
    assert [record.vulnerability.aliases for record in records] == [(), (), ()]
    advisory = records[0].vulnerability
    assert (advisory.severity, advisory.summary) == ("high", "curl & bind")
    assert (advisory.published, advisory.modified) == (
        "2024-02-17T20:41:00Z",
        "2024-02-22T23:22:01Z",
    )
    bind, curl = records[1].affected
    assert (bind.name, bind.ranges) == ("bind", until("32:9.18-2.amzn2023"))
    assert (curl.name, curl.ranges) == ("curl", until("8.5.0-1.amzn2023.0.4"))
    assert {(a.ecosystem, a.status, a.severity, a.note) for a in rows(items)} == {
        ("Amazon Linux:2023", "fixed", "high", "fixed by ALAS2023-2024-1")
    }
    # the file of one architecture speaks for all of them
    assert curl.arches == ()
    assert curl.released == "2024-02-17T20:41:00Z"


def test_versions_that_differ_by_architecture_stay_apart(tmp_path: Path) -> None:
    packages = """<package name="a" version="1" release="2" epoch="1" arch="x86_64"/>
                  <package name="a" version="1" release="3" epoch="1" arch="aarch64"/>"""
    items = updateinfo.read(written(tmp_path / "u.xml.gz", update(packages=packages)), FEED)
    found = {(a.arches, a.ranges) for a in rows(list(items))}
    assert found == {(("aarch64",), until("1:1-3")), (("x86_64",), until("1:1-2"))}


def test_modules_stay_with_their_packages(tmp_path: Path) -> None:
    module = '<module name="nodejs" stream="18" version="1" context="a" arch="x86_64"/>'
    path = written(tmp_path / "u.xml.gz", update("ALSA-1", module=module), update("ALSA-2"))
    items = list(updateinfo.read(path, "alma-updateinfo:9"))
    told = {(a.note, a.module) for a in rows(items)}
    assert told == {("fixed by ALSA-1", "nodejs:18"), ("fixed by ALSA-2", "")}
    assert {a.ecosystem for a in rows(items)} == {"AlmaLinux:9"}


def test_an_advisory_without_cves_is_its_own_name(tmp_path: Path) -> None:
    path = written(
        tmp_path / "u.xml.gz", update("A-1", cves=()), update("A-2", kind="bugfix", cves=())
    )
    assert {a.id for a in rows(list(updateinfo.read(path, FEED)))} == {"A-1"}


def test_cves_of_bug_reports_count(tmp_path: Path) -> None:
    text = update("FEDORA-1", cves=()).replace(
        "<references>",
        '<references><reference id="99" type="bugzilla" title="CVE-2024-5 x: CVE-2024-77777 y"/>',
    )
    path = written(tmp_path / "u.xml.gz", text)
    found = {(a.id, a.ecosystem) for a in rows(list(updateinfo.read(path, "fedora-updateinfo:41")))}
    assert found == {("CVE-2024-77777", "Fedora:41")}


def test_rocky_is_read_by_source(tmp_path: Path) -> None:
    packages = """
      <package name="openssl-libs" version="3.0.7" release="25.el9" epoch="1" arch="x86_64"
        src="openssl-3.0.7-25.el9.src.rpm"/>
      <package name="openssl" version="3.0.7" release="25.el9" epoch="1" arch="src"/>
      <package name="lost" version="3" release="2" epoch="0" arch="x86_64"/>"""
    path = written(tmp_path / "u.xml.gz", update(cves=("CVE-2024-1234",), packages=packages))
    items = list(updateinfo.read(path, "rocky-updateinfo:9/baseos"))
    assert [(a.name, a.ranges) for a in rows(items)] == [("openssl", until("1:3.0.7-25.el9"))]
    assert [i.why for i in items if isinstance(i, Skipped)] == ["a package that names no source"]


def test_fixes_for_ksplice_are_left_out(tmp_path: Path) -> None:
    packages = '<package name="glibc" version="2" release="1.ksplice1.el8" epoch="2" arch="i686"/>'
    path = written(tmp_path / "u.xml.gz", update(packages=packages))
    items = list(updateinfo.read(path, "oracle-updateinfo:8/baseos"))
    assert rows(items) == []
    assert {i.why for i in items if isinstance(i, Skipped)} == {
        "a fix for Ksplice only",
        "no package of it can be matched",
    }


@pytest.mark.parametrize(
    "packed",
    [bytes, gzip.compress, bz2.compress, lzma.compress, zstd.compress],
)
def test_all_ways_of_compression(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    path = written(tmp_path / "updateinfo.xml.gz", update(), packed=packed)
    assert len(rows(list(updateinfo.read(path, FEED)))) == 4


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_a_cut_file_is_told(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    path = written(tmp_path / "u.xml", *[update(f"A-{n}") for n in range(200)], packed=packed)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadInput):
        list(updateinfo.read(path, FEED))


BOMB = """<!DOCTYPE updates [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<updates><update type="security"><id>&b;</id></update></updates>"""


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no xml",
        "<updates><update>",
        "<html></html>",
        BOMB,
        '<!DOCTYPE updates SYSTEM "file:///etc/passwd"><updates/>',
        "<updates>" + "<a>" * 100_000,
        '<updates><update type="' + "a" * (17 << 20) + '"/></updates>',
        '<?xml version="1.0" encoding="no-such"?><updates/>',
        "<updates>\0</updates>",
    ],
    ids=["empty", "text", "cut", "html", "entities", "outside", "deep", "long", "encoding", "nul"],
)
def test_what_is_no_updateinfo(tmp_path: Path, body: str) -> None:
    path = tmp_path / "updateinfo.xml"
    path.write_text(body)
    with pytest.raises(BadInput):
        list(updateinfo.read(path, FEED))


def test_a_bomb_of_compression_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "updateinfo.xml.gz"
    path.write_bytes(gzip.compress(b"<updates>" + b" " * (100 << 20), 9))
    with pytest.raises(BadInput) as told:
        list(updateinfo.read(path, FEED))
    assert "grows to more than" in told.value.why


@pytest.mark.parametrize("feed", ["centos-updateinfo:7", "amazon-updateinfo:", "x"])
def test_a_distribution_that_is_not_known(tmp_path: Path, feed: str) -> None:
    with pytest.raises(BadInput):
        list(updateinfo.read(written(tmp_path / "u.xml.gz", update()), feed))


def test_broken_advisories_leave_the_others(tmp_path: Path) -> None:
    path = written(
        tmp_path / "u.xml.gz", update(""), update("A-1", packages="<package/>"), update("A-2")
    )
    items = list(updateinfo.read(path, FEED))
    assert {a.note for a in rows(items)} == {"fixed by A-2"}
    assert [i.why for i in items if isinstance(i, Skipped)] == [
        "it has no usable id",
        "a package without name or version",
        "no package of it can be matched",
    ]
