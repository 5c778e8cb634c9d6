"""Rules over a batch: hits, their atoms, anchors, and what is asked how often."""

from __future__ import annotations

import polars as pl
import pytest

from martello.adapters import batch
from martello.practices.monitor.engine.detect import Detector, detect
from martello.practices.monitor.engine.ir import (
    FALSE,
    TRUE,
    And,
    Atom,
    Call,
    Column,
    Node,
    Not,
    Or,
    Pointer,
)
from martello.practices.monitor.engine.rule import Pack, Rule

GET = Atom(Column("api_verb"), "=", ("get",))
SECRETS = Atom(Column("k8s_resource"), "=", ("secrets",))
HUMAN = Not(Atom(Column("actor_user"), "startswith", ("system:",)))
EVENTS = [
    {"id": "0", "kind": "audit", "api_verb": "get", "k8s_resource": "secrets", "actor_user": "eve"},
    {"id": "1", "kind": "audit", "api_verb": "get", "k8s_resource": "pods"},
    {"id": "2", "kind": "audit", "api_verb": "list", "k8s_resource": "secrets"},
    {"id": "3", "kind": "audit", "raw": '{"a":{"b":"c"},"a":{"b":"d"}}'},
]


def rule(name: str, tree: Node, **more: object) -> Rule:
    """A rule on audit events."""
    return Rule(name, name, tree, ("audit",), **more)  # type: ignore[arg-type]


def hits(*rules: Rule) -> list[tuple[str, str, tuple[int, ...]]]:
    """Event, rule and true atoms of every hit."""
    found = detect(Pack(rules), batch.table("audit", EVENTS))
    return [(one.event["id"], one.rule, one.true) for one in found]


def test_a_hit_carries_its_rule_its_event_and_its_true_atoms() -> None:
    assert hits(rule("a", And((GET, Or((SECRETS, HUMAN)))))) == [
        ("0", "a", (0, 1)),
        ("1", "a", (0,)),
    ]


def test_every_rule_is_tried_on_every_event() -> None:
    found = hits(rule("b", SECRETS), rule("a", GET), rule("c", TRUE), rule("d", FALSE))
    assert [(event, name) for event, name, _ in found] == [
        ("0", "b"),
        ("0", "a"),
        ("0", "c"),
        ("1", "a"),
        ("1", "c"),
        ("2", "b"),
        ("2", "c"),
        ("3", "c"),
    ]


@pytest.mark.parametrize("more", [{"enabled": False}, {"unassessed": "no source"}])
def test_a_rule_that_cannot_run_has_no_hits(more: dict[str, object]) -> None:
    assert hits(rule("a", GET, **more)) == []


def test_a_rule_of_another_kind_is_not_tried() -> None:
    assert hits(Rule("a", "a", TRUE, ("process",))) == []


def test_a_rule_that_reads_no_column_is_true_of_every_event() -> None:
    assert [event for event, _, _ in hits(rule("a", TRUE))] == ["0", "1", "2", "3"]


def test_true_is_not_one() -> None:
    events = [{"spec_host_network": True, "api_code": 1}]
    trees = [
        Atom(Column(n), "=", (v,)) for n in ("spec_host_network", "api_code") for v in (1, True)
    ]
    made = Detector([rule(str(n), tree) for n, tree in enumerate(trees)], "audit")
    assert [one.rule.id for one in made.find(batch.table("audit", events))] == ["1", "2"]


def test_an_empty_batch_has_no_hits() -> None:
    assert detect(Pack([rule("a", TRUE)]), batch.table("audit", ())) == []


def test_a_pointer_reads_the_last_of_equal_keys() -> None:
    pointer = Atom(Pointer(("a", "b")), "=", ("d",))
    assert hits(rule("a", pointer), rule("b", Not(pointer))) == [
        ("0", "b", ()),
        ("1", "b", ()),
        ("2", "b", ()),
        ("3", "a", (0,)),
    ]


def test_equal_atoms_of_all_rules_are_one() -> None:
    made = Detector([rule(str(n), And((GET, SECRETS, HUMAN))) for n in range(50)], "audit")
    assert len(made.asked) == 3


def test_rules_whose_anchor_no_event_meets_are_not_evaluated() -> None:
    """The work is counted: the atom that would be asked of values is not asked."""
    basename = Atom(Call("basename", (Column("api_uri"),)), "=", ("x",))
    made = Detector([rule("a", And((SECRETS, basename)))], "audit")
    made.find(batch.table("audit", [{"k8s_resource": "pods", "api_uri": "/x"}]))
    assert made.asked[1].known == 0
    made.find(batch.table("audit", [{"k8s_resource": "secrets", "api_uri": "/x"}] * 100))
    assert made.asked[1].known == 2  # this value, and none


def test_ascii_letters_alone_are_folded() -> None:
    events = [{"actor_user": name} for name in ("KELVIN", "\u212aelvin", "straSSe", "STRASSE", "Ä")]
    rows = batch.table("audit", events)
    for op, operand, wanted in (
        ("iequals", "kelvin", [0]),
        ("icontains", "SS", [2, 3]),
        ("iequals", "ä", []),
        ("iglob", "k*", [0]),
    ):
        tree = Atom(Column("actor_user"), op, (operand,))
        assert [one.row for one in Detector([rule("a", tree)], "audit").find(rows)] == wanted, op


def test_null_atoms_follow_kleene() -> None:
    missing = Atom(Column("spec_sa"), "=", ("x",), null=True)
    assert hits(rule("a", missing), rule("b", Not(missing)), rule("c", And((missing, FALSE)))) == []
    assert len(hits(rule("a", Not(And((missing, FALSE)))))) == len(EVENTS)


def test_a_long_batch_names_the_right_rows() -> None:
    rows = batch.table(
        "audit", [{"api_verb": "get" if n % 97 == 5 else "list"} for n in range(5000)]
    )
    found = Detector([rule("a", GET), rule("b", Not(GET))], "audit").find(rows)
    assert [one.row for one in found if one.rule.id == "a"] == list(range(5, 5000, 97))
    assert len(found) == 5000


def test_an_expression_that_fails_costs_time_alone() -> None:
    made = Detector([rule("a", GET), rule("b", SECRETS)], "audit")
    made.asked[0].made = pl.col("api_verb").cast(pl.Int64)
    found = made.find(batch.table("audit", EVENTS))
    assert [(one.row, one.rule.id) for one in found] == [(0, "a"), (0, "b"), (1, "a"), (2, "b")]
