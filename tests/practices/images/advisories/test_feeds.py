"""From feeds in a folder to matches: names, epochs, modules, architectures, products, statuses."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.support.vex_documents import APPSTREAM, BASEOS, EUS, RHEL9, document

from martello.core.package import Inventory, Package, System
from martello.practices.images.advisories.build import Report, build
from martello.practices.images.advisories.db import Database, open_database
from martello.practices.images.advisories.sources import find
from martello.practices.images.ecosystems import ecosystem_of
from martello.practices.images.match import Matches, match

RHEL = System("rhel", "9.4", name="Red Hat Enterprise Linux 9.4 (Plow)")


def osv(id: str, *affected: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": id, "modified": "2026-01-01T00:00:00Z", "affected": list(affected), **more}


def said(ecosystem: str, name: str, fixed: str = "", **more: Any) -> dict[str, Any]:
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    return {"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges, **more}


class Folder:
    """A folder of feeds, the database that it makes, and what matches."""

    def __init__(self, path: Path) -> None:
        self.path = path / "feeds"
        self.database: Database | None = None

    def put(self, name: str, content: bytes | str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def zip(self, family: str, *records: dict[str, Any]) -> None:
        file = self.path / family / "all.zip"
        file.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(file, "w") as archive:
            for record in records:
                archive.writestr(f"{record['id']}.json", json.dumps(record))

    def build(self) -> Report:
        found = find(self.path)
        out = self.path.parent / "a.db"
        report = build(found.sources, out, "2026-03-01T00:00:00Z", extras=found.extras)
        self.database = open_database(out)
        return report

    def match(self, system: System, *packages: Package) -> Matches:
        if self.database is None:
            assert self.build().complete
        assert self.database is not None
        return match(Inventory("image", system=system, packages=packages), self.database)


@pytest.fixture
def feeds(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    if folder.database is not None:
        folder.database.close()


def rpm(system: System, name: str, version: str, source: str = "", **more: Any) -> Package:
    given: dict[str, Any] = {"arch": "x86_64", "source": source or name, **more}
    given.setdefault("source_version", version)
    return Package("rpm", name, version, ecosystem_of("rpm", system), **given)


def deb(system: System, name: str, version: str, source: str) -> Package:
    ecosystem = ecosystem_of("deb", system)
    return Package("deb", name, version, ecosystem, source=source, source_version=version)


def told(found: Matches) -> list[tuple[str, str, str]]:
    return [(m.id, m.status, m.fixed) for m in found.found]


def vex(feeds: Folder, *documents: dict[str, Any]) -> None:
    for number, body in enumerate(documents):
        feeds.put(f"redhat/vex/2024/cve-2024-{number}.json", json.dumps(body))


def curl(version: str, more: str = "") -> str:
    return f"pkg:rpm/redhat/curl@{version}?arch=x86_64{more}"


def test_an_epoch_counts(feeds: Folder) -> None:
    vex(feeds, document({"fixed": [(BASEOS, curl("7.76.1-2.el9", "&epoch=1"))]}))
    assert told(feeds.match(RHEL, rpm(RHEL, "curl", "9.0-1.el9"))) == [
        ("CVE-2024-1111", "fixed", "1:7.76.1-2.el9")
    ]
    assert told(feeds.match(RHEL, rpm(RHEL, "curl", "1:7.76.1-2.el9"))) == []


def test_the_fix_of_another_product_is_none(feeds: Folder) -> None:
    vex(
        feeds,
        document({"fixed": [(EUS, curl("7.76.1-1.el9_2"))]}),
        document({"fixed": [(BASEOS, curl("7.76.1-26.el9_3"))]}, cve="CVE-2024-2222"),
    )
    mapping = {"data": {"eus-rpms": {"cpes": [EUS]}, "other": {"cpes": [APPSTREAM]}}}
    feeds.put("redhat/repository-to-cpe.json", json.dumps(mapping))
    package = rpm(RHEL, "curl", "7.76.1-0.el9")
    usual = feeds.match(RHEL, package)
    assert told(usual) == [("CVE-2024-2222", "fixed", "7.76.1-26.el9_3")]
    assert [(a.id, a.why) for a in usual.aside] == [
        ("CVE-2024-1111", "the record is of another product or repository")
    ]
    extended = System("rhel", "9.2", content_sets=("eus-rpms",))
    assert told(feeds.match(extended, package)) == [("CVE-2024-1111", "fixed", "7.76.1-1.el9_2")]


def test_what_is_said_of_a_release_holds_for_its_repositories(feeds: Folder) -> None:
    named = [(RHEL9, "pkg:rpm/redhat/curl")]
    vex(
        feeds,
        document({"known_affected": named}, remedies=[("no_fix_planned", "Will not fix", named)]),
        document({"known_not_affected": named}, cve="CVE-2024-2222"),
        document({"under_investigation": named}, cve="CVE-2024-3333"),
    )
    feeds.put("redhat/repository-to-cpe.json", json.dumps({"data": {"b": {"cpes": [BASEOS]}}}))
    system = System("rhel", "9", content_sets=("b",))
    found = feeds.match(system, rpm(RHEL, "curl", "7.76.1-0.el9"))
    assert told(found) == [
        ("CVE-2024-1111", "will-not-fix", ""),
        ("CVE-2024-3333", "under-investigation", ""),
    ]
    assert {m.severity for m in found.found} == {"high"}
    assert [(a.id, a.kind) for a in found.aside] == [("CVE-2024-2222", "status")]


def test_modules_are_told_apart(feeds: Folder) -> None:
    nodejs = "pkg:rpm/redhat/nodejs@18.9-1.el9?arch=x86_64&rpmmod=nodejs:18:9010:abc"
    vex(feeds, document({"fixed": [(APPSTREAM, nodejs)]}))
    package = rpm(RHEL, "nodejs", "16.1-1.el9")
    assert told(feeds.match(RHEL, package)) == []
    for module, count in (("nodejs:16", 0), ("nodejs:18", 1)):
        named = rpm(RHEL, "nodejs", "16.1-1.el9", module=module)
        assert len(feeds.match(RHEL, named).found) == count


def test_architectures_are_told_apart(feeds: Folder) -> None:
    vex(feeds, document({"fixed": [(BASEOS, curl("2-1").replace("x86_64", "s390x"))]}))
    assert told(feeds.match(RHEL, rpm(RHEL, "curl", "1-1"))) == []
    assert len(feeds.match(RHEL, rpm(RHEL, "curl", "1-1", arch="s390x")).found) == 1


def test_centos_linux_is_matched_as_what_it_was_built_from(feeds: Folder) -> None:
    centos = System("centos", "7", name="CentOS Linux 7 (Core)")
    cpe = "cpe:/o:redhat:enterprise_linux:7::server"
    vex(feeds, document({"fixed": [(cpe, curl("7.29-2.el7"))]}))
    assert told(feeds.match(centos, rpm(centos, "curl", "7.29-1.el7.centos"))) == [
        ("CVE-2024-1111", "fixed", "7.29-2.el7")
    ]
    stream = System("centos", "9", name="CentOS Stream 9")
    found = feeds.match(stream, rpm(stream, "curl", "7.29-1.el9"))
    assert [u.why for u in found.unread] == ["no advisories are known for CentOS Stream 9"]


def updateinfo(*updates: tuple[str, tuple[str, ...], str]) -> bytes:
    parts = "".join(
        f'<update type="security"><id>{id}</id><title>t</title><issued date="2024-01-02"/>'
        f"<severity>medium</severity><references>"
        + "".join(f'<reference type="cve" id="{cve}" href="h"/>' for cve in cves)
        + f"</references><pkglist><collection>{packages}</collection></pkglist></update>"
        for id, cves, packages in updates
    )
    return gzip.compress(f"<updates>{parts}</updates>".encode())


CURL = '<package name="curl" version="8.5.0" release="1.amzn2023" epoch="{}" arch="x86_64"/>'
AMAZON = System("amzn", "2023", name="Amazon Linux 2023")


def test_amazon_names_each_cve(feeds: Folder) -> None:
    both = ("CVE-2024-1111", "CVE-2024-2222")
    feeds.put(
        "amazon/2023/core/updateinfo.xml.gz",
        updateinfo(
            ("ALAS2023-1", both, CURL.format(0)),
            ("ALAS2023-2", ("CVE-2024-2222", "CVE-2024-3333"), CURL.format(1)),
        ),
    )
    found = feeds.match(AMAZON, rpm(AMAZON, "curl", "8.4.0-1.amzn2023", arch="aarch64"))
    assert told(found) == [
        ("CVE-2024-1111", "fixed", "8.5.0-1.amzn2023"),
        ("CVE-2024-2222", "fixed", "1:8.5.0-1.amzn2023"),
        ("CVE-2024-3333", "fixed", "1:8.5.0-1.amzn2023"),
    ]
    assert {m.aliases for m in found.found} == {()}
    assert found.found[0].advisory.note == "fixed by ALAS2023-1"
    assert found.found[0].fixed_at == "2024-01-02T00:00:00Z", "when the fix came out"
    assert feeds.database is not None
    assert feeds.database.vulnerabilities(["ALAS2023-1"])["ALAS2023-1"].severity == "medium"


def test_a_bound_without_release_compares_the_version_alone(feeds: Folder) -> None:
    package = '<package name="curl" version="8.5.0" release="" epoch="0" arch="x86_64"/>'
    feeds.put(
        "amazon/2023/updateinfo.xml.gz", updateinfo(("ALAS2023-1", ("CVE-2024-1111",), package))
    )
    assert told(feeds.match(AMAZON, rpm(AMAZON, "curl", "8.4.9-9"))) == [
        ("CVE-2024-1111", "fixed", "8.5.0")
    ]
    assert told(feeds.match(AMAZON, rpm(AMAZON, "curl", "8.5.0-0"))) == []


@pytest.mark.parametrize(
    ("id", "more"),
    [
        ("DSA-5678-1", {"upstream": ["CVE-2024-1111", "CVE-2024-2222"]}),
        ("DSA-5678-1", {"aliases": ["CVE-2024-1111", "CVE-2024-2222"]}),
        ("RHSA-2024:1", {"aliases": ["CVE-2024-1111", "CVE-2024-2222"]}),
        ("USN-1-1", {"upstream": ["UBUNTU-CVE-2024-1111", "UBUNTU-CVE-2024-2222"]}),
        ("ALSA-2024:1", {"related": ["CVE-2024-1111", "CVE-2024-2222"]}),
        ("RLSA-2024:1", {"upstream": ["CVE-2024-1111", "CVE-2024-2222"]}),
        ("SUSE-SU-2024:1-1", {"related": ["CVE-2024-1111", "CVE-2024-2222"]}),
    ],
)
@pytest.mark.parametrize("withdrawn", [False, True])
def test_an_advisory_never_makes_its_cves_one(
    feeds: Folder, id: str, more: dict[str, Any], withdrawn: bool
) -> None:
    if withdrawn:
        feeds.zip("Debian", osv(id, **more, withdrawn="2026-01-02T00:00:00Z"))
        feeds.build()
    else:
        feeds.zip("Debian", osv(id, said("Debian:12", "openssl", "3-2"), **more))
        system = System("debian", "12")
        found = feeds.match(system, deb(system, "libssl3", "3-1", "openssl"))
        assert told(found) == [
            ("CVE-2024-1111", "fixed", "3-2"),
            ("CVE-2024-2222", "fixed", "3-2"),
        ]
        assert {m.advisory.note for m in found.found} == {f"fixed by {id}"}
    assert feeds.database is not None
    assert feeds.database.group("CVE-2024-1111") == ("CVE-2024-1111",)


def test_ubuntu_with_and_without_its_tracker(feeds: Folder) -> None:
    jammy = System("ubuntu", "22.04", "jammy")
    record = osv("UBUNTU-CVE-2024-1111", said("Ubuntu:22.04:LTS", "openssl"))
    record["upstream"] = ["CVE-2024-1111"]
    pro = osv(
        "UBUNTU-CVE-2024-2222",
        said("Ubuntu:Pro:22.04:LTS", "openssl", "3.0-2+esm1"),
        upstream=["CVE-2024-2222"],
    )
    feeds.zip("Ubuntu", record, pro)
    package = deb(jammy, "libssl3", "3.0-1", "openssl")
    found = feeds.match(jammy, package)
    assert told(found) == [("CVE-2024-1111", "affected", ""), ("CVE-2024-2222", "affected", "")]
    assert found.found[1].advisory.note == "fixed in 3.0-2+esm1, with Ubuntu Pro only"
    subscribed = deb(jammy, "libssl3", "3.0-2+esm1", "openssl")
    assert [m.id for m in feeds.match(jammy, subscribed).found] == ["CVE-2024-1111"]

    feeds.put(
        "ubuntu/tracker/active/CVE-2024-1111",
        "Candidate: CVE-2024-1111\nPriority: low\njammy_openssl: ignored (minor)\n",
    )
    feeds.put("ubuntu/tracker/.git/config", "")
    assert feeds.build().complete
    first = feeds.match(jammy, package)
    assert {(m.id, m.status) for m in first.found} == {
        ("CVE-2024-1111", "will-not-fix"),
        ("CVE-2024-2222", "affected"),
    }
    ignored = next(m for m in first.found if m.id == "CVE-2024-1111")
    assert (ignored.severity, ignored.advisory.feed) == ("low", "ubuntu-tracker")


def test_rebuilds_and_others_by_the_names_their_feeds_use(feeds: Folder) -> None:
    module = "3.0-2.module+el9.1.0+1"
    feeds.zip("Rocky Linux", osv("RLSA-1", said("Rocky Linux:9", "openssl", "1:3.0-2.el9"),
                                 upstream=["CVE-2024-1111"]),
              osv("RLSA-2", said("Rocky Linux:9", "nodejs", "1:" + module),
                  upstream=["CVE-2024-2222"], summary="Important: nodejs:18 security update"),
              osv("RLSA-3", said("Rocky Linux:9", "ruby", module),
                  upstream=["CVE-2024-3333"], summary="ruby security update"))  # fmt: skip
    feeds.zip("AlmaLinux", osv("ALSA-1", said("AlmaLinux:9", "openssl-libs", "1:3.0-2.el9"),
                               related=["CVE-2024-1111"]))  # fmt: skip
    feeds.zip("Mageia", osv("MGASA-1", said("Mageia:9", "openssl", "3.0-2.mga9"),
                            related=["CVE-2024-1111"]))  # fmt: skip
    feeds.zip("Azure Linux", osv("AZL-1", said("Azure Linux:3", "openssl", "3.0-2.azl3"),
                                 upstream=["CVE-2024-1111"]))  # fmt: skip
    feeds.zip("openEuler", osv("OESA-1", said("openEuler:24.03-LTS", "openssl", "3.0-2.oe2403"),
                               upstream=["CVE-2024-1111"]))  # fmt: skip
    binaries = [{"libopenssl3": "3.0-2.1", "openssl-3": "3.0-2.1"}]
    feeds.zip(
        "SUSE",
        osv(
            "SUSE-SU-1",
            said(
                "SUSE:Linux Enterprise Module for Basesystem 15 SP5", "openssl-3", "3.0-2.1",
                ecosystem_specific={"binaries": binaries},
            ),
            related=["CVE-2024-1111"],
        ),
    )  # fmt: skip
    report = feeds.build()
    assert report.complete
    (rocky,) = [feed for feed in report.feeds if feed.name == "osv:Rocky Linux"]
    assert [(t.why, t.examples) for t in rocky.troubles] == [
        ("a package of a module it does not name", ("RLSA-3",)),
    ]
    for system, name in (
        (System("rocky", "9.3"), "openssl-libs"),
        (System("almalinux", "9.3"), "openssl-libs"),
        (System("mageia", "9"), "lib64openssl3"),
        (System("azurelinux", "3.0"), "openssl-libs"),
        (System("openEuler", "24.03", name="openEuler 24.03 (LTS)"), "openssl-libs"),
        (System("sles", "15.5"), "libopenssl3"),
    ):
        source = "openssl-3" if system.id == "sles" else "openssl"
        epoch = "1:" if system.id in ("rocky", "almalinux") else ""
        package = rpm(system, name, f"{epoch}3.0-1", source)
        assert [m.id for m in feeds.match(system, package).found] == ["CVE-2024-1111"], system.id
    rocky9 = System("rocky", "9.3")
    for module, count in (("nodejs:18", 1), ("nodejs:16", 0)):
        npm = rpm(rocky9, "npm", "1:1.0-1", "nodejs", module=module)
        assert len(feeds.match(rocky9, npm).found) == count
    ruby = rpm(rocky9, "ruby", "2.9-1", "ruby", module="ruby:3.1")
    assert len(feeds.match(rocky9, ruby).found) == 1  # of some module: it may be this one


def test_the_command_builds_them(feeds: Folder, tmp_path: Path) -> None:
    from martello.cli.commands.db.build import command

    feeds.put("amazon/2023/core/updateinfo.xml.gz",
              updateinfo(("ALAS2023-1", ("CVE-2024-1111",), CURL.format(0))))  # fmt: skip
    vex(feeds, document({"fixed": [(BASEOS, curl("2-1"))]}))
    feeds.put("redhat/repository-to-cpe.json", '{"data": {"a": {"cpes": ["c"]}}}')
    out = tmp_path / "x.db"
    result = CliRunner().invoke(command, [str(feeds.path), "--db", str(out)], standalone_mode=False)
    assert (result.exception, result.return_value) == (None, 0), result.output
    with open_database(out) as database:
        assert [feed.name for feed in database.feeds] == [
            "amazon-updateinfo:2023/core",
            "redhat-repositories",
            "redhat-vex",
        ]
        assert database.ecosystems() == ("Amazon Linux:2023", "Red Hat:9")
        assert database.products("a") == ("c",)
        assert database.products("b") == ()


def test_a_broken_feed_leaves_what_was_known(feeds: Folder) -> None:
    vex(feeds, document({"fixed": [(BASEOS, curl("2-1"))]}))
    feeds.put("redhat/repository-to-cpe.json", json.dumps({"data": {"b": {"cpes": [BASEOS]}}}))
    feeds.put("amazon/2023/core/updateinfo.xml.gz",
              updateinfo(("ALAS2023-1", ("CVE-2024-1111",), CURL.format(0))))  # fmt: skip
    feeds.build()
    old = feeds.path.parent / "a.db"
    feeds.put("redhat/repository-to-cpe.json", "<html>")
    feeds.put("amazon/2023/core/updateinfo.xml.gz", "<html>")
    found = find(feeds.path)
    out = feeds.path.parent / "b.db"
    report = build(found.sources, out, extras=found.extras, previous=old)
    kept = {feed.name: feed.kept for feed in report.feeds if feed.error}
    assert kept == {"amazon-updateinfo:2023/core": True, "redhat-repositories": True}
    with open_database(out) as database:
        assert database.products("b") == (BASEOS,)
        ((row,),) = database.about([("Amazon Linux:2023", "curl")]).values()
        assert (row.note, row.released) == ("fixed by ALAS2023-1", "2024-01-02T00:00:00Z")
