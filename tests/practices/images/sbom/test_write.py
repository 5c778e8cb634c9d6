"""What is written is CycloneDX 1.6 and SPDX 2.3 by their own validators, and the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.bills import (
    AT,
    PACKAGES,
    cyclonedx_troubles,
    incomplete,
    inventory,
    spdx_troubles,
)

from martello.core.finding import Waived
from martello.core.package import Inventory, Package
from martello.core.vulnerability import STATUSES, Affected, Match, Ruled
from martello.practices.images.sbom.cyclonedx import cyclonedx, oci_purl
from martello.practices.images.sbom.spdx import spdx
from martello.report.text import encoded

CASES = {
    "full": inventory(),
    "incomplete": incomplete(),
    "tree": inventory(name="dir:.", digest="", config="", platform=None, system=None, layers=()),
    "empty": Inventory("x"),
    "hostile": inventory(
        Package('n\x1b[2J"', "<a>\u202e", "1\n2", licences=("\x00", "MIT" * 5000, "(", " OR ")),
        name="root:sha256:\x07",
    ),
    "alike": inventory(*(PACKAGES[:1] * 3)),
}
texts = st.text(max_size=20)


def cyclone(what: Inventory, *ruled: Ruled) -> dict[str, Any]:
    return cyclonedx(what, ruled, at=AT, version="1.2.3")


def ruled() -> Iterator[Ruled]:
    levels = ("critical", "high", "medium", "low", "negligible", "unknown")
    for number, status in enumerate(STATUSES):
        package = PACKAGES[number % 3]
        affected = Affected(f"GHSA-{number}", "PyPI", package.name, feed="osv:PyPI")
        level = levels[number % len(levels)]
        fixed = "2.0" if number % 2 else ""
        aliases = (f"GHSA-{number}",)
        match = Match(
            f"CVE-{number}", package, "1", affected, status, level, "nvd", fixed, aliases=aliases
        )
        yield Ruled(match)
        yield Ruled(match, Waived("sre@example.com", "not reachable", "2032-01-01", "w.yaml"))
    nowhere = Package("pypi", "elsewhere", "1", "PyPI")
    yield Ruled(Match("X-1", nowhere, "1", Affected("X-1", "PyPI", "elsewhere"), "affected", "low"))


@pytest.mark.parametrize("what", CASES.values(), ids=CASES)
def test_cyclonedx_is_valid(what: Inventory) -> None:
    assert cyclonedx_troubles(cyclone(what)) == []


@pytest.mark.parametrize("what", CASES.values(), ids=CASES)
def test_spdx_is_valid(what: Inventory) -> None:
    assert spdx_troubles(spdx(what, at=AT, version="1.2.3")) == []


def test_cyclonedx_with_vulnerabilities_is_valid() -> None:
    document = cyclone(inventory(), *ruled())
    assert cyclonedx_troubles(document) == []
    found = {entry["id"]: entry for entry in document["vulnerabilities"]}
    assert found["CVE-1"]["recommendation"] == "Update zlib1g to 2.0."
    assert "recommendation" not in found["CVE-0"]
    refs = {component["bom-ref"] for component in document["components"]}
    meant = {a["ref"] for v in document["vulnerabilities"] for a in v["affects"]}
    assert meant - refs == {"elsewhere"}


@settings(max_examples=25)
@given(texts, texts, texts, texts)
def test_any_text_gives_valid_documents(name: str, version: str, licence: str, image: str) -> None:
    package = Package("pypi", name, version, "PyPI", licences=(licence,), path=name, owner=image)
    what = inventory(package, name=image)
    assert cyclonedx_troubles(cyclone(what)) == []


def test_references_are_unique_and_complete() -> None:
    document = cyclone(inventory())
    refs = [component["bom-ref"] for component in document["components"]]
    assert len(set(refs)) == len(refs) == len(PACKAGES) + 1
    (dependency,) = document["dependencies"]
    assert dependency["ref"] == document["metadata"]["component"]["bom-ref"]
    assert sorted(dependency["dependsOn"]) == sorted(refs)


def test_licences_are_identifiers_expressions_or_names() -> None:
    document = cyclone(inventory())
    told = {c["name"]: c.get("licenses") for c in document["components"]}
    assert told["idna"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert told["name"] == [{"expression": "MIT OR Apache-2.0"}]
    assert told["left-pad"] == [{"expression": "MIT AND (Apache-2.0 OR MIT)"}]
    assert told["log4j"] == [
        {"license": {"name": "The Apache License"}},
        {"license": {"id": "MIT"}},
    ]
    assert told["B"] == [{"expression": "LicenseRef-own"}]


def test_spdx_declares_every_licence_of_its_own() -> None:
    document = spdx(inventory(), at=AT, version="1")
    own = {one["licenseId"]: one["extractedText"] for one in document["hasExtractedLicensingInfos"]}
    assert set(own.values()) == {"The Apache License", "LicenseRef-own", "a\nlong text"}
    declared = " ".join(package.get("licenseDeclared", "") for package in document["packages"])
    assert all(name in declared for name in own)


@pytest.mark.parametrize("write", [cyclone, lambda i: spdx(i, at=AT, version="1")])
def test_equal_images_give_equal_bytes_and_others_another_name(write: Any) -> None:
    one = inventory()
    assert encoded(write(one)) == encoded(write(msgspec.structs.replace(one)))
    other = write(inventory(*PACKAGES[:-1], Package("deb", "dash", "0.6", "Debian:12")))
    key = "serialNumber" if "serialNumber" in other else "documentNamespace"
    assert other[key] != write(one)[key]


def test_a_part_that_was_not_read_makes_it_incomplete() -> None:
    assert "compositions" not in cyclone(inventory())
    (composition,) = cyclone(incomplete())["compositions"]
    assert composition["aggregate"] == "incomplete"
    assert "it is cut off" in spdx(incomplete(), at=AT, version="1")["comment"]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("nginx", "pkg:oci/nginx@{}?arch=amd64&repository_url=docker.io%2Flibrary%2Fnginx"),
        (
            "reg.local:5000/shop/api:1.4",
            "pkg:oci/api@{}?arch=amd64&repository_url=reg.local%3A5000%2Fshop%2Fapi&tag=1.4",
        ),
        ("oci:build", ""),
        ("docker-archive:a.tar", ""),
        ("dir:.", ""),
    ],
)
def test_only_a_name_of_a_registry_makes_a_package_url(name: str, url: str) -> None:
    what = inventory(name=name)
    assert oci_purl(what) == url.format(what.digest.replace(":", "%3A"))
