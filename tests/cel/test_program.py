"""What programs evaluate to, and how they fail."""

from __future__ import annotations

import math
from typing import Any

import pytest

from martello.cel.env import Env
from martello.cel.types import BOOL, DYN
from martello.cel.values import NONE, EvalError, KeyedMap, LazyMap, Optional, Struct, UInt

VARIABLES = {"object": DYN, "variables": DYN}
KUBERNETES = Env.kubernetes("1.34", variables=VARIABLES)
SPEC = Env.spec(VARIABLES)


def value(text: str, object: Any = None, env: Env = SPEC) -> Any:
    return env.compile(text)(object=object)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("false && object.a", False),
        ("object.a && false", False),
        ("true || object.a", True),
        ("object.a || true", True),
        ("dyn('x') || true", True),
        ("[1, 2].all(x, x == 1 ? dyn('no bool') : dyn(x == 3))", False),
        ("[1, 2].exists(x, x == 2 || object.a)", True),
        ("[object].exists(x, x == object)", True),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7 % -2", 1),
        ("1.0 / 0.0", math.inf),
        ("-1.0 / 0.0", -math.inf),
        ("dyn(1) == 1u && dyn(1u) == 1.0", True),
        ("dyn(true) == 1", False),
        ("dyn([true]) == [1]", False),
        ("[0.0/0.0] == [0.0/0.0]", False),
        ("dyn(null) == false", False),
        ("{1: 'a', true: 'b'}[dyn(1u)]", "a"),
        ("{1: 'a', true: 'b'}[true]", "b"),
        ("dyn(9007199254740993) == 9007199254740992.0", False),
        ("[1, 2][dyn(1.0)]", 2),
        ("dyn(2u) in {2: 'x'}", True),
        ("{'a': null}.a == null && has({'a': null}.a)", True),
        ("'é😀'.size()", 2),
        ("size(b'é')", 2),
        ("string(1e21) + string(-0.5) + string(100000.0)", "1e+21-0.5100000"),
        ("type(type(1)) == type", True),
        ("cel.bind(x, 1 / 0, true)", True),
        ("{'b': 1, 'a': 2}.map(k, k)", ["b", "a"]),
        ("[3, 1, 2].sortBy(x, -x)", [3, 2, 1]),
        ("b'a' + b'b' == b'ab'", True),
    ],
)
def test_semantics(text: str, wanted: object) -> None:
    found = value(text)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775807 + 1",
        "-(-9223372036854775808)",
        "0u - 1u",
        "1 / 0",
        "1 % 0",
        "object.missing",
        "[1][-1]",
        "[1][1]",
        "[1][dyn(true)]",
        "{dyn(1.5): 1}",
        "{'a': 1, 'a': 2}",
        "{1: 1, 1u: 2}",
        "int(9223372036854775808.0)",
        "uint(-1.0)",
        "int('1_0')",
        "bool('yes')",
        "string(b'\\xff')",
        "duration('1')",
        "timestamp('10000-01-01T00:00:00Z')",
        "timestamp('9999-12-31T23:59:59Z') + duration('1s')",
        "[1, 2].exists_one(x, x == 1 || object.a)",
        "[1].map(x, object.a)",
        "dyn('a') && true",
        "dyn(1) ? 1 : 2",
        "dyn(null) < dyn(null)",
        "optional.none().value()",
        "has(object.a.b)",
        "dyn(1) + dyn(1u)",
    ],
)
def test_errors(text: str) -> None:
    program = SPEC.compile(text)
    with pytest.raises(EvalError):
        program(object={})


def test_an_error_names_its_place_and_no_content() -> None:
    program = KUBERNETES.compile("object.a == 'x' && object.spec.secret.startsWith('y')")
    with pytest.raises(EvalError) as raised:
        program(object={"a": "x", "spec": {"secret": 42}})
    start, end = program.locate(raised.value)
    assert program.source[start:end] == "object.spec.secret.startsWith('y')"
    assert "42" not in str(raised.value)
    with pytest.raises(EvalError) as raised:
        program(object={"a": "x", "spec": {}})
    start, end = program.locate(raised.value)
    assert program.source[start:end] == "object.spec.secret"


def test_a_result_that_is_no_bool_is_an_error_where_a_bool_is_due() -> None:
    program = KUBERNETES.compile("object.a", result=BOOL)
    assert program(object={"a": True}) is True
    with pytest.raises(EvalError, match="expected a bool, found string"):
        program(object={"a": "secret"})


