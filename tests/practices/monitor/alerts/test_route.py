"""Routes: who is told of what, and how often."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sinks import alert

from martello.core.alert import Alert
from martello.practices.monitor.alerts.route import Route, Routing, Teams, read, silent


class Clock:
    """Seconds that go when they are told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize(
    ("table", "name", "told", "fits"),
    [
        ({}, "shop", {}, True),
        ({"severity": "high"}, "shop", {}, True),
        ({"severity": "critical"}, "shop", {}, False),
        ({"severity": "low"}, "shop", {"severity": "info"}, False),
        ({"namespace": "shop-*"}, "shop-eu", {}, True),
        ({"namespace": ["ci", "sho?"]}, "shop", {}, True),
        ({"namespace": ["shop-*"]}, "shop", {}, False),
        ({"namespace": ["[s]hop"]}, "shop", {}, True),
        ({"rule": ["MON-1*"]}, "shop", {}, True),
        ({"rule": ["Shell*"]}, "shop", {}, True),
        ({"rule": ["MON-2*"]}, "shop", {}, False),
        ({"team": ["pay*"]}, "shop", {}, True),
        ({"team": ["web"]}, "shop", {}, False),
        ({"team": "payments", "severity": "critical"}, "shop", {}, False),
    ],
)
def test_an_alert_goes_where_all_of_a_route_fits(
    table: dict[str, Any], name: str, told: dict[str, Any], fits: bool
) -> None:
    route = read({"sinks": ["stdout:"], **table})
    assert isinstance(route, Route), route
    assert route.fits(alert(name, **told), "payments") is fits


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("stdout:", "a table"),
        ({}, "'sinks'"),
        ({"sinks": []}, "'sinks'"),
        ({"sinks": [7]}, "list of words"),
        ({"sinks": "stdout:", "severity": "grave"}, "'severity'"),
        ({"sinks": "stdout:", "sevrity": "high"}, "unknown key 'sevrity'"),
        ({"sinks": "stdout:", "repeat": "1h"}, "number of seconds"),
        ({"sinks": "stdout:", "repeat": True}, "number of seconds"),
        ({"sinks": "stdout:", "repeat": -1}, "at most"),
        ({"sinks": "stdout:", "repeat": float("nan")}, "at most"),
        ({"sinks": "stdout:", "namespace": {"a": 1}}, "list of words"),
    ],
)
def test_what_is_wrong_with_a_route_is_said(table: Any, why: str) -> None:
    told = read(table)
    assert isinstance(told, str)
    assert why in told


def test_one_that_only_grows_is_told_once_a_window_and_as_it_is_then() -> None:
    clock = Clock()
    routing = Routing([Route(("a",), repeat=100.0)], clock=clock)
    assert routing(alert(revision=1)) == ("a",)
    for n in range(2, 10):
        clock.at += 10
        assert routing(alert(revision=n)) == ()
        assert routing.late() == ()
    clock.at = 101
    assert routing.late() == ((alert(revision=9), ("a",)),)
    assert routing.late() == ()
    clock.at = 150
    assert routing(alert(revision=10)) == ()
    clock.at = 202
    assert routing(alert(revision=11)) == ("a",)
    assert routing.late() == ()


def test_new_graver_and_closed_are_told_at_once() -> None:
    routing = Routing([Route(("a",), repeat=1e6)], clock=Clock())
    assert routing(alert("x")) == ("a",)
    assert routing(alert("y")) == ("a",)
    assert routing(alert("x", revision=2)) == ()
    assert routing(alert("x", revision=3, severity="critical")) == ("a",)
    assert routing(alert("x", revision=4, severity="critical", state="acknowledged")) == ("a",)
    assert routing(alert("x", revision=5, severity="critical", state="acknowledged")) == ()
    assert routing(alert("x", revision=6, severity="critical", state="closed")) == ("a",)
    assert routing(alert("x", revision=7)) == ("a",)  # it happened again


def test_what_could_not_be_kept_is_routed_again() -> None:
    routing = Routing([Route(("a",))], clock=Clock())
    assert routing(alert()) == routing(alert()) == ("a",)


