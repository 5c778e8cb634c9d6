"""Advised sizes meet the LimitRanges and quotas of their namespace before anybody gets them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml
from tests.support.network.objects import cluster as world_of

from martello.core.cluster import Cluster
from martello.core.sizing import MI, Advice, Sizes
from martello.practices.resources.sizing.admitted import admitted
from martello.practices.resources.sizing.today import today

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: shop}
spec:
  replicas: %d
  strategy: {rollingUpdate: {maxUnavailable: %s}}
  template:
    spec:
      containers:
      - name: app
        resources: {requests: {cpu: 100m, memory: %s}, limits: {cpu: "1", memory: %s}}
"""
GUARD = """
apiVersion: v1
kind: %s
metadata: {name: g, namespace: shop}
spec: %s
"""


def web(name: str = "web", replicas: int = 3, out: object = 1, memory: str = "256Mi") -> str:
    """A Deployment in which so many pods may be out while it is rolled out."""
    return WEB % (name, replicas, out, memory, memory)


def guard(kind: str, **spec: Any) -> str:
    """A LimitRange or a ResourceQuota."""
    return GUARD % (kind, yaml.safe_dump(spec, default_flow_style=True, width=10_000))


def item(type: str = "Container", **amounts: Any) -> str:
    """A LimitRange of one item."""
    return guard("LimitRange", limits=[{"type": type, **amounts}])


def advised(world: Cluster, memory: dict[str, float]) -> list[Advice]:
    """Advice of so many Mi, and 200m without a limit, for the containers of these workloads."""
    found = []
    for key, now in sorted(today(world).items()):
        name = key.workload.partition("/")[2]
        if name in memory:
            size = memory[name] * MI
            sizes = Sizes(0.2, size, None, size)
            found.append(Advice(key=key, now=now.sizes, sizes=sizes, today=now))
    return admitted(world, found)


def world(*texts: str) -> Cluster:
    """The objects, as files tell them."""
    return world_of([document for text in texts for document in yaml.safe_load_all(text)])


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (
            item(max={"memory": "384Mi"}),
            "LimitRange shop/g would refuse it: maximum memory usage per Container is 384Mi, but "
            "limit is 512Mi: raise it, or spread the load over more pods",
        ),
        (item(min={"memory": "1Gi"}), "minimum memory usage per Container is 1Gi"),
        (item("Pod", max={"memory": "384Mi"}), "maximum memory usage per Pod is 384Mi"),
        (
            item(default={"cpu": "800m"}, maxLimitRequestRatio={"cpu": "2"}),
            "cpu max limit to request ratio per Container is 2, but provided ratio is 4",
        ),
        (item(max={"memory": "512Mi"}), ""),
        (item(max={"ephemeral-storage": "1Gi"}), ""),
    ],
    ids=["max", "min", "sum of the pod", "ratio", "just so much", "another resource"],
)
def test_a_limit_range_that_would_refuse_is_told_of(limits: str, says: str) -> None:
    (one,) = advised(world(web(), limits), {"web": 512})
    assert says in one.refused
    assert bool(one.refused) == bool(says)
    assert one.cautions[:1] == ((one.refused,) if says else ())
    assert one.sizes is not None
    assert one.sizes.memory == 512 * MI  # nothing is capped


def test_that_todays_sizes_are_refused_too_is_said() -> None:
    (one,) = advised(world(web(memory="600Mi"), item(max={"memory": "384Mi"})), {"web": 512})
    assert "would refuse it (so it does today's sizes)" in one.refused


def test_a_quota_counts_all_pods_of_the_workload() -> None:
    quota = guard("ResourceQuota", hard={"requests.memory": "1Gi"})
    (one,) = advised(world(web(), quota), {"web": 340})
    assert not one.refused
    (one,) = advised(world(web(), quota), {"web": 512})
    assert one.refused.startswith(
        "ResourceQuota shop/g would refuse 1 of 3 pods: exceeded quota: g, requested: "
        "requests.memory=512Mi, used: requests.memory=1Gi, limited: requests.memory=1Gi"
    )


@pytest.mark.parametrize(
    ("out", "hard", "memory", "refused"),
    [
        (0, 768 + 340, 340, True),  # three new ones and an old one: 1276Mi
        (0, 3 * 340 + 256, 340, False),
        (0, 3 * 256 + 128, 128, False),  # three old ones and a new one
        (0, 3 * 256 + 127, 128, True),
        (1, 3 * 256 + 127, 128, False),
        ("25%", 3 * 256 + 127, 128, True),  # of three pods: none
    ],
)
def test_a_roll_out_needs_room_for_a_new_pod_beside_the_old_ones(
    out: object, hard: int, memory: int, refused: bool
) -> None:
    quota = guard("ResourceQuota", hard={"requests.memory": f"{hard}Mi"})
    (one,) = advised(world(web(out=out), quota), {"web": memory})
    assert bool(one.refused) == refused, one.refused
    assert ("leaves no room to roll it out" in one.refused) == refused


