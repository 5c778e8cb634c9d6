"""S12, S13: correlations of all eight types, old counts, filters, collections."""

from __future__ import annotations

import pytest

from martello.practices.monitor.engine.rule import Correlation, Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.problems import Loaded
from martello.practices.monitor.sigma.read import load

BASE = """
title: Failed request
name: failed
id: 5c1ba6a8-4c4d-4b3f-9b0f-1f1b8a1f0001
logsource:
    product: kubernetes
    service: audit
detection:
    selection:
        responseStatus.code: 403
    condition: selection
---
title: Secret read
name: read
id: 5c1ba6a8-4c4d-4b3f-9b0f-1f1b8a1f0002
logsource:
    product: kubernetes
    service: audit
detection:
    selection:
        objectRef.resource: secrets
    condition: selection
---
title: Shell
name: shell
id: 5c1ba6a8-4c4d-4b3f-9b0f-1f1b8a1f0003
logsource:
    product: linux
    category: process_creation
detection:
    selection:
        Image|endswith: /sh
    condition: selection
---
"""
FAILED = "5c1ba6a8-4c4d-4b3f-9b0f-1f1b8a1f0001"
READ = "5c1ba6a8-4c4d-4b3f-9b0f-1f1b8a1f0002"
SHELL = "5c1ba6a8-4c4d-4b3f-9b0f-1f1b8a1f0003"


def loaded(correlation: str, before: str = BASE) -> Loaded:
    indented = "\n".join("    " + line for line in correlation.strip().splitlines())
    text = f"{before}title: Several\nname: several\ncorrelation:\n{indented}\n"
    return load({"rules.yml": text})


def several(correlation: str, before: str = BASE) -> Rule:
    return loaded(correlation, before).pack.rules["several"]


def made(correlation: str) -> Correlation:
    rule = several(correlation)
    assert not rule.unassessed, rule.unassessed
    assert rule.correlate is not None
    return rule.correlate


COMMON = "rules: failed\ngroup-by: user.username\ntimespan: 5m\n"


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (
            "type: event_count\n" + COMMON + "condition: {gte: 10}",
            Correlation("count", (FAILED,), ("actor_user",), 300, ">=", 10),
        ),
        (
            "type: value_count\n" + COMMON + "condition: {gt: 5, field: objectRef.name}",
            Correlation("values", (FAILED,), ("actor_user",), 300, ">", 5, "k8s_name"),
        ),
        (
            "type: temporal\nrules: [failed, read]\ngroup-by: [user.username]\ntimespan: 1h",
            Correlation("all", (FAILED, READ), ("actor_user",), 3600, ">=", 2),
        ),
        (
            "type: temporal_ordered\nrules: [failed, read]\ntimespan: 2d",
            Correlation("sequence", (FAILED, READ), (), 172_800, ">=", 2),
        ),
        (
            "type: value_sum\n" + COMMON + "condition: {gt: 100, field: responseStatus.code}",
            Correlation("sum", (FAILED,), ("actor_user",), 300, ">", 100, "api_code"),
        ),
        (
            "type: value_avg\n" + COMMON + "condition: {lt: 1.5, field: responseStatus.code}",
            Correlation("avg", (FAILED,), ("actor_user",), 300, "<", 1.5, "api_code"),
        ),
        (
            "type: value_percentile\n"
            + COMMON
            + "condition: {gte: 500, field: responseStatus.code, percentile: 95}",
            Correlation("percentile", (FAILED,), ("actor_user",), 300, ">=", 500, "api_code", 95),
        ),
        (
            "type: value_median\n" + COMMON + "condition: {neq: 200, field: responseStatus.code}",
            Correlation("median", (FAILED,), ("actor_user",), 300, "!=", 200, "api_code"),
        ),
    ],
    ids=lambda value: value.type if isinstance(value, Correlation) else "",
)
def test_s12_all_eight_types(written: str, wanted: Correlation) -> None:
    assert made(written) == wanted


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("10s", 10),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86_400),
        ("1w", 604_800),
        ("1M", 2_629_746),
        ("1y", 31_556_952),
    ],
)
def test_s12_timespans(span: str, seconds: int) -> None:
    text = f"type: event_count\nrules: failed\ntimespan: {span}\ncondition: {{gte: 2}}"
    assert made(text).within == seconds


def test_s12_generate_lets_the_parts_alert() -> None:
    text = "type: event_count\nrules: failed\ntimespan: 5m\ncondition: {gte: 2}"
    assert made(text).alone is False
    assert made(text + "\ngenerate: true").alone is True