def test_presence_on_what_is_no_map() -> None:
    for held in (None, 1, "text"):
        assert value("has(object.a)", held, KUBERNETES) is False
        assert value("object.?a.hasValue()", held, KUBERNETES) is False
        with pytest.raises(EvalError):
            value("has(object.a)", held, SPEC)
    for env in (KUBERNETES, SPEC):
        with pytest.raises(EvalError):
            value("has(object.a)", [], env)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("object.?a.b.orValue('none')", "none"),
        ("object.?x.y.orValue('none')", 1),
        ("object.?x[?'y'].orValue(0)", 1),
        ("object.x.y.orValue(5)", 1),
        ("object.?a.or(object.?x.?y).value()", 1),
        ("object.?x.optMap(v, v.y + 1).orValue(0)", 2),
        ("object.?a.optMap(v, v.y).hasValue()", False),
        ("object.?x.optFlatMap(v, v.?z).hasValue()", False),
        ("[?object.?a, ?object.?x.?y, 3]", [1, 3]),
        ("{?'a': object.?a, ?'b': object.?x.?y}", {"b": 1}),
        ("object.?n.hasValue() && object.n == null", True),
        ("object.list.first().orValue(0) + object.list[?5].orValue(7)", 8),
    ],
)
def test_optionals(text: str, wanted: object) -> None:
    held = {"x": {"y": 1}, "n": None, "list": [1]}
    env = Env.kubernetes("1.35", variables=VARIABLES)
    assert value(text, held, env) == wanted


def test_an_optional_leaves_an_expression_as_an_object() -> None:
    assert value("object.?a", {}) is NONE
    found = value("object.?a", {"a": None})
    assert isinstance(found, Optional)
    assert found.present
    assert found.value is None


def test_values_are_neither_copied_nor_changed() -> None:
    held = {"list": [{"a": 1}], "map": {"k": []}}
    assert value("object.list", held) is held["list"]
    assert value("object.list + object.list", held) == held["list"] * 2
    assert held == {"list": [{"a": 1}], "map": {"k": []}}


def test_a_true_in_json_is_no_number() -> None:
    held = {"t": True, "i": 1}
    assert value("object.i == object.t", held) is False
    with pytest.raises(EvalError):
        value("object.t + object.i", held)
    with pytest.raises(EvalError):
        value("object.t < object.i", held)


class Numbered(LazyMap):
    """Computes a name's length and notes that it did."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        self.asked.append(key)
        return len(key)

    def __contains__(self, key: object) -> bool:
        return key in ("one", "three")

    def keys(self) -> list[str]:
        return ["one", "three"]


def test_a_lazy_map_is_asked_for_what_is_read_only() -> None:
    lazy = Numbered()
    program = KUBERNETES.compile("variables.three == 5 || variables.one == 3")
    assert program(variables=lazy) is True
    assert lazy.asked == ["three"]
    for text, wanted in (
        ("has(variables.one) && !has(variables.two)", True),
        ("variables.?two.orValue(2)", 2),
        ("'one' in variables", True),
        ("size(variables)", 2),
        ("variables.map(k, k)", ["one", "three"]),
        ("variables == {'one': 3, 'three': 5}", True),
        ("variables['one']", 3),
    ):
        assert KUBERNETES.compile(text)(variables=lazy) == wanted
    with pytest.raises(EvalError):
        KUBERNETES.compile("variables.two")(variables=lazy)


def test_a_variable_without_a_value_is_told() -> None:
    with pytest.raises(EvalError) as raised:
        KUBERNETES.compile("object.a")()
    assert raised.value.needs == "object"


def test_the_fast_way_in_takes_what_is_read_by_position() -> None:
    program = KUBERNETES.compile("variables.a == object.a")
    assert program.parameters == ("variables", "object")
    assert program.function({"a": 1}, {"a": 1}) is True


def test_what_an_expression_reads() -> None:
    program = KUBERNETES.compile(
        "object.spec.containers.all(c, c.?securityContext.privileged.orValue(false) == false)"
        " && has(object.metadata.labels) ? object.a['b'][0] == 1 : variables.x"
    )
    assert program.reads == {
        ("object", "spec", "containers"),
        ("object", "spec", "containers", "[]", "securityContext", "privileged"),
        ("object", "metadata", "labels"),
        ("object", "a", "b", "[]"),
        ("variables", "x"),
    }


def test_a_mutation_is_a_struct() -> None:
    found = value("Object{spec: Object.spec{replicas: 3}}", None, KUBERNETES)
    assert isinstance(found, Struct)
    assert found.name == "Object"
    assert found == Struct("Object", {"spec": Struct("Object.spec", {"replicas": 3})})


def test_keys_of_other_types_make_a_keyed_map() -> None:
    found = value("{1u: 'a', true: 'b'}")
    assert isinstance(found, KeyedMap)
    assert found.items() == [(UInt(1), "a"), (True, "b")]


class Chained(LazyMap):
    """Its one value is another program's, and so is its error."""

    def __contains__(self, key: object) -> bool:
        return key == "inner"

    def __getitem__(self, key: str) -> Any:
        return KUBERNETES.compile("true && object.deep.missing == 1")(object={"deep": {}})


def test_an_error_of_another_program_is_placed_where_it_was_asked_for() -> None:
    program = KUBERNETES.compile("false || variables.inner")
    for _ in range(2):
        with pytest.raises(EvalError, match="no such key") as raised:
            program(variables=Chained())
        start, end = program.locate(raised.value)
        assert program.source[start:end] == "variables.inner"
