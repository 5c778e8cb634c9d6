"""Which checks of the catalogue a scan runs: by profile, by framework, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
        wanted = named(checks, ids)
        return _ordered(c for c in checks if c.id in wanted)
    if frameworks:
        from martello.catalogue.frameworks import selects

        predicates = [selects(name) for name in frameworks]
        return _ordered(c for c in checks if any(p(c) for p in predicates))
    profiles = _PROFILES.get(profile)
    if profiles is None:
        raise BadInput(f"no profile {profile}", f"profiles are: {', '.join(_PROFILES)}")
    given = params or {}
    return _ordered(c for c in checks if c.profile in profiles or c.id in given)


def named(checks: Sequence[Check], words: Iterable[str]) -> frozenset[str]:
    """The ids that ids, names and peers' names mean. Raises BadInput for what is unknown."""
    names = Names(checks)
    wanted: set[str] = set()
    for word in words:
        found = names.find(word)
        if not found:
            near = names.nearest(word)
            why = "no check has it as id, name or alias"
            raise BadInput(
                f"no such check: {word}",
                why,
                f"martello explain {near}, the nearest" if near else "",
            )
        wanted |= found
    return frozenset(wanted)


def _ordered(checks: Iterable[Check]) -> tuple[Check, ...]:
    return tuple(sorted(checks, key=lambda c: c.id))
