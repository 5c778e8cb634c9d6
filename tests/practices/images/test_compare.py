"""Other scanners' reports: read whatever stands in them, paired by every name of a finding."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.core.errors import BadInput
from martello.core.package import Package
from martello.core.vulnerability import Affected, Match, Ruled
from martello.practices.images.compare import Theirs, compare, read_report
from martello.practices.images.why_not import Reason

TRIVY: dict[str, Any] = {
    "Results": [
        {"Vulnerabilities": [{"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1"}]}
    ]
}
GRYPE: dict[str, Any] = {
    "matches": [
        {
            "vulnerability": {"id": "GHSA-1", "severity": "High", "fix": {"versions": ["2"]}},
            "relatedVulnerabilities": [{"id": "CVE-1"}],
            "artifact": {"name": "a", "version": "1"},
        }
    ]
}
OSV: dict[str, Any] = {
    "results": [
        {
            "packages": [
                {
                    "package": {"name": "a", "version": "1", "ecosystem": "PyPI"},
                    "groups": [{"ids": ["GHSA-1"], "aliases": ["CVE-1"]}],
                }
            ]
        }
    ]
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=4,
)


def ours(id: str = "CVE-1", name: str = "a", version: str = "1", **more: Any) -> Ruled:
    """One match of ours."""
    package = Package("pypi", name, version, "PyPI", **more)
    advisory = Affected("GHSA-1", "PyPI", name, feed="osv:PyPI")
    return Ruled(Match(id, package, version, advisory, "fixed", "high", fixed="2", range="< 2"))


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a document."""
    steps: list[Any] = []
    if isinstance(value, dict):
        steps = list(value)
    elif isinstance(value, list):
        steps = list(range(len(value)))
    found = [way] if way else []
    for step in steps:
        found += places(value[step], (*way, step))
    return found


@pytest.mark.parametrize(
    ("document", "scanner"), [(TRIVY, "trivy"), (GRYPE, "grype"), (OSV, "osv-scanner")]
)
def test_each_scanner_is_known_by_its_report(document: Any, scanner: str) -> None:
    name, theirs = read_report(json.dumps(document).encode(), "x")
    assert name == scanner
    assert [(t.package, t.version, "CVE-1" in t.ids) for t in theirs] == [("a", "1", True)]
    result = compare(name, theirs, [ours()], lambda id: ())
    assert result.both == 1
    assert {d.kind for d in result.differences} <= {"fix", "severity"}


@pytest.mark.parametrize("document", [TRIVY, GRYPE, OSV], ids=["trivy", "grype", "osv"])
@given(data=st.data())
def test_wrong_types_anywhere(document: Any, data: st.DataObject) -> None:
    changed = json.loads(json.dumps(document))
    *way, last = data.draw(st.sampled_from(places(document)))
    inner = changed
    for step in way:
        inner = inner[step]
    inner[last] = data.draw(anything)
    name, theirs = read_report(json.dumps(changed).encode(), "x")
    compare(name, theirs, [ours()], lambda id: ())


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_report_is_told(content: bytes) -> None:
    with pytest.raises(BadInput, match="cannot read x"):
        read_report(content, "x")


def test_a_binary_package_is_found_by_its_source_and_an_artifact_without_its_group() -> None:
    source = ours(name="libssl3", source="openssl", source_version="1")
    assert compare("x", [Theirs(("CVE-1",), "openssl", "1")], [source], lambda id: ()).both == 1
    java = ours(name="org.apache:log4j")
    assert compare("x", [Theirs(("CVE-1",), "log4j", "1")], [java], lambda id: ()).both == 1


def test_another_version_is_another_finding() -> None:
    result = compare("x", [Theirs(("CVE-1",), "a", "9")], [ours()], lambda id: ())
    assert (result.both, [d.kind for d in result.differences]) == (0, ["only-ours", "only-theirs"])
    assert "another package or version than a 9" in result.differences[1].why


def test_the_reason_is_that_of_the_package_which_is_meant() -> None:
    here = Package("pypi", "A", "1", "PyPI")
    reasons = (
        Reason("version", "elsewhere", Package("pypi", "b", "1", "PyPI")),
        Reason("withdrawn", "it was withdrawn", here),
        Reason("reported", "x", here),
    )
    result = compare("x", [Theirs(("CVE-9",), "a", "1")], [], lambda id: reasons)
    assert [d.why for d in result.differences] == ["withdrawn: it was withdrawn"]


@pytest.mark.parametrize(
    ("fixed", "differs"),
    [("2", False), ("1.5, 2", False), ("v2", False), ("", True), (None, False)],
)
def test_fixes_are_compared_where_they_are_told(fixed: str | None, differs: bool) -> None:
    result = compare("x", [Theirs(("CVE-1",), "a", "1", fixed=fixed)], [ours()], lambda id: ())
    assert [d.kind for d in result.differences] == (["fix"] if differs else [])
