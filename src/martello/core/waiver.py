"""A waiver: findings that somebody accepts, with an owner, a reason and an end."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Match(msgspec.Struct, frozen=True):
    """What a waiver covers: all given parts must match; names, namespaces and images take `*`
    globs.
    """

    namespaces: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    expression: str = ""


class Waiver(msgspec.Struct, frozen=True):
    """One waiver. `until` is an ISO date, the last day on which it holds; `source` is where it is
    written.
    """

    name: str
    checks: tuple[str, ...]
    reason: str
    owner: str
    until: str
    match: Match
    source: str
