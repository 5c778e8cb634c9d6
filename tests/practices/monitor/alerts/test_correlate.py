"""Correlations against a naive reading of each type, and what must not matter to them."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from statistics import median
from typing import Any

import msgspec
import pytest

from martello.practices.monitor.alerts.correlate import Correlator
from martello.practices.monitor.alerts.grouping import Grouping
from martello.practices.monitor.alerts.windows import percentile
from martello.practices.monitor.engine.ir import TRUE
from martello.practices.monitor.engine.rule import Correlation, Hit, Pack, Rule

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
PARTS = ("A", "B", "C")


def pack(correlation: Correlation) -> Pack:
    """Three rules and what they are together."""
    rules = [Rule(name, name, TRUE, ("audit",)) for name in PARTS]
    return Pack([*rules, Rule("Z", "together", window=0, correlate=correlation)])


def events(seed: int, count: int = 60) -> list[Hit]:
    """Hits of random rules, users and values, at random seconds, no two at once."""
    random = Random(seed)
    seconds = sorted(random.sample(range(400), count))
    return [
        Hit(
            random.choice(PARTS),
            {
                "id": f"{n:04}",
                "kind": "audit",
                "time": second * SECOND,
                "actor_user": random.choice("uv"),
                "api_code": random.choice([200, 403, 404, 500]),
            },
        )
        for n, second in enumerate(seconds)
    ]


def naive(hits: list[Hit], asked: Correlation) -> list[str]:
    """The ids of the events whose window makes the correlation true, by looking at all of them."""
    found = []
    for end in hits:
        if end.rule not in asked.of:
            continue
        if asked.field and end.event.get(asked.field) is None:
            continue
        window = [
            one
            for one in hits
            if one.rule in asked.of
            and all(one.event.get(n) == end.event.get(n) for n in asked.by)
            and end.event["time"] - asked.within * SECOND < one.event["time"] <= end.event["time"]
        ]
        values: list[Any] = [one.event[asked.field] for one in window] if asked.field else []
        if asked.type == "sequence":
            if ends_sequence(window, asked.of):
                found.append(end.event["id"])
            continue
        figure: float = {
            "count": len(window),
            "values": len(set(values)),
            "all": len({one.rule for one in window}),
            "sum": sum(values),
            "avg": sum(values) / len(values) if values else 0,
            "median": median(values or [0]),
            "percentile": percentile([float(x) for x in values or [0]], asked.percentile),
        }[asked.type]
        compared = {
            ">=": figure >= asked.value,
            ">": figure > asked.value,
            "<": figure < asked.value,
            "<=": figure <= asked.value,
            "=": figure == asked.value,
            "!=": figure != asked.value,
        }[asked.op]
        if compared:
            found.append(end.event["id"])
    return found


def ends_sequence(window: list[Hit], of: tuple[str, ...]) -> bool:
    """Whether the window's last hit ends a sequence of all of them, within the window."""
    if window[-1].rule != of[-1]:
        return False
    wanted = list(of[:-1])
    for one in reversed(window[:-1]):
        if wanted and one.rule == wanted[-1]:
            wanted.pop()
    return not wanted


CASES = [
    Correlation("count", PARTS, ("actor_user",), 30, ">=", 4),
    Correlation("count", ("A",), (), 40, "<", 2),
    Correlation("count", ("A", "B"), (), 60, "=", 3),
    Correlation("values", PARTS, ("actor_user",), 60, ">=", 3, field="api_code"),
    Correlation("values", ("A",), (), 60, "!=", 2, field="api_code"),
    Correlation("all", PARTS, ("actor_user",), 40, ">=", 3),
    Correlation("sequence", PARTS, ("actor_user",), 60, ">=", 3),
    Correlation("sequence", ("B", "A"), (), 25, ">=", 2),
    Correlation("sum", PARTS, (), 20, ">", 1200, field="api_code"),
    Correlation("avg", PARTS, ("actor_user",), 60, ">=", 350, field="api_code"),
    Correlation("median", PARTS, (), 60, ">=", 403, field="api_code"),
    Correlation("percentile", PARTS, (), 60, ">", 450, field="api_code", percentile=80),
]


@pytest.mark.parametrize("asked", CASES, ids=lambda one: f"{one.type}{one.op}{one.value:g}")
def test_c1_every_type_is_what_a_naive_reading_says(asked: Correlation) -> None:
    fired = 0
    for seed in range(30):
        hits = events(seed)
        correlator = Correlator(pack(asked))
        assert correlator.add(hits) == []  # nobody has said that nothing earlier comes
        told = [one.event["id"] for one in correlator.flush()]
        assert told == naive(hits, asked)
        fired += len(told)
    assert fired


