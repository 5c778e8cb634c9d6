"""Atoms of a line: unions of them are the sets, and finer ones keep the numbers of the coarser."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from martello.practices.network.engine.spans import Spans

LAST = 40
spans = st.tuples(st.integers(0, LAST), st.integers(0, LAST)).map(lambda p: (min(p), max(p)))
sets = st.lists(st.lists(spans, min_size=1, max_size=3), max_size=5)


def inside(one: list[tuple[int, int]]) -> set[int]:
    return {n for first, last in one for n in range(first, last + 1)}


def held(line: Spans, atoms: list[int]) -> set[int]:
    return {
        n for first, last, atom in line.intervals() if atom in atoms for n in range(first, last + 1)
    }


@given(sets, sets, st.booleans())
@settings(max_examples=150, deadline=None)
def test_atoms_are_the_sets(before: list, after: list, reserve: bool) -> None:  # type: ignore[type-arg]
    coarse, _ = Spans(0, LAST, reserve=reserve).refined(before)
    fine, splits = coarse.refined(after)
    for one in (*before, *after):
        assert held(fine, fine.of(one).tolist()) == inside(one)
    came_from = dict(enumerate(range(coarse.count)))
    for old, new in splits:
        came_from[new] = came_from[old]
    for number in range(LAST + 1):
        assert came_from[fine.at(number)] == coarse.at(number)


@given(sets)
@settings(max_examples=100, deadline=None)
def test_no_more_atoms_than_the_sets_tell_apart(wanted: list) -> None:  # type: ignore[type-arg]
    line, _ = Spans(0, LAST).refined(wanted)
    signatures = {tuple(n in inside(one) for one in wanted) for n in range(LAST + 1)}
    assert line.count == len(signatures)
    assert len({line.at(n) for n in range(LAST + 1)}) == line.count


def test_what_no_set_touches_is_atom_nothing() -> None:
    line, _ = Spans(0, LAST, reserve=True).refined([[(0, LAST)]])
    assert line.of([(0, LAST)]).tolist() == [1]
    assert line.held().tolist() == [1]
