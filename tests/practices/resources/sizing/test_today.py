"""What is set today, autoscalers that are kept in step, and runtimes that follow limits."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import yaml
from tests.support.network.objects import cluster as world_of

from martello.core.sizing import Advice, Key, Today
from martello.core.usage import Chunk, Metric, Owned
from martello.practices.resources.sizing.advise import advise
from martello.practices.resources.sizing.cautions import with_targets
from martello.practices.resources.sizing.today import today
from martello.practices.resources.usage.demand import HOUR
from martello.practices.resources.usage.gather import gather, window

BEGIN = 1_767_571_200.0
MI = 2.0**20
HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  maxReplicas: 9
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
"""


def _web(container: str, more: str = "", kind: str = "Deployment") -> dict[Key, Today]:
    text = f"""
apiVersion: apps/v1
kind: {kind}
metadata: {{name: web, namespace: shop}}
spec:
  replicas: 3
  template:
    spec:
      containers:
      - {container}
---
{more}
"""
    return today(world_of([doc for doc in yaml.safe_load_all(text) if doc]))


def _advised(known: dict[Key, Today], cores: float = 0.2, memory: float = 400 * MI) -> list[Advice]:
    times = BEGIN + 1.0 + np.arange(0, 15 * 24 * HOUR, 300.0)
    made = []
    for key, now in sorted(known.items()):
        of = Owned(key.namespace, "web-7d9c5b6f4-x2x7q", key.container, key.workload)
        values: dict[Metric, Any] = {"cpu": (times - BEGIN) * cores, "memory": times * 0 + memory}
        chunks = [Chunk(of, metric, times, value) for metric, value in values.items()]
        (demand,) = gather(chunks, window(BEGIN, BEGIN + 15 * 24 * HOUR))
        made.append(advise(demand, now))
    return with_targets(made)


def test_requests_are_the_limits_where_nothing_else_is_said() -> None:
    known = _web(
        "{name: app, resources: {limits: {cpu: 500m, memory: 1Gi}, requests: {cpu: 1e-1}}}"
    )
    now = known[Key("shop", "deploy/web", "app")]
    assert now.sizes.cores == pytest.approx(0.1)
    assert now.sizes.memory == 1024 * MI
    assert now.sizes.cores_limit == 0.5
    assert now.replicas == 3


@pytest.mark.parametrize("bad", ["nonsense", "[1]", "{a: b}", "1.5.5Gi"])
def test_what_the_server_would_not_take_is_as_good_as_nothing(bad: str) -> None:
    known = _web(f"{{name: app, resources: {{requests: {{memory: {bad}}}}}}}")
    assert known[Key("shop", "deploy/web", "app")].sizes.memory is None


def test_an_autoscaler_keeps_its_trigger() -> None:
    known = _web("{name: app, resources: {requests: {cpu: 100m, memory: 64Mi}}}", HPA)
    (one,) = _advised(known)
    assert one.sizes is not None
    assert one.sizes.cores is not None
    (target,) = one.targets
    assert target.now == 70
    assert target.trigger == pytest.approx(0.07)
    # the same cores in both, to a per cent of the request
    assert target.then / 100 * one.sizes.cores == pytest.approx(0.07, abs=0.005 * one.sizes.cores)
    assert any("set averageUtilization" in line and "70m" in line for line in one.cautions)


def test_the_target_of_a_pod_is_a_share_of_all_its_containers() -> None:
    two = """{name: app, resources: {requests: {cpu: 100m}}}
      - {name: side, resources: {requests: {cpu: 300m}}}"""
    app, side = _advised(_web(two, HPA))
    assert len(app.targets) == 1
    assert side.targets == ()
    assert app.targets[0].trigger == pytest.approx(0.28)


def test_an_autoscaler_without_a_request_is_told_of() -> None:
    (one,) = _advised(_web("{name: app}", HPA))
    assert one.targets == ()
    assert any("cannot work" in line for line in one.cautions)


def test_the_old_form_of_an_autoscaler_is_read() -> None:
    old = """
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec: {maxReplicas: 9, targetCPUUtilizationPercentage: 50,
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
"""
    known = _web("{name: app, resources: {requests: {cpu: 100m}}}", old)
    assert [s.percent for s in known[Key("shop", "deploy/web", "app")].scalers] == [50]


