"""Hits become alerts, the same however they are cut into batches."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

import msgspec

from martello.core.alert import SHOWN, Alert
from martello.practices.monitor.alerts.grouping import Grouping
from martello.practices.monitor.engine.ir import TRUE
from martello.practices.monitor.engine.rule import Hit, Pack, Rule

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


def test_an_event_from_the_future_takes_no_others_into_its_alert() -> None:
    grouping = Grouping(Pack([RULE]))
    (ahead,) = grouping.add([hit(10_000_000)])
    (first,) = grouping.add([hit(0)])
    assert first.id != ahead.id
    assert (first.first, first.last) == (0, 0)
    (same,) = grouping.add([hit(50)])
    assert (same.id, same.repeats) == (first.id, 2)
    (later,) = grouping.add([hit(500)])
    assert later.id not in (first.id, ahead.id)
    (back,) = grouping.add([hit(10_000_010)])
    assert (back.id, back.repeats) == (ahead.id, 2)


def test_a_late_hit_belongs_to_the_alert_that_it_would_have_begun() -> None:
    (alert,) = Grouping(Pack([RULE])).add([hit(100), hit(41)])
    assert (alert.first, alert.last, alert.repeats) == (41 * SECOND, 100 * SECOND, 2)
    # The window is closed on both sides: 60 s are still the same alert, a nanosecond more is not.
    for late, expected in ((40 * SECOND, 1), (40 * SECOND - 1, 2)):
        events = [hit(100), Hit("MON-1", {"id": "x", "time": late, "pod_name": "a"})]
        assert len(Grouping(Pack([RULE])).add(events)) == expected


def test_times_that_are_none_do_not_disturb() -> None:
    events: list[dict[str, Any]] = [
        {"id": "1"},
        {"id": "2", "time": 0},
        {"id": "3", "time": -5},
        {"id": "4"},
    ]
    (alert,) = Grouping(Pack([RULE])).add(Hit("MON-1", one) for one in events)
    assert alert.repeats == 4


def among(numbers: set[int], one: Hit) -> bool:
    """Whether a hit is one of those."""
    return one.event["n"] in numbers


def test_an_exception_never_adds_alerts_by_taking_hits_out_of_the_middle() -> None:
    random = Random(11)
    for _ in range(200):
        seconds = sorted(random.randrange(600) for _ in range(random.randrange(2, 20)))
        hits = [hit(second, n=n) for n, second in enumerate(seconds)]
        without = {one.id for one in Grouping(Pack([RULE])).add(hits)}
        quiet = {one.event["n"] for one in hits if random.random() < 0.5}
        alerts = Grouping(Pack([RULE])).add(hits, partial(among, quiet))
        assert len({one.id for one in alerts}) <= len(without)
        assert sum(one.repeats for one in alerts) == len(hits) - len(quiet)


def test_what_becomes_known_later_is_told_of_its_event_alone() -> None:
    grouping = Grouping(Pack([RULE]))
    (alert,) = grouping.add([hit(0, actor_origin="alice"), hit(1)])
    again = grouping.amended(alert.id, "a1", {"actor_origin": "bob"})
    assert again is not None
    assert [one.columns["actor_origin"] for one in again.evidence] == ["alice", "bob"]
    assert (again.id, again.revision, again.says) == (alert.id, 2, alert.says)
    assert grouping.amended(alert.id, "nothing", {}) is None
    assert grouping.amended("nothing", "a1", {}) is None
    grouping.add([hit(500)])
    assert grouping.amended(alert.id, "a1", {"actor_origin": "bob"}) is None  # it is over


def test_open_alerts_are_bounded_in_bytes_too() -> None:
    grouping = Grouping(Pack([RULE]), most_bytes=100_000)
    for n in range(100, 160):
        grouping.add([hit(n, f"pod-{n}", actor_agent="x" * 900, proc_exe="y" * 900)])
    assert grouping.dropped > 0
    assert grouping._bytes == sum(len(one.packed) for one in grouping._open.values())
    assert grouping._bytes <= 100_000
    assert len(grouping._places) == len(grouping._open)


def test_what_is_over_is_let_go_without_being_missed() -> None:
    grouping = Grouping(Pack([RULE]), most=70)
    for n in range(1_000):
        grouping.add([hit(n, f"pod-{n}")])
    assert len(grouping._open) == 70
    assert grouping.dropped == 0


def test_what_is_kept_packed_is_the_same_alert() -> None:
    rule = Rule("MON-1", "Shell", TRUE, group=("pod_name",), why="w", fix="f", attack=("T1059",))
    whole = Grouping(Pack([rule]))
    (expected,) = whole.add([hit(n, spec_uid=[1, None], proc_exe="é\u202e") for n in range(30)])
    pieces = Grouping(Pack([rule]))
    for n in range(30):
        (alert,) = pieces.add([hit(n, spec_uid=[1, None], proc_exe="é\u202e")])
    assert {**_plain(alert), "revision": 1} == _plain(expected)


def _plain(alert: Alert) -> dict[str, Any]:
    return dict(msgspec.to_builtins(alert))
