"""Bills of materials of any tool: ours comes back whole, others' as they are, hostile ones never
silently clean.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import shop
from tests.support.bills import AT, DEBIAN, PACKAGES, incomplete, inventory
from tests.support.images import Memory

from martello.core.errors import BadInput
from martello.core.package import Inventory, Package, System
from martello.practices.images.advisories.db import open_database
from martello.practices.images.match import match
from martello.practices.images.sbom.cyclonedx import cyclonedx
from martello.practices.images.sbom.read import read_sbom
from martello.practices.images.sbom.spdx import spdx
from martello.practices.images.scan import scan_image

Write = Callable[[Inventory], Any]


def _cyclonedx(what: Inventory) -> Any:
    return cyclonedx(what, at=AT, version="1")


def _spdx(what: Inventory) -> Any:
    return spdx(what, at=AT, version="1")


WRITERS = pytest.mark.parametrize("write", [_cyclonedx, _spdx])


def back(document: Any) -> Inventory:
    return read_sbom(json.dumps(document).encode(), "x.json")


def essence(package: Package) -> Package:
    """What matching asks of a package."""
    name = package.name.lower() if package.type == "pypi" else package.name
    return msgspec.structs.replace(
        package,
        name=name,
        source=package.source or package.name,
        source_version=package.source_version or package.version,
        layer=-1,
        licences=(),
    )


@WRITERS
def test_ours_comes_back(write: Write) -> None:
    found = back(write(inventory()))
    assert list(map(essence, found.packages)) == list(map(essence, PACKAGES))
    assert (found.name, found.digest) == (inventory().name, inventory().digest)
    assert found.system == DEBIAN
    assert found.unread == ()


@WRITERS
def test_licences_come_back(write: Write) -> None:
    found = {p.name: p.licences for p in back(write(inventory())).packages}
    assert found["idna"] == ("BSD-3-Clause",)
    assert found["@scope/name"] == ("MIT OR Apache-2.0",)
    assert set(found["org.apache:log4j"]) == {"The Apache License", "MIT"}
    assert found["dash"] == ("a\nlong text",)


@WRITERS
def test_what_was_not_read_is_not_forgotten(write: Write) -> None:
    (unread,) = back(write(incomplete())).unread
    assert "it is cut off" in str(unread)


@WRITERS
@pytest.mark.parametrize(
    "system",
    [
        System("centos", "8", name="CentOS Stream 8"),
        System("openeuler", "22.03", name="openEuler 22.03 (LTS-SP3)"),
        System("debian", "", "sid", "Debian GNU/Linux trixie/sid"),
    ],
    ids=lambda system: system.id,
)
def test_the_system_decides_as_it_did(write: Write, system: System) -> None:
    """What a package URL says of these is less than what os-release says."""
    from martello.practices.images.ecosystems import ecosystem_of

    kind = "deb" if system.id == "debian" else "rpm"
    package = Package(kind, "bash", "5.1-2", ecosystem_of(kind, system))
    (found,) = back(write(inventory(package, system=system))).packages
    assert found.ecosystem == package.ecosystem


@WRITERS
def test_the_same_matches_after_a_round_trip(write: Write, tmp_path: Path) -> None:
    made = shop.shop()
    with open_database(shop.database(tmp_path)) as database:
        one = scan_image(made.image, Memory({"1": made}), name="reg.local/shop/api:1.4")
        first, second = match(one, database), match(back(write(one)), database)
    assert len(first.found) >= 4
    assert [(m.id, m.package.name, m.compared, m.fixed) for m in first.found] == [
        (m.id, m.package.name, m.compared, m.fixed) for m in second.found
    ]
    assert first.unread == second.unread


TRIVY = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {
        "component": {
            "bom-ref": "pkg:oci/api@sha256%3A" + "ab" * 32 + "?arch=amd64",
            "type": "container",
            "name": "reg.local/shop/api:1.4",
            "purl": "pkg:oci/api@sha256%3A" + "ab" * 32 + "?arch=amd64",
        }
    },
    "components": [
        {"bom-ref": "1", "type": "operating-system", "name": "debian", "version": "12.5"},
        {"bom-ref": "2", "type": "application", "name": "app/package-lock.json"},
        {
            "bom-ref": "3",
            "type": "library",
            "name": "zlib1g",
            "version": "1:1.2.13.dfsg-1",
            "purl": "pkg:deb/debian/zlib1g@1.2.13.dfsg-1?arch=amd64&distro=debian-12.5&epoch=1",
            "licenses": [{"license": {"name": "Zlib"}}],
            "properties": [
                {"name": "aquasecurity:trivy:PkgType", "value": "debian"},
                {"name": "aquasecurity:trivy:SrcName", "value": "zlib"},
                {"name": "aquasecurity:trivy:SrcRelease", "value": "1"},
                {"name": "aquasecurity:trivy:SrcVersion", "value": "1.2.13.dfsg"},
                {"name": "aquasecurity:trivy:SrcEpoch", "value": "1"},
            ],
        },
        {
            "bom-ref": "4",
            "type": "library",
            "group": "@scope",
            "name": "name",
            "version": "1.0.0",
            "purl": "pkg:npm/%40scope/name@1.0.0",
            "properties": [
                {"name": "aquasecurity:trivy:FilePath", "value": "app/package-lock.json"}
            ],
        },
    ],
}


def test_trivy_cyclonedx() -> None:
    found = back(TRIVY)
    assert (found.name, found.digest) == ("reg.local/shop/api:1.4", "sha256:" + "ab" * 32)
    zlib, name = found.packages
    assert (zlib.ecosystem, zlib.version) == ("Debian:12", "1:1.2.13.dfsg-1")
    assert (zlib.source, zlib.source_version) == ("zlib", "1:1.2.13.dfsg-1")
    assert (name.name, name.path, name.ecosystem) == (
        "@scope/name",
        "app/package-lock.json",
        "npm",
    )
    assert found.unread == ()


def test_syft_cyclonedx() -> None:
    components = [
        {
            "type": "library",
            "name": "libssl3",
            "version": "3.0.9-1",
            "purl": "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12&upstream=openssl",
            "licenses": [{"license": {"id": "Apache-2.0"}}, {"license": {"name": "Artistic"}}],
            "properties": [
                {"name": "syft:package:type", "value": "deb"},
                {"name": "syft:location:0:path", "value": "/var/lib/dpkg/status"},
            ],
        },
        {
            "type": "operating-system",
            "name": "debian",
            "version": "12",
            "description": "Debian GNU/Linux 12 (bookworm)",
        },
        {"type": "file", "name": "/bin/sh", "hashes": [{"alg": "SHA-1", "content": "00"}]},
        {"type": "library", "name": "vendored-thing", "version": "1"},
    ]
    subject = {"type": "container", "name": "api:1.4", "version": "sha256:" + "01" * 32}
    found = back(
        {"bomFormat": "CycloneDX", "components": components, "metadata": {"component": subject}}
    )
    assert found.digest == "sha256:" + "01" * 32
    (libssl,) = found.packages
    assert (libssl.source, libssl.ecosystem, libssl.path) == (
        "openssl",
        "Debian:12",
        "var/lib/dpkg/status",
    )
    assert libssl.licences == ("Apache-2.0", "Artistic")
    assert [str(u) for u in found.unread] == ["component vendored-thing: it has no package URL"]


def spdx_package(name: str, purl: str = "", **more: Any) -> dict[str, Any]:
    reference = {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    }
    found: dict[str, Any] = {"SPDXID": f"SPDXRef-{name}", "name": name, "versionInfo": "1", **more}
    return found | ({"externalRefs": [reference]} if purl else {})


def test_trivy_spdx() -> None:
    openssl = "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12.5"
    packages = [
        spdx_package("img", primaryPackagePurpose="CONTAINER"),
        spdx_package("debian", primaryPackagePurpose="OPERATING-SYSTEM"),
        spdx_package("package-lock.json", primaryPackagePurpose="APPLICATION"),
        spdx_package(
            "libssl3",
            openssl,
            sourceInfo="built package from: openssl 3.0.9-1",
            licenseDeclared="Apache-2.0 AND Artistic-2.0",
        ),
    ]
    relations = [
        {
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relatedSpdxElement": "SPDXRef-img",
            "relationshipType": "DESCRIBES",
        }
    ]
    found = back({"spdxVersion": "SPDX-2.3", "packages": packages, "relationships": relations})
    (libssl,) = found.packages
    assert (libssl.source, libssl.source_version) == ("openssl", "3.0.9-1")
    assert libssl.ecosystem == "Debian:12"
    assert found.name == "img"
    assert found.unread == ()


def test_syft_spdx_tag_value() -> None:
    text = """\ufeffSPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: shop/api
