"""Events of several sources through the rules, as one stream."""

from __future__ import annotations

from typing import Any

from tests.practices.monitor.test_attribute import CONTROLLER, opened, shell, write

from martello.adapters.batch import table
from martello.core.alert import Alert
from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.exceptions import Exceptions, Silence
from martello.practices.monitor.ir import Atom, Column
from martello.practices.monitor.pipeline import Pipeline
from martello.practices.monitor.rule import Correlation, Pack, Rule

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
