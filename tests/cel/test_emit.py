"""Generated code: only what it may be made of, and no more work than hand-written code does."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from tests.support.expressions import EXPRESSIONS

from martello.cel.compiler import analyse
from martello.cel.emit.module import build, variables_of
from martello.cel.env import Env
from martello.cel.issues import CompileError
from martello.cel.table import TABLE
from martello.cel.types import DYN

_NODES = (
    ast.Module | ast.FunctionDef | ast.arguments | ast.arg | ast.Try | ast.ExceptHandler
    | ast.Raise | ast.Return | ast.Assign | ast.AugAssign | ast.If | ast.For | ast.Break
    | ast.Pass | ast.Expr | ast.Nonlocal | ast.Name | ast.Constant | ast.Call | ast.Attribute
    | ast.Subscript | ast.Compare | ast.BoolOp | ast.UnaryOp | ast.IfExp | ast.List | ast.Dict
    | ast.Tuple | ast.Load | ast.Store | ast.And | ast.Not | ast.Add | ast.Is | ast.IsNot
    | ast.In | ast.Eq | ast.NotEq | ast.Lt | ast.LtE | ast.Gt | ast.GtE
)  # fmt: skip
_METHODS = {"append", "get", "startswith", "endswith"}
_CONSTANTS = (str, bytes, int, float, bool, type(None), frozenset)
VARIABLES = dict.fromkeys(
    [
        "object",
        "oldObject",
        "request",
        "params",
        "namespaceObject",
        "variables",
        "authorizer",
        "x",
        "y",
        "images",
        "exceptions",
        "anyObject",
    ],
    DYN,
)
KYVERNO = Env.kyverno(variables=VARIABLES)


def inspect(env: Env, text: str) -> None:
    node, checked = analyse(env, text)
    parameters = variables_of(node, checked)
    for counted in (False, True):
        module, links = build(node, checked, parameters, env.origins, counted=counted)
        known = set(TABLE) | {name for name, _ in links} | {"c", "b", "x"}
        for each in ast.walk(module):
            assert isinstance(each, _NODES), ast.dump(each)
            if isinstance(each, ast.Name):
                assert each.id in known or (each.id[0] == "v" and each.id[1:].isdigit())
            elif isinstance(each, ast.Attribute):
                assert each.attr in _METHODS
            elif isinstance(each, ast.Constant):
                assert type(each.value) in _CONSTANTS


@given(EXPRESSIONS)
def test_code_is_made_of_known_parts(text: str) -> None:
    try:
        inspect(KYVERNO, text)
    except CompileError:
        return


@pytest.mark.parametrize(
    "text",
    [
        "object.__import__('os').system('x') == object.__class__.__mro__",
        "object.lambda == object.v0 && object.None",
        "[1].all(__import__, [2].all(v0, [3].all(f, v0 + f + __import__ == 6)))",
        "'\\x00\\\"); import os #' == object.`a-b`",
        "{'__builtins__': 1}.__builtins__ == 1",
    ],
)
def test_names_of_the_text_never_become_names_of_the_code(text: str) -> None:
    try:
        inspect(KYVERNO, text)
    except CompileError as error:
        assert "undeclared function" in str(error)  # noqa: PT017 - either outcome is fine


@pytest.mark.corpus
def test_code_of_real_policies_is_made_of_known_parts(corpora: Path) -> None:
    count = 0
    for name in ("kyverno-cel", "gatekeeper-cel"):
        for line in (corpora / name / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            for text in expressions(json.loads(line)):
                inspect(KYVERNO, text)
                count += 1
    assert count > 300


def expressions(item: Any) -> list[str]:
    if isinstance(item, list):
        return [text for each in item for text in expressions(each)]
    if not isinstance(item, dict):
        return []
    found = [
        text
        for key, text in item.items()
        if key in ("expression", "messageExpression") and isinstance(text, str)
    ]
    return found + [text for each in item.values() for text in expressions(each)]


class Counted(dict[str, Any]):
    """Counts look-ups. Not an exact dict, so tests rely on subscripts and `in` alone."""

    looked = 0

    def __getitem__(self, key: str) -> Any:
        Counted.looked += 1
        return super().__getitem__(key)


def test_a_path_is_looked_up_once_a_step() -> None:
    pod = Counted(spec=Counted(containers=[Counted(image=str(n)) for n in range(5)]))
    program = KYVERNO.compile("object.spec.containers.all(c, c.image != 'x')")
    Counted.looked = 0
    assert program(object=pod) is True
    assert Counted.looked == 2 + 5
