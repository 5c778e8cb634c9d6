"""Which checks of the catalogue a scan runs: by profile, by framework, by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from martello.catalogue.aliases import Names
from martello.core.check import Check
from martello.core.errors import BadInput

_PROFILES: Final = {
    "default": frozenset(("default",)),
    "strict": frozenset(("default", "strict")),
    "all": frozenset(("default", "strict", "opt-in")),
}


def select(
    checks: Sequence[Check],
    profile: str,
    frameworks: Sequence[str] = (),
    ids: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
) -> tuple[Check, ...]:
    """The checks to run, in the order of their ids. `ids` (ids, names or peers' names) select
    alone; frameworks select theirs whatever the profile; parameters switch their check on.
    Raises BadInput for what is unknown.
    """
    if ids:
        return _named(checks, ids)
    if frameworks:
        from martello.catalogue.frameworks import selects

        predicates = [selects(name) for name in frameworks]
        return _ordered(c for c in checks if any(p(c) for p in predicates))
    wanted = _PROFILES.get(profile)
    if wanted is None:
        raise BadInput(f"no profile {profile}", f"profiles are: {', '.join(_PROFILES)}")
    given = params or {}
    return _ordered(c for c in checks if c.profile in wanted or c.id in given)


def _named(checks: Sequence[Check], ids: Sequence[str]) -> tuple[Check, ...]:
    names = Names(checks)
    wanted: set[str] = set()
    for id in ids:
        found = names.find(id)
        if not found:
            near = names.nearest(id)
            raise BadInput(f"no check {id}", f"did you mean {near}?" if near else "")
        wanted |= found
    return _ordered(c for c in checks if c.id in wanted)


def _ordered(checks: Collection[Check] | Any) -> tuple[Check, ...]:
    return tuple(sorted(checks, key=lambda c: c.id))
