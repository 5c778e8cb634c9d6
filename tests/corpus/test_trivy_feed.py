"""The spellings of trivy's feeds, on rows made here."""

from __future__ import annotations

from typing import Any

import pytest
from tests.corpus.trivy_feed import Buckets, affected
from tests.corpus.trivy_triples import _image

from martello.core.vulnerability import Affected
from martello.practices.images.advisories.ranges import holds
from martello.practices.images.versions import scheme


def held(ecosystem: str, version: str, vulnerable: list[str], secure: list[str]) -> bool:
    order = scheme(ecosystem)
    assert order is not None
    row = Affected("X", ecosystem, "a", affected(vulnerable, secure, order))
    return holds(row, version, order) is not None


@pytest.mark.parametrize(
    ("ecosystem", "vulnerable", "secure", "inside", "outside"),
    [
        ("npm", [">1.2.0, <=1.4.0"], [], ["1.2.1", "1.4.0"], ["1.2.0", "1.4.1", "1.4.1-0"]),
        ("npm", ["^1.2.0 || =0.5.0"], [], ["1.9.9", "0.5.0"], ["2.0.0", "0.5.1", "1.1.9"]),
        ("npm", ["*"], [">=3.0.0"], ["0.0.1", "2.9.9"], ["3.0.0"]),
        ("npm", ["<2.0.0"], ["1.5.3"], ["1.5.2", "1.5.4"], ["1.5.3", "2.0.0"]),
        ("npm", [""], [">=1.0.0"], ["9.0.0"], []),
        ("RubyGems", [], ["~> 3.2.22.1", ">= 4.2"], ["3.2.22", "3.2.23", "4.1"], ["3.2.22.2", "5"]),
        ("RubyGems", [], ["~> 2.3", "< 1.5"], ["1.5", "2.2.9", "3.0"], ["2.9", "1.4.9"]),
        ("Maven", ["(1.0,2.0]"], [], ["1.0.1", "2.0"], ["1.0", "2.0.1"]),
        ("Maven", ["[1.5]", "(,1.0)"], [], ["1.5", "0.9"], ["1.0", "1.5.1"]),
    ],
)
def test_constraints(
    ecosystem: str,
    vulnerable: list[str],
    secure: list[str],
    inside: list[str],
    outside: list[str],
) -> None:
    wrong = [v for v in inside if not held(ecosystem, v, vulnerable, secure)]
    assert wrong + [v for v in outside if held(ecosystem, v, vulnerable, secure)] == []


def case(family: str, name: str, package: dict[str, Any], *found: dict[str, Any]) -> dict[str, Any]:
    expected = [
        {"pkg": package["name"], "severity": "HIGH", "status": "fixed", **one} for one in found
    ]
    system = {"Family": family, "Name": name}
    return {"image": "i", "variant": "v", "os": system, "packages": [package], "expected": expected}


def feed(bucket: str, writer: str, rows: dict[str, Any]) -> Buckets:
    return Buckets(
        [{"vulnerability": {}, "buckets": {bucket: rows}, "data_source": {bucket: {"ID": writer}}}]
    )


def installed(name: str, version: str, release: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": version, "release": release, "arch": "x86_64", **more}


def test_rocky_is_looked_up_by_binary_packages_and_architectures() -> None:
    entries = [
        {"FixedVersion": "0:1.18-2.el8", "Arches": ["x86_64"]},
        {"FixedVersion": "0:1.18-3.el8", "Arches": ["aarch64"]},
    ]
    rows = {"krb5-libs": {"CVE-1": {"FixedVersion": "", "Severity": 3, "Entries": entries}}}
    package = installed("krb5-libs", "1.18", "1.el8", src_name="krb5", src_version="1.18")
    told = {"id": "CVE-1", "installed": "1.18-1.el8", "fixed": "1.18-2.el8"}
    wanted = case("rocky", "8.5", package, {**told, "severity_source": "rocky"})
    assert [c[1] for c in _image(wanted, feed("rocky 8", "rocky", rows))] == [True]
    other = package | {"repository": {"Class": "third-party"}}
    assert [c[1] for c in _image(case("rocky", "8.5", other), feed("rocky 8", "rocky", rows))] == [
        True
    ]


def test_streams_of_one_package_have_fixes_of_their_own() -> None:
    rows = {
        f"nodejs:{stream}::npm": {"CVE-1": {"FixedVersion": f"1:{stream}.2-1", "Severity": 3}}
        for stream in (12, 14)
    }
    package = installed("npm", "12.1", "1", epoch=1, modularity_label="nodejs:12:80:abc")
    told = {"id": "CVE-1", "installed": "1:12.1-1", "fixed": "1:12.2-1", "severity_source": "alma"}
    assert [
        c[1] for c in _image(case("alma", "8.5", package, told), feed("alma 8", "alma", rows))
    ] == [True]


def test_oracles_live_patched_build_is_told_apart() -> None:
    entries = [{"FixedVersion": "2.28-189.el8"}, {"FixedVersion": "2:2.28-189.ksplice1.el8"}]
    rows = {"glibc": {"CVE-1": {"Severity": 3, "Entries": entries}}}
    package = installed("glibc", "2.28", "164.el8")
    told = {"id": "CVE-1", "installed": "2.28-164.el8", "fixed": "2.28-189.el8"}
    wanted = case("oracle", "8.4", package, {**told, "severity_source": "oracle-oval"})
    assert [c[1] for c in _image(wanted, feed("Oracle Linux 8", "oracle-oval", rows))] == [True]
