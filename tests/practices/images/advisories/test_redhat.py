"""Red Hat's VEX documents, and which of its products an image comes from."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.support.vex_documents import APPSTREAM, BASEOS, EUS, RHEL9, document

from martello.adapters.zstd import zstd
from martello.core.errors import BadInput
from martello.core.package import System
from martello.core.vulnerability import Affected
from martello.practices.images.advisories import products, redhat
from martello.practices.images.advisories.record import Item, Record, Skipped, until

CURL = "pkg:rpm/redhat/curl@7.76.1-26.el9_3.2?arch=x86_64"


def parsed(body: Any) -> list[Item]:
    return list(redhat.parse(json.dumps(body).encode()))


def rows(body: Any) -> list[Affected]:
    return [a for item in parsed(body) if isinstance(item, Record) for a in item.affected]


def test_a_fix() -> None:
    fixed = [(BASEOS, CURL), (BASEOS, CURL.replace("x86_64", "s390x"))]
    remedies = [("vendor_fix", "https://rh.example/errata/RHSA-2024:9941", fixed)]
    (record,) = parsed(document({"fixed": fixed}, remedies=remedies))
    assert isinstance(record, Record)
    assert record.affected == (
        Affected(
            id="CVE-2024-1111",
            ecosystem="Red Hat:9",
            name="curl",
            ranges=until("7.76.1-26.el9_3.2"),
            status="fixed",
            severity="high",
            feed="redhat-vex",
            arches=("s390x", "x86_64"),
            cpes=(BASEOS,),
            note="fixed by RHSA-2024:9941",
            released="2024-11-19T04:46:55Z",
        ),
    )
    about = record.vulnerability
    assert (about.id, about.summary, about.details) == (
        "CVE-2024-1111",
        "curl: a flaw",
        "A flaw was found.",
    )
    assert (about.published, about.modified) == ("2024-10-18T00:00:00Z", "2024-12-18T09:14:23Z")
    assert about.vectors == (("CVSS_V3", "CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:H/I:N/A:N"),)


@pytest.mark.parametrize(
    ("category", "words", "status"),
    [
        ("none_available", "Affected", "affected"),
        ("none_available", "Fix deferred", "deferred"),
        ("no_fix_planned", "Will not fix", "will-not-fix"),
        ("no_fix_planned", "Out of support scope", "end-of-life"),
        ("workaround", "Turn it off", "affected"),
    ],
)
def test_why_something_is_not_fixed(category: str, words: str, status: str) -> None:
    named = [(RHEL9, "pkg:rpm/redhat/curl"), (RHEL9, "pkg:rpm/redhat/curl?arch=src")]
    (row,) = rows(document({"known_affected": named}, remedies=[(category, words, named)]))
    assert (row.name, row.status, row.ranges, row.cpes) == ("curl", status, until(""), (RHEL9,))
    assert row.arches == ()
    assert row.note == ("" if category == "workaround" else words)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("under_investigation", "under-investigation"),
        ("known_not_affected", "not-affected"),
        ("recommended", None),
    ],
)
def test_other_statuses(kind: str, status: str | None) -> None:
    found = rows(document({kind: [(RHEL9, "pkg:rpm/redhat/curl")]}))
    assert [row.status for row in found] == ([status] if status else [])


def test_epochs_and_modules() -> None:
    purl = (
        "pkg:rpm/redhat/nodejs@18.9-1.module%2Bel9.1.0%2B1%2B7d1e4a35?arch=x86_64&epoch=1"
        "&rpmmod=nodejs:18:9010020240311122605:a75119d5"
    )
    (row,) = rows(document({"fixed": [(APPSTREAM, purl)]}))
    assert row.ranges == until("1:18.9-1.module+el9.1.0+1+7d1e4a35")
    assert row.module == "nodejs:18"


def test_modules_in_the_name_of_a_package() -> None:
    body = document({"known_affected": [(RHEL9, "pkg:rpm/redhat/nodejs")]})
    text = json.dumps(body).replace("pkg:rpm/redhat/nodejs", "nodejs:18/nodejs")
    text = text.replace('{"purl": "nodejs:18/nodejs"}', '{"purl": "pkg:rpm/redhat/nodejs"}')
    assert [(row.name, row.module) for row in rows(json.loads(text))] == [("nodejs", "nodejs:18")]


def test_modules_as_older_documents_have_them() -> None:
    body = document({"fixed": [(APPSTREAM, CURL), (APPSTREAM, "pkg:rpmmod/redhat/ruby@2.5:8:a")]})
    tree = body["product_tree"]
    package, module = sorted(
        tree["relationships"], key=lambda r: str(r["product_reference"]).startswith("pkg:rpmmod")
    )
    package["relates_to_product_reference"] = module["full_product_name"]["product_id"]
    assert [(row.name, row.module, row.cpes) for row in rows(body)] == [
        ("curl", "ruby:2.5", (APPSTREAM,))
    ]


def test_the_same_said_of_several_products_is_one_statement() -> None:
    fixed = [(BASEOS, CURL), (APPSTREAM, CURL)]
    (row,) = rows(document({"fixed": fixed}))
    assert row.cpes == (APPSTREAM, BASEOS)


@pytest.mark.parametrize(
    ("cpe", "purl", "ecosystem"),
    [
        (EUS, CURL, "Red Hat:9"),
        ("cpe:/o:redhat:enterprise_linux:10.1", "pkg:rpm/redhat/curl", "Red Hat:10"),
        ("cpe:/a:redhat:enterprise_linux_eus:10.0", "pkg:rpm/redhat/curl", "Red Hat:10"),
        ("cpe:/a:redhat:openshift:4.16::el8", "pkg:rpm/redhat/cri-tools@1-2", "Red Hat:8"),
        ("cpe:/a:redhat:rhel_software_collections:3::el7", "pkg:rpm/redhat/a@1-2", "Red Hat:7"),
        ("cpe:/a:redhat:ansible:2", "pkg:rpm/redhat/a@1-2.el8ap", "Red Hat:8"),
        ("cpe:/a:redhat:openshift:4", "pkg:rpm/redhat/a", ""),
        ("cpe:/a:redhat:openshift:4.16::el9", "pkg:oci/a@sha256:1?tag=1", ""),
        (RHEL9, "pkg:maven/redhat/a@1", ""),
        (RHEL9, "pkg:rpm/other/a@1-2", ""),
        (RHEL9, "pkg:rpm/redhat/curl-debuginfo@1-2.el9?arch=x86_64", ""),
        (RHEL9, "no package URL", ""),
    ],
)
def test_which_release_a_product_is_for(cpe: str, purl: str, ecosystem: str) -> None:
    kind = "fixed" if "@" in purl else "known_affected"
    found = rows(document({kind: [(cpe, purl)]}))
    assert [row.ecosystem for row in found] == ([ecosystem] if ecosystem else [])


def test_a_package_without_a_package_url_is_told() -> None:
    items = parsed(document({"known_affected": [(RHEL9, "")]}))
    assert [i.why for i in items if isinstance(i, Skipped)] == ["a package without a package URL"]


def test_a_deleted_document_says_nothing() -> None:
    assert parsed(document({}, status="deleted")) == []


def archive(path: Path, *documents: bytes) -> Path:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for number, content in enumerate(documents):
            entry = tarfile.TarInfo(f"2024/cve-2024-{number}.json")
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    path.write_bytes(zstd.compress(out.getvalue()))
    return path


def test_an_archive_and_a_folder_say_the_same(tmp_path: Path) -> None:
    good = json.dumps(document({"fixed": [(BASEOS, CURL)]})).encode()
    documents = (good, b"[1", b"{}", good.replace(b"CVE-2024-1111", b"x"))
    folder = tmp_path / "vex" / "2024"
    folder.mkdir(parents=True)
    for number, content in enumerate(documents):
        (folder / f"cve-2024-{number}.json").write_bytes(content)
    one = list(redhat.read(archive(tmp_path / "vex.tar.zst", *documents)))
    assert one == list(redhat.read(tmp_path / "vex"))
    assert [type(item).__name__ for item in one] == ["Record", "Skipped", "Skipped", "Skipped"]


def test_a_cut_archive_is_told(tmp_path: Path) -> None:
    good = json.dumps(document({"fixed": [(BASEOS, CURL)]})).encode()
    path = archive(tmp_path / "vex.tar.zst", *[good] * 50)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInput):
        list(redhat.read(path))


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x28\xb5\x2f\xfd", b"BZh91AY"])
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vex.tar.zst"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        list(redhat.read(path))


def test_relationships_in_a_circle_end() -> None:
    body = document({"fixed": [(BASEOS, CURL)]})
    (part,) = body["product_tree"]["relationships"]
    part["relates_to_product_reference"] = part["full_product_name"]["product_id"]
    part["product_reference"] = part["full_product_name"]["product_id"]
    assert rows(body) == []


def test_deep_trees_are_no_document() -> None:
    deep = b'{"document":{},"product_tree":{"branches":[' + b'{"branches":[' * 50_000
    assert [type(i).__name__ for i in redhat.parse(deep)] == ["Skipped"]


class Repositories:
    """A database that knows one repository."""

    def products(self, repository: str) -> tuple[str, ...]:
        return (EUS,) if repository == "rhel-9-for-x86_64-appstream-eus-rpms" else ()


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (None, None),
        (System("rocky", "9"), None),
        (System("rhel", "9.4"), products.usual("9")),
        (System("centos", "7"), products.usual("7")),
        (System("centos", "9", name="CentOS Stream 9"), None),
        (System("rhel", "9", content_sets=("unknown",)), products.usual("9")),
        (
            System("rhel", "9", content_sets=("rhel-9-for-x86_64-appstream-eus-rpms", "x")),
            frozenset((EUS,)),
        ),
    ],
)
def test_the_products_of_an_image(system: System | None, expected: frozenset[str] | None) -> None:
    assert products.products_of(system, Repositories()) == expected


def test_the_usual_repositories() -> None:
    assert {BASEOS, APPSTREAM, RHEL9} <= products.usual("9")
    assert "cpe:/o:redhat:enterprise_linux:7::server" in products.usual("7")
    assert EUS not in products.usual("9")


def test_the_mapping_of_repositories(tmp_path: Path) -> None:
    path = tmp_path / "repository-to-cpe.json"
    path.write_text(
        json.dumps(
            {"data": {"a-rpms": {"cpes": ["cpe:/o:redhat:enterprise_linux:10.0::baseos"],
                                 "repo_relative_urls": ["a/b"]}, "b": {}}}
        )
    )  # fmt: skip
    assert products.repositories(path) == {
        "a-rpms": ("cpe:/o:redhat:enterprise_linux:10::baseos",),
        "b": (),
    }


@pytest.mark.parametrize("body", ["", "[]", '{"data": []}', '{"data": {"a": {"cpes": 3}}}'])
def test_what_maps_no_repositories(tmp_path: Path, body: str) -> None:
    path = tmp_path / "repository-to-cpe.json"
    path.write_text(body)
    with pytest.raises(BadInput):
        products.repositories(path)