DocumentNamespace: https://anchore.com/syft/image/shop/api-1

##### Package: libssl3
PackageName: libssl3
SPDXID: SPDXRef-Package-deb-libssl3
PackageVersion: 3.0.9-1
PackageSourceInfo: acquired package info from DPKG DB: /var/lib/dpkg/status
PackageCopyrightText: <text>PackageName: not-a-package
ExternalRef: PACKAGE-MANAGER purl pkg:pypi/not@1
</text>
ExternalRef: SECURITY cpe23Type cpe:2.3:a:openssl:openssl:3.0.9:*:*:*:*:*:*:*
ExternalRef: PACKAGE-MANAGER purl pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12&upstream=openssl

PackageName: unnamed
SPDXID: SPDXRef-Package-unnamed
"""
    found = read_sbom(text.encode(), "x.spdx")
    assert found.name == "shop/api"
    assert [(p.name, p.source, p.ecosystem) for p in found.packages] == [
        ("libssl3", "openssl", "Debian:12")
    ]
    assert [u.where for u in found.unread] == ["unnamed"]


def test_tag_value_is_read_in_linear_time() -> None:
    text = "SPDXVersion: SPDX-2.3\n" + "<text>" * 500_000
    begun = time.process_time()
    assert read_sbom(text.encode(), "x").unread
    assert time.process_time() - begun < 3


def test_a_system_spelled_otherwise_is_the_same() -> None:
    components = [
        {"type": "operating-system", "name": "redhat", "version": "8.6"},
        {"type": "library", "name": "bash", "purl": "pkg:rpm/redhat/bash@4.4.20-1.el8"},
    ]
    (bash,) = back({"bomFormat": "CycloneDX", "components": components}).packages
    assert bash.ecosystem == "Red Hat:8"


def test_a_distribution_without_sources_is_no_clean_one() -> None:
    urls = [f"pkg:deb/debian/lib{n}@1?distro=debian-12" for n in range(12)]
    components = [{"type": "library", "name": "x", "purl": url} for url in urls]
    (unread,) = back({"bomFormat": "CycloneDX", "components": components}).unread
    assert "names no sources" in str(unread)


def test_a_program_of_ones_own_needs_no_version_a_package_of_a_system_does() -> None:
    urls = ("pkg:golang/example.com/shop", "pkg:deb/debian/bash?distro=debian-12")
    components = [{"type": "library", "name": "x", "purl": url} for url in urls]
    found = back({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components})
    assert [(p.name, p.version) for p in found.packages] == [("example.com/shop", "")]
    assert [u.why for u in found.unread] == ["it has no version"]


def test_components_within_components_are_read() -> None:
    inner = {"type": "library", "name": "b", "purl": "pkg:npm/b@1"}
    outer = {"type": "library", "name": "a", "purl": "pkg:npm/a@1", "components": [inner]}
    document: dict[str, Any] = {"bomFormat": "CycloneDX", "components": [outer]}
    assert [p.name for p in back(document).packages] == ["a", "b"]
    subject = {"type": "application", "name": "x", "components": [inner]}
    document = {"bomFormat": "CycloneDX", "metadata": {"component": subject}}
    assert [p.name for p in back(document).packages] == ["b"]


def test_a_document_in_a_statement_is_read() -> None:
    found = back({"_type": "https://in-toto.io/Statement/v1", "predicate": TRIVY})
    assert len(found.packages) == 2


def test_a_document_that_says_it_is_incomplete_is_not_complete() -> None:
    found = back(TRIVY | {"compositions": [{"aggregate": "incomplete_third_party_only"}]})
    assert "incomplete" in str(found.unread)
    found = back(TRIVY | {"compositions": [{"aggregate": "incomplete", "assemblies": ["3"]}]})
    assert found.unread == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b'{"bomFormat":"Other"}',
        b'{"spdxVersion":"SPDX-3.0"}',
        b'<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.6"/>',
        b"[" * 100_000,
        b'{"bomFormat":"CycloneDX","components":'
        + b'[{"components":' * 50
        + b"1"
        + b"}]" * 50
        + b"}",
        b"SPDXVersion: SPDX-2.3\n\xff",
    ],
)
def test_what_is_no_document_is_told(content: bytes) -> None:
    with pytest.raises(BadInput, match="cannot read x"):
        read_sbom(content, "x")


def test_nothing_listed_is_nothing_assessed() -> None:
    for document in ({"bomFormat": "CycloneDX"}, {"spdxVersion": "SPDX-2.2"}):
        assert back(document).unread


def test_many_components_without_a_name_are_counted() -> None:
    components = [{"type": "library", "name": "x" * 500}] * 1000
    components += [{"type": "library", "purl": "nothing"}] * 1000
    unread = back({"bomFormat": "CycloneDX", "components": components}).unread
    assert len(unread) < 210
    assert [u.what for u in unread].count("900 components more") == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
PLACES = (
    ("metadata",),
    ("metadata", "component"),
    ("metadata", "component", "name"),
    ("metadata", "component", "properties"),
    ("metadata", "component", "components"),
    ("components",),
    ("components", 0),
    ("components", 2, "type"),
    ("components", 2, "purl"),
    ("components", 2, "licenses"),
    ("components", 2, "licenses", 0),
    ("components", 2, "licenses", 0, "license"),
    ("components", 2, "properties"),
    ("components", 2, "properties", 0),
    ("components", 2, "properties", 1, "value"),
    ("compositions",),
)
SPDX_PLACES = (
    ("name",),
    ("documentNamespace",),
    ("documentDescribes",),
    ("comment",),
    ("relationships",),
    ("relationships", 0),
    ("hasExtractedLicensingInfos",),
    ("hasExtractedLicensingInfos", 0),
    ("packages",),
    ("packages", 1),
    *(("packages", 1, key) for key in _spdx(inventory())["packages"][1]),
    ("packages", 1, "externalRefs", 0),
    ("packages", 1, "externalRefs", 0, "referenceLocator"),
)


@given(st.sampled_from(PLACES), anything)
def test_wrong_types_anywhere_in_cyclonedx(place: tuple[str | int, ...], value: Any) -> None:
    _wrong(TRIVY | {"compositions": []}, place, value)


@given(st.sampled_from(SPDX_PLACES), anything)
def test_wrong_types_anywhere_in_spdx(place: tuple[str | int, ...], value: Any) -> None:
    _wrong(_spdx(incomplete()), place, value)


def _wrong(document: Any, place: tuple[str | int, ...], value: Any) -> None:
    """Whatever stands there, a document is read or refused, and never empty and clean."""
    changed = json.loads(json.dumps(document))
    *way, last = place
    inner = changed
    for step in way:
        inner = inner[step] if not isinstance(inner, dict) else inner.setdefault(step, {})
    inner[last] = value
    try:
        found = back(changed)
    except BadInput:
        return
    assert found.packages or found.unread
