"""Texts and values made to hurt: bounded, and never anything but a CompileError or an EvalError."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.cel.env import Env
from martello.cel.issues import CompileError, Issue
from martello.cel.types import DYN
from martello.cel.values import EvalError

KUBERNETES = Env.kubernetes("1.34", variables={"object": DYN})
SPEC = Env.spec({"object": DYN})


def attempt(text: str, held: Any) -> str:
    """The message of the EvalError that an evaluation ends in, or nothing."""
    try:
        KUBERNETES.compile(text)(object=held)
    except EvalError as error:
        return error.message
    return ""


@pytest.mark.parametrize("count", [12, 100, 240])
@pytest.mark.parametrize(
    ("opening", "inner", "closing", "wanted"),
    [
        ("(", "true", ")", True),
        ("!!", "true", "", True),
        ("true ? (", "true", ") : false", True),
        ("[1].all(x, ", "true", ")", True),
        ("[1].exists(x, object.a || ", "x == 1", ")", True),
        ("[1].map(x, ", "x", ").size() == 1 ? [true] : [false]", None),
        ("cel.bind(x, 1 + 1, ", "x == 2", ")", True),
        ("true && (false || ", "true", ")", True),
    ],
)
def test_deep_nesting_is_evaluated_or_refused(
    opening: str, inner: str, closing: str, wanted: object, count: int
) -> None:
    text = opening * count + inner + closing * count
    try:
        program = SPEC.compile(text)
    except CompileError:
        assert count > 100 or wanted is None
        return
    outcome = program.run({"object": {}})
    assert outcome.error is None
    assert program(object={}) == outcome.value
    assert wanted is None or outcome.value == wanted


@pytest.mark.parametrize(
    "text",
    [
        " && ".join(["object.a == 1"] * 1000),
        " || ".join(["object.b == 1"] * 1000),
        "'" + "a" * 99_000 + "' == object.a",
        "[" + ",".join(["1"] * 5000) + "].size() == 5000",
        "{" + ",".join(f"'{n}': {n}" for n in range(2000)) + "}.size() == 2000",
    ],
)
def test_long_texts_are_compiled(text: str) -> None:
    assert attempt(text, {"a": 1}) in ("", "no such key")


@given(st.text())
def test_any_text_compiles_or_says_why(text: str) -> None:
    try:
        KUBERNETES.compile(text)
    except CompileError as error:
        for issue in error.issues:
            assert 0 <= issue.start <= issue.end <= len(text) + 1


@given(st.text("()[]{}.?:!&|=<>+-*/%,'\"\\abrinu01$@` \n", max_size=40))
def test_any_mix_of_tokens_compiles_or_says_why(text: str) -> None:
    faults: list[Issue] = []
    try:
        KUBERNETES.compile(text)
    except CompileError as error:
        faults = error.issues
    assert all(issue.message for issue in faults)


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("text", ["object == object", "object == [object]", "object in [object]"])
def test_deep_values_give_an_error_at_worst(text: str) -> None:
    assert attempt(text, nested(50)) == ""
    assert attempt(text, nested(50_000)) in ("", "the value is nested too deeply")


def test_a_large_list_takes_one_turn_an_item() -> None:
    program = KUBERNETES.compile("object.all(x, x < 5)")
    assert program(object=[1] * 300_000) is True
    assert program(object=[1] * 300_000 + [7]) is False


def test_doubling_is_stopped() -> None:
    text = "'x'"
    for _ in range(40):
        text = f"cel.bind(s, {text}, s + s)"
    with pytest.raises(EvalError, match="too large"):
        SPEC.compile(text)()


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
))  # fmt: skip
def test_any_value_at_any_place_is_a_verdict_or_an_error(held: Any) -> None:
    for text in (
        "object.spec.containers.all(c, c.image.startsWith('a') && c.n + 1 < 3)",
        "object.?spec.?containers[?0].?image.orValue('').matches('a')",
        "object.exists(k, v, k == v)",
        "size(object) > 0 && object[0] == 1 && object['a'] == 2",
    ):
        assert attempt(text, held) is not None
