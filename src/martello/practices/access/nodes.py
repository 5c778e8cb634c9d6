"""What a node may do: the Node authorizer, and what the admission plugin NodeRestriction refuses.

Source: plugin/pkg/auth/authorizer/node/node_authorizer.go and the role NodeRules of
bootstrappolicy in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.model import Answer, Principal, Request
from martello.practices.access.principals import NODE, NODES

_READ: Final = ("get", "list", "watch")
_CHANGE: Final = ("update", "patch")
_ALL: Final = ("create", "delete", "get", "patch", "update")
_OWN: Final = "of its own pods only"
# group/resource[/subresource] → verbs, for whatever name: kinds that are asked apart are not here.
_RULES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("authentication.k8s.io", "tokenreviews"): ("create",),
    ("authorization.k8s.io", "subjectaccessreviews"): ("create",),
    ("authorization.k8s.io", "localsubjectaccessreviews"): ("create",),
    ("", "services"): _READ,
    ("", "nodes"): ("create", *_READ, *_CHANGE),
    ("", "nodes/status"): _CHANGE,
    ("", "events"): ("create", *_CHANGE),
    ("", "pods"): (*_READ, "create", "delete"),
    ("", "pods/status"): _CHANGE,
    ("", "pods/eviction"): ("create",),
    ("", "endpoints"): ("get",),
    ("certificates.k8s.io", "certificatesigningrequests"): ("create", *_READ),
    ("storage.k8s.io", "csidrivers"): _READ,
    ("node.k8s.io", "runtimeclasses"): _READ,
}
_OF_PODS: Final = {  # asked apart: only what a pod of the node refers to
    ("", "secrets"): _READ,
    ("", "configmaps"): _READ,
    ("", "persistentvolumeclaims"): ("get",),
    ("", "persistentvolumes"): ("get",),
    ("resource.k8s.io", "resourceclaims"): ("get",),
}
SELECTORS_SINCE: Final = 32  # the minor version since which a node reads only itself and its pods
Key = tuple[str, str, str]  # resource, namespace, name


def node_of(who: Principal) -> str:
    """The node that a principal is to the Node authorizer; empty where it is none."""
    if NODES in who.groups and who.username.startswith(NODE):
        return who.username.removeprefix(NODE)
    return ""


def node_answer(who: Principal, request: Request, cluster: Cluster) -> Answer:
    """What the Node authorizer says. It never denies: `denied` leaves it to the next one."""
    name = node_of(who)
    if not name or request.path:
        return Answer("denied")
    whole = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
    key = (request.group, whole)
    if key in _OF_PODS:
        if request.verb not in _OF_PODS[key]:
            return Answer("denied", because=(f"a node may only {'/'.join(_OF_PODS[key])} it",))
        return _by_pods(name, request, cluster, request.resource)
    if key == ("", "serviceaccounts/token"):
        if request.verb != "create":
            return Answer("denied")
        return _by_pods(name, request, cluster, "serviceaccounts")
    if key == ("", "persistentvolumeclaims/status"):
        if request.verb not in _CHANGE:
            return Answer("denied")
        return _by_pods(name, request, cluster, "persistentvolumeclaims")
    if key == ("storage.k8s.io", "volumeattachments"):
        return _attached(name, request, cluster)
    if (request.group, request.resource) == ("coordination.k8s.io", "leases"):
        return _own(name, request)  # whatever the subresource: there is none
    if key == ("storage.k8s.io", "csinodes"):
        return _own(name, request)
    if key == ("resource.k8s.io", "resourceslices"):
        return _slices(name, request, cluster)
    narrow = cluster.kubernetes >= SELECTORS_SINCE and request.verb in _READ
    if narrow and key == ("", "nodes"):
        return Answer(
            "allowed" if request.name == name else "denied", because=("its own Node only",)
        )
    if narrow and key == ("", "pods"):
        return _by_pods(name, request, cluster, "pods")
    if request.verb in _RULES.get(key, ()):
        why = f"the Node authorizer lets nodes {request.verb} {whole}"
        return Answer("allowed", because=(why,))
    return Answer("denied")


def _slices(name: str, request: Request, cluster: Cluster) -> Answer:
    """Slices of devices: whole lists need a field selector, which a Request does not show."""
    if request.verb == "create":
        return Answer("allowed", because=("the Node authorizer lets nodes create resourceslices",))
    if request.verb in ("list", "watch", "deletecollection"):
        every = cluster.kubernetes < SELECTORS_SINCE
        return Answer("allowed" if every else "denied", because=("by spec.nodeName of its own",))
    found = cluster.get("ResourceSlice.resource.k8s.io", "", request.name)
    own = found is not None and found.spec.get("nodeName") == name
    return Answer("allowed" if own and request.verb in _ALL else "denied", because=(_OWN,))


def _own(name: str, request: Request) -> Answer:
    if request.resource == "leases" and request.namespace != "kube-node-lease":
        return Answer("denied", because=("a node has leases in kube-node-lease only",))
    if request.verb not in _ALL or (request.verb != "create" and request.name != name):
        return Answer("denied", because=("a node may only touch its own",))
    return Answer("allowed", because=("the Node authorizer gives a node its own",))


def _by_pods(name: str, request: Request, cluster: Cluster, resource: str) -> Answer:
    if not request.name:
        return Answer("denied", because=(f"a node may read {resource} by name, {_OWN}",))
    space = "" if resource == "persistentvolumes" else request.namespace
    if (resource, space, request.name) in references(cluster, name):
        return Answer("allowed", because=(f"a pod on node {name} refers to it",))
    reasons = _hidden(cluster)
    return Answer("unknown" if reasons else "denied", because=reasons or (_OWN,))


def _attached(name: str, request: Request, cluster: Cluster) -> Answer:
    if request.verb != "get" or not request.name:
        return Answer("denied")
    found = cluster.get("VolumeAttachment.storage.k8s.io", "", request.name)
    if found is not None and found.spec.get("nodeName") == name:
        return Answer("allowed", because=(f"it attaches a volume to node {name}",))
    return Answer("denied" if found is not None or cluster.complete else "unknown")


def _hidden(cluster: Cluster) -> tuple[str, ...]:
    if "Pod" in cluster.unlisted:
        return (f"Pod: {cluster.unlisted['Pod']}",)
    if not cluster.complete:
        return ("files do not say which pods run on a node",)
    return ()


@lru_cache(maxsize=64)
def references(cluster: Cluster, name: str) -> frozenset[Key]:
    """What the pods of a node refer to: secrets, config maps, claims, volumes and accounts."""
    found: set[Key] = set()
    for pod in _pods(cluster).get(name, ()):
        space = pod.ref.namespace
        own = {("pods", pod.ref.name), *_referred(pod.spec), *_claims(pod)}
        found.update((kind, space, each) for kind, each in own)
        for kind, each in own:
            if kind == "persistentvolumeclaims":
                found.update(_volume(cluster, space, each))
    return frozenset(found)


@lru_cache(maxsize=2)
def _pods(cluster: Cluster) -> dict[str, list[Resource]]:
    """Pods by node; mirror pods do not count, since a node makes them itself."""
    found: dict[str, list[Resource]] = {}
    for pod in cluster.of_kind("Pod"):
        name = pod.spec.get("nodeName")
        if isinstance(name, str) and "kubernetes.io/config.mirror" not in pod.annotations:
            found.setdefault(name, []).append(pod)
    return found


def _volume(cluster: Cluster, space: str, claim: str) -> Iterator[Key]:
    found = cluster.get("PersistentVolumeClaim", space, claim)
    volume = found.spec.get("volumeName") if found else None
    if not isinstance(volume, str) or not volume:
        return
    yield ("persistentvolumes", "", volume)
    held = cluster.get("PersistentVolume", "", volume)
    if held is not None:
        for part in _mappings(held.spec):
            for field, value in part.items():
                if field.startswith("controller"):
                    continue  # what the storage controller uses, no kubelet
                if field.endswith("ecretRef") and isinstance(value, dict):
                    name, where = value.get("name"), value.get("namespace")
                    if isinstance(name, str):
                        yield ("secrets", where if isinstance(where, str) else space, name)
            named = part.get("secretName")  # azureFile
            if isinstance(named, str):
                where = part.get("secretNamespace")
                yield ("secrets", where if isinstance(where, str) and where else space, named)


_NAMES: Final = {
    "secretKeyRef": ("secrets", "name"),
    "secretRef": ("secrets", "name"),
    "nodePublishSecretRef": ("secrets", "name"),
    "configMapKeyRef": ("configmaps", "name"),
    "configMapRef": ("configmaps", "name"),
    "configMap": ("configmaps", "name"),
    "persistentVolumeClaim": ("persistentvolumeclaims", "claimName"),
    "azureFile": ("secrets", "secretName"),
}


def _referred(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    if isinstance(account, str):
        yield ("serviceaccounts", account)
    pulls = spec.get("imagePullSecrets")
    for each in pulls if isinstance(pulls, list) else ():
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            yield ("secrets", each["name"])
    for part in _mappings(spec):
        for field, value in part.items():
            if not isinstance(value, dict):
                continue
            kind, word = _NAMES.get(field, ("", ""))
            named = value.get(word)
            if kind and isinstance(named, str):
                yield (kind, named)
            for word in ("secretName", "name") if field == "secret" else ():
                if isinstance(value.get(word), str):
                    yield ("secrets", value[word])


def _claims(pod: Resource) -> Iterator[tuple[str, str]]:
    """The claims of devices: named in the spec, or made from a template and named in the status."""
    status = pod.raw.get("status")
    made = status.get("resourceClaimStatuses") if isinstance(status, dict) else None
    for listed in (pod.spec.get("resourceClaims"), made):
        for each in listed if isinstance(listed, list) else ():
            named = each.get("resourceClaimName") if isinstance(each, dict) else None
            if isinstance(named, str):
                yield ("resourceclaims", named)


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside a value, however deep."""
    queue = [value]
    while queue:
        each = queue.pop()
        if isinstance(each, dict):
            yield each
            queue.extend(each.values())
        elif isinstance(each, list):
            queue.extend(each)


def restricted(who: Principal, request: Request, cluster: Cluster) -> str:
    """Why NodeRestriction, which is an admission plugin and on by default in kubeadm and managed
    clusters, refuses a write that the authorizer lets a node do; empty where it lets it pass.
    """
    name = node_of(who)
    if not name or request.verb in _READ:
        return ""
    if request.resource == "nodes" and request.name not in ("", name):
        return f"node {name} may only change itself"
    if request.resource == "pods" and request.name:
        pod = cluster.get("Pod", request.namespace, request.name)
        if pod is not None and pod.spec.get("nodeName") != name:
            return f"node {name} may only change its own pods"
    if request.resource == "pods" and request.verb == "create" and not request.subresource:
        return f"node {name} may only create mirror pods on itself"
    return ""
