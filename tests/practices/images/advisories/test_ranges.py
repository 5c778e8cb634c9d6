"""D5: what a record calls affected."""

from __future__ import annotations

import pytest

from martello.core.vulnerability import Affected, Events
from martello.practices.images.advisories.ranges import Held, holds
from martello.practices.images.versions import scheme

SEMVER = scheme("crates.io")
PYPI = scheme("PyPI")
RPM = scheme("Red Hat:9")


def record(
    *events: tuple[str, str], versions: tuple[str, ...] = (), type: str = "SEMVER"
) -> Affected:
    return Affected("X-1", "crates.io", "a", (Events(type, events),), versions)


def held(affected: Affected, version: str) -> tuple[str, str] | None:
    assert SEMVER is not None
    found = holds(affected, version, SEMVER)
    return (found.words, found.fixed) if found else None


def test_from_introduced_to_just_before_fixed() -> None:
    affected = record(("introduced", "1.0.0"), ("fixed", "1.2.0"))
    assert held(affected, "0.9.9") is None
    assert held(affected, "1.0.0-rc.1") is None
    assert held(affected, "1.0.0") == (">= 1.0.0, < 1.2.0", "1.2.0")
    assert held(affected, "1.2.0-rc.1") == (">= 1.0.0, < 1.2.0", "1.2.0")
    assert held(affected, "1.2.0") is None


def test_zero_is_before_all_versions() -> None:
    affected = record(("introduced", "0"))
    assert held(affected, "0.0.0-0") == ("all versions", "")
    assert held(record(("introduced", "0"), ("fixed", "0.1.0")), "0.0.0-0") == ("< 0.1.0", "0.1.0")


def test_last_affected_is_inclusive_and_no_fix() -> None:
    affected = record(("introduced", "1.0.0"), ("last_affected", "1.2.0"))
    assert held(affected, "1.2.0") == (">= 1.0.0, <= 1.2.0", "")
    assert held(affected, "1.2.1") is None


def test_a_limit_holds_only_below() -> None:
    affected = record(("introduced", "1.0.0"), ("limit", "2.0.0"))
    assert held(affected, "1.9.9") == (">= 1.0.0", "")
    assert held(affected, "2.0.0") is None
    assert held(record(("introduced", "0"), ("limit", "*")), "9.0.0") is not None
    two = record(("introduced", "0"), ("limit", "1.0.0"), ("limit", "2.0.0"))
    assert held(two, "1.5.0") is not None


def test_events_may_stand_in_any_order() -> None:
    affected = record(
        ("fixed", "2.2.0"), ("fixed", "1.2.0"), ("introduced", "2.0.0"), ("introduced", "0")
    )
    assert held(affected, "1.9.0") is None
    assert held(affected, "1.0.0") == ("< 1.2.0", "1.2.0")
    assert held(affected, "2.1.0") == (">= 2.0.0, < 2.2.0", "2.2.0")


def test_fixed_and_introduced_at_one_version_go_by_their_order() -> None:
    assert held(record(("introduced", "0"), ("fixed", "1.0.0"), ("introduced", "1.0.0")), "1.0.0")
    assert not held(record(("introduced", "1.0.0"), ("fixed", "1.0.0")), "1.0.0")


def test_versions_are_exact_and_joined_by_or() -> None:
    affected = record(("introduced", "1.0.0"), ("fixed", "1.2.0"), versions=("0.5.0", "3.0.0"))
    assert held(affected, "0.5.0") == ("= 0.5.0", "1.2.0")
    assert held(affected, "0.6.0") is None
    assert held(affected, "1.1.0") is not None
    assert held(affected, "3.0.0") == ("= 3.0.0", "")


def test_equal_versions_are_one() -> None:
    assert PYPI is not None
    affected = Affected("X-1", "PyPI", "a", versions=("1.0",))
    assert holds(affected, "1.0.0", PYPI) == Held("= 1.0.0", "")


def test_the_fix_is_one_that_no_other_range_holds() -> None:
    affected = Affected(
        "X-1",
        "crates.io",
        "a",
        (
            Events("SEMVER", (("introduced", "0"), ("fixed", "1.2.0"))),
            Events("SEMVER", (("introduced", "1.1.0"), ("fixed", "1.5.0"))),
        ),
    )
    assert held(affected, "1.0.0") == ("< 1.2.0", "1.5.0")


def test_no_range_and_no_version_hold_nothing() -> None:
    assert held(Affected("X-1", "crates.io", "a"), "1.0.0") is None
    assert held(record(("fixed", "2.0.0")), "1.0.0") is None
    assert held(record(("introduced", "0"), type="GIT"), "1.0.0") is None


@pytest.mark.parametrize(
    ("installed", "affected"),
    [("1.2-9.el9", True), ("1.3-1.el9", False), ("1.3-0.el9", False), ("1:1.0-1.el9", False)],
)
def test_a_bound_without_release_compares_no_release(installed: str, affected: bool) -> None:
    assert RPM is not None
    bounded = Affected(
        "X", "Red Hat:9", "a", (Events("ECOSYSTEM", (("introduced", "0"), ("fixed", "1.3"))),)
    )
    assert (holds(bounded, installed, RPM) is not None) == affected


def test_a_last_affected_bound_without_release_includes_all_releases() -> None:
    assert RPM is not None
    events = Events("ECOSYSTEM", (("introduced", "0"), ("last_affected", "1.3")))
    bounded = Affected("X", "Red Hat:9", "a", (events,))
    assert holds(bounded, "1.3-99.el9", RPM)
    assert not holds(bounded, "1.4-1.el9", RPM)


@pytest.mark.parametrize("version", ["", "garbage", "1.0.0-", "\x00", "1" * 5000, "v1", "🦀"])
def test_no_version_raises(version: str) -> None:
    affected = record(("introduced", "1.0.0"), ("fixed", "1.2.0"))
    assert SEMVER is not None
    assert holds(affected, version, SEMVER) is None or held(affected, version)
