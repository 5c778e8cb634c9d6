"""Regular expressions: Go's syntax and results, and no text that takes more than linear time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.cel import re2
from martello.cel.re2 import Regex
from martello.cel.values import EvalError


def both(pattern: str) -> list[Regex]:
    """The pattern as it is compiled, and forced onto the linear-time machine."""
    forced = Regex(pattern)
    forced._native = None
    return [Regex(pattern), forced]


MATCHES = [
    ("a", "cat", True),
    ("^a", "cat", False),
    ("t$", "cat", True),
    ("t$", "cat\n", False),
    ("(?m)t$", "cat\n", True),
    ("(?m)^b", "a\nb", True),
    ("a.c", "a\nc", False),
    ("(?s)a.c", "a\nc", True),
    ("[^a]", "\n", True),
    (r"\x{1F600}", "\U0001f600", True),
    (r"\101", "A", True),
    (r"\Qa.b\E+", "a.bb", True),
    (r"\Qa.b\E", "axb", False),
    ("(?i)k", "\u212a", True),
    ("(?i)straße", "STRA\u1e9eE", True),
    ("(?i)[^k]", "K", False),
    (r"\d", "\u0663", False),
    (r"\w", "é", False),
    (r"\pL", "é", True),
    (r"\p{Greek}", "λ", True),
    (r"\P{Greek}", "λ", False),
    (r"\p{^Greek}", "λ", False),
    ("[[:alpha:]]", "5", False),
    ("[[:^alpha:]]", "5", True),
    ("[]a]", "]", True),
    ("[a-]", "-", True),
    ("a{,2}", "a{,2}", True),
    ("a{2", "a{2", True),
    (r"\bfoo\b", "a foo b", True),
    (r"\B", "", True),
    (r"a\z", "a\n", False),
    ("(?P<x>a)(?<y>b)", "ab", True),
    ("(?U)a+", "a", True),
    ("", "", True),
    ("(|a)*$", "aaa", True),
    ("[^\\x00-\\x{10FFFF}]", "a", False),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), MATCHES)
def test_matches(pattern: str, text: str, expected: bool) -> None:
    for compiled in both(pattern):
        assert compiled.matches(text) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "a)", "[", "[a", "*", "a**", "a+*", "a{2}{3}", "a|*", "(?=a)", "(?<!a)", r"\1",
        r"\8", r"\C", r"\E", "\\", r"\x", r"\x{110000}", r"\pX", r"\p{Nope}", "[b-a]", "[[:nope:]]",
        "a{1001}", "a{2,1}", "(a{100}){11}", "(?z)", "(?-)", "(?P<>a)", "(?P<n!>a)", "(?P<na", "(?",
        "(?i", "é\\é", "((a{999}){1}b{999}c{999}){41}",
    ],
)  # fmt: skip
def test_refused(pattern: str) -> None:
    with pytest.raises(EvalError) as caught:
        Regex(pattern)
    assert caught.value.message.startswith("invalid regular expression: ")


FINDS = [
    ("a+?", "aaa", (0, 1)),
    ("a|ab", "ab", (0, 1)),
    ("(a)|(b)", "b", (0, 1, -1, -1, 0, 1)),
    ("(?:(a)|b)*", "ab", (0, 2, 0, 1)),
    ("(a*)+", "b", (0, 0, 0, 0)),
    ("x*", "baxx", (0, 0)),
    ("b", "aaa", None),
    ("(a{0})b", "b", (0, 1, 0, 0)),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), FINDS)
def test_find(pattern: str, text: str, expected: tuple[int, ...] | None) -> None:
    for compiled in both(pattern):
        assert compiled.find(text) == expected


FIND_ALL = [
    ("a*", "baac", -1, [(0, 0), (1, 3), (4, 4)]),
    ("a", "aaa", 2, [(0, 1), (1, 2)]),
    ("a", "aaa", 0, []),
    ("", "ab", -1, [(0, 0), (1, 1), (2, 2)]),
    ("^a", "aaa", -1, [(0, 1)]),
    (r"\b", "ab cd", -1, [(0, 0), (2, 2), (3, 3), (5, 5)]),
]


@pytest.mark.parametrize(("pattern", "text", "limit", "expected"), FIND_ALL)
def test_find_all_drops_empty_matches_after_a_match(
    pattern: str, text: str, limit: int, expected: list[tuple[int, int]]
) -> None:
    for compiled in both(pattern):
        assert compiled.find_all(text, limit) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+$",
        "^(a|a)*$",
        "a*a*a*a*b",
        "(x+x+)+y",
        "(.*)*b",
        "a+$",
        "(a?){500}a{500}c",
    ],
)
def test_hostile_patterns_stay_linear(pattern: str) -> None:
    text = "a" * 50_000 + "!"
    compiled = Regex(pattern)
    assert compiled.matches(text) is False
    assert compiled.native is (pattern == "a+$")
    assert len(compiled.machine._states) <= 1000


def test_work_of_repeated_searches_is_bounded() -> None:
    with pytest.raises(EvalError, match="too much work"):
        Regex("(?:a|aa)*b|a").find_all("a" * 50_000)


def test_deterministic_patterns_run_on_re() -> None:
    for pattern in ("^[a-z]+$", "latest$", r"^[^:]+:[0-9]+$", "^(docker|quay)\\.io/"):
        assert Regex(pattern).native
    for pattern in ("(a+)+", "a*a", "(a|ab)c", "(a?)*"):
        assert not Regex(pattern).native


def test_compiled_patterns_are_kept() -> None:
    assert re2.compile("^kept$") is re2.compile("^kept$")


def test_deep_nesting_is_no_recursion_error() -> None:
    assert Regex("(" * 900 + "a" + ")" * 900).matches("a")
    with pytest.raises(EvalError):
        Regex("(" * 1100 + "a" + ")" * 1100)


ATOMS = st.sampled_from(
    ["a", "b", "ab", ".", "[ab]", "[^a]", r"\d", r"\w", r"\s", "^", "$", r"\b", r"\B", r"\A", r"\z"]
).flatmap(
    lambda plain: st.sampled_from([plain, plain, "(a)", "(a|b)", "(|a)", "(a*)", "é", "x{2}"])
)
SUFFIXES = st.sampled_from(["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}"])
PIECES = st.builds(lambda atom, suffix: f"{atom}{suffix}", ATOMS, SUFFIXES)
PATTERNS = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.builds("({}|{}){}".format, inner, inner, SUFFIXES),
        st.builds("(?:{}){}".format, inner, SUFFIXES),
    ),
    max_leaves=6,
)
TEXTS = st.text(alphabet="abxé1 _.\n", max_size=8)


@settings(max_examples=300, deadline=None)
@given(pattern=PATTERNS, text=TEXTS)
def test_agrees_with_re2(pattern: str, text: str) -> None:
    re2: Any = pytest.importorskip("re2", reason="google-re2 is not installed")
    try:
        expected = re2.compile(pattern)
    except re2.error:
        with pytest.raises(EvalError):
            Regex(pattern)
        return
    found = expected.search(text)
    spans = None if found is None else found.span()
    for compiled in both(pattern):
        match = compiled.find(text)
        assert (None if match is None else match[:2]) == spans
        assert compiled.matches(text) is (found is not None)
