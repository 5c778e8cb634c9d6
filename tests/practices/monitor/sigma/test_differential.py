"""Random Sigma detections over random events, beside a second reading of them; and correlations
through the real correlator.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.monitor import naive_sigma

from martello.practices.monitor.alerts.correlate import Correlator
from martello.practices.monitor.engine.rule import Hit, Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.sigma.logsource import json_log
from martello.practices.monitor.sigma.read import load

ANYTHING = (json_log(),)
TEXTS = st.text("aAbB*?\\/-. ", max_size=6)
PLAIN = st.one_of(TEXTS, st.integers(-3, 30), st.booleans(), st.none())
MODIFIERS = st.sampled_from(
    [
        "",
        "|contains",
        "|startswith",
        "|endswith",
        "|contains|all",
        "|cased",
        "|contains|cased",
        "|windash",
        "|windash|contains",
        "|neq",
        "|base64",
        "|base64offset|contains",
        "|wide",
        "|fieldref",
    ]
)
ENTRIES = st.tuples(
    st.sampled_from("xyz"),
    MODIFIERS,
    st.one_of(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)),
).map(lambda t: (t[0] + t[1], t[2]))
PLAIN_ENTRIES = st.tuples(st.sampled_from("xyz"), st.one_of(PLAIN, st.lists(PLAIN, max_size=3)))
COMPARED = st.tuples(
    st.tuples(st.sampled_from("xyz"), st.sampled_from(["gt", "gte", "lt", "lte"])).map("|".join),
    st.integers(-3, 30),
)
EXISTS = st.tuples(st.sampled_from(["x|exists", "y|exists"]), st.booleans())
SELECTIONS = st.lists(
    st.one_of(ENTRIES, PLAIN_ENTRIES, COMPARED, EXISTS), min_size=1, max_size=3
).map(dict)
DETECTIONS = st.one_of(SELECTIONS, st.lists(SELECTIONS, min_size=1, max_size=3))
EVENTS = st.dictionaries(
    st.sampled_from("xyz"),
    st.one_of(TEXTS, st.integers(-3, 30), st.booleans(), st.sampled_from(["YQ==", "a\x00b\x00"])),
)


@settings(max_examples=500, deadline=None)
@given(DETECTIONS, st.booleans(), EVENTS)
def test_detections_mean_what_a_second_reading_says(
    detection: Any, negative: bool, event: dict[str, Any]
) -> None:
    text = json.dumps(
        {
            "title": "t",
            "logsource": {"product": "any"},
            "detection": {"s": detection, "condition": "not s" if negative else "s"},
        }
    )
    loaded = load({"r.yml": text}, sources=ANYTHING)
    (rule,) = loaded.pack
    if rule.unassessed:
        return  # what pySigma does not take, neither reading takes
    found = holds(rule.tree, {"kind": "log", "raw": json.dumps(event)})
    assert found is naive_sigma.fires(text, event), rule.tree


BASE = """
title: Denied
name: denied
logsource: {product: kubernetes, service: audit}
detection:
    s: {responseStatus.code|gte: 200}
    condition: s
---
title: Secrets
name: secrets
logsource: {product: kubernetes, service: audit}
detection:
    s: {objectRef.resource: secrets}
    condition: s
