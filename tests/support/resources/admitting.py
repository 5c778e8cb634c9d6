"""Short ways to build a namespace and to ask what is admitted into it."""

from __future__ import annotations

from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.resources.admission.pipeline import Admission
from martello.practices.resources.admission.server import Server

Raw = dict[str, Any]
_GROUPS = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "PriorityClass": "scheduling.k8s.io/v1",
    "RuntimeClass": "node.k8s.io/v1",
    "StorageClass": "storage.k8s.io/v1",
    "MutatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "MutatingAdmissionPolicy": "admissionregistration.k8s.io/v1",
    "MutatingAdmissionPolicyBinding": "admissionregistration.k8s.io/v1",
    "VerticalPodAutoscaler": "autoscaling.k8s.io/v1",
}


def thing(
    kind: str, name: str, spec: Raw | None = None, *, cluster: str = "", **more: Any
) -> Resource:
    """An object of the namespace `shop`."""
    raw: Raw = {"apiVersion": _GROUPS.get(kind, "v1"), "kind": kind, **more}
    raw["metadata"] = {"name": name, "namespace": "shop", **more.get("metadata", {})}
    if kind.endswith("Class") or kind.startswith("Mutating"):
        del raw["metadata"]["namespace"]
    if spec is not None:
        raw["spec"] = spec
    return resource_of(raw, Nowhere(), cluster)


def limits(*items: Raw, name: str = "limits") -> Resource:
    """A LimitRange; items are for containers unless they say otherwise."""
    return thing("LimitRange", name, {"limits": [{"type": "Container", **i} for i in items]})


def quota(name: str = "quota", *, status: Raw | None = None, **spec: Any) -> Resource:
    """A ResourceQuota."""
    more: Raw = {} if status is None else {"status": status}
    return thing("ResourceQuota", name, spec, **more)


def pod(*resources: Any, init: tuple[Any, ...] = (), name: str = "web", **spec: Any) -> Resource:
    """A pod whose containers have these resources; a `restartPolicy` among them makes a sidecar."""
    return thing("Pod", name, pod_spec(*resources, init=init, **spec))


def pod_spec(*resources: Any, init: tuple[Any, ...] = (), **spec: Any) -> Raw:
    """Its spec."""
    made: Raw = {"containers": [_container(f"c{i}", r) for i, r in enumerate(resources)], **spec}
    if init:
        made["initContainers"] = [_container(f"i{i}", r) for i, r in enumerate(init)]
    return made


def _container(name: str, resources: Any) -> Raw:
    if isinstance(resources, dict) and "restartPolicy" in resources:
        rest = {k: v for k, v in resources.items() if k != "restartPolicy"}
        return {"name": name, "restartPolicy": resources["restartPolicy"], "resources": rest}
    return {"name": name, "resources": resources}


def deployment(replicas: int | None, *resources: Any, name: str = "web", **spec: Any) -> Resource:
    """A Deployment."""
    template = {"metadata": {"labels": {"app": name}}, "spec": pod_spec(*resources, **spec)}
    more = {} if replicas is None else {"replicas": replicas}
    return thing("Deployment", name, {"template": template, **more})


def world(*objects: Resource, live: bool = False, kubernetes: int = 37, **more: Any) -> Cluster:
    """The objects as files, or as a live cluster."""
    return Cluster(objects, name="test" if live else "", kubernetes=kubernetes, **more)


def ask(asked: Resource, *objects: Resource, replicas: int | None = None, **more: Any) -> Admission:
    """What becomes of an object in a world of others."""
    return Server(world(*objects, **more)).admit(asked, replicas)


def says(found: Admission) -> list[str]:
    """The words of a refusal."""
    return [message.text for message in found.messages]