def test_s12_aliases_name_the_same_thing_in_two_rules() -> None:
    found = made(
        "type: temporal\nrules: [failed, shell]\ntimespan: 5m\ngroup-by: [where]\naliases:\n"
        "  where:\n    failed: objectRef.namespace\n    shell: k8s_ns"
    )
    assert (found.by, found.aliases) == (("k8s_ns",), {})  # one column of ours anyway
    found = made(
        "type: temporal\nrules: [failed, shell]\ntimespan: 5m\ngroup-by: [where]\naliases:\n"
        "  where:\n    failed: user.username\n    shell: Image"
    )
    assert found.by == ("where",)
    assert found.aliases == {FAILED: {"where": "actor_user"}, SHELL: {"where": "proc_exe"}}


def test_s12_extended_conditions_of_and() -> None:
    text = "type: temporal\nrules: [failed, read]\ntimespan: 5m\ncondition: failed and read"
    assert made(text).of == (FAILED, READ)
    rule = several(text.replace("failed and read", "failed and not read"))
    assert "by `or` or `not` is not supported" in rule.unassessed


def test_s12_correlations_of_correlations() -> None:
    inner = (
        "title: Many\nname: many\ncorrelation:\n    type: event_count\n    rules: failed\n"
        "    group-by: user.username\n    timespan: 5m\n    condition: {gte: 10}\n---\n"
    )
    rule = several(
        "type: temporal_ordered\nrules: [many, read]\ngroup-by: user.username\ntimespan: 1h",
        BASE + inner,
    )
    assert rule.correlate is not None
    assert rule.correlate.of == ("many", READ)
    assert rule.kinds == ("audit",)


def test_s12_aliases_reach_through_correlations() -> None:
    inner = (
        "title: Many\nname: many\ncorrelation:\n    type: event_count\n    rules: failed\n"
        "    group-by: user.username\n    timespan: 5m\n    condition: {gte: 10}\n---\n"
    )
    rule = several(
        "type: temporal\nrules: [many, shell]\ngroup-by: [where]\ntimespan: 1h\naliases:\n"
        "  where:\n    many: objectRef.namespace\n    shell: Image",
        BASE + inner,
    )
    assert rule.correlate is not None
    assert rule.correlate.aliases == {"many": {"where": "k8s_ns"}, SHELL: {"where": "proc_exe"}}


def test_s12_the_order_of_documents_does_not_matter() -> None:
    text = (
        "title: Several\nname: several\ncorrelation:\n    type: event_count\n    rules: failed\n"
        "    timespan: 5m\n    condition: {gte: 2}\n---\n"
    )
    assert load({"a.yml": text + BASE}).pack.rules["several"].correlate is not None
    both = load({"a.yml": text, "b.yml": BASE})
    assert both.pack.rules["several"].correlate is not None


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("type: event_count\nrules: nobody\ntimespan: 5m\ncondition: {gte: 2}", "no rule nobody"),
        ("type: event_count\nrules: several\ntimespan: 5m\ncondition: {gte: 2}", "of itself"),
        ("type: strange\nrules: failed\ntimespan: 5m\ncondition: {gte: 2}", "strange"),
        ("type: event_count\nrules: failed\ntimespan: 5x\ncondition: {gte: 2}", "Timespan"),
        ("type: event_count\nrules: failed\ntimespan: 99y\ncondition: {gte: 2}", "ten years"),
        ("type: event_count\nrules: failed\ncondition: {gte: 2}", "timespan"),
        ("type: event_count\nrules: failed\ntimespan: 5m", "without condition"),
        ("type: value_count\nrules: failed\ntimespan: 5m\ncondition: {gte: 2}", "field"),
        (
            "type: event_count\nrules: failed\ntimespan: 5m\ncondition: {gte: 2}\n"
            "group-by: [sourceIPs]",
            "no column",
        ),
        (
            "type: value_percentile\nrules: failed\ntimespan: 5m\n"
            "condition: {gte: 2, field: responseStatus.code}",
            "percentile",
        ),
        ("type: 7", "pySigma does not take"),
    ],
    ids=lambda value: value.splitlines()[0],
)
def test_s12_what_cannot_be_correlated_is_unassessed(written: str, why: str) -> None:
    rule = several(written)
    assert why in rule.unassessed
    assert rule.correlate is None


