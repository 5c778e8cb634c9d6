"""Selectors that select what they say, and windows that cover time once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.adapters.prometheus import queries
from martello.adapters.prometheus.queries import Pieces, Scope
from martello.core.usage import METRICS

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(WORDS)
def test_no_word_leaves_its_quotes(word: str) -> None:
    text = queries.quoted(word)
    inner = text[1:-1]
    assert "\n" not in text
    assert not re.search(r'(?<!\\)(?:\\\\)*"', inner)
    assert re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], inner) == word


@given(st.lists(WORDS, min_size=1, max_size=3), WORDS)
def test_either_means_these_words_and_no_other(words: list[str], other: str) -> None:
    pattern = re.compile(queries.either(words))
    assert all(pattern.fullmatch(word) for word in words)
    assert (pattern.fullmatch(other) is not None) == (other in words)


def test_a_selector_in_words() -> None:
    scope = Scope(("shop", "a.b"), ("web-",), ("cluster", 'pr"od'))
    assert scope.selector("m", 'r="x"') == (
        'm{namespace=~"shop|a\\\\.b",container!="",container!="POD",'
        'pod=~"(?:web-).*",cluster="pr\\"od",r="x"}'
    )
    assert scope.selector("m", "", "shop", containers=False) == (
        'm{namespace="shop",pod=~"(?:web-).*",cluster="pr\\"od"}'
    )
    assert Scope().selector("m", containers=False) == "m{}"


def test_a_question_covers_its_window_to_the_millisecond() -> None:
    assert queries.raw("m{}", (1_000, 61_000)) == {"query": "m{}[60000ms]", "time": "60.999"}


@pytest.mark.parametrize(
    ("window", "begin", "end"),
    [((0, 900_000), 0, 600), ((1, 900_001), 300, 900), ((1, 299_000), 300, 300)],
)
def test_steps_lie_at_their_multiples(window: tuple[int, int], begin: int, end: int) -> None:
    asked = queries.stepped("m{}", window, 300.0)
    assert (asked["start"], asked["end"], asked["step"]) == (
        f"{begin}.000",
        f"{end}.000",
        "300.000",
    )


def test_every_metric_but_that_of_snapshots_is_asked() -> None:
    assert set(queries.ASKED) == set(METRICS) - {"cores"}


@settings(max_examples=40)
@given(
    st.integers(0, 10_000),
    st.integers(1, 500_000),
    st.integers(1, 50_000),
    st.integers(1, 1000),
    st.integers(1, 10_000),
    st.data(),
)
def test_pieces_cover_a_window_once(
    begin: int, length: int, first: int, smallest: int, wanted: int, data: st.DataObject
) -> None:
    """Whatever fails or comes: pieces follow each other, and end."""
    pieces = Pieces((begin, begin + length), first, smallest, wanted, length)
    reached, steps = begin, 0
    while (piece := pieces.piece()) is not None:
        steps += 1
        assert steps < 12 * length + 40
        assert piece[0] == reached
        assert piece[0] < piece[1] <= begin + length
        fate = data.draw(st.sampled_from(["done", "done", "halve", "skip"])) if steps < 40 else ""
        if fate == "halve":
            size = piece[1] - piece[0]
            if pieces.halve():
                smaller = pieces.piece()
                assert smaller is not None
                assert smaller[1] - smaller[0] < size
            else:
                assert size <= smallest
                assert pieces.skip() == piece
                reached = piece[1]
        elif fate == "skip":
            assert pieces.skip() == piece
            reached = piece[1]
        else:
            pieces.done(data.draw(st.integers(0, 10**6)) if steps < 40 else 0)
            reached = piece[1]
    assert reached == begin + length


def test_pieces_grow_to_what_is_wanted_and_no_further() -> None:
    pieces = Pieces((0, 10**9), 1000, 10, 5000, 10**9)
    sizes = []
    for _ in range(8):
        begin, end = pieces.piece() or (0, 0)
        sizes.append(end - begin)
        pieces.done((end - begin) // 10)  # a sample each 10 ms
    assert sizes == [1000, 8000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000]
    assert pieces.halve()
    pieces.done(1)
    begin, end = pieces.piece() or (0, 0)
    assert end - begin == 25_000  # never again as much as was too much


def test_what_failed_for_a_moment_may_be_asked_again() -> None:
    pieces = Pieces((0, 10**9), 1000, 10, 5000, 10**9)
    assert pieces.halve(lasting=False)
    assert pieces.piece() == (0, 500)
    pieces.done(1)
    assert pieces.piece() == (500, 4500)
