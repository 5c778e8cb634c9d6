"""The places of a cluster: pods grouped under their workloads, workloads without pods, nodes,
namespaces.

Raw objects are read as they are: no default matters here, and clusters are large.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from martello.core.cluster import MAKERS, Cluster
from martello.core.path import look_up
from martello.core.resource import Resource, strings
from martello.core.workload import template_path
from martello.practices.network.addresses import parse_address, parse_range
from martello.practices.network.model import (
    Declared,
    Endpoint,
    Node,
    Profile,
    World,
)
from martello.practices.network.places import find

DEFAULT_NAMESPACE: Final = "default"
NAME_LABEL: Final = "kubernetes.io/metadata.name"
_DONE: Final = ("Succeeded", "Failed")
_FINISHED: Final = ("Complete", "Failed")
# What has a template and makes nothing by itself.
_NO_MAKER: Final = frozenset(("Pod", "PodTemplate"))
_POD_NODE: Final = "Node"  # mirror pods of the kubelet are owned by their node
_SHOWN: Final = 5
_PLAIN: Final = Profile()

Owner = tuple[str, str]  # name and kind

__all__ = ["endpoint_of", "find", "world"]


def world(cluster: Cluster, profile: Profile = _PLAIN) -> World:
    """Every pod that is not over, one endpoint for each workload that has no pods here, the nodes
    and the namespaces. What could not be read is in the notes.
    """
    return _world(cluster, profile.name if profile.needs_owner else "")


@lru_cache(maxsize=2)
def _world(cluster: Cluster, plugin: str) -> World:
    nodes = tuple(_node(resource) for resource in _last(cluster.of_kind("Node")))
    by_name = {node.name: node for node in nodes}
    endpoints: dict[str, Endpoint] = {}
    owners: dict[str, Owner] = {}
    makers: set[int] = set()
    for resource in cluster.of_kind("Pod"):
        if _over(resource):
            continue
        endpoint = _pod(resource, cluster, by_name, owners, makers)
        endpoints[endpoint.key] = endpoint
    found = [*endpoints.values(), *_podless(cluster, makers, by_name)]
    namespaces = _namespaces(cluster, found)
    return World(
        tuple(found),
        namespaces,
        nodes,
        (*_notes(cluster, namespaces), *_unowned(found, plugin)),
        dict(cluster.unlisted),
    )


def endpoint_of(resource: Resource, cluster: Cluster) -> Endpoint | None:
    """The endpoint of one object of the cluster: a Pod that is not over, or a workload that has no
    pods here; None for anything else.
    """
    by_name = {r.ref.name: _node(r) for r in _node_of(resource, cluster)}
    if resource.ref.group_kind == "Pod":
        return None if _over(resource) else _pod(resource, cluster, by_name, {}, set())
    if not _makes(resource, cluster):
        return None
    for pod in cluster.of_kind("Pod", resource.ref.namespace):
        if not _over(pod) and cluster.root(pod) is resource:
            return None
    return _template(resource)


def _node_of(resource: Resource, cluster: Cluster) -> Iterator[Resource]:
    name = resource.spec.get("nodeName")
    found = cluster.get("Node", "", name) if isinstance(name, str) else None
    if found is not None:
        yield found


def _over(pod: Resource) -> bool:
    return look_up(pod.raw, ("status", "phase")) in _DONE


def _pod(
    resource: Resource,
    cluster: Cluster,
    nodes: Mapping[str, Node],
    owners: dict[str, Owner],
    makers: set[int],
) -> Endpoint:
    ref, spec, metadata = resource.ref, resource.spec, resource.metadata
    namespace = ref.namespace or DEFAULT_NAMESPACE
    workload, kind = _owner(resource, metadata, cluster, owners, makers)
    name = spec.get("nodeName")
    node = name if isinstance(name, str) else ""
    host = spec.get("hostNetwork") is True
    addresses = _pod_addresses(resource)
    if host and node in nodes and nodes[node].addresses:
        addresses = nodes[node].addresses
    return Endpoint(
        f"{namespace}/{workload}",
        namespace,
        workload,
        kind,
        ref.name,
        strings(metadata.get("labels")),
        _ports(spec),
        addresses,
        node,
        host,
        resource,
    )


def _owner(
    resource: Resource,
    metadata: dict[str, Any],
    cluster: Cluster,
    owners: dict[str, Owner],
    makers: set[int],
) -> Owner:
    """Name and kind of the outermost owner, here or only named in the pod; the pod's own where it
    has none. Pods of one owner ask once.
    """
    controller = _controller(metadata)
    if controller is None:
        return resource.ref.name, "Pod"
    uid = controller.get("uid")
    known = owners.get(uid) if isinstance(uid, str) else None
    if known is not None:
        return known
    root = cluster.root(resource)
    if root is not resource:
        makers.add(id(root))
        found = (root.ref.name, root.ref.kind)
    else:
        name, kind = controller.get("name"), controller.get("kind")
        if not isinstance(name, str) or not isinstance(kind, str) or not name or kind == _POD_NODE:
            return resource.ref.name, "Pod"
        found = (name, kind)
    if isinstance(uid, str):
        owners[uid] = found
    return found


def _controller(metadata: dict[str, Any]) -> dict[str, Any] | None:
    for reference in _list(metadata.get("ownerReferences")):
        if isinstance(reference, dict) and reference.get("controller") is True:
            return reference
    return None


def _pod_addresses(resource: Resource) -> tuple[tuple[int, int], ...]:
    status = resource.raw.get("status")
    if not isinstance(status, dict):
        return ()
    listed = _list(status.get("podIPs"))
    texts = [one.get("ip") for one in listed if isinstance(one, dict)]
    if not texts:
        texts = [status.get("podIP")]
    return _addresses(texts)


def _addresses(texts: Iterable[Any]) -> tuple[tuple[int, int], ...]:
    found = [parse_address(text) for text in texts if isinstance(text, str)]
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _ports(spec: dict[str, Any]) -> tuple[Declared, ...]:
    """What regular, init and sidecar containers declare, repeats kept."""
    found: list[Declared] = []
    for key in ("containers", "initContainers"):
        for container in _list(spec.get(key)):
            ports = container.get("ports") if isinstance(container, dict) else None
            for port in _list(ports):
                declared = _declared(port)
                if declared is not None:
                    found.append(declared)
    return tuple(found)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _declared(port: Any) -> Declared | None:
    if not isinstance(port, dict):
        return None
    number, name = port.get("containerPort"), port.get("name")
    if not isinstance(number, int) or not 0 < number < 65536:
        return None
    protocol = port.get("protocol")
    return Declared(
        name if isinstance(name, str) else "",
        number,
        protocol if isinstance(protocol, str) else "TCP",
    )


def _podless(cluster: Cluster, makers: set[int], nodes: Mapping[str, Node]) -> Iterator[Endpoint]:
    """The workloads that no pod here belongs to, the last of each kind and name."""
    found: dict[tuple[str, str, str], Resource] = {}
    for kind in sorted(cluster.kinds - _NO_MAKER):
        for resource in cluster.of_kind(kind):
            if id(resource) not in makers and _makes(resource, cluster):
                ref = resource.ref
                found[(kind, ref.namespace or DEFAULT_NAMESPACE, ref.name)] = resource
    for resource in found.values():
        yield _template(resource)


def _makes(resource: Resource, cluster: Cluster) -> bool:
    """Whether an object makes pods, is made by nothing here, and is not a Job that is over."""
    if resource.ref.group_kind in _NO_MAKER or template_path(resource) is None:
        return False
    if cluster.owner(resource) is not None:
        return False
    conditions = look_up(resource.raw, ("status", "conditions"))
    if resource.ref.group_kind != "Job.batch" or not isinstance(conditions, list):
        return True
    return not any(
        isinstance(c, dict) and c.get("type") in _FINISHED and c.get("status") == "True"
        for c in conditions
    )


def _template(resource: Resource) -> Endpoint:
    """The endpoint that stands for the pods a workload will make."""
    ref = resource.ref
    namespace = ref.namespace or DEFAULT_NAMESPACE
    path = template_path(resource) or ()
    spec = look_up(resource.raw, (*path, "spec"))
    spec = spec if isinstance(spec, dict) else {}
    labels = strings(look_up(resource.raw, (*path, "metadata", "labels")))
    if ref.group_kind == "Job.batch":
        labels = {"job-name": ref.name, "batch.kubernetes.io/job-name": ref.name, **labels}
    name = spec.get("nodeName")
    return Endpoint(
        f"{namespace}/{ref.name}",
        namespace,
        ref.name,
        ref.kind,
        "",
        labels,
        _ports(spec),
        (),
        name if isinstance(name, str) else "",
        spec.get("hostNetwork") is True,
        resource,
    )


def _node(resource: Resource) -> Node:
    listed = _list(look_up(resource.raw, ("status", "addresses")))
    texts = [one.get("address") for one in listed if isinstance(one, dict)]
    ranges = _list(resource.spec.get("podCIDRs")) or [resource.spec.get("podCIDR")]
    parsed = [parse_range(text) for text in ranges if isinstance(text, str)]
    return Node(
        resource.ref.name,
        resource.labels,
        _addresses(texts),
        tuple(one for one in parsed if one is not None),
        resource,
    )


def _last(resources: Iterable[Resource]) -> Iterable[Resource]:
    """The last object of each name."""
    return {resource.ref.name: resource for resource in resources}.values()


def _namespaces(
    cluster: Cluster, endpoints: Iterable[Endpoint]
) -> dict[str, dict[str, str] | None]:
    """Labels by name; None for a namespace that is only named by what lies in it."""
    found: dict[str, dict[str, str] | None] = {
        resource.ref.name: {**resource.labels, NAME_LABEL: resource.ref.name}
        for resource in cluster.of_kind("Namespace")
    }
    for endpoint in endpoints:
        found.setdefault(endpoint.namespace, None)
    for name in cluster.namespaces:
        found.setdefault(name, None)
    return found


def _notes(cluster: Cluster, namespaces: dict[str, dict[str, str] | None]) -> Iterator[str]:
    for kind in (*MAKERS, "Node", "Namespace", "Service"):
        if kind in cluster.unlisted:
            yield f"{kind} could not be listed: {cluster.unlisted[kind]}"
    if cluster.read:
        yield f"only these namespaces were read: {_some(sorted(cluster.read))}"
    missing = sorted(name for name, labels in namespaces.items() if labels is None)
    if missing:
        yield f"no Namespace objects, so unknown labels: {_some(missing)}"


def _unowned(endpoints: Iterable[Endpoint], plugin: str) -> Iterator[str]:
    """What a plugin that heeds only pods with an owner leaves alone."""
    alone = [e.name for e in endpoints if e.kind == "Pod" and not e.host_network]
    if plugin and alone:
        yield f"{plugin} applies no policies to pods that nothing owns: {_some(alone)}"


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
