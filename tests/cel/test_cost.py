"""What evaluation costs in the API server's units, and where a budget stops it."""

from __future__ import annotations

from typing import Any

import pytest

from martello.cel.env import Env
from martello.cel.types import DYN, INT, Type, list_of

KUBERNETES = Env.kubernetes("1.35", variables={"object": DYN, "numbers": list_of(INT)})
SPEC = Env.spec({"object": DYN})


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("[1,2].all(i,v,v>0)", 21),
        ("[1,2].exists(i,v,v>0)", 20),
        ("[1,2].existsOne(i,v,v>0)", 20),
        ("[1,2].transformList(i,v,v+1)", 49),
        ("{'a':1,'b':2}.all(k,v,v>0)", 41),
        ("{'a':1,'b':2}.transformMap(k,v,v+1)", 71),
        ("{'a':1,'b':2}.transformMapEntry(k,v,{k:v+1})", 131),
        ("[1,2,3,4,5].sum()", 15),
        ("quantity('50k').add(20).sub(quantity('100k')).asInteger() > 0", 6),
        ("ip.isCanonical('2001:db8::abcd')", 3),
        ("'abc 123 def 123'.replace('123','456')", 3),
        ("'abc 123 def 123'.find('123')", 2),
        ("sets.contains([1,2,3,4],[2,3])", 29),
        ("semver('1.0.0').isLessThan(semver('1.1.0'))", 3),
        ("true && false || true ? 1 : 2", 0),
        ("has(object.a.b)", 2),
        ("object.a.b == 'x'", 4),
        ("object.list.filter(x, x > 1)", 31),
        ("object.list.map(x, x > 1, x)", 31),
        ("object.list.all(x, x > 9)", 10),
        ("'abcdefghijk' + 'b'", 2),
        ("'b' in ['a', 'b']", 12),
        ("object.text == object.text", 14),
        ("object.text.contains('xx')", 12),
    ],
)
def test_the_rows_of_the_server(text: str, cost: int) -> None:
    held: Any = {"a": {"b": "x"}, "list": [1, 2], "text": "y" * 100}
    outcome = KUBERNETES.compile(text).run({"object": held})
    assert outcome.error is None
    assert outcome.cost == cost


def test_sets_of_mixed_numbers() -> None:
    assert SPEC.compile("sets.equivalent([1,2,3],[3u,2.0,1])").run({}).cost == 39


def test_asking_the_authorizer_costs_what_it_costs_the_server() -> None:
    from martello.cel.lib.authorizer import Authorizer, Decision

    env = KUBERNETES.extend(variables={"authorizer": Type("kubernetes.authorization.Authorizer")})
    program = env.compile("authorizer.path('/healthz').check('get').allowed()")
    authorizer = Authorizer(lambda *_: Decision(allowed=True))
    outcome = program.run({"authorizer": authorizer})
    assert (outcome.value, outcome.cost) == (True, 350003)


@pytest.mark.parametrize(
    "text",
    [
        "object.all(x, object.all(y, object.all(z, x + y + z >= 0)))",
        "object.exists(x, x < 0) || object.all(x, x < 0) || object.exists(x, x < 0)",
        "object.map(x, object.map(y, x + y)).size() > 0",
        "object.filter(x, object.exists(y, y < 0) || true).size() > 0",
        "object.all(x, i, object.all(y, j, y < 5 || true))",
    ],
)
def test_a_budget_stops_an_evaluation_and_is_not_absorbed(text: str) -> None:
    outcome = KUBERNETES.compile(text).run({"object": [1] * 200}, 1000)
    assert outcome.error is not None
    assert outcome.error.message.startswith("cost")
    assert 1000 < outcome.cost < 1300


def test_the_cost_of_a_map_does_not_depend_on_its_order() -> None:
    program = KUBERNETES.compile("object.exists_one(k, object[k] == 1)")
    one = program.run({"object": {"a": 1, "b": 2, "c": 3}})
    other = program.run({"object": {"c": 3, "b": 2, "a": 1}})
    assert one.cost == other.cost


@pytest.mark.parametrize(
    "text",
    [
        "object.text + object.text",
        "object.list + object.list",
    ],
)
def test_a_result_has_a_limit(text: str) -> None:
    held = {"text": "x" * (1 << 20), "list": [0] * 100_000}
    outcome = KUBERNETES.compile(text).run({"object": held})
    assert outcome.error is not None
    assert outcome.error.message.startswith("cost")