def test_workloads_of_one_namespace_share_its_quota() -> None:
    quota = guard("ResourceQuota", hard={"requests.memory": "1536Mi"})
    both = world(web("a"), web("b"), quota)
    sizes = {"a": 300.0, "b": 300.0}
    assert [bool(one.refused) for one in advised(both, sizes)] == [True, True]
    sizes = {"a": 340.0, "b": 172.0}  # b makes the room that a needs, whatever its name
    assert [bool(one.refused) for one in advised(both, sizes)] == [False, False]
    sizes = {"a": 300.0, "b": 250.0}
    assert [bool(one.refused) for one in advised(both, sizes)] == [True, False]


def test_of_a_live_world_the_quota_says_itself_what_is_used() -> None:
    status = {"hard": {"requests.memory": "1Gi"}, "used": {"requests.memory": "900Mi"}}
    quota = yaml.safe_load(guard("ResourceQuota", hard={"requests.memory": "1Gi"}))
    objects = [yaml.safe_load(web(replicas=1)), {**quota, "status": status}]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u"}
    objects[0]["metadata"]["uid"] = "u"
    owners = [{**owner, "controller": True}]
    metadata = {"name": "web-1", "namespace": "shop", "ownerReferences": owners}
    spec = objects[0]["spec"]["template"]["spec"]
    objects.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    files = world_of(objects)
    live = Cluster(files.resources, name="prod")
    for memory, refused in ((380, False), (381, True)):  # 1024 - (900 - 256)
        (one,) = advised(live, {"web": memory})
        assert bool(one.refused) == refused, one.refused
    unread = Cluster(files.resources, name="prod", unlisted={"LimitRange": "forbidden"})
    (one,) = advised(unread, {"web": 380})
    assert not one.refused
    assert one.doubt == "LimitRanges could not be read: forbidden"
    assert one.cautions[0].startswith("whether the sizes are admitted is not known")


def test_a_workload_without_pods_is_judged_by_limit_ranges_alone() -> None:
    quota = guard("ResourceQuota", hard={"pods": "0"})
    (one,) = advised(world(web(replicas=0), quota), {"web": 512})
    assert not one.refused
    (one,) = advised(world(web(replicas=0), quota, item(max={"memory": "1Mi"})), {"web": 512})
    assert one.refused


def test_what_nothing_is_known_of_stays_as_it_is() -> None:
    here = world(web(), item(max={"memory": "1Mi"}))
    ((key, now),) = today(here).items()
    blank = Advice(key=key, now=now.sizes, today=now, unassessed="no data")
    alone = Advice(key=key, now=now.sizes, sizes=now.sizes)
    assert admitted(here, [blank, alone]) == [blank, alone]
    gone = msgspec.structs.replace(now, ref=msgspec.structs.replace(now.ref, name="gone"))
    (one,) = admitted(here, [msgspec.structs.replace(alone, today=gone)])
    assert one.doubt == "the workload is not among the objects"


def scaler(most: int, name: str = "web") -> str:
    """An autoscaler of a Deployment."""
    return f"""
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: {name}, namespace: shop}}
spec:
  minReplicas: 1
  maxReplicas: {most}
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
"""


def test_a_quota_that_cuts_the_autoscaler_off_sooner_than_today_refuses() -> None:
    quota = guard("ResourceQuota", hard={"requests.memory": "2Gi"})
    (one,) = advised(world(web(), quota, scaler(8)), {"web": 340})
    assert one.refused.startswith(
        "ResourceQuota shop/g would let in 6 of the 8 pods that HorizontalPodAutoscaler web may "
        "ask for (with today's sizes 8): exceeded quota: g, requested: requests.memory=340Mi, "
    )
    assert one.refused.endswith("raise it, or lower maxReplicas")
    assert one.cautions[0] == one.refused
    for most, memory in ((6, 340), (8, 256), (8, 128)):
        (one,) = advised(world(web(), quota, scaler(most)), {"web": memory})
        assert not one.cautions


@pytest.mark.parametrize(("memory", "fits"), [(256, 4), (200, 5)])
def test_a_quota_that_cuts_it_off_today_too_is_told_and_no_refusal(memory: int, fits: int) -> None:
    quota = guard("ResourceQuota", hard={"requests.memory": "1Gi"})
    (one,) = advised(world(web(), quota, scaler(8)), {"web": memory})
    assert not one.refused
    assert f"would let in {fits} of the 8 pods" in one.cautions[0]
    assert "with today's sizes 4" in one.cautions[0]


def test_what_grows_too_far_stays_and_others_are_tried_beside_that() -> None:
    """At its most a no longer fits, so that it stays: c has the room of a's advice no more."""
    quota = guard("ResourceQuota", hard={"requests.memory": "2304Mi"})
    here = world(web("a", 2), web("c", 2), quota, scaler(4, "a"))
    for memory, refused in (
        ({"a": 500.0}, ["a"]),  # four of 500 beside two of 256
        ({"a": 448.0}, []),
        ({"a": 448.0, "c": 300.0}, ["a"]),
        ({"a": 500.0, "c": 900.0}, ["a", "c"]),  # c beside a as it is today: 2312
    ):
        found = advised(here, memory)
        names = [one.key.workload.partition("/")[2] for one in found if one.refused]
        assert names == refused, [one.refused for one in found]
