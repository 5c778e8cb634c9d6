"""Differences from another engine on random expressions and values: none but the listed ones."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from tests.support.expressions import EXPRESSIONS, OBJECTS

from martello.cel.env import Env
from martello.cel.issues import CompileError
from martello.cel.types import DYN
from martello.cel.values import Duration, EvalError, KeyedMap, Timestamp, TypeValue

peer = pytest.importorskip("cel_expr_python.cel", reason="cel-expr-python is not installed")
SPEC = Env.spec({"object": DYN, "x": DYN, "y": DYN})
OURS = (Duration, Timestamp, TypeValue)


def theirs() -> Any:
    kinds = peer.Type.DYN
    return peer.NewEnv(variables={"object": kinds, "x": kinds, "y": kinds})


def ours(text: str, bindings: dict[str, Any]) -> Any:
    try:
        return SPEC.compile(text)(**bindings)
    except EvalError as error:
        return error


def same(left: Any, right: Any) -> bool:
    if isinstance(left, KeyedMap):
        left = dict(left.items())
    if isinstance(left, dict) and isinstance(right, dict):
        return set(left) == set(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    if isinstance(left, OURS):
        return True  # the peer shows these as Python's own, coarser types
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def listed(text: str) -> bool:
    """It prints doubles otherwise, converts bools to int, and asks a map for no map."""
    return any(part in text for part in ("string(", "int(", " in ("))


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS, OBJECTS)
def test_what_both_engines_compile_gives_the_same(text: str, held: dict[str, Any]) -> None:
    bindings = {"object": held, "x": 1, "y": "a"}
    try:
        program = theirs().compile(text)
        SPEC.compile(text)
    except (RuntimeError, CompileError):
        return
    if listed(text):
        return
    answer = program.eval(data=bindings)
    mine = ours(text, bindings)
    if str(answer.type()) == "ERROR" or isinstance(mine, EvalError):
        assert str(answer.type()) == "ERROR"
        assert isinstance(mine, EvalError)
        return
    assert same(mine, answer.plain_value())