OLD = """
title: Old
id: 5c1ba6a8-4c4d-4b3f-9b0f-1f1b8a1f0009
status: unsupported
logsource:
    product: kubernetes
    service: audit
detection:
    selection:
        verb: list
    condition: selection | {count}
{frame}
"""


def old(count: str, frame: str = "    timeframe: 5m") -> Loaded:
    return load({"old.yml": OLD.format(count=count, frame=frame)})


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        ("count() > 10", ("count", (), ">", 10, "")),
        ("count() by user.username >= 3", ("count", ("actor_user",), ">=", 3, "")),
        (
            "count(objectRef.name) by user.username, verb > 5",
            ("values", ("actor_user", "api_verb"), ">", 5, "k8s_name"),
        ),
        ("sum(responseStatus.code) by verb > 5", ("sum", ("api_verb",), ">", 5, "api_code")),
        ("avg(responseStatus.code) > 5.5", ("avg", (), ">", 5.5, "api_code")),
    ],
    ids=str,
)
def test_s13_old_counts_are_correlations(count: str, wanted: tuple[object, ...]) -> None:
    found = old(count)
    events, rule = found.pack
    counting = rule.correlate
    assert counting is not None
    assert counting.of == (events.id,)
    assert (counting.type, counting.by, counting.op, counting.value, counting.field) == wanted
    assert (counting.within, counting.alone) == (300, False)
    assert holds(events.tree, {"kind": "audit", "api_verb": "list"}) is True
    assert holds(rule.tree, {"kind": "audit", "api_verb": "list"}) is False
    assert any("old way of counting" in str(one) for one in found.warnings)


@pytest.mark.parametrize(
    ("count", "frame", "why"),
    [
        ("count() > 10", "", "within what time"),
        ("count() > 10", "    timeframe: 0m", "within what time"),
        ("count() < 10", "    timeframe: 5m", "below or at a threshold"),
        ("near other", "    timeframe: 5m", "near"),
        ("count() by sourceIPs > 3", "    timeframe: 5m", "no column"),
        ("max(responseStatus.code) > 3", "    timeframe: 5m", "max"),
        ("count() by a > 3 | count() > 1", "    timeframe: 5m", "aggregation"),
        ("gibberish", "    timeframe: 5m", "aggregation"),
        ("", "    timeframe: 5m", "aggregation"),
    ],
    ids=str,
)
def test_s13_what_is_ambiguous_is_unassessed(count: str, frame: str, why: str) -> None:
    (rule,) = old(count, frame).pack
    assert why in rule.unassessed


def test_s13_a_timeframe_is_no_detection() -> None:
    text = OLD.format(count="", frame="    timeframe: 5m").replace("selection | ", "all of them")
    (rule,) = load({"r.yml": text.replace("unsupported", "test")}).pack
    assert holds(rule.tree, {"kind": "audit", "api_verb": "list"}) is True


def test_unsupported_rules_never_match_silently() -> None:
    text = OLD.format(count="", frame="").replace("selection | ", "selection")
    (rule,) = load({"r.yml": text}).pack
    assert rule.unassessed == "the rule says of itself that it is unsupported"


FILTER = """
title: Not ours
logsource:
    product: kubernetes
    service: audit
filter:
    rules: {rules}
    ours:
        user.username: ci
    condition: not ours
"""


@pytest.mark.parametrize(("rules", "quiet"), [("[read]", True), ("any", True), ("[other]", False)])
def test_filters_narrow_the_rules_that_they_name(rules: str, quiet: bool) -> None:
    found = load({"a.yml": BASE.rstrip("-\n"), "f.yml": FILTER.format(rules=rules)})
    assert not found.errors
    rule = found.pack.rules[READ]
    secret = {"kind": "audit", "k8s_resource": "secrets"}
    assert holds(rule.tree, {**secret, "actor_user": "ci"}) is not quiet
    assert holds(rule.tree, {**secret, "actor_user": "ana"}) is True


def test_collections_share_what_is_global() -> None:
    text = (
        "action: global\ntitle: Shared\nlogsource:\n    product: kubernetes\n    service: audit\n"
        "---\ndetection:\n    a: {verb: list}\n    condition: a\n"
        "---\naction: reset\n---\ntitle: Alone\nlogsource: {product: kubernetes, service: audit}\n"
        "detection:\n    a: {verb: get}\n    condition: a\n"
    )
    found = load({"r.yml": text})
    assert [rule.title for rule in found.pack] == ["Shared", "Alone"]
    assert not any(rule.unassessed for rule in found.pack)
