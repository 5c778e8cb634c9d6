"""What edits of grants cost, by who uses them: from the audit log, where one is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from martello.cli.access.trimming import read_events
from martello.cli.paths.opening import Known
from martello.practices.access.model import Grant
from martello.practices.access.replay import explained

UNUSED: Final = 1
USED: Final = 10
SOLE: Final = 30
Key = tuple[int, int]  # a binding by its identity, and the place of a subject


def weigh(world: Known, events: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """By edit: unused 1, used 10, the sole way of a use 30; nothing without events. What the log
    could not tell is a note.
    """
    if not events:
        return {}, ("what is used is not known: --events prefers grants that nobody uses",)
    observed, gaps = read_events(events)
    used: set[Key] = set()
    sole: set[Key] = set()
    for one in explained(world.opened.access, observed.uses):
        keys = {_key(grant) for grant in one.answer.grants}
        (sole if len(keys) == 1 else used).update(keys)
    weights: dict[str, int] = {}
    for fact in world.facts.program.facts.values():
        for edit in fact.edits:
            if edit.kind != "grant" or fact.resource is None:
                continue
            cost = _cost(id(fact.resource), fact.path, used, sole)
            weights[edit.id] = max(cost, weights.get(edit.id, 0))
    return weights, tuple(f"unread: {gap}" for gap in gaps)


def _key(grant: Grant) -> Key:
    place = grant.subject[1] if len(grant.subject) > 1 else 0
    return id(grant.binding), place if isinstance(place, int) else 0


def _cost(binding: int, path: tuple[str | int, ...], used: set[Key], sole: set[Key]) -> int:
    place = path[1] if len(path) > 1 and isinstance(path[1], int) else 0
    key = (binding, place)
    if key in sole:
        return SOLE
    return USED if key in used else UNUSED
