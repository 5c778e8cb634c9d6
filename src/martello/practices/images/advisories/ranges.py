"""Whether a version lies in what a record calls affected, by the rules of the OSV schema (D5).

Source: the OSV schema's evaluation algorithm. Events are walked in the order of their versions;
`introduced` begins, `fixed` ends, `last_affected` ends after itself, a range with limits holds
only below one of them. The list of versions is exact; list and ranges are joined by or.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from martello.core.vulnerability import Affected, Events
from martello.practices.images.versions import Scheme

_TYPES: Final = ("ECOSYSTEM", "SEMVER")


class Held(msgspec.Struct, frozen=True):
    """The range that holds, in words, and the version to go to (empty: none)."""

    words: str
    fixed: str


def holds(affected: Affected, version: str, scheme: Scheme) -> Held | None:
    """The range or exact version that makes a version affected; None where nothing does. `fixed`
    is the lowest version above it that is named as fixed and that no other range holds.
    """
    words = _words(affected, version, scheme)
    if words is None:
        return None
    fixes = sorted(_fixes(affected, version, scheme), key=scheme.key)
    fixed = next((fix for fix in fixes if _words(affected, fix, scheme) is None), "")
    return Held(words, fixed)


def fix(own: Sequence[str], said: Sequence[Affected], scheme: Scheme) -> str:
    """The version to go to by all statements on one vulnerability: the lowest that is named as
    fixed and that none of them holds; where there is none, the highest that one of those which hold
    names for itself (`own`).
    """
    if not own or len(said) == 1:
        return max(own, key=scheme.key, default="")
    least = min(own, key=scheme.key)
    found = {
        bound
        for affected in said
        for events in affected.ranges
        for kind, bound in events.events
        if kind == "fixed" and scheme.compare(bound, least) >= 0
    }
    for bound in sorted(found, key=scheme.key):
        if all(_words(affected, bound, scheme) is None for affected in said):
            return bound
    return max(own, key=scheme.key)


def ordered(events: Events, scheme: Scheme) -> Events:
    """The range with its events in the order of their versions; equal ones stay as they are."""
    found = sorted(events.events, key=lambda event: _place(event, scheme))
    return Events(events.type, tuple(found))


def at_least(version: str, bound: str, scheme: Scheme) -> bool:
    """Whether a version is the bound or above it; the scheme knows what a bound means (V4)."""
    return scheme.compare_bound(version, bound) >= 0


def _place(event: tuple[str, str], scheme: Scheme) -> tuple[bool, bytes]:
    kind, version = event
    if kind == "introduced" and version == "0":
        return False, b""  # before all versions
    return True, scheme.key(version)


def _words(affected: Affected, version: str, scheme: Scheme) -> str | None:
    for events in affected.ranges:
        words = _in_range(events, version, scheme) if events.type in _TYPES else None
        if words is not None:
            return words
    if affected.versions and _listed(affected.versions, version, scheme):
        return f"= {version}"
    return None


def _listed(versions: tuple[str, ...], version: str, scheme: Scheme) -> bool:
    if version in versions:
        return True
    key = scheme.key(version)
    return any(scheme.key(listed) == key for listed in versions)


def _in_range(events: Events, version: str, scheme: Scheme) -> str | None:
    limits = [limit for kind, limit in events.events if kind == "limit"]
    if limits and not any(x == "*" or not at_least(version, x, scheme) for x in limits):
        return None
    start: str | None = None
    end = ""
    for kind, bound in ordered(events, scheme).events:
        if kind == "introduced":
            if bound == "0" or at_least(version, bound, scheme):
                # a second beginning inside a range changes nothing
                start = bound if start is None else start
        elif kind == "fixed":
            if at_least(version, bound, scheme):
                start = None
            else:
                end = end or f"< {bound}"
        elif kind == "last_affected":
            if scheme.compare_bound(version, bound) > 0:
                start = None
            else:
                end = end or f"<= {bound}"
    if start is None:
        return None
    parts = [f">= {start}" if start != "0" else "", end]
    return ", ".join(part for part in parts if part) or "all versions"


def _fixes(affected: Affected, version: str, scheme: Scheme) -> Iterator[str]:
    for events in affected.ranges:
        for kind, bound in events.events:
            if kind == "fixed" and not at_least(version, bound, scheme):
                yield bound