---
title: Several
name: several
correlation:
"""


def fires(correlation: str, *events: dict[str, Any]) -> bool:
    """Whether a correlation fires for events a second apart, unless they say otherwise."""
    indented = "".join(f"    {line}\n" for line in correlation.strip().splitlines())
    pack = load({"r.yml": BASE + indented}).pack
    assert not pack.rules["several"].unassessed, pack.rules["several"].unassessed
    correlator = Correlator(pack)
    hits = []
    for number, event in enumerate(events):
        whole = {"kind": "audit", "id": str(number), "time": (number + 1) * 10**9, **event}
        for rule in pack.usable("audit"):
            if holds(rule.tree, whole):
                hits.append(Hit(rule.id, whole))
    found = [*correlator.add(hits), *correlator.flush()]
    return any(hit.rule == "several" for hit in found)


def denied(code: int = 403, user: str = "ana", **more: Any) -> dict[str, Any]:
    return {"api_code": code, "actor_user": user, **more}


SECRETS = {"k8s_resource": "secrets", "actor_user": "ana"}
BY = "rules: denied\ngroup-by: user.username\ntimespan: 1m\n"
OF_CODES = "field: responseStatus.code"


@pytest.mark.parametrize(
    ("written", "events", "wanted"),
    [
        ("type: event_count\n" + BY + "condition: {gte: 3}", [denied()] * 3, True),
        ("type: event_count\n" + BY + "condition: {gt: 3}", [denied()] * 3, False),
        (
            "type: event_count\n" + BY + "condition: {gte: 3}",
            [denied(), denied(), denied(user="bob")],
            False,
        ),
        (
            "type: event_count\n" + BY + "condition: {gte: 2}",
            [denied(), denied(time=90 * 10**9)],
            False,
        ),
        (
            "type: value_count\n" + BY + "condition: {gte: 2, field: objectRef.name}",
            [denied(k8s_name="a"), denied(k8s_name="b")],
            True,
        ),
        (
            "type: value_count\n" + BY + "condition: {gte: 2, field: objectRef.name}",
            [denied(k8s_name="a"), denied(k8s_name="a")],
            False,
        ),
        (
            "type: temporal\nrules: [denied, secrets]\ngroup-by: user.username\ntimespan: 1m",
            [SECRETS, denied()],
            True,
        ),
        (
            "type: temporal\nrules: [denied, secrets]\ngroup-by: user.username\ntimespan: 1m",
            [denied(), denied()],
            False,
        ),
        (
            "type: temporal_ordered\nrules: [denied, secrets]\ntimespan: 1m",
            [denied(), SECRETS],
            True,
        ),
        (
            "type: temporal_ordered\nrules: [denied, secrets]\ntimespan: 1m",
            [SECRETS, denied()],
            False,
        ),
        (
            f"type: value_sum\n{BY}condition: {{gt: 700, {OF_CODES}}}",
            [denied(403), denied(403)],
            True,
        ),
        (f"type: value_sum\n{BY}condition: {{gt: 700, {OF_CODES}}}", [denied(403)], False),
        (f"type: value_avg\n{BY}condition: {{gte: 400, {OF_CODES}}}", [denied(403)], True),
        (
            f"type: value_avg\n{BY}condition: {{gte: 400, {OF_CODES}}}",
            [denied(200), denied(403)],
            False,
        ),
        (
            f"type: value_median\n{BY}condition: {{gte: 400, {OF_CODES}}}",
            [denied(200), denied(403), denied(500)],
            True,
        ),
        (
            f"type: value_percentile\n{BY}condition: {{gte: 500, {OF_CODES}, percentile: 90}}",
            [denied(200), *[denied(500)] * 9],
            True,
        ),
        (
            f"type: value_percentile\n{BY}condition: {{gte: 500, {OF_CODES}, percentile: 10}}",
            [*[denied(200)] * 5, denied(500)],
            False,
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_s12_correlations_fire(written: str, events: list[dict[str, Any]], wanted: bool) -> None:
    assert fires(written, *events) is wanted


def test_s13_old_counts_fire() -> None:
    text = """
title: Old
name: old
logsource: {product: kubernetes, service: audit}
detection:
    s: {responseStatus.code: 403}
    timeframe: 1m
    condition: s | count() by user.username > 2
"""
    pack = load({"r.yml": text}).pack
    events = [{"kind": "audit", "time": n * 10**9, **denied()} for n in (1, 2, 3)]
    part = next(rule for rule in pack if rule.correlate is None)
    assert isinstance(part, Rule)

    def fired(*chosen: dict[str, Any]) -> list[str]:
        correlator = Correlator(pack)
        assert part.id in correlator.silent
        hits = [Hit(part.id, event) for event in chosen if holds(part.tree, event)]
        return [hit.rule for hit in (*correlator.add(hits), *correlator.flush())]

    assert fired(*events) == ["old"]
    assert fired(*events[:2]) == []
