"""Accepted vulnerabilities: our waivers and the ignore files of others."""

from __future__ import annotations

from datetime import date

import pytest

from martello.core.errors import BadInput
from martello.core.package import Package
from martello.core.vulnerability import Affected, Match
from martello.core.waiver import Match as Meant
from martello.core.waiver import Waiver
from martello.practices.images.exceptions import accept, of_waivers, read_ignored

TODAY = date(2031, 5, 6)
FOUND = Match(
    "CVE-2031-1",
    Package("npm", "web", "1.2.3", "npm", path="app/package-lock.json"),
    "1.2.3",
    Affected("GHSA-a-b-c", "npm", "web"),
    "fixed",
    "high",
    fixed="1.2.4",
    aliases=("GHSA-a-b-c",),
)


def who(text: str, file: str, image: str = "reg.local/shop/api:1") -> str:
    """Who accepts the match by an ignore file: the source, empty where nobody does."""
    (ruled,) = accept([FOUND], read_ignored(text, file), image, TODAY).ruled
    return ruled.waived.source if ruled.waived else ""


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("CVE-2031-1", ".trivyignore:1"),
        ("# why\n\nGHSA-a-b-c exp:2031-05-06", ".trivyignore:3"),
        ("CVE-2031-1 exp:2031-05-05", ""),
        ("CVE-2031-11", ""),
        ("*", ""),
    ],
)
def test_trivyignore(text: str, source: str) -> None:
    assert who(text, ".trivyignore") == source


@pytest.mark.parametrize(
    ("entry", "accepted"),
    [
        ("{id: CVE-2031-1}", True),
        ("{id: CVE-2031-1, paths: [app/package-lock.json]}", True),
        ("{id: CVE-2031-1, paths: ['app/*']}", True),
        ("{id: CVE-2031-1, paths: [other/package-lock.json]}", False),
        ("{id: CVE-2031-1, purls: ['pkg:npm/web']}", True),
        ("{id: CVE-2031-1, purls: ['pkg:npm/web@1.2.3']}", True),
        ("{id: CVE-2031-1, purls: ['pkg:npm/we']}", False),
        ("{id: CVE-2031-1, expired_at: 2031-05-06}", True),
        ("{id: CVE-2031-1, expired_at: 2031-05-05}", False),
    ],
)
def test_trivyignore_yaml(entry: str, accepted: bool) -> None:
    assert bool(who(f"vulnerabilities: [{entry}]", ".trivyignore.yaml")) is accepted


@pytest.mark.parametrize(
    ("entry", "accepted"),
    [
        ("{vulnerability: CVE-2031-1}", True),
        ("{vulnerability: CVE-2031-1, fix-state: not-fixed}", False),
        ("{package: {name: web, version: 1.2.3, type: npm}}", True),
        ("{package: {name: web, type: gem}}", False),
        ("{package: {location: '/app/**'}}", True),
        ("{vulnerability: CVE-2031-1, vex-status: not_affected}", False),
        ("{vulnerability: CVE-2031-1, something-new: 1}", False),
    ],
)
def test_grype(entry: str, accepted: bool) -> None:
    assert bool(who(f"ignore: [{entry}]", ".grype.yaml")) is accepted


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ('[[IgnoredVulns]]\nid = "GHSA-a-b-c"\nignoreUntil = 2031-05-06\nreason = "x"', True),
        ('[[IgnoredVulns]]\nid = "GHSA-a-b-c"\nignoreUntil = 2031-05-05', False),
        ('[[PackageOverrides]]\nname = "web"\necosystem = "npm"\nignore = true', True),
        ('[[PackageOverrides]]\nname = "web"\necosystem = "Go"\nignore = true', False),
        ('[[PackageOverrides]]\nname = "web"\nvulnerability.ignore = true', True),
        ('[[PackageOverrides]]\nname = "web"\nlicense.override = ["MIT"]', False),
    ],
)
def test_osv_scanner(text: str, accepted: bool) -> None:
    assert bool(who(text, "osv-scanner.toml")) is accepted


def test_one_that_ran_out_is_told_and_one_that_covers_nothing_too() -> None:
    exemptions = read_ignored("CVE-2031-1 exp:2030-01-01\nCVE-1999-1", ".trivyignore")
    result = accept([FOUND], exemptions, "image", TODAY)
    assert [(e.until, m.id) for e, m in result.expired] == [("2030-01-01", "CVE-2031-1")]
    assert [e.ids for e in result.idle] == [("CVE-1999-1",)]


def waiver(
    *checks: str,
    until: str = "2031-12-31",
    images: tuple[str, ...] = (),
    namespaces: tuple[str, ...] = (),
) -> Waiver:
    """A waiver of ours."""
    meant = Meant(images=images, namespaces=namespaces)
    return Waiver("w", checks, "no exploit", "sec@example.com", until, meant, "w.yaml:1")


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        (waiver("CVE-2031-1"), True),
        (waiver("GHSA-a-b-c", "POD-006"), True),
        (waiver("CVE-2031-1", images=("reg.local/shop/*",)), True),
        (waiver("CVE-2031-1", images=("reg.local/other/*",)), False),
        (waiver("CVE-2031-1", namespaces=("shop",)), False),
        (waiver("CVE-2031-1", until="2031-05-05"), False),
        (waiver("IMG-001"), False),
        (waiver("IMG-001", images=("reg.local/shop/*",)), True),
        (waiver("POD-006"), False),
    ],
)
def test_our_waivers(given: Waiver, accepted: bool) -> None:
    result = accept([FOUND], tuple(of_waivers([given])), "reg.local/shop/api:1", TODAY)
    assert (result.ruled[0].waived is not None) is accepted


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("vulnerabilities: 1", ".trivyignore.yaml"),
        ("vulnerabilities: [{paths: [x]}]", ".trivyignore.yaml"),
        ("a: [", ".trivyignore.yaml"),
        ("[" * 100_000, ".trivyignore.yaml"),
        ("= 1", "osv-scanner.toml"),
        ("IgnoredVulns = 1", "osv-scanner.toml"),
        ("ignore: [{fix-state: odd}]", ".grype.yaml"),
    ],
)
def test_a_broken_file_is_refused(text: str, file: str) -> None:
    with pytest.raises(BadInput):
        read_ignored(text, file)
