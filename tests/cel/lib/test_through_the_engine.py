"""The libraries through the engine: values and run-time costs as an API server has them."""

from __future__ import annotations

from typing import Any

import pytest

from martello.cel.env import Env
from martello.cel.issues import CompileError
from martello.cel.lib import authorizer
from martello.cel.lib.authorizer import Authorizer, Decision
from martello.cel.lib.kyverno import VARIABLES, ImageContext, answering
from martello.cel.values import EvalError, Timestamp

ENV = Env.kubernetes("1.35", {"authorizer": authorizer.AUTHORIZER})
BUDGET = 10_000_000

ROWS: list[tuple[str, Any, int]] = [
    ("[1, 2, 3, 4, 5].sum()", 15, 15),
    ("['aa', 'b'].isSorted()", True, 10),
    ("[3, 1, 2].sort()", [1, 2, 3], 39),
    ("[[1, 2], [3]].flatten()", [1, 2, 3], 43),
    ("lists.range(3)", [0, 1, 2], 14),
    ("quantity('50k').add(20).sub(quantity('100k')).asInteger() > 0", False, 6),
    ("sign(quantity('-1'))", -1, 2),
    ("quantity('1Gi') == quantity('1024Mi')", True, 3),
    ("ip.isCanonical('2001:db8::abcd')", True, 3),
    ("string(ip('::1'))", "::1", 2),
    ("ip('10.0.0.1').isGlobalUnicast()", True, 2),
    ("cidr('192.168.0.0/24').containsIP('192.168.0.1')", True, 5),
    ("cidr('192.168.0.1/24').ip().family()", 4, 4),
    ("cidr('192.168.0.1/24').masked().prefixLength()", 24, 4),
    ("'abc 123 def 123'.replace('123', '456')", "abc 456 def 456", 3),
    ("'abc 123 def 123'.find('123')", "123", 2),
    ("'a b'.findAll('[a-z]')", ["a", "b"], 2),
    ("'%s has %s'.format([['a'], ['b']])", '["a"] has ["b"]', 31),
    ("sets.contains([1, 2, 3, 4], [2, 3])", True, 29),
    ("url('https://[::1]:80/p').getHostname()", "::1", 3),
    ("url('/a?x=1').getQuery()['x'][0]", "1", 4),
    ("format.dns1123Label().validate('my-name').hasValue()", False, 10),
    ("format.named('uuid').value().validate('x').hasValue()", True, 21),
    ("semver('1.0.0').isLessThan(semver('1.1.0'))", True, 3),
    ("semver('v1.2', true).minor()", 2, 2),
    ("jsonpatch.escapeKey('a/b~c')", "a~1b~0c", 1),
    ("authorizer.path('/healthz').check('get').allowed()", True, 350_003),
    (
        "authorizer.group('').resource('pods').labelSelector('a=b').check('list').reason()",
        "",
        350_115,
    ),
]


@pytest.mark.parametrize(("text", "value", "cost"), ROWS)
def test_values_and_costs(text: str, value: Any, cost: int) -> None:
    bindings = {"authorizer": Authorizer(lambda _request: Decision(True))}
    outcome = ENV.compile(text).run(bindings, BUDGET)
    assert outcome.error is None
    assert outcome.value == value
    assert outcome.cost == cost


@pytest.mark.parametrize(
    "text",
    [
        "quantity('200K').isInteger()",
        "ip('::ffff:1.2.3.4').family() == 4",
        "cidr('10.0.0.0/33').prefixLength() == 33",
        "url('relative').getHost() == ''",
        "semver('1.0').major() == 1",
        "'a'.find('(') == ''",
        "'%d'.format([1.5]) == ''",
        "authorizer.path(' ').check('get').allowed()",
    ],
)
def test_errors(text: str) -> None:
    with pytest.raises((CompileError, EvalError)):  # a bad constant is refused at compile time
        ENV.compile(text)(authorizer=Authorizer())


def test_kyverno() -> None:
    env = Env.kyverno({"image": VARIABLES["image"]})
    look = env.compile("image.GetMetadata('nginx').config.created == image('nginx').tag()")
    answer = {"config": {"created": "latest"}}
    assert look(image=ImageContext(lambda _function, _args: answer)) is True
    with pytest.raises(EvalError) as caught:
        look(image=ImageContext())
    assert caught.value.needs == "image.GetMetadata"
    with answering(Timestamp(0)):
        assert env.compile("time.toCron(time.now())")(image=None) == "0 0 1 1 4"
