"""VEX: three formats read, and statements that settle just what they are about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from martello.core.artifact import Platform
from martello.core.errors import BadInput
from martello.core.package import Inventory, Package
from martello.core.vulnerability import Affected, Match
from martello.practices.images.vex import Outcome, apply
from martello.practices.images.vex.read import read_vex
from martello.practices.images.vex.write import openvex

DIGEST = "sha256:" + "ab" * 32
IMAGE = Inventory("reg.local/shop/api:1.4", digest=DIGEST, platform=Platform("linux", "amd64"))
PACKAGE = Package("npm", "@acme/web", "1.2.3", "npm", path="app/package-lock.json")
FOUND = Match(
    "CVE-2031-1",
    PACKAGE,
    "1.2.3",
    Affected("GHSA-a", "npm", "@acme/web"),
    "affected",
    "high",
    aliases=("GHSA-a",),
)
PART = "pkg:npm/%40acme/web@1.2.3"


def statement(**more: Any) -> dict[str, Any]:
    """A statement of OpenVEX that settles the match, unless told otherwise."""
    given = {
        "vulnerability": {"name": "CVE-2031-1"},
        "products": [{"@id": f"pkg:oci/api@{DIGEST}", "subcomponents": [{"@id": PART}]}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
    }
    return {**given, **more}


def document(*statements: dict[str, Any], **more: Any) -> bytes:
    """An OpenVEX document."""
    body = {"@context": "https://openvex.dev/ns/v0.2.0", "author": "sec", "statements": statements}
    return json.dumps({**body, "timestamp": "2031-01-01T00:00:00Z", **more}).encode()


def settled(*statements: dict[str, Any], image: Inventory = IMAGE) -> Outcome:
    """What becomes of the one match."""
    return apply([FOUND], read_vex(document(*statements), "vex.json"), image)


def test_a_statement_on_this_very_image_and_package_settles() -> None:
    outcome = settled(statement())
    assert outcome.found == ()
    (aside,) = outcome.aside
    assert (aside.id, aside.kind) == ("CVE-2031-1", "vex")
    assert aside.why == "not_affected: vulnerable_code_not_present (sec, vex.json)"
    assert outcome.idle == ()


@pytest.mark.parametrize(
    "product",
    [
        DIGEST,
        f"pkg:oci/api@{DIGEST}?repository_url=reg.local/shop/api",
        f"pkg:oci/api@{DIGEST.replace(':', '%3A')}?repository_url=reg.local%2Fshop",
        "pkg:oci/api?repository_url=reg.local/shop/api&tag=1.4&arch=amd64",
        "pkg:oci/api?tag=1.4",
        "reg.local/shop/api",
        f"reg.local/shop/api@{DIGEST}",
    ],
)
def test_products_that_are_this_image(product: str) -> None:
    products = [{"@id": product, "subcomponents": [{"@id": PART}]}]
    assert settled(statement(products=products)).found == ()
    assert settled(statement(products=[product])).found == (), "without parts: all of it"


@pytest.mark.parametrize(
    "product",
    [
        "sha256:" + "cd" * 32,
        "pkg:oci/api@sha256:" + "cd" * 32,
        f"pkg:oci/web@{DIGEST}",
        f"pkg:oci/api@{DIGEST}?repository_url=reg.local.evil.example/shop/api",
        "pkg:oci/api?repository_url=reg.local/shop/api&tag=1.5",
        "pkg:oci/api?repository_url=reg.local/shop/api&arch=arm64",
        "reg.local/shop/api-extra",
        "pkg:npm/other@1.2.3",
        "pkg:npm/%40acme/web@1.2.4",
    ],
)
def test_products_that_are_another_one(product: str) -> None:
    outcome = settled(statement(products=[{"@id": product}]))
    assert outcome.found == (FOUND,)
    assert outcome.idle[0][1] == f"its product {product} is not this image"


def test_a_package_is_a_product_too_with_any_version_where_it_names_none() -> None:
    assert settled(statement(products=[{"@id": PART}])).found == ()
    assert settled(statement(products=[{"@id": "pkg:npm/%40acme/web"}])).found == ()


def test_parts_of_another_version_are_not_meant() -> None:
    products = [{"@id": DIGEST, "subcomponents": [{"@id": "pkg:npm/%40acme/web@9"}]}]
    outcome = settled(statement(products=products))
    assert outcome.found == (FOUND,)
    assert outcome.idle[0][1] == "its subcomponents name another package or version"


def test_not_affected_needs_a_reason() -> None:
    bare = statement(justification="")
    outcome = settled(bare)
    assert outcome.found == (FOUND,)
    assert outcome.idle[0][1] == "it says not_affected without a justification"
    assert settled({**bare, "impact_statement": "never called"}).found == ()


def test_the_latest_statement_counts() -> None:
    early = statement(timestamp="2031-01-02T00:00:00Z")
    late = statement(status="affected", timestamp="2031-01-03T00:00:00Z")
    outcome = settled(late, early)
    assert outcome.found == (FOUND,)
    assert [why for _, why in outcome.idle] == ["a later statement on the same product replaces it"]
    assert settled(early, statement(status="fixed", timestamp="2031-01-04T00:00:00Z")).found == ()


def test_aliases_are_names_too() -> None:
    assert settled(statement(vulnerability={"name": "GHSA-a"})).found == ()
    assert settled(statement(vulnerability="CVE-2031-1")).found == (), "OpenVEX 0.0"
    other = settled(statement(vulnerability={"name": "CVE-2031-2"}))
    assert other.idle[0][1] == "its vulnerability was not found here"


def test_a_program_is_the_product_of_its_own_lock_file() -> None:
    program = Package("npm", "shop", "", path="app/package-lock.json")
    image = Inventory("app", packages=(PACKAGE,), projects=(program,))
    products = [{"@id": "pkg:npm/shop", "subcomponents": [{"@id": PART}]}]
    assert settled(statement(products=products), image=image).found == ()
    elsewhere = Inventory("app", projects=(Package("npm", "shop", "", path="b/package-lock.json"),))
    assert settled(statement(products=products), image=elsewhere).found == (FOUND,)


def test_cyclonedx() -> None:
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "components": [{"bom-ref": "web", "purl": PART, "name": "web"}],
        "vulnerabilities": [
            {
                "id": "CVE-2031-1",
                "analysis": {"state": "not_affected", "justification": "code_not_reachable"},
                "affects": [{"ref": "urn:cdx:3e671687/1#web"}],
            },
            {"id": "CVE-2031-9"},
        ],
    }
    statements = read_vex(json.dumps(body).encode(), "bom.json")
    assert len(statements) == 1
    assert apply([FOUND], statements, IMAGE).found == ()


def test_csaf() -> None:
    body = {
        "document": {"category": "csaf_vex", "publisher": {"name": "acme"}},
        "product_tree": {
            "branches": [
                {
                    "name": "acme",
                    "branches": [
                        _product("api", f"pkg:oci/api@{DIGEST}"),
                        _product("web", PART),
                    ],
                }
            ],
            "relationships": [
                {
                    "product_reference": "web",
                    "relates_to_product_reference": "api",
                    "full_product_name": {"product_id": "api:web"},
                }
            ],
        },
        "vulnerabilities": [
            {
                "cve": "CVE-2031-1",
                "product_status": {"known_not_affected": ["api:web"]},
                "threats": [
                    {"category": "impact", "details": "not built in", "product_ids": ["api:web"]}
                ],
            }
        ],
    }
    outcome = apply([FOUND], read_vex(json.dumps(body).encode(), "csaf.json"), IMAGE)
    assert outcome.found == ()
    assert outcome.aside[0].why == "not_affected: not built in (acme, csaf.json)"


def _product(id: str, url: str) -> dict[str, Any]:
    helper = {"purl": url}
    return {"product": {"product_id": id, "product_identification_helper": helper}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"a": 1}',
        b'{"@context": "https://openvex.dev/ns", "statements": 1}',
        b'{"@context": "https://openvex.dev/ns", "statements": [{"status": "fine"}]}',
        b'{"bomFormat": "CycloneDX", "vulnerabilities": [{"analysis": {"state": "odd"}}]}',
        b'{"document": {}, "vulnerabilities": "x"}',
        b"[" * 100_000,
        json.dumps({"document": {}, "vulnerabilities": [], "product_tree": {}}).encode()[:-3],
    ],
)
def test_what_is_no_vex_is_refused(content: bytes) -> None:
    with pytest.raises(BadInput, match=r"cannot read odd\.json"):
        read_vex(content, "odd.json")


def test_what_is_written_settles_nothing_when_it_is_read_again() -> None:
    from martello.core.vulnerability import Ruled

    outcome = settled(statement())
    at = "2031-02-03T00:00:00Z"
    written = openvex(IMAGE, [Ruled(FOUND)], outcome.aside, at=at, author="us")
    affected, other = read_vex(json.dumps(written).encode(), "ours.json")
    assert (affected.status, other.status) == ("affected", "not_affected")
    assert apply([FOUND], [affected], IMAGE).found == (FOUND,)
    assert apply([FOUND], [other], IMAGE).found == ()