@pytest.mark.parametrize("asked", CASES, ids=lambda one: f"{one.type}{one.op}{one.value:g}")
def test_c1_the_order_of_arrival_does_not_matter_within_the_lateness(asked: Correlation) -> None:
    for seed in range(10):
        hits = events(seed)
        random = Random(seed)
        late = sorted(hits, key=lambda one: one.event["time"] + random.randrange(20) * SECOND)
        correlator = Correlator(pack(asked), lateness=20)
        told = []
        for hit in late:
            correlator.seen("log", [hit.event["time"]])
            told += correlator.add([hit])
        told += correlator.flush()
        assert [one.event["id"] for one in told] == naive(hits, asked)
        assert not correlator.late


def test_c1_a_silent_source_does_not_hold_the_others() -> None:
    correlator = Correlator(pack(Correlation("count", ("A",), (), 60, ">=", 1)), lateness=5)
    correlator.seen("quiet", [0], now=1 * SECOND)
    hit = Hit("A", {"id": "1", "time": 10 * SECOND})
    correlator.seen("loud", [20 * SECOND], now=20 * SECOND)
    assert correlator.add([hit]) == []
    correlator.seen("loud", [40 * SECOND], now=40 * SECOND)
    assert len(correlator.add([])) == 1


def test_c2_one_alert_an_episode_and_armed_again_after_it() -> None:
    rules = pack(Correlation("count", ("A",), ("actor_user",), 10, ">=", 3))
    seconds = [0, 1, 2, 3, 4, 30, 31, 32]
    hits = [Hit("A", {"id": str(s), "time": s * SECOND, "actor_user": "u"}) for s in seconds]
    correlator = Correlator(rules)
    correlator.add(hits)
    alerts = Grouping(rules).add(correlator.flush())
    assert [(a.first // SECOND, a.last // SECOND, a.repeats) for a in alerts] == [
        (2, 4, 3),
        (32, 32, 1),
    ]
    longer = Pack([msgspec.structs.replace(one, window=60) for one in rules])
    correlator = Correlator(longer)
    correlator.add(hits)
    (alert,) = Grouping(longer).add(correlator.flush())
    assert (alert.first // SECOND, alert.last // SECOND, alert.repeats) == (2, 32, 4)
    assert [one.event for one in alerts[0].evidence][:3] == ["0", "1", "2"]


def test_c3_groups_are_bounded_and_counted() -> None:
    asked = Correlation("values", ("A",), ("actor_user",), 60, ">=", 3, field="api_uri")
    correlator = Correlator(pack(asked), most_groups=100)
    correlator.add(
        Hit("A", {"id": str(n), "time": n, "actor_user": str(n), "api_uri": "x"})
        for n in range(1_000)
    )
    correlator.flush()
    assert correlator.evicted == 900


def test_c4_hits_are_the_same_in_whatever_pieces_they_come() -> None:
    asked = CASES[0]
    hits = events(3)
    whole = Correlator(pack(asked))
    whole.add(hits)
    expected = [one.event["id"] for one in whole.flush()]
    for size in (1, 7, 25):
        pieces = Correlator(pack(asked), lateness=0)
        told = []
        for at in range(0, len(hits), size):
            piece = hits[at : at + size]
            pieces.seen("log", [one.event["time"] for one in piece])
            told += pieces.add(piece)
        told += pieces.flush()
        assert [one.event["id"] for one in told] == expected


def test_audit_events_and_those_of_pods_meet_at_the_account() -> None:
    asked = Correlation("sequence", ("A", "B"), ("account",), 60, ">=", 2)
    audit = {"kind": "audit", "actor_user": "system:serviceaccount:shop:api"}
    process = {"kind": "process", "k8s_ns": "shop", "pod_sa": "api"}
    correlator = Correlator(pack(asked))
    correlator.add(
        [Hit("A", {"id": "1", "time": 1, **process}), Hit("B", {"id": "2", "time": 2, **audit})]
    )
    (hit,) = correlator.flush()
    assert [one["id"] for one in hit.related] == ["1", "2"]
    correlator = Correlator(pack(asked))
    other = {**process, "pod_sa": "web"}
    correlator.add(
        [Hit("A", {"id": "1", "time": 1, **other}), Hit("B", {"id": "2", "time": 2, **audit})]
    )
    assert correlator.flush() == []


def test_correlations_of_correlations_and_none_of_themselves() -> None:
    rules = [Rule(name, name, TRUE, ("audit",)) for name in "AB"]
    rules += [
        Rule("N", "n", correlate=Correlation("count", ("A",), (), 60, ">=", 2)),
        Rule("M", "m", correlate=Correlation("sequence", ("N", "B"), (), 60, ">=", 2)),
        Rule("S", "s", correlate=Correlation("count", ("S", "A"), (), 60, ">=", 1)),
    ]
    correlator = Correlator(Pack(rules))
    correlator.add(Hit(name, {"id": str(n), "time": n}) for n, name in enumerate("AAB"))
    assert [one.rule for one in correlator.flush()] == ["N", "M"]
    assert correlator.silent == {"A", "N", "B"}


def test_percentiles_lie_between() -> None:
    values = [float(n) for n in range(11)]
    shares = [percentile(values, share) for share in range(0, 101, 5)]
    assert shares[0] == 0
    assert shares[-1] == 10
    assert all(low <= high for low, high in pairwise(shares))


def told(asked: Correlation, *given: tuple[str, float, dict[str, Any]]) -> list[str]:
    """The ids of the events that make a correlation true; rule, second and columns of each."""
    correlator = Correlator(pack(asked))
    correlator.add(
        Hit(rule, {"id": str(n), "time": int(second * SECOND), **more})
        for n, (rule, second, more) in enumerate(given)
    )
    return [one.event["id"] for one in correlator.flush()]


def test_a_window_is_open_at_its_beginning_and_closed_at_its_end() -> None:
    asked = Correlation("count", ("A",), (), 10, ">=", 2)
    assert told(asked, ("A", 0, {}), ("A", 10, {})) == []
    assert told(asked, ("A", 0.000000001, {}), ("A", 10, {})) == ["1"]
    asked = Correlation("sequence", ("A", "B"), (), 10, ">=", 2)
    assert told(asked, ("A", 0, {}), ("B", 10, {})) == []
    assert told(asked, ("A", 0.000000001, {}), ("B", 10, {})) == ["1"]


def test_one_event_of_two_rules_is_no_sequence_even_if_it_was_told_of_twice() -> None:
    asked = Correlation("sequence", ("A", "B"), (), 60, ">=", 2)
    correlator = Correlator(pack(asked))
    correlator.add([Hit("A", {"id": "1", "time": 5}), Hit("B", {"id": "1", "time": 5})])
    assert correlator.flush() == []
    # It ends one that began before it, though it begins another one itself.
    correlator = Correlator(pack(asked))
    both = {"id": "2", "time": 6}
    correlator.add([Hit("A", {"id": "1", "time": 5}), Hit("A", both), Hit("B", both)])
    assert [one["id"] for one in correlator.flush()[0].related] == ["1", "2"]


def test_at_one_time_counts_as_after_whatever_the_ids_are() -> None:
    asked = Correlation("sequence", ("A", "B", "C"), (), 60, ">=", 3)
    assert told(asked, ("A", 1, {}), ("B", 1, {}), ("C", 1, {})) == ["2"]
    assert told(asked, ("C", 1, {}), ("B", 1, {}), ("A", 1, {})) == ["2"]
    assert told(asked, ("B", 1, {}), ("A", 1, {}), ("C", 1, {})) == ["2"]
    assert told(asked, ("B", 1, {}), ("C", 2, {}), ("A", 3, {})) == []


def test_a_rule_may_stand_twice_in_a_sequence() -> None:
    asked = Correlation("sequence", ("A", "B", "A"), (), 60, ">=", 3)
    assert told(asked, ("A", 1, {}), ("B", 2, {}), ("A", 3, {})) == ["2"]
    assert told(asked, ("B", 1, {}), ("A", 2, {})) == []
    assert told(Correlation("count", ("A", "A"), (), 60, ">=", 2), ("A", 1, {})) == []


def test_what_comes_late_is_counted_where_it_belongs() -> None:
    def late(asked: Correlation, *given: tuple[str, int]) -> list[str]:
        correlator = Correlator(pack(asked), lateness=0)
        found = []
        for rule, second in given:
            correlator.seen("log", [1_000 * SECOND])
            found += correlator.add(
                [Hit(rule, {"id": f"{rule}{second}", "time": second * SECOND, "api_code": 1})]
            )
        assert correlator.late == len(given) - 1 or len(given) == 2
        return [one.event["id"] for one in found]

    count = Correlation("count", ("A",), (), 10, ">=", 3)
    assert late(count, ("A", 100), ("A", 105), ("A", 50)) == []  # it was over long before
    assert late(count, ("A", 100), ("A", 105), ("A", 96)) == ["A96"]
    assert late(count, ("A", 100), ("A", 105), ("A", 94), ("A", 95)) == []
    asked = Correlation("sequence", ("A", "B"), (), 60, ">=", 2)
    assert late(asked, ("A", 100), ("B", 90)) == []  # it was before
    assert late(asked, ("A", 100), ("A", 50), ("B", 109)) == ["B109"]  # the later beginning counts
    figure = Correlation("sum", ("A",), (), 10, ">=", 3, field="api_code")
    assert late(figure, ("A", 100), ("A", 105), ("A", 50)) == []
    assert late(figure, ("A", 100), ("A", 105), ("A", 96)) == ["A96"]
    values = Correlation("values", ("A",), (), 10, ">=", 2, field="id")
    assert late(values, ("A", 105), ("A", 90)) == []
    assert late(values, ("A", 105), ("A", 96)) == ["A96"]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "1e308", "x", None, True, [1]])
