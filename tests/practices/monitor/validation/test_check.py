"""J1 to J7: judging rules against what is connected, and against each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.core.errors import BadInput
from martello.practices.monitor.engine.ir import (
    FALSE,
    TRUE,
    And,
    Atom,
    Column,
    Node,
    Not,
    Or,
    Pointer,
)
from martello.practices.monitor.engine.rule import Pack, Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.own import load as own
from martello.practices.monitor.sources import FEEDS, values
from martello.practices.monitor.validation import audit_paths
from martello.practices.monitor.validation.check import Judgement, Verdict, judge
from martello.practices.monitor.validation.cost import costs
from martello.practices.monitor.validation.coverage import coverage
from martello.practices.monitor.validation.fold import fold
from martello.practices.monitor.validation.implied import TooMany, alternatives, compare, implies
from martello.practices.monitor.validation.inline import judged, prepare
from martello.practices.monitor.validation.mutate import mutants, score, scores


def pack(*rules: tuple[str, str, str]) -> Pack:
    """Own rules: id, kind, when."""
    text = json.dumps(
        [
            {"id": id_, "title": id_, "kind": kind, "severity": "low", "when": when}
            for id_, kind, when in rules
        ]
    )
    loaded = own.load({"a.yaml": text})
    assert not loaded.errors, loaded.errors
    return loaded.pack


def verdict(when: str, kind: str = "audit", *sources: str) -> Verdict:
    return judge(pack(("r", kind, when)), sources or ("audit",)).verdicts[0]


def sigma(detection: str) -> Verdict:
    from martello.practices.monitor.sigma.read import load

    text = (
        "title: t\nlogsource: {product: kubernetes, service: audit}\n"
        f"detection:\n    s: {{{detection}}}\n    condition: s\n"
    )
    return judge(load({"r.yml": text}).pack, ["audit"]).verdicts[0]


# -- J1, J2


@pytest.mark.parametrize(
    ("detection", "means"),
    [
        ("hostPath: '*'", "requestObject.spec.volumes[].hostPath"),
        ("hostNetwork: 'true'", "requestObject.spec.hostNetwork"),
        ("apiGroup: apps", "objectRef.apiGroup"),
        ("objectRef.resourc: pods", "objectRef.resource"),
        ("user.groupz: dev", "user.groups[]"),
        ("requestUri: x", "requestURI"),
        ("zzzzzzzzzz: x", ""),
        ("objectRef.resource: roles, roleRef: x", ""),
        ("objectRef.resource: rolebindings, roleRef: x", "requestObject.roleRef"),
    ],
)
def test_j1_dead_paths_and_what_they_mean(detection: str, means: str) -> None:
    found = sigma(detection)
    assert found.state == "never"
    assert found.notes[0].code == "path"
    assert found.notes[0].means == means


@pytest.mark.parametrize(
    "detection",
    [
        "objectRef.resource: pods",
        "requestObject.anything.at.all: x",
        "annotations.mutation/x: y",
        "'user.extra.scopes[]': x",
        "responseStatus.details.name: x",
        "user.username: null",
    ],
)
def test_j1_what_can_be_is_not_dead(detection: str) -> None:
    assert sigma(detection).state == "fires"


def test_j1_a_dead_part_leaves_the_rest() -> None:
    found = verdict('e.api_verb == "replace" || e.api_verb == "patch"')
    assert found.state == "fires"
    assert [note.code for note in found.notes] == ["value"]
    assert found.on == ("audit",)


@pytest.mark.parametrize(
    ("when", "state"),
    [
        ('e.api_verb == "replace"', "never"),
        ('e.api_verb.startsWith("dele")', "fires"),
        ('e.api_verb.startsWith("repl")', "never"),
        ("e.api_code == 99", "never"),
        ("e.api_code > 599", "never"),
        ("e.api_code >= 500", "fires"),
        ('string(e.api_code) == "ALLOW"', "never"),
        ('e.api_stage in ["Done", "Panic"]', "fires"),
        ('e.api_stage == "Done"', "never"),
        ('!(e.api_stage == "Done")', "fires"),
        ('!(e.api_verb in params.all) && has(e.k8s_ns)', "never"),
        ('e.api_verb == "get" && e.api_verb == "list"', "never"),
        ('e.k8s_ns == "a" && !e.k8s_ns.startsWith("a")', "never"),
        ('e.k8s_ns == "a" && e.k8s_ns in ["b", "c"]', "never"),
        ('e.k8s_ns == "a" && e.k8s_ns in ["a", "c"]', "fires"),
        ('"a" in e.actor_groups && "b" in e.actor_groups', "fires"),
        ('e.spec_container_kind.exists(k, k == "sidecar")', "never"),
        ("e.proc_name == 'sh'", "never"),
        ("!has(e.proc_name)", "fires"),
        ("false", "never"),
    ],
)  # fmt: skip
def test_j1_rules_that_can_never_fire(when: str, state: str) -> None:
    rule = {"id": "r", "title": "r", "kind": "audit", "severity": "low", "when": when}
    known = values("api_verb", "audit")
    assert known is not None
    loaded = own.load({"a.yaml": json.dumps({**rule, "params": {"all": list(known)}})})
    assert not loaded.errors, loaded.errors
    found = judge(loaded.pack, ["audit"]).verdicts[0]
    assert found.state == state, found.why
    assert found.state != "never" or found.notes or when == "false"


def test_j2_one_dead_value_of_many() -> None:
    found = verdict('e.api_verb in ["create", "replace", "updat", "deletee"]')
    assert found.state == "fires"
    assert [note.text.split("'")[1] for note in found.notes] == ["replace", "updat", "deletee"]
    assert [note.means for note in found.notes] == ["", "update", "delete"]
    assert "the API server has no such verb" in found.notes[0].text


def test_j2_a_word_that_is_a_decision() -> None:
    found = sigma("responseStatus.code: ALLOW")
    assert found.state == "never"
    assert found.notes[0].means == "annotations.authorization.k8s.io/decision: allow"
    assert "a number from 100 to 599" in found.notes[0].text


def test_j1_exec_by_create_alone_is_blind_to_websockets() -> None:
    found = sigma("verb: create, objectRef.resource: pods, objectRef.subresource: exec")
    assert (found.state, found.notes[0].code) == ("fires", "blind")
    also = sigma("verb: [create, get], objectRef.resource: pods, objectRef.subresource: exec")
    assert also.notes == ()


# -- J3


def test_j3_events_that_nobody_gives() -> None:
    found = verdict('e.proc_name == "sh"', "process", "audit")
    assert found.state == "unassessed"
    assert "bpftrace, tetragon or auditd would give them" in found.why
    assert verdict('e.proc_name == "sh"', "process", "audit", "tetragon").on == ("tetragon",)


def test_j3_columns_that_nobody_fills() -> None:
    when = 'e.proc_tty != "" && e.proc_name == "sh"'
    found = verdict(when, "process", "tetragon")
    assert found.state == "unassessed"
    assert found.notes[-1].text == "no connected source fills proc_tty; bpftrace or auditd would"
    assert verdict(when, "process", "tetragon", "bpftrace").on == ("bpftrace",)
    either = verdict(f"({when}) || has(e.proc_exec_id)", "process", "tetragon")
    assert either.on == ("tetragon",)


def test_j3_unassessed_rules_keep_their_reason() -> None:
    found = judge(Pack([Rule("r", "r", unassessed="no source: nothing")]), ["audit"])
    assert (found.verdicts[0].state, found.verdicts[0].why) == ("unassessed", "no source: nothing")


def test_j3_sources_are_known() -> None:
    with pytest.raises(BadInput, match="there is no source 'strace'"):
        judge(Pack(), ["strace"])
    for feed in FEEDS.values():
        assert feed.kinds


def test_correlations_fire_where_their_rules_do() -> None:
    text = """
