"""Hits become alerts, the same however they are cut into batches."""

from __future__ import annotations

from random import Random
from typing import Any

from martello.core.alert import SHOWN, Alert
from martello.practices.monitor.grouping import Grouping
from martello.practices.monitor.ir import TRUE
from martello.practices.monitor.rule import Hit, Pack, Rule

RULE = Rule("MON-1", "Shell", TRUE, group=("pod_name",), window=60, say="{proc_exe} in {pod_name}")
SECOND = 1_000_000_000


def hit(second: int, pod: str = "a", **more: Any) -> Hit:
    """A hit of the rule in a pod."""
    event = {"id": f"{pod}{second}", "time": second * SECOND, "pod_name": pod, **more}
    return Hit("MON-1", event)


def test_hits_of_one_group_within_the_window_are_one_alert() -> None:
    grouping = Grouping(Pack([RULE]))
    first = grouping.add([hit(0, proc_exe="/bin/sh"), hit(50), hit(50, "b")])
    assert [(a.entity["pod_name"], a.repeats, a.revision) for a in first] == [
        ("a", 2, 1),
        ("b", 1, 1),
    ]
    assert first[0].says == "/bin/sh in a"
    (grown,) = grouping.add([hit(109)])
    assert (grown.id, grown.repeats, grown.revision) == (first[0].id, 3, 2)
    (other,) = grouping.add([hit(170)])
    assert other.id != grown.id
    assert (other.first, other.repeats) == (170 * SECOND, 1)


def test_batches_do_not_matter() -> None:
    random = Random(5)
    hits = sorted(
        (hit(random.randrange(2_000), random.choice("abc")) for _ in range(300)),
        key=lambda one: one.event["time"],
    )

    def told(sizes: Random) -> dict[str, tuple[int, int, int]]:
        grouping = Grouping(Pack([RULE]))
        found: dict[str, Alert] = {}
        at = 0
        while at < len(hits):
            size = sizes.randint(1, 40)
            for one in grouping.add(hits[at : at + size]):
                found[one.id] = one
            at += size
        return {one.id: (one.first, one.last, one.repeats) for one in found.values()}

    expected = told(Random(0))
    assert sum(one[2] for one in expected.values()) == len(hits)
    assert all(told(Random(seed)) == expected for seed in range(1, 6))


def test_evidence_is_bounded_and_shows_what_the_rule_reads() -> None:
    grouping = Grouping(Pack([RULE]))
    (alert,) = grouping.add(hit(n, proc_exe="x" * 5_000) for n in range(50))
    assert len(alert.evidence) == SHOWN
    assert alert.repeats == 50
    assert len(alert.evidence[0].columns["proc_exe"]) == 1_000
    assert "raw" not in alert.evidence[0].columns


def test_open_alerts_are_bounded_and_what_is_let_go_is_counted() -> None:
    grouping = Grouping(Pack([RULE]), most=10)
    grouping.add(hit(n, f"pod-{n}") for n in range(25))
    assert grouping.dropped == 15


def test_a_fact_from_outside_raises_the_severity_and_never_lowers_it() -> None:
    told = Grouping(Pack([RULE]), raised=lambda _r, _e: ("critical", ("reaches every secret",)))
    (alert,) = told.add([hit(0)])
    assert (alert.severity, alert.raised) == ("critical", ("reaches every secret",))
    told = Grouping(Pack([RULE]), raised=lambda _r, _e: ("low", ("its account may do nothing",)))
    assert told.add([hit(0)])[0].severity == "medium"


def test_controls_in_values_do_not_reach_a_terminal() -> None:
    (alert,) = Grouping(Pack([RULE])).add([hit(0, proc_exe="\x1b[31mred")])
    assert "\x1b" not in alert.says
