"""The explaining interpreter: what it shows, and that it agrees with compiled code."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings
from tests.support.expressions import EXPRESSIONS, OBJECTS

from martello.cel.env import Env
from martello.cel.issues import CompileError
from martello.cel.program import Program
from martello.cel.types import DYN
from martello.cel.values import EvalError

VARIABLES = {"object": DYN, "x": DYN, "y": DYN}
ENVIRONMENTS = (Env.kyverno(variables=VARIABLES), Env.spec(VARIABLES))
EXAMPLES = int(os.environ.get("MARTELLO_EXAMPLES", "400"))


def test_each_part_tells_what_it_came_to() -> None:
    env = Env.kubernetes("1.34", variables={"object": DYN})
    program = env.compile("object.a > 1 && (object.b == 'x' || object.c)")
    step = program.trace({"object": {"a": 2, "b": "y"}})
    assert [(part.text, part.outcome) for part in step.parts] == [
        ("object.a > 1", "True"),
        ("object.b == 'x' || object.c", "error: no such key"),
    ]
    left, right = step.parts[1].parts
    assert left.value is False
    assert right.error is not None
    assert step.outcome == "error: no such key"


def test_a_part_that_was_not_evaluated_says_so() -> None:
    env = Env.kubernetes("1.34", variables={"object": DYN})
    step = env.compile("object.a || object.b").trace({"object": {"a": True}})
    assert [part.outcome for part in step.parts] == ["True", "not evaluated"]
    step = env.compile("object.a ? object.b : object.c").trace({"object": {"a": True, "b": 1}})
    assert [part.outcome for part in step.parts] == ["True", "1", "not evaluated"]


def outcome(program: Program, bindings: dict[str, Any]) -> str:
    try:
        return shown(program(**bindings))
    except EvalError:
        return "error"


def shown(value: object) -> str:
    return f"{type(value).__name__} {value!r}"


@settings(max_examples=EXAMPLES, deadline=None)
@given(EXPRESSIONS, OBJECTS)
def test_three_ways_to_evaluate_agree(text: str, held: dict[str, Any]) -> None:
    bindings = {"object": held, "x": 1, "y": "a"}
    for env in ENVIRONMENTS:
        try:
            program = env.compile(text)
        except CompileError:
            continue
        plain = outcome(program, bindings)
        step = program.trace(bindings)
        assert plain == ("error" if step.error else shown(step.value))
        counted = program.run(bindings)
        assert plain == ("error" if counted.error else shown(counted.value))


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS, OBJECTS)
def test_and_and_or_commute(left: str, right: str, held: dict[str, Any]) -> None:
    env = ENVIRONMENTS[0]
    bindings = {"object": held, "x": True, "y": False}
    for operator in ("&&", "||"):
        texts = (
            f"dyn({left}) {operator} dyn({right})",
            f"dyn({right}) {operator} dyn({left})",
        )
        try:
            one, other = map(env.compile, texts)
        except CompileError:
            return
        assert outcome(one, bindings) == outcome(other, bindings)