id: c
title: c
severity: low
when:
  - {kind: audit, when: e.api_verb == "VERB"}
  - {kind: process, when: e.proc_name == "sh"}
correlate: {type: TYPE, within: 5m, at_least: 2}
"""

    def state(verb: str, type_: str, *sources: str) -> tuple[str, tuple[str, ...]]:
        loaded = own.load({"a.yaml": text.replace("VERB", verb).replace("TYPE", type_)})
        found = judge(loaded.pack, sources).of("c")
        return found.state, found.on

    assert state("list", "sequence", "audit") == ("unassessed", ())
    assert state("list", "sequence", "audit", "bpftrace") == ("fires", ("audit", "bpftrace"))
    assert state("replace", "sequence", "audit", "bpftrace") == ("never", ())
    assert state("replace", "count", "audit", "bpftrace") == ("fires", ("bpftrace",))


# -- J4


def pairs(*whens: str) -> list[tuple[str, str, bool]]:
    rules = [(chr(97 + at), "audit", when) for at, when in enumerate(whens)]
    found = judge(pack(*rules), ["audit"]).pairs
    return [(one.one, one.other, one.equal) for one in found]


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ('e.k8s_ns == "a"', 'e.k8s_ns in ["a", "b"]', [("a", "b", False)]),
        ('e.k8s_ns == "a" && has(e.k8s_name)', 'e.k8s_ns == "a"', [("a", "b", False)]),
        ('e.k8s_ns.startsWith("abc")', 'e.k8s_ns.startsWith("ab")', [("a", "b", False)]),
        ('e.k8s_ns.startsWith("abc")', 'e.k8s_ns.contains("bc")', [("a", "b", False)]),
        ('e.k8s_ns.endsWith("abc")', 'e.k8s_ns.endsWith("bc")', [("a", "b", False)]),
        ('e.k8s_ns == "abc"', 'e.k8s_ns.matches("^a.c$")', [("a", "b", False)]),
        ("e.api_code > 500", "e.api_code >= 400", [("a", "b", False)]),
        ("e.api_code >= 500", "e.api_code > 500", [("b", "a", False)]),
        ("e.api_code == 403", "e.api_code in [401, 403]", [("a", "b", False)]),
        ('e.k8s_ns == "a"', "has(e.k8s_ns)", [("a", "b", False)]),
        ('"a" in e.actor_groups', 'e.actor_groups.exists(g, g != "b")', [("a", "b", False)]),
        ('e.k8s_ns == "a" || e.k8s_ns == "b"', 'e.k8s_ns in ["b", "a"]', [("b", "a", True)]),
        ('e.k8s_ns == "a" && e.seq > 1', 'e.seq > 1 && "a" == e.k8s_ns', [("b", "a", True)]),
        ('!(e.k8s_ns.startsWith("a"))', '!(e.k8s_ns == "ab")', [("a", "b", False)]),
        ('e.k8s_ns == "x"', '!(e.k8s_ns == "ab")', [("a", "b", False)]),
        ('e.k8s_ns == "a"', 'e.k8s_ns == "b"', []),
        ('e.k8s_ns == "a"', 'e.k8s_name == "a"', []),
        ('e.k8s_ns.contains("a")', 'e.k8s_ns.startsWith("a")', [("b", "a", False)]),
        ('e.k8s_ns.contains("a")', 'e.k8s_ns.startsWith("b")', []),
        ("e.api_code > 400", "e.api_code < 500", []),
    ],
)  # fmt: skip
def test_j4_shadowed_and_equal(one: str, other: str, wanted: list[tuple[str, str, bool]]) -> None:
    assert pairs(one, other) == wanted


def test_j4_rules_of_other_kinds_are_not_compared() -> None:
    both = pack(("a", "file", 'e.proc_name == "x"'), ("b", "process", 'e.proc_name == "x"'))
    assert judge(both, ["bpftrace"]).pairs == ()


def test_j4_what_grows_is_not_decided() -> None:
    clauses = [f'(e.k8s_ns.contains("{i}") || e.k8s_name.contains("{i}"))' for i in range(13)]
    found = judge(pack(("a", "audit", " && ".join(clauses)), ("b", "audit", "has(e.k8s_ns)")))
    assert found.undecided == ("a",)
    assert all(one.state == "fires" for one in found.verdicts)


VALUES = ("a", "ab", "abc", "b", "bc", "c", "")
OPS = ("=", "!=", "in", "contains", "icontains", "startswith", "endswith", "iequals", "<", ">=")
SINGLE = st.builds(
    lambda column, op, operand, over, null: Atom(
        Column(column), op, operand, over if len(operand) > 1 and op != "in" else "one", null
    ),
    st.sampled_from(["k8s_ns", "k8s_name"]),
    st.sampled_from(OPS),
    st.lists(st.sampled_from((*VALUES, "B")), min_size=1, max_size=2, unique=True).map(tuple),
    st.sampled_from(["anyof", "allof"]),
    st.just(False),
) | st.sampled_from([Atom(Column("k8s_ns"), "exists"), Atom(Column("k8s_name"), "exists")])
TREES: st.SearchStrategy[Node] = st.recursive(
    SINGLE,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=5,
)
NAMED: list[dict[str, Any]] = [
    {k: v for k, v in (("k8s_ns", ns), ("k8s_name", name)) if v is not None}
    for ns in (None, *VALUES)
    for name in (None, *VALUES)
]


@settings(max_examples=300, deadline=None)
@given(SINGLE, st.booleans(), SINGLE, st.booleans())
def test_j4_implications_are_true(one: Atom, yes: bool, other: Atom, also: bool) -> None:
    if implies((one, yes), (other, also)):
        for event in NAMED:
            if holds(one, event) is yes:
                assert holds(other, event) is also, event


@settings(max_examples=200, deadline=None)
@given(TREES, TREES)
def test_j4_pairs_are_true(one: Node, other: Node) -> None:
    kinds = frozenset(("audit",))
    for pair in compare([("a", kinds, one), ("b", kinds, other)]).pairs:
        trees = {"a": one, "b": other}
        for event in NAMED:
            if holds(trees[pair.one], event):
                assert holds(trees[pair.other], event)
            if pair.equal and holds(trees[pair.other], event):
                assert holds(trees[pair.one], event)


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_j4_alternatives_mean_the_tree(tree: Node) -> None:
    try:
        found = alternatives(tree)
    except TooMany:
        return
    for event in NAMED:
        spread = any(all(holds(atom, event) is yes for atom, yes in one) for one in found)
        assert spread is (holds(tree, event) is True)


VERBS = st.sampled_from(["create", "replace", "get", "x"])
AUDIT_ATOMS = st.one_of(
    st.builds(lambda v, null: Atom(Column("api_verb"), "=", (v,), null=null), VERBS, st.booleans()),
    st.builds(lambda v: Atom(Column("proc_name"), "=", ("a",), null=v), st.booleans()),
    st.builds(lambda v: Atom(Column("image_ref"), "=", ("a",), null=v), st.booleans()),
    st.just(Atom(Column("proc_name"), "exists")),
    st.just(Atom(Pointer(("hostPath",)), "exists")),
    st.just(Atom(Column("api_code"), ">", (700,))),
    st.just(Atom(Column("k8s_ns"), "=", ("a",))),
)
AUDIT_TREES: st.SearchStrategy[Node] = st.recursive(
    AUDIT_ATOMS,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    AUDIT_TREES,
    st.sampled_from(["create", "get"]),
    st.sampled_from([None, 200]),
    st.sampled_from([None, "a", "b"]),
)
def test_j1_folding_changes_no_answer(
    tree: Node, verb: str, code: int | None, space: str | None
) -> None:
    """Of every event that the source can give, the folded tree is true where the tree is."""
    raw = {"kind": "audit", "api_verb": verb, "api_code": code, "k8s_ns": space, "raw": "{}"}
    event = {key: value for key, value in raw.items() if value is not None}
    folded = fold(tree, "audit", FEEDS["audit"]).tree
    assert (holds(folded, event) is True) is (holds(tree, event) is True)


# -- J5, J6, J7


def test_j5_costs_are_shares_of_the_time() -> None:
    rules = pack(
        ("cheap", "audit", 'e.api_verb == "x"'),
        ("dear", "audit", " || ".join(f'e.raw.contains("{i:04}")' for i in range(300))),
        ("other", "process", "has(e.proc_name)"),
    )
    ticks = iter(range(10**9))
    spent = {"now": 0}

    def clock() -> int:
        spent["now"] += 10 + next(ticks) % 3
        return spent["now"]

    events = [{"kind": "audit", "api_verb": "x", "raw": "y" * 5000}] * 20
    found = costs(rules, events, clock)
    assert abs(sum(one.share for one in found) - 1) < 1e-9
    assert {one.rule: one.hits for one in found} == {"cheap": 20, "dear": 0, "other": 0}

    import time

    real = costs(rules, events, time.perf_counter_ns)
    assert real[0].rule == "dear"
    assert real[0].times > 1


def written(when: str, *tests: tuple[dict[str, Any], str]) -> Rule:
    rule = {
        "id": "r",
        "title": "r",
        "kind": "audit",
        "severity": "low",
        "when": when,
        "tests": [{"from": "columns", "event": event, "expect": said} for event, said in tests],
    }
    loaded = own.load({"a.yaml": json.dumps(rule)})
    assert not loaded.errors, loaded.errors
    return loaded.pack.rules["r"]


WHEN = 'e.api_verb == "list" && e.k8s_resource == "secrets"'
FIRES = ({"api_verb": "list", "k8s_resource": "secrets"}, "fire")
QUIET = ({"api_verb": "get", "k8s_resource": "pods"}, "quiet")


def test_j6_the_score_is_the_share_of_mutants_that_a_test_catches() -> None:
    only = score(written(WHEN, FIRES))
    assert only is not None
    assert (only.caught, only.total) == (4, 6)
    assert {one.way for one in only.survived} == {"dropped"}
    weak = score(written(WHEN, FIRES, QUIET))
    assert weak is not None
    assert weak.share == only.share  # the quiet event differs in both: it catches nothing
    strong = score(
        written(
            WHEN,
            FIRES,
            ({"api_verb": "get", "k8s_resource": "secrets"}, "quiet"),
            ({"api_verb": "list", "k8s_resource": "pods"}, "quiet"),
        )
    )
    assert strong is not None
    assert strong.share == 1


def test_j6_rules_without_tests_or_failing_ones_have_no_score() -> None:
    assert score(written(WHEN)) is None
    assert score(written(WHEN, ({"api_verb": "get"}, "fire"))) is None
    assert scores(Pack([written(WHEN, FIRES)]))[0].total == 6


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_j6_mutants_differ_and_are_bounded(tree: Node) -> None:
    for one in mutants(tree):
        assert one.tree != tree
        assert one.way in ("negated", "dropped", "altered")


def test_j6_tests_say_what_they_saw() -> None:
    rule = written(WHEN, FIRES)
    (test,) = prepare(rule)
    assert judged(test, rule.tree).passed
    assert judged(test, FALSE).why == "it was quiet"
    assert judged(test, TRUE).passed


def test_j7_techniques_by_source() -> None:
    text = """