def test_no_value_of_one_event_disturbs_a_figure_for_ever(value: Any) -> None:
    for type_ in ("sum", "avg", "median"):
        asked = Correlation(type_, ("A",), (), 10, ">=", 5, field="api_code")
        given = [("A", 0.0, {"api_code": value}), ("A", 0.5, {"api_code": value})]
        given += [("A", 20.0 + n / 10, {"api_code": 5}) for n in range(3)]
        assert told(asked, *given)[-3:] == ["2", "3", "4"]


def test_the_last_address_counts_for_others_are_what_the_client_says() -> None:
    asked = Correlation("count", ("A",), ("actor_ips",), 60, ">=", 3)
    given = [("A", n, {"actor_ips": [f"9.9.9.{n}", "6.6.6.6"]}) for n in range(3)]
    assert told(asked, *given) == ["2"]
    assert (
        told(asked, *[("A", n, {"actor_ips": ["6.6.6.6", f"9.9.9.{n}"]}) for n in range(3)]) == []
    )
    assert told(asked, *[("A", n, {"actor_ips": []}) for n in range(3)]) == ["2"]


@pytest.mark.parametrize("kind", ["sequence", "all"])
def test_several_things_of_nobody_are_not_one_thing(kind: Any) -> None:
    asked = Correlation(kind, ("A", "B"), ("k8s_ns", "pod_name"), 60, ">=", 2)
    nobody: tuple[dict[str, Any], ...] = ({}, {"k8s_ns": None, "pod_name": ""})
    for one in nobody:
        assert told(asked, ("A", 1, one), ("B", 2, one)) == []
    known = {"k8s_ns": None, "pod_name": "web-1"}
    assert told(asked, ("A", 1, known), ("B", 2, known)) == ["1"]


