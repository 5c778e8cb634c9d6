"""Events of several sources through the rules, as one stream."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest
from tests.practices.monitor.alerts.test_attribute import CONTROLLER, opened, shell, write

from martello.adapters.batch import table
from martello.core.alert import Alert
from martello.core.own import Own
from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.engine.ir import Atom, Column
from martello.practices.monitor.engine.rule import Correlation, Pack, Rule
from martello.practices.monitor.noise.exceptions import Exceptions, Silence
from martello.practices.monitor.pipeline import Pipeline

SHELL = Rule(
    "MON-131",
    "Shell in a container",
    Atom(Column("proc_flags"), "intersects", ("entered",)),
    ("process",),
    say="shell in {pod_name}, opened by {actor_origin}",
)
ABOUT_PODS = Atom(Column("k8s_resource"), "=", ("pods",))
PODS = Rule("MON-1", "Pod", ABOUT_PODS, ("audit",), say="{actor_origin}")


def fed(pipeline: Pipeline, *events: dict[str, Any]) -> list[Alert]:
    """Events one after another, each with an id."""
    found: list[Alert] = []
    for number, event in enumerate(events):
        one = {"id": f"{event['kind']}{number}{event['time']}", "source": event["kind"], **event}
        found.extend(pipeline.feed(table(event["kind"], [one])))
    return found


def test_a_shell_names_its_user_whichever_comes_first() -> None:
    told = fed(Pipeline(Pack([SHELL])), opened("alice", 100), shell(101))
    assert [one.says for one in told] == ["shell in web, opened by alice"]
    pipeline = Pipeline(Pack([SHELL]))
    first, again = fed(pipeline, shell(101), opened("alice", 100.5))
    assert first.says == "shell in web, opened by -"
    assert (again.id, again.revision) == (first.id, 2)
    assert again.says == "shell in web, opened by alice"


def test_a_pod_of_a_controller_is_told_of_who_wrote_the_deployment() -> None:
    pipeline = Pipeline(Pack([PODS]))
    (alert,) = fed(
        pipeline,
        write("alice", "deployments", "billing"),
        write(CONTROLLER, "pods", "billing-5d9-x", ("Deployment", "billing")),
    )
    assert alert.says == "alice"


def test_exceptions_take_hits_away_and_are_counted() -> None:
    pack = Pack([SHELL])
    known = Silence("MON-131", {"pod_name": "web"}, place="x:1")
    pipeline = Pipeline(pack, exceptions=Exceptions([known], pack))
    told = fed(pipeline, shell(1), shell(2, pod_name="other"))
    assert [one.entity["pod_name"] for one in told] == ["other"]
    assert pipeline.silenced == {"MON-131": 1}
    assert pipeline.hits == {"MON-131": 2}


def test_rules_of_a_correlation_are_silent_and_it_is_told_in_the_end() -> None:
    both = Rule(
        "MON-400",
        "Shell, then pods",
        correlate=Correlation("sequence", ("MON-131", "MON-1"), ("k8s_ns",), 600, ">=", 2),
    )
    pipeline = Pipeline(Pack([SHELL, PODS, both]))
    assert fed(pipeline, shell(1), {**opened("alice", 30), "k8s_subresource": None}) == []
    (alert,) = pipeline.end()
    assert alert.rule == "MON-400"
    assert len(alert.evidence) == 2


def test_what_is_new_is_told_and_what_is_never_wanted_is_never_learned() -> None:
    base = {"k8s_ns": "shop", "pod_workload": "deploy/web", "container_name": "main"}
    never = Rule(
        "MON-201", "Shell", Atom(Column("proc_exe"), "=", ("/bin/sh",)), ("process",), learn="never"
    )
    baselines = Baselines()
    pipeline = Pipeline(Pack([never]), baselines=baselines)
    usual = [
        {
            "kind": "process",
            "pod_name": f"web-{n % 3}",
            "proc_exe": "/app",
            **base,
            "time": n * 10**10,
        }
        for n in range(1, 300)
    ]
    assert fed(pipeline, *usual) == []
    last = 300 * 10**10
    shell = {"kind": "process", "pod_name": "web-1", "proc_exe": "/bin/sh", **base, "time": last}
    told = fed(pipeline, shell, {**shell, "proc_exe": "/tmp/miner", "time": last + 1})
    assert {one.rule for one in told} == {"MON-201", "MON-501"}
    assert {one.says.partition(":")[0] for one in told if one.rule == "MON-501"} == {
        "/bin/sh",
        "/tmp/miner",
    }
    (normal,) = baselines.normals()
    assert normal.values["exe"]["/tmp/miner"].state == "waiting"


def test_a_part_of_a_correlation_keeps_nothing_from_being_learned() -> None:
    """A token that is read is the half of an attack, and what every container does."""
    base = {"k8s_ns": "shop", "pod_workload": "deploy/web", "container_name": "main"}
    part, other = (
        Rule(name, name, Atom(Column("proc_exe"), "=", (exe,)), ("process",), learn="never")
        for name, exe in (("MON-400/read", "/bin/cat"), ("MON-400/run", "/bin/sh"))
    )
    whole = Rule(
        "MON-400",
        "both",
        learn="never",
        correlate=Correlation("all", (part.id, other.id), ("pod_name",), 60, ">=", 2),
    )

    def ran(exe: str, second: int) -> dict[str, Any]:
        at = second * 10**9
        return {"kind": "process", "pod_name": "web-1", "proc_exe": exe, **base, "time": at}

    baselines = Baselines()
    pipeline = Pipeline(Pack([part, other, whole]), baselines=baselines)
    fed(pipeline, ran("/bin/cat", 1), ran("/app", 2))
    pipeline.end()
    (normal,) = baselines.normals()
    assert {value: one.state for value, one in normal.values["exe"].items()} == {
        "/bin/cat": "learned",
        "/app": "learned",
    }
    fed(pipeline, ran("/bin/cat", 100), ran("/bin/sh", 101))
    assert [one.rule for one in pipeline.end()] == ["MON-400"]
    fed(pipeline, ran("/tmp/miner", 102))
    assert normal.values["exe"]["/app"].state == "learned"
    assert {normal.values["exe"][one].state for one in ("/bin/sh", "/tmp/miner")} == {"waiting"}


def stream(seed: int) -> list[dict[str, Any]]:
    """Shells in some pods and execs into them, in the order of their time, all on one clock."""
    random = Random(seed)
    found: list[dict[str, Any]] = []
    for number, second in enumerate(sorted(random.sample(range(20_000), 120))):
        pod = f"web-{random.randrange(4)}"
        if random.random() < 0.3:
            one = opened(random.choice(["alice", "bob"]), second, k8s_name=pod)
            one["api_id"] = str(number)
        else:
            one = shell(second, pod_name=pod, proc_exe=random.choice(["/bin/sh", "/bin/bash"]))
        found.append({"id": f"e{number}", "source": "one", **one})
    return found


def fed_by(size: int, events: list[dict[str, Any]], pipeline: Pipeline) -> dict[str, Alert]:
    """What alerts are in the end where events come so many at a time, one kind after another."""
    found: dict[str, Alert] = {}
    for first in range(0, len(events), size):
        for kind in ("audit", "process"):
            rows = [one for one in events[first : first + size] if one["kind"] == kind]
            if rows:
                found.update((one.id, one) for one in pipeline.feed(table(kind, rows)))
    found.update((one.id, one) for one in pipeline.end())
    return found


@pytest.mark.parametrize("seed", range(4))
def test_ids_and_counts_survive_re_chunking_and_an_exception_never_adds(seed: int) -> None:
    asked = Correlation("count", ("MON-131",), ("pod_name",), 900, ">=", 3, alone=True)
    many = Rule("MANY", "m", correlate=asked)
    pack, events = Pack([SHELL, many]), stream(seed)
    whole = fed_by(len(events), events, Pipeline(pack))
    assert {one.rule for one in whole.values()} == {"MON-131", "MANY"}
    for size in (1, 7, 40):
        pieces = fed_by(size, events, Pipeline(pack))
        assert {(i, a.repeats, a.first, a.last) for i, a in pieces.items()} == {
            (i, a.repeats, a.first, a.last) for i, a in whole.items()
        }
    for match in ({"proc_exe": "/bin/sh"}, {"pod_name": "web-1"}, {"pod_name": {"glob": "web-*"}}):
        known = Exceptions([Silence("MON-131", match, place="x")], pack)
        fewer = fed_by(7, events, Pipeline(pack, exceptions=known))
        by_rule = [Counter(one.rule for one in told.values()) for told in (fewer, whole)]
        assert all(by_rule[0][rule] <= by_rule[1][rule] for rule in by_rule[1])
        assert by_rule[0]["MANY"] == by_rule[1]["MANY"]


def test_who_is_known_later_is_told_of_the_shell_that_he_opened_and_of_no_other() -> None:
    pipeline = Pipeline(Pack([SHELL]))
    alice = opened("alice", 100, "ResponseComplete", api_ms=5_000)
    first = fed(pipeline, alice, shell(99), shell(150))[-1]
    again = fed(pipeline, opened("bob", 149.5))[-1]
    assert again.id == first.id
    assert [one.columns.get("actor_origin") for one in again.evidence] == ["alice", "bob"]


def test_requests_of_our_own_are_not_told_of() -> None:
    own, uri, second = Own(b"k" * 32), "/api/v1/pods", 1_000_000_000
    name = own.name("GET", uri, 100)
    ours = {"kind": "audit", "k8s_resource": "pods", "api_uri": uri, "time": 100 * second}
    ours["api_verb"] = "list"
    pipeline = Pipeline(Pack([PODS]), own=own)
    rows = [
        {**ours, "id": "1", "api_id": name},
        {**ours, "id": "2", "api_id": name, "time": 101 * second},  # somebody who has seen it
        {**ours, "id": "3", "api_id": name.replace("8", "9")},
        {**ours, "id": "4"},
    ]
    told = pipeline.feed(table("audit", rows))
    assert [one.event for alert in told for one in alert.evidence] == ["2", "3", "4"]
    assert pipeline.own == 1


def test_what_an_earlier_run_has_told_of_goes_on() -> None:
    """Our own requests stay ours, and while an alert is open nothing is learned."""
    own, uri, second = Own(b"k" * 32), "/api/v1/pods", 1_000_000_000
    often = Rule("C", "c", correlate=Correlation("count", ("MON-1",), ("kind",), 600, ">=", 2))
    never = msgspec.structs.replace(SHELL, learn="never")
    baselines = Baselines()
    pipeline = Pipeline(Pack([PODS, often, never]), own=own, baselines=baselines)
    ours = {"kind": "audit", "k8s_resource": "pods", "api_verb": "list", "api_uri": uri}
    rows = []
    for at in (100, 110):
        name = own.name("GET", uri, at)
        rows.append({**ours, "id": f"{at}", "api_id": name, "time": at * second})
    pipeline.warm(table("audit", rows))
    pipeline.warm(table("process", [{"id": "s", "source": "x", **shell(120)}]))
    (alert,) = fed(
        pipeline, {**ours, "api_id": "x", "time": 130 * second}, shell(140, proc_exe="/x")
    )
    assert (alert.rule, pipeline.own, pipeline.end()) == ("MON-131", 0, ())
    again = {**rows[0], "id": "other", "time": 131 * second}  # an id that stood in the log
    fed(pipeline, again)
    assert pipeline.own == 0
    values = [one.values["exe"].get("/x") for one in baselines.normals()]
    assert [one.state for one in values if one] == ["waiting"]


def test_one_act_is_one_hit_whatever_stages_the_log_tells_of() -> None:
    thrice = Rule(
        "C", "c", correlate=Correlation("count", ("MON-1",), ("actor_user",), 600, ">=", 2)
    )
    pipeline = Pipeline(Pack([PODS, thrice]))
    stages = ("RequestReceived", "ResponseStarted", "ResponseComplete")
    fed(pipeline, *(opened("ann", at, stage) for at, stage in enumerate(stages)))
    assert pipeline.end() == ()  # one is no two
    assert pipeline.hits["MON-1"] == 1
    # The client chooses the id of its request: another request under it is another act.
    fed(pipeline, opened("ann", 5, stages[1]), opened("ann", 6, stages[1], api_uri="/other"))
    assert pipeline.hits["MON-1"] == 3
    fed(pipeline, opened("eve", 7, stages[1], api_id="ann-exec"), opened("ann", 8, stages[1]))
    assert pipeline.hits["MON-1"] == 5
    fed(pipeline, opened("ann", 9, stages[2]), opened("ann", 10, stages[2]))
    assert pipeline.hits["MON-1"] == 6
    fed(pipeline, *(opened("ann", at, api_id=None) for at in (11, 12)))
    assert pipeline.hits["MON-1"] == 8


def test_a_rule_of_a_stage_hears_of_it() -> None:
    over = Rule("MON-9", "Over", Atom(Column("api_stage"), "=", ("ResponseComplete",)), ("audit",))
    pipeline = Pipeline(Pack([PODS, over]))
    fed(pipeline, opened("ann", 1), opened("ann", 60, "ResponseComplete"))
    assert pipeline.hits == {"MON-1": 1, "MON-9": 1}


FUTURE = 4_000_000_000


@pytest.mark.parametrize("seed", range(6))
def test_an_event_of_a_clock_that_is_ahead_changes_nothing_of_the_others(seed: int) -> None:
    count = Correlation("count", ("MON-131",), ("pod_name",), 600, ">=", 3)
    rules = Pack([SHELL, PODS, Rule("MON-401", "Many shells", correlate=count)])
    random = Random(seed)
    events = [one for one in stream(seed) if one["kind"] == "process"]
    # As they come: up to half a minute late, which is within the lateness.
    events.sort(key=lambda one: one["time"] + random.randrange(30) * 10**9)
    ahead = [
        {**shell(FUTURE + 3_600 * n, pod_name=random.choice(["web-1", "odd"])), "id": f"ahead{n}"}
        for n in range(3)
    ]
    places = [0, len(events), random.randrange(len(events))]
    mixed = list(events)
    for one, place in zip(ahead, sorted(places, reverse=True), strict=True):
        mixed.insert(place, {**one, "source": "one"})

    def correlated(given: list[dict[str, Any]], size: int) -> dict[str, int]:
        found = fed_by(size, given, Pipeline(rules))
        return {id_: one.repeats for id_, one in found.items() if one.rule == "MON-401"}

    alone = correlated(events, 5)
    assert alone
    for size in (1, 5, len(mixed)):
        assert correlated(mixed, size) == alone


def test_a_clock_that_is_ahead_hides_nothing_that_is_new_in_one_replica() -> None:
    base = {"kind": "process", "k8s_ns": "shop", "pod_workload": "deploy/web"}

    def told(*odd: float) -> list[tuple[str, str]]:
        baselines = Baselines()
        pipeline = Pipeline(Pack([]), baselines=baselines)
        usual = [
            {**base, "pod_name": f"web-{n % 3}", "proc_exe": "/app", "time": n * 10**10}
            for n in range(1, 300)
        ]
        fed(pipeline, *usual[:100])
        for second in odd:
            fed(pipeline, {**usual[0], "time": int(second * 10**9)})
        fed(pipeline, *usual[100:])
        new = {**usual[0], "proc_exe": "/tmp/miner", "time": 301 * 10**10}
        found = fed(pipeline, new, {**usual[1], "time": 320 * 10**10})
        return [(one.rule, one.says.partition(":")[0]) for one in found]

    assert told(FUTURE) == told()
    assert [rule for rule, _ in told()] == ["MON-501"]


def test_a_live_stream_waits_for_no_clock_that_is_ahead() -> None:
    count = Correlation("count", ("MON-131",), ("pod_name",), 600, ">=", 3)
    now = 1_000 * 10**9
    pipeline = Pipeline(
        Pack([SHELL, Rule("MON-401", "Many shells", correlate=count)]), clock=lambda: now
    )
    assert fed(pipeline, shell(999), shell(1_000), shell(5_000, pod_name="other")) == []
    assert fed(pipeline, shell(80_000)) == []  # of a node whose clock is most of a day ahead
    now = 1_100 * 10**9
    assert [one.rule for one in pipeline.tick()] == ["MON-401"]