- {id: a, title: a, kind: audit, severity: low, attack: [T1609], when: e.api_verb == "create"}
- {id: b, title: b, kind: process, severity: low, attack: [T1609, T1611], when: has(e.proc_name)}
- {id: c, title: c, kind: log, severity: low, attack: [T1071], when: has(e.log_text)}
- {id: d, title: d, kind: audit, severity: low, attack: [T1078], when: e.api_verb == "replace"}
"""
    found = coverage(own.load({"a.yaml": text}).pack, ["audit"])
    assert found.techniques == {"T1609": {"audit": ("a",)}}
    assert found.further["bpftrace"] == ("T1611",)
    assert found.further["cri"] == ("T1071",)
    assert not {"hubble", "ndjson", "audit"} & set(found.further)
    assert found.blind == ("T1078",)
    more = coverage(own.load({"a.yaml": text}).pack, ["audit", "tetragon"])
    assert more.techniques["T1609"] == {"audit": ("a",), "tetragon": ("b",)}


def test_paths_of_audit_events_are_those_of_the_reader() -> None:
    from martello.practices.monitor.sigma.logsource import audit

    for path in ("verb", "user.username", "objectRef.resource", "sourceIPs", "responseStatus.code"):
        assert isinstance(audit(path).term, Column)
        assert not audit_paths.unknown(tuple(path.split(".")))
    assert audit_paths.shown(("spec", "*", "a", "*name=x", "\\*b")) == "spec[].a[].*b"
    assert audit_paths.distance("kitten", "sitting") == 3


def test_row_by_row_parts_are_shown() -> None:
    found = verdict('e.api_verb == "get" && e.k8s_name.split("-").size() > 2')
    assert found.state == "fires"
    assert [note.code for note in found.notes] == ["rowwise"]
    assert "split" in found.notes[0].text


def test_a_judgement_is_quick_to_ask() -> None:
    found = judge(pack(("a", "audit", "has(e.k8s_ns)")))
    assert isinstance(found, Judgement)
    assert found.of("a").state == "fires"
