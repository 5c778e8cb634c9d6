"""Any JSON value at any path that a check reads: nothing raises, and nothing wrong passes.

By default a part of all pairs of place and value is tried, the same each time; with
MARTELLO_EXHAUSTIVE=1 all are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from io import BytesIO
from math import gcd
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.mutations import VALUES, as_custom, nodes, places, removed, replaced

from martello.adapters.manifests import read_paths
from martello.catalogue.example import TODAY
from martello.catalogue.load import load
from martello.catalogue.scan import scan
from martello.core.check import Check, Example, Hit
from martello.core.custom import unreadable as unreadable_custom
from martello.core.errors import BadInput
from martello.core.finding import Scan
from martello.core.path import Path, show
from martello.core.reading import Reading
from martello.core.resource import Nowhere, Ref, Resource, kind_of, resource_of
from martello.core.schema import unreadable
from martello.core.version import minor
from martello.core.workload import workload_of

EXHAUSTIVE = os.environ.get("MARTELLO_EXHAUSTIVE") == "1"
TRIED = 1_000_000 if EXHAUSTIVE else 250  # pairs of place and value, a check
raised: list[str] = []


def loud(check: Check) -> Check:
    """The same check; a function that raises is noted, which a scan would make a mere reason of."""
    function = check.function
    if function is None:
        return check

    def call(*args: Any, **named: Any) -> Iterable[Hit]:
        try:
            return list(function(*args, **named))
        except Exception as error:
            raised.append(f"{check.id}: {error!r}")
            raise

    return msgspec.structs.replace(check, function=call)


CHECKS = [loud(check) for check in load()]
OF_PODS = [check for check in CHECKS if check.kinds == ("workload",)]
by_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)


@cache
def examples(id: str) -> list[tuple[Example, Reading]]:
    check = next(c for c in CHECKS if c.id == id)
    return [(e, read_paths(["-"], stdin=BytesIO(e.text.encode()))) for e in check.examples]


def judged(check: Check, example: Example, resources: Iterable[Resource]) -> Scan:
    raised.clear()
    result = scan(
        Reading("test", tuple(resources)),
        [check],
        ids=[check.id],
        today=TODAY,
        kubernetes=minor(example.kubernetes or "latest"),
        params={check.id: example.params},
    )
    assert raised == []
    return result


def with_raw(resources: tuple[Resource, ...], index: int, raw: Any) -> list[Resource] | None:
    """The same objects, one of them with other content; None where that is no object any more."""
    try:
        new = resource_of(raw, Nowhere())
    except BadInput:
        return None  # the adapters' tests have these
    return [*resources[:index], new, *resources[index + 1 :]]


def refused(resource: Resource) -> bool:
    """Whether the server would refuse the object for the type of a value."""
    workload = workload_of(resource)
    template = workload.path[:-1] if workload is not None else None
    return bool([*unreadable(resource.raw), *unreadable_custom(resource, template)])


def sampled(pairs: list[Any], count: int) -> Iterator[Any]:
    """About `count` of the pairs, spread evenly, all values among them."""
    step = max(1, len(pairs) // count)
    while step > 1 and gcd(step, len(VALUES)) > 1:
        step += 1
    yield from pairs[::step]


def mentioned(result: Scan) -> set[Ref | None]:
    """The objects that are found wrong, or said to have no verdict."""
    return {f.ref for f in result.findings} | {u.ref for u in result.unassessed}


def told(result: Scan) -> tuple[Any, ...]:
    """What a scan says of objects."""
    findings = [(f.check, f.ref, f.path, f.message, f.fingerprint) for f in result.findings]
    return findings, sorted((u.reason, u.check) for u in result.unassessed)


@by_check
def test_what_the_server_refuses_is_no_pass(check: Check) -> None:
    pairs = [
        (example, resources, index, path, value)
        for example, reading in examples(check.id)
        for resources in (reading.resources,)
        for index, resource in enumerate(resources)
        for path in places(check, resource)
        for value in VALUES
    ]
    for example, resources, index, path, value in sampled(pairs, TRIED):
        objects = with_raw(resources, index, replaced(resources[index].raw, path, value))
        if objects is None:
            continue
        result = judged(check, example, objects)
        if refused(objects[index]):
            assert objects[index].ref in mentioned(result), f"{show(path)}: {value!r}"


@pytest.mark.parametrize("check", OF_PODS, ids=lambda check: check.id)
def test_a_custom_object_does_not_pass_for_a_wrong_type(check: Check) -> None:
    """Expressions alone do not see all: what CEL cannot select from, it may take for absent."""
    pairs = []
    for example, reading in examples(check.id):
        raws = [as_custom(r.raw) or r.raw for r in reading.resources]
        resources = tuple(resource_of(raw, Nowhere()) for raw in raws)
        fired = {f.ref for f in judged(check, example, resources).findings}
        for index, resource in enumerate(resources):
            if resource.ref.kind == "Rollout" and resource.ref in fired:
                inner = [p for p in nodes(resource.raw) if len(p) > 4]
                pairs += [(example, resources, index, p, v) for p in inner for v in VALUES]
    for example, resources, index, path, value in sampled(pairs, TRIED // 2):
        old: Any = resources[index].raw
        for step in path:
            old = old[step]
        if value is None or kind_of(value) == kind_of(old):
            continue
        objects = with_raw(resources, index, replaced(resources[index].raw, path, value))
        assert objects is not None
        result = judged(check, example, objects)
        if refused(objects[index]):
            assert objects[index].ref in mentioned(result), f"{show(path)}: {value!r}"


@by_check
def test_null_is_absent(check: Check) -> None:
    pairs = [
        (example, reading.resources, index, path)
        for example, reading in examples(check.id)
        for index, resource in enumerate(reading.resources)
        for path in nodes(resource.raw)
        if isinstance(path[-1], str) and len(path) > 1
    ]
    for example, resources, index, path in sampled(pairs, TRIED // 4):
        raw = resources[index].raw
        null = with_raw(resources, index, replaced(raw, path, None))
        absent = with_raw(resources, index, removed(raw, path))
        if null is None or absent is None:
            assert null is absent
            continue
        assert told(judged(check, example, null)) == told(judged(check, example, absent)), path


PLACES: list[tuple[str, int, int, Path]] = [
    (check.id, number, index, path)
    for check in CHECKS
    for number, (_, reading) in enumerate(examples(check.id))
    for index, resource in enumerate(reading.resources)
    for path in places(check, resource)
]
ANY = st.recursive(
    st.sampled_from(VALUES)
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "a", "matchLabels", ""]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(
    max_examples=20_000 if EXHAUSTIVE else 300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
    derandomize=True,
)
@given(st.lists(st.tuples(st.sampled_from(PLACES), ANY), min_size=1, max_size=3))
def test_any_values_before_all_checks(
    changes: list[tuple[tuple[str, int, int, Path], Any]],
) -> None:
    resources: list[Resource] = []
    for (id, number, index, path), value in changes:
        held = examples(id)[number][1].resources
        changed = with_raw(held, index, replaced(held[index].raw, path, value))
        resources += changed or held
    raised.clear()
    result = scan(Reading("test", tuple(resources)), CHECKS, today=TODAY, profile="all")
    assert raised == []
    about = {entry.ref for entry in result.unassessed}
    assert {r.ref for r in resources if refused(r)} <= about
