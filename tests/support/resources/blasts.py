"""Small nodes, pods and objects for tests of the blast radius."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.resources.blast.model import Blast, Harm, Resource, Rights
from martello.practices.resources.node.model import Node, Part, Pod, Use, Volume

MI = 1 << 20
GI = 1 << 30
READ_ONLY = {"securityContext": {"readOnlyRootFilesystem": True}}
QUIET = Use(cpu=10, memory=MI, pids=1, disk=0, inodes=0)


def node(name: str = "n", **changes: Any) -> Node:
    """Four cores, 4 GiB, 20 GiB of disk, all settings told."""
    size = {"cpu": 4000, "memory": 4 * GI * 1000, "ephemeral-storage": 20 * GI * 1000}
    size["pods"] = 110_000
    made: dict[str, Any] = {
        "eviction": {
            "memory.available": 100 * MI,
            "nodefs.available": 4 * GI,
            "nodefs.inodesFree": 50_000,
        },
        "used_by_system": Use(cpu=0, memory=0, pids=0, disk=0, inodes=0),
        "disk": 20 * GI,
        "inodes": 1_000_000,
        "pod_pids": 1000,
        **changes,
    }
    return Node(name, size, size, **made)


def pod(name: str, *, space: str = "shop", node: str = "n", **more: Any) -> Pod:
    """A pod of one container: `cpu` and `memory` are requests, `limits` by name, in whole units."""
    use = more.pop("use", QUIET)
    requests = {}
    if "cpu" in more:
        requests["cpu"] = more.pop("cpu")
    if "memory" in more:
        requests["memory"] = more.pop("memory") * 1000
    given: Mapping[str, int] = more.pop("limits", {})
    limits = {key: value * (1 if key == "cpu" else 1000) for key, value in given.items()}
    container = {"name": "app", **more.pop("container", READ_ONLY)}
    raw = {"spec": {"containers": [container], **more.pop("spec", {})}}
    return Pod(
        space,
        name,
        more.pop("workload", f"deploy/{name}"),
        (Part("app", requests, limits, use),),
        requests,
        limits,
        "Burstable" if requests or limits else "BestEffort",
        node=node,
        raw=raw,
        **more,
    )


def objects(*raws: dict[str, Any], **more: Any) -> Cluster:
    """A cluster of these objects."""
    return Cluster([resource_of(raw, Nowhere()) for raw in raws], **more)


def made(kind: str, name: str, space: str = "", **body: Any) -> dict[str, Any]:
    """An object."""
    versions = {
        "PriorityClass": "scheduling.k8s.io/v1",
        "FlowSchema": "flowcontrol.apiserver.k8s.io/v1",
        "PriorityLevelConfiguration": "flowcontrol.apiserver.k8s.io/v1",
    }
    metadata = {"name": name, **({"namespace": space} if space else {})}
    return {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": metadata, **body}


def quota(space: str, hard: dict[str, str], **spec: Any) -> dict[str, Any]:
    """A ResourceQuota."""
    return made("ResourceQuota", "quota", space, spec={"hard": hard, **spec})


def harm(found: Blast, resource: Resource) -> Harm:
    """One resource's harm."""
    return next(one for one in found.harms if one.resource == resource)


def hurt(found: Harm) -> list[str]:
    """Who is hurt, in order."""
    return [victim.key for victim in found.victims]


def token(space: str = "shop", name: str = "web", **more: Any) -> Rights:
    """The rights of an account that may do nothing more than `more` says."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{space}", "system:authenticated")
    return Rights(f"system:serviceaccount:{space}:{name}", groups, **more)


def _pod(number: int, draw: st.DrawFn) -> Pod:
    amounts = st.sampled_from([0, 16, 64, 256, 1024])
    memory, used = draw(amounts) * MI, draw(amounts) * MI
    cpu = draw(st.sampled_from([0, 50, 500]))
    limits: dict[str, int] = {}
    if draw(st.booleans()):
        limits["memory"] = max(memory, used, MI) + draw(amounts) * MI
    if draw(st.booleans()):
        limits["cpu"] = max(cpu, 100)
    if draw(st.booleans()):
        limits["ephemeral-storage"] = draw(st.sampled_from([MI, GI, 10 * GI]))
    volumes: tuple[Volume, ...] = ()
    if draw(st.integers(0, 4)) == 0:
        volumes = (Volume("tmp", draw(st.booleans()), draw(st.sampled_from([None, GI]))),)
    asked: dict[str, int] = {}
    if memory or "memory" in limits:
        asked["memory"] = memory or limits["memory"]
    if cpu or "cpu" in limits:
        asked["cpu"] = cpu or limits["cpu"]
    mounts = [{"name": volume.name, "mountPath": "/tmp"} for volume in volumes]
    container: dict[str, Any] = {"volumeMounts": mounts}
    if draw(st.booleans()):
        container |= READ_ONLY
    return pod(
        f"p{number}",
        space=draw(st.sampled_from(["shop", "data"])),
        node=draw(st.sampled_from(["a", "b"])),
        workload=f"deploy/w{draw(st.integers(0, 3))}",
        use=Use(
            cpu=draw(st.sampled_from([0, 100, 3000])),
            memory=used,
            pids=draw(st.integers(1, 300)),
            disk=draw(st.sampled_from([0, 100 * MI, 3 * GI])),
            inodes=draw(st.sampled_from([0, 1000])),
        ),
        limits=limits,
        volumes=volumes,
        container=container,
        priority=draw(st.sampled_from([0, 0, 100, 2_000_000_000])),
        **asked,
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[tuple[Pod, ...], tuple[Node, ...]]:
    """Up to eight pods on two nodes."""
    count = draw(st.integers(2, 8))
    limit = st.sampled_from([None, 200, 4000])
    nodes = (node("a", pod_pids=draw(limit)), node("b", pod_pids=draw(limit), pids=1000))
    return tuple(_pod(number, draw) for number in range(count)), nodes


def owners(pods: Iterable[Pod]) -> list[str]:
    """The workloads, each once."""
    return list(dict.fromkeys(one.owner for one in pods))