def test_one_of_several_subjects_meets_who_acts() -> None:
    aliases = {"A": {"actor_user": "rbac_subjects"}}
    asked = Correlation("sequence", ("A", "B"), ("actor_user",), 60, ">=", 2, aliases=aliases)
    bound = {"actor_user": "alice", "rbac_subjects": ["decoy", "mallory"]}
    assert told(asked, ("A", 1, bound), ("B", 2, {"actor_user": "mallory"})) == ["1"]
    assert told(asked, ("A", 1, bound), ("B", 2, {"actor_user": "alice"})) == []


def test_figures_are_found_in_little_work() -> None:
    for type_ in ("sum", "median", "percentile"):
        asked = Correlation(type_, ("A",), (), 86_400, ">", 1e12, field="n", percentile=99)
        correlator = Correlator(pack(asked))
        correlator.add(Hit("A", {"id": str(n), "time": n, "n": n}) for n in range(30_000))
        assert correlator.flush() == []  # 30,000 times over 10,000 values: 5 s would not do


def test_c3_groups_and_what_waits_are_bounded_in_bytes() -> None:
    asked = Correlation("count", ("A",), ("actor_user",), 3_600, ">=", 3)
    correlator = Correlator(pack(asked), most_bytes=1 << 20, most_waiting=1 << 20)
    for n in range(20_000):
        event = {"id": str(n), "time": n, "actor_user": f"u{n}", "raw": "x" * 2_000}
        correlator.add([Hit("A", {**event, "actor_agent": "y" * 900})])
    windows = correlator._room.windows[0]
    assert correlator._bytes <= 1 << 20
    assert windows.bytes <= 1 << 20
    assert windows.bytes == sum(700 + one.weight() for one in windows.groups.values())
    assert correlator.hurried > 10_000
    assert correlator.evicted > 10_000


def test_groups_that_are_over_are_let_go_and_not_counted_as_missed() -> None:
    asked = Correlation("count", ("A",), ("actor_user",), 10, ">=", 3)
    correlator = Correlator(pack(asked))
    hits = [Hit("A", {"id": str(n), "time": n * SECOND, "actor_user": f"u{n}"}) for n in range(500)]
    correlator.add(hits)
    correlator.flush()
    assert len(correlator._room.windows[0].groups) == 10
    assert correlator.evicted == 0


def test_the_evidence_is_of_the_window_alone() -> None:
    for type_ in ("count", "all"):
        asked = Correlation(type_, ("A", "B"), (), 10, ">=", 1)
        correlator = Correlator(pack(asked))
        correlator.add([Hit("A", {"id": "1", "time": 1}), Hit("B", {"id": "2", "time": HOUR})])
        assert [[e["id"] for e in one.related] for one in correlator.flush()] == [["1"], ["2"]]