def test_a_vertical_autoscaler_is_told_of() -> None:
    vertical = """
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: web, namespace: shop}
spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web},
  updatePolicy: {updateMode: Auto}}
"""
    (one,) = _advised(_web("{name: app}", vertical))
    assert any("VerticalPodAutoscaler web (Auto)" in line for line in one.cautions)


@pytest.mark.parametrize(
    ("container", "says"),
    [
        ("{name: app, args: [-Xmx2g, -jar, a.jar]}", "-Xmx lets the heap grow to 2Gi"),
        ("{name: app, args: ['-XX:MaxRAMPercentage=75']}", "the JVM's heap is 75 % of the limit"),
        ("{name: app, image: 'docker.io/library/eclipse-temurin:21'}", "heap is 25 % of the limit"),
        ("{name: app, env: [{name: JAVA_OPTS, value: -Xmx4096m}]}", "grow to 4Gi"),
        ("{name: app, env: [{name: GOMEMLIMIT, value: 8GiB}]}", "set GOMEMLIMIT to"),
        ("{name: app, args: [--max-old-space-size=4096]}", "max-old-space-size lets"),
    ],
    ids=["xmx", "share", "image", "environment", "go", "node"],
)
def test_runtimes_that_follow_the_limit_are_told_of(container: str, says: str) -> None:
    (one,) = _advised(_web(container))
    assert any(says in line for line in one.cautions), one.cautions


@pytest.mark.parametrize(
    "container",
    [
        "{name: app, args: [-Xmx64m]}",
        "{name: app, env: [{name: GOMEMLIMIT, value: off}]}",
        "{name: app, image: 'example.com/javascript-runner:1'}",
        "{name: app, args: 7, command: {a: b}, env: [7, {name: 1}]}",
    ],
    ids=["small heap", "off", "another word", "wrong types"],
)
def test_others_are_not(container: str) -> None:
    (one,) = _advised(_web(container))
    assert one.cautions == ()


@pytest.mark.parametrize(
    ("container", "heap"),
    [
        ("{name: app, args: [-Xmx64m, -Xmx2g]}", 2048),
        ("{name: app, args: [-Xmx2g, '-XX:MaxHeapSize=64m']}", 64),
        ("{name: app, args: [-Xmx2g], env: [{name: JAVA_TOOL_OPTIONS, value: -Xmx64m}]}", 2048),
        ("{name: app, args: [-Xmx2g], env: [{name: _JAVA_OPTIONS, value: -Xmx64m}]}", 64),
        ("{name: app, env: [{name: JAVA_OPTS, value: -Xmx1g -Xmx3g}]}", 3072),
    ],
    ids=["arguments", "long name", "tool options", "last word", "one variable"],
)
def test_of_two_heaps_the_last_counts(container: str, heap: int) -> None:
    (known,) = _web(container).values()
    assert [(one.what, one.bytes) for one in known.runtime] == [("-Xmx", heap * MI)]


def test_one_replica_and_a_limit_that_holds_back_are_told_of() -> None:
    known = _web("{name: app, resources: {limits: {cpu: 500m}}}")
    alone = {k: msgspec.structs.replace(v, replicas=1) for k, v in known.items()}
    (one,) = _advised(alone)
    assert any(line.startswith("one replica") for line in one.cautions)


@pytest.mark.parametrize(
    "guard",
    [
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},"
        " spec: {hard: {limits.cpu: 9}}}",
        "{apiVersion: v1, kind: LimitRange, metadata: {name: q, namespace: shop},"
        " spec: {limits: [{type: Container, max: {cpu: 9}}]}}",
        "{apiVersion: v1, kind: LimitRange, metadata: {name: q, namespace: shop},"
        " spec: {limits: [7, {type: Container, default: {cpu: 1}}]}}",
    ],
    ids=["quota", "maximum", "default"],
)
def test_a_limit_of_processor_time_only_where_a_guard_demands_it(guard: str) -> None:
    (one,) = _advised(_web("{name: app}", guard))
    assert one.sizes is not None
    assert one.sizes.cores_limit is not None
    assert one.sizes.cores is not None
    assert one.sizes.cores_limit >= one.sizes.cores
    assert any("demands a limit of cpu" in line for line in one.cautions)
    (free,) = _advised(_web("{name: app}", guard.replace("shop", "other")))
    assert free.sizes is not None
    assert free.sizes.cores_limit is None
