"""Pods, in the order of the server's steps: decoding, defaults, classes, validation, LimitRange."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.resources.admitting import (
    ask,
    deployment,
    limits,
    pod,
    quota,
    says,
    thing,
    world,
)

from martello.core.workload import workload_of
from martello.practices.resources.admission.pipeline import admit, pod_of
from martello.practices.resources.admission.server import Server


def _resources(found: Any, key: str = "containers", index: int = 0) -> Any:
    assert found.pod is not None, found.messages
    return found.pod["spec"][key][index].get("resources", {})


def test_decoding_fills_requests_from_limits_in_init_containers_too() -> None:
    found = ask(pod({"limits": {"cpu": "1e-10"}}, init=({"limits": {"memory": "1Gi"}},)))
    assert _resources(found) == {"limits": {"cpu": "1e-3"}, "requests": {"cpu": "1e-3"}}
    assert _resources(found, "initContainers")["requests"] == {"memory": "1Gi"}


def test_decoding_fills_key_by_key() -> None:
    given = {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}
    assert _resources(ask(pod(given)))["requests"] == {"cpu": "1", "memory": "1Gi"}


def test_a_bad_quantity_is_refused_before_anything_else() -> None:
    found = ask(pod({"limits": {"cpu": "1 Gi"}}), limits({"max": {"cpu": "1m"}}))
    assert (found.verdict, found.code) == ("refused", 400)
    assert found.messages[0].path == ("spec", "containers", 0, "resources", "limits", "cpu")


def test_templates_keep_their_gaps() -> None:
    gap = {"limits": {"cpu": "2"}}
    default = limits({"defaultRequest": {"cpu": "1"}})
    # A pod's request is its own limit; only what it makes is judged of a Deployment.
    found = ask(deployment(1, gap), default)
    assert found.pod is not None
    assert _resources(found)["requests"] == {"cpu": "2"}
    bad = {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}
    found = ask(deployment(1, bad), default)
    assert found.code == 422
    assert says(found)[0].startswith("spec.template.spec.containers[0].resources.requests")


@pytest.mark.parametrize(
    ("item", "limit", "request_"),
    [
        ({"default": {"cpu": "2"}}, "2", "2"),
        ({"max": {"cpu": "3"}}, "3", "3"),
        ({"max": {"cpu": "3"}, "default": {"cpu": "2"}}, "2", "2"),
        ({"default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}}, "2", "1"),
        ({"min": {"cpu": "1"}}, None, "1"),
        ({"min": {"cpu": "1"}, "default": {"cpu": "2"}}, "2", "2"),
        ({"defaultRequest": {"cpu": "1"}}, None, "1"),
    ],
)
def test_a_limit_range_fills_its_own_gaps(item: Any, limit: Any, request_: Any) -> None:
    found = ask(pod({}), limits(item))
    assert _resources(found).get("limits", {}).get("cpu") == limit
    assert _resources(found)["requests"]["cpu"] == request_


@pytest.mark.parametrize("item", [{"default": {"memory": "1Gi"}}, {"max": {"memory": "1Gi"}}])
def test_golden_default_below_request_makes_the_pod_invalid(item: Any) -> None:
    found = ask(pod({"requests": {"memory": "2Gi"}}), limits(item))
    assert (found.verdict, found.code) == ("refused", 422)
    assert says(found) == [
        'spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal '
        "to memory limit of 1Gi"
    ]


@pytest.mark.parametrize(
    ("minor", "told"), [(26, "memory limit"), (27, "memory limit of 1Gi")], ids=str
)
def test_the_words_of_a_version(minor: int, told: str) -> None:
    bad = pod({"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}})
    assert says(ask(bad, kubernetes=minor))[0].endswith(told)


def test_two_items_of_one_type_are_invalid() -> None:
    found = ask(limits({"min": {"cpu": "1"}}, {"max": {"cpu": "2"}}))
    assert (found.code, says(found)) == (422, ['spec.limits[1].type: Duplicate value: "Container"'])


def test_what_is_filled_in_is_noted_on_the_pod() -> None:
    item = {"default": {"memory": "1Gi", "cpu": "1"}, "defaultRequest": {"cpu": "100m"}}
    found = ask(pod({}, {"limits": {"cpu": "2"}}, init=({},)), limits(item))
    assert found.pod is not None
    assert found.pod["metadata"]["annotations"] == {
        "kubernetes.io/limit-ranger": "LimitRanger plugin set: cpu, memory request for container "
        "c0; cpu, memory limit for container c0; memory request for container c1; memory limit "
        "for container c1; cpu, memory request for init container i0; cpu, memory limit for init "
        "container i0"
    }
    by = [(path, value) for path, value, owner in found.changes if owner is not None]
    assert (("spec", "containers", 0, "resources", "limits", "memory"), "1Gi") in by


def test_golden_limit_ranges_that_contradict_each_other_are_not_judged() -> None:
    one = limits({"default": {"memory": "1Gi"}}, name="one")
    two = limits({"default": {"memory": "2Gi"}}, name="two")
    found = ask(pod({}), one, two)
    assert found.verdict == "unassessed"
    assert "1Gi" in found.reason
    assert "2Gi" in found.reason
    assert "one" in found.reason
    assert len(Server(world(one, two)).outcomes(pod({}))) == 2
    assert ask(pod({"limits": {"memory": "1Gi"}}), one, two).verdict == "admitted"
    # Refused by either order, only for other reasons.
    assert ask(pod({"requests": {"memory": "3Gi"}}), one, two).code == 422
    # Admitted in one order only.
    found = ask(pod({"requests": {"memory": "1500Mi"}}), one, two)
    assert found.verdict == "unassessed"
    many = [limits({"default": {"cpu": str(i)}}, name=f"l{i}") for i in range(1, 7)]
    assert ask(pod({}), *many).verdict == "unassessed"


@pytest.mark.parametrize(
    ("item", "given", "told"),
    [
        ({"min": {"cpu": "1"}}, {"requests": {"cpu": "1"}}, ""),
        (
            {"min": {"cpu": "1"}},
            {"requests": {"cpu": "999m"}},
            "minimum cpu usage per Container is 1, but request is 999m",
        ),
        (
            {"min": {"cpu": "1"}},
            {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}},
            "",
        ),
        (
            {"type": "Pod", "min": {"cpu": "1"}},
            {},
            "minimum cpu usage per Pod is 1.  No request is specified",
        ),
        ({"max": {"cpu": "1"}}, {"limits": {"cpu": "1"}}, ""),
        (
            {"max": {"cpu": "1"}},
            {"limits": {"cpu": "1001m"}},
            "maximum cpu usage per Container is 1, but limit is 1001m",
        ),
        (
            {"type": "Pod", "max": {"cpu": "1"}},
            {"requests": {"cpu": "1"}},
            "maximum cpu usage per Pod is 1.  No limit is specified",
        ),
        (
            {"type": "Pod", "maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}},
            "",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "2001m"}, "requests": {"cpu": "1"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 2.001000",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "1"}},
            "cpu max limit to request ratio per Container is 2, but no limit is specified or limit "
            "is 0",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "0"}},
            "cpu max limit to request ratio per Container is 2, but no request is specified or "
            "request is 0",
        ),
        (
            {"type": "Pod", "max": {"memory": "9223372036854775"}},
            {"limits": {"memory": "9223372036854775.5"}},
            "maximum memory usage per Pod is 9223372036854775, but limit is 9223372036854775500m",
        ),
        (
            {"type": "Pod", "max": {"memory": "9223372036854776"}},
            {"limits": {"memory": "9223372036854775.5"}},
            "",
        ),
    ],
)
def test_what_limit_ranges_refuse(item: Any, given: Any, told: str) -> None:
    found = ask(pod(given), limits(item))
    assert says(found) == ([told] if told else [])
    assert found.code == (403 if told else 201)
    if told:
        assert found.messages[0].by is not None
        assert found.messages[0].at[:3] == ("spec", "limits", 0)


@pytest.mark.parametrize(
    ("given", "init", "minor", "refused"),
    [
        (({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1"}}), (), 20, False),
        (({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1001m"}}), (), 20, True),
        # A resource that one container leaves out counts as not given; since 1.28 it is a sum.
        (({"limits": {"cpu": "1"}}, {}), (), 27, True),
        (({"limits": {"cpu": "1"}}, {}), (), 28, False),
        (({"limits": {"cpu": "1"}},), ({"limits": {"cpu": "2"}},), 20, False),
        (({"limits": {"cpu": "1"}},), ({"limits": {"cpu": "3"}},), 20, True),
        # Golden: an init container alone may introduce the resource.
        (({},), ({"limits": {"cpu": "2"}},), 20, False),
        (({},), (), 20, True),
        # Sidecars stay, so that they add up.
        (
            ({"limits": {"cpu": "1"}},),
            ({"restartPolicy": "Always", "limits": {"cpu": "1500m"}},),
            28,
            False,
        ),
        (
            ({"limits": {"cpu": "1"}},),
            ({"restartPolicy": "Always", "limits": {"cpu": "1500m"}},),
            29,
            True,
        ),
    ],
)
def test_pods_as_a_whole(given: Any, init: Any, minor: int, refused: bool) -> None:
    item = limits({"type": "Pod", "max": {"cpu": "2"}})
    found = ask(pod(*given, init=init), item, kubernetes=minor)
    assert (found.code == 403) is refused


def test_memory_of_a_pod_was_rounded_up_before_it_was_added() -> None:
    parts = [{"limits": {"memory": "0.5"}}] * 3
    item = limits({"type": "Pod", "max": {"memory": "2"}})
    assert ask(pod(*parts), item, kubernetes=27).code == 403
    assert ask(pod(*parts), item, kubernetes=28).code == 201


def test_updates_of_pods_are_not_checked_and_resizes_are_since_they_exist() -> None:
    old = pod({"limits": {"cpu": "1"}})
    item = limits({"max": {"cpu": "1"}})
    assert ask(old, item, old).code == 200
    bigger = pod({"limits": {"cpu": "2"}})
    assert ask(bigger, item, old, kubernetes=32).code == 422
    found = ask(bigger, item, old, kubernetes=33)
    assert (found.code, says(found)) == (
        403,
        ["maximum cpu usage per Container is 1, but limit is 2"],
    )
    assert ask(bigger, old, kubernetes=33).code == 200
    class_changed = ask(pod({"requests": {"cpu": "1"}}), pod({}), kubernetes=33)
    assert class_changed.code == 422
    assert "QOS Class" in says(class_changed)[0]
    held = quota(hard={"cpu": "1500m"}, status={"hard": {"cpu": "1500m"}, "used": {"cpu": "1"}})
    found = ask(bigger, held, old, kubernetes=33)
    assert says(found) == [
        "exceeded quota: quota, requested: cpu=1, used: cpu=1, limited: cpu=1500m"
    ]


def test_resources_of_the_pod_itself_since_they_exist() -> None:
    whole = pod({}, resources={"limits": {"cpu": "3"}})
    item = limits({"type": "Pod", "max": {"cpu": "2"}})
    assert ask(whole, item, kubernetes=33).code == 403  # not known: no limit is given
    assert says(ask(whole, item, kubernetes=34)) == [
        "maximum cpu usage per Pod is 2, but limit is 3"
    ]
    held = quota(hard={"cpu": "1"})
    assert says(ask(whole, held, kubernetes=33)) == [
        "failed quota: quota: must specify cpu for: c0"
    ]
    assert says(ask(whole, held, kubernetes=34))[0].startswith(
        "exceeded quota: quota, requested: cpu=3"
    )
    small = pod({"requests": {"cpu": "2"}}, resources={"requests": {"cpu": "1"}})
    assert "aggregate container requests" in says(ask(small, kubernetes=34))[0]
    over = pod(
        {"limits": {"cpu": "2"}}, resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}
    )
    assert ask(over, kubernetes=34).code == 422
    found = ask(whole, kubernetes=34)
    assert found.pod is not None
    assert found.pod["spec"]["resources"]["requests"] == {"cpu": "3"}
    assert found.pod["status"]["qosClass"] == "Burstable"


def test_overhead_comes_of_the_runtime_class() -> None:
    heavy = thing(
        "RuntimeClass",
        "heavy",
        handler="h",
        overhead={"podFixed": {"cpu": "250m", "memory": "1Gi"}},
    )
    asked = pod({"requests": {"cpu": "1"}}, runtimeClassName="heavy")
    held = quota(hard={"requests.cpu": "1200m"})
    found = ask(asked, heavy)
    assert found.pod is not None
    assert found.pod["spec"]["overhead"] == {"cpu": "250m", "memory": "1Gi"}
    assert ask(asked, heavy, held, kubernetes=20).code == 201
    assert "requests.cpu=1250m" in says(ask(asked, heavy, held, kubernetes=21))[0]
    of_limits = quota(hard={"limits.cpu": "1"})
    given = pod({"limits": {"cpu": "1"}}, runtimeClassName="heavy")
    assert "limits.cpu=1250m" in says(ask(given, heavy, of_limits, kubernetes=27))[0]
    assert ask(pod({}, runtimeClassName="lost"), live=True).code == 403
    assert "lost" in ask(pod({}, runtimeClassName="lost")).notes[0]
    assert ask(pod({}, overhead={"cpu": "1"}), live=True).code == 403
    assert ask(pod({}, runtimeClassName="heavy", overhead={"cpu": "1"}), heavy).code == 403


def test_the_default_priority_class_fills_the_name() -> None:
    normal = thing("PriorityClass", "normal", value=100, globalDefault=True)
    never = thing("PriorityClass", "never", value=5, preemptionPolicy="Never")
    found = ask(pod({}), normal, never)
    assert found.pod is not None
    spec = found.pod["spec"]
    assert (spec["priorityClassName"], spec["priority"]) == ("normal", 100)
    found = ask(pod({}, priorityClassName="never"), normal, never)
    assert found.pod is not None
    assert found.pod["spec"]["preemptionPolicy"] == "Never"
    found = ask(pod({}, priorityClassName="system-node-critical"), live=True)
    assert found.pod is not None
    assert found.pod["spec"]["priority"] == 2_000_001_000
    lost = pod({}, priorityClassName="lost")
    assert says(ask(lost, normal, live=True)) == ["no PriorityClass with name lost was found"]
    assert "PriorityClass lost is not here: taken to exist" in ask(lost, normal).notes
    assert ask(pod({}, priority=7), normal).code == 403


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        (
            {"limits": {"example.com/gpu": "2"}, "requests": {"example.com/gpu": "1"}},
            "must be equal",
        ),
        ({"requests": {"example.com/gpu": "1"}}, "Limit must be set for non overcommitable"),
        ({"limits": {"example.com/gpu": "1500m"}}, "must be an integer"),
        ({"limits": {"hugepages-2Mi": "2Mi"}}, "HugePages require cpu or memory"),
        ({"limits": {"gpu": "1"}}, "must be a standard resource type or fully qualified"),
        ({"limits": {"cpu": "-1"}}, "must be greater than or equal to 0"),
        ({"limits": {"requests.x.y/z": "1"}}, "doesn't follow extended resource name standard"),
    ],
)
def test_object_validation(resources: Any, told: str) -> None:
    found = ask(pod(resources))
    assert found.code == 422
    assert any(told in words for words in says(found))


@pytest.mark.parametrize(
    ("containers", "init", "expected"),
    [
        (({},), (), "BestEffort"),
        (({"limits": {"cpu": "0"}},), (), "BestEffort"),
        (({"limits": {"example.com/gpu": "1"}},), (), "BestEffort"),
        (({"limits": {"cpu": "1", "memory": "1"}},), (), "Guaranteed"),
        (({"limits": {"cpu": "1", "memory": "1"}},), ({},), "Burstable"),
        (({"limits": {"cpu": "1"}},), (), "Burstable"),
        (({"requests": {"memory": "1"}},), (), "Burstable"),
    ],
)
def test_the_class_of_the_stored_pod(containers: Any, init: Any, expected: str) -> None:
    found = ask(pod(*containers, init=init))
    assert found.pod is not None
    assert found.pod["status"]["qosClass"] == expected


def test_the_facade() -> None:
    here = world(limits({"default": {"cpu": "1"}}), quota(hard={"limits.cpu": "2"}))
    assert admit(here, deployment(None, {}), 3).fitting == 2
    made = workload_of(deployment(1, {}))
    assert made is not None
    spec = pod_of(here, made)["spec"]
    assert spec["containers"][0]["resources"]["limits"] == {"cpu": "1"}
    assert spec["schedulerName"] == "default-scheduler"