def test_each_sink_has_the_shortest_window_of_its_routes() -> None:
    clock = Clock()
    routes = [
        Route(("a", "b"), repeat=100.0),
        Route(("b",), repeat=10.0),
        Route(("c",), severity="critical"),
    ]
    routing = Routing(routes, clock=clock)
    assert routing.sinks == ("a", "b", "c")
    assert routing(alert()) == ("a", "b")
    clock.at = 11
    assert routing(alert(revision=2)) == ("b",)
    clock.at = 101
    assert routing.late() == ((alert(revision=2), ("a",)),)


def test_windows_are_bounded() -> None:
    routing = Routing([Route(("a",))], clock=Clock(), most=10)
    for n in range(100):
        routing(alert(f"n{n}"))
    assert routing(alert("n99", revision=2)) == ()
    assert routing(alert("n1", revision=2)) == ("a",)  # forgotten: told once more, never less
    assert routing.late() == ()
    for n in range(100, 120):
        routing(alert(f"n{n}"))
    assert routing.late() == ((alert("n99", revision=2), ("a",)),)  # its last word is told
    assert routing.late() == ()


@given(
    st.lists(
        st.tuples(st.floats(0, 50), st.sampled_from(["high", "critical"]), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_the_last_word_is_always_told_and_never_too_often(
    steps: list[tuple[float, str, bool]],
) -> None:
    clock = Clock()
    routing = Routing([Route(("a",), repeat=100.0)], clock=clock)
    told: list[tuple[float, Alert]] = []
    one = alert()
    for n, (wait, severity, closed) in enumerate(steps, 1):
        clock.at += wait
        told += [(clock.at, late) for late, _ in routing.late()]
        state = "closed" if closed else "open"
        one = msgspec.structs.replace(one, revision=n, severity=severity, state=state)
        if routing(one):
            told.append((clock.at, one))
    clock.at += 101
    told += [(clock.at, late) for late, _ in routing.late()]
    assert told[-1][1] == one
    for (before, first), (after, second) in pairwise(told):
        same = first.state == second.state == "open" and first.severity == second.severity
        if same:
            assert after - before >= 100 - 1e-6


def test_teams_are_told_by_labels_and_annotations() -> None:
    teams = Teams("owner")
    for one in (
        {"kind": "Namespace", "metadata": {"name": "shop", "labels": {"owner": "web"}}},
        {"metadata": {"name": "web-7f", "namespace": "shop", "annotations": {"owner": "pay"}}},
        {"metadata": {"name": "other", "namespace": "shop"}},
        {"kind": "Node", "metadata": {"name": "ci", "labels": {"owner": "x"}}},
        {"metadata": {"name": "odd", "namespace": "shop", "labels": ["owner"]}},
        {"metadata": None},
        None,
        7,
    ):
        teams.add(one)
    assert teams.of(alert("shop")) == "pay"
    assert teams.of(alert("shop", entity={"k8s_ns": "shop", "pod_name": "other"})) == "web"
    assert teams.of(alert("ci")) == ""


def test_mon_906_opens_and_closes_one_alert() -> None:
    down = silent("slack:env:X", "404", 5, "prod", 5)
    up = silent("slack:env:X", "", 9, "prod", 5)
    assert (down.rule, down.state, down.revision) == ("MON-906", "open", 1)
    assert (up.id, up.state, up.revision) == (down.id, "closed", 2)
    assert silent("slack:env:Y", "404", 5, "prod", 5).id != down.id


def test_teams_of_pods_that_come_and_go_take_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("martello.practices.monitor.alerts.route._MOST_PODS", 10)
    teams = Teams("owner")
    for number in range(100):
        meta = {"name": f"p-{number}", "namespace": "shop", "labels": {"owner": "web"}}
        teams.add({"metadata": meta})
    assert len(teams._pods) == 10
    assert teams.of(alert("shop", entity={"k8s_ns": "shop", "pod_name": "p-99"})) == "web"
    teams.add({"metadata": {"name": "p-99", "namespace": "shop"}})
    assert teams.of(alert("shop", entity={"k8s_ns": "shop", "pod_name": "p-99"})) == ""
