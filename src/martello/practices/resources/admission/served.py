"""Whether an API serves an object's kind, and whether its namespace is there: what the server asks
before anything else. What it would answer is told where it is certain; else what was assumed.

Source: the REST installer and the NamespaceLifecycle plug-in of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.kinds import built_in, successor, table
from martello.core.resource import Ref, Resource
from martello.practices.resources.admission.pipeline import Admission, Message, refused

DEFINITION: Final = "CustomResourceDefinition.apiextensions.k8s.io"
_SERVICE: Final = "APIService.apiregistration.k8s.io"
_ALWAYS: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_NOT_FOUND: Final = "the server could not find the requested resource"
_OFF_BY_DEFAULT: Final = 24  # since this minor version new beta APIs are off unless turned on
# But where an older beta of the same was on (legacyBetaEnabledByDefaultResources).
_ON_ALL_THE_SAME: Final = ("flowcontrol.apiserver.k8s.io/v1beta3",)
_READ_ONLY: Final = ("v1/ComponentStatus",)
_NO_METHOD: Final = "the server does not allow this method on the requested resource"
# What is sent to a part of another object, and what that is.
_PARTS: Final[Mapping[tuple[str, str], str]] = {
    ("authentication.k8s.io", "TokenRequest"): "serviceaccounts/token",
    ("autoscaling", "Scale"): "scale",
    ("policy", "Eviction"): "pods/eviction",
}
# Groups of files that programs read and no API serves, and whose they are.
_FILES: Final[Mapping[str, str]] = {
    "abac.authorization.kubernetes.io": "kube-apiserver",
    "admission.k8s.io": "admission webhooks",
    "apiserver.config.k8s.io": "kube-apiserver",
    "apiserver.k8s.io": "kube-apiserver",
    "audit.k8s.io": "kube-apiserver",
    "client.authentication.k8s.io": "kubectl",
    "cloudcontrollermanager.config.k8s.io": "cloud-controller-manager",
    "config.kubernetes.io": "kustomize",
    "credentialprovider.kubelet.k8s.io": "the kubelet",
    "eksctl.io": "eksctl",
    "eventratelimit.admission.k8s.io": "kube-apiserver",
    "imagepolicy.k8s.io": "admission webhooks",
    "k3d.io": "k3d",
    "kind.x-k8s.io": "kind",
    "kubeadm.k8s.io": "kubeadm",
    "kubecontrollermanager.config.k8s.io": "kube-controller-manager",
    "kubectl.config.k8s.io": "kubectl",
    "kubelet.config.k8s.io": "the kubelet",
    "kubeproxy.config.k8s.io": "kube-proxy",
    "kubescheduler.config.k8s.io": "kube-scheduler",
    "kustomize.config.k8s.io": "kustomize",
    "pod-security.admission.config.k8s.io": "kube-apiserver",
    "podtolerationrestriction.admission.k8s.io": "kube-apiserver",
    "resourcequota.admission.k8s.io": "kube-apiserver",
}


class Definition(msgspec.Struct, frozen=True):
    """What a CustomResourceDefinition says of its kind: the versions that are served, and whether
    its objects lie in namespaces.
    """

    versions: frozenset[str]
    namespaced: bool


Served = dict[tuple[str, str], Definition]  # by group and kind


def is_file(group: str) -> bool:
    """Whether objects of the group are configuration files of a program."""
    return group in _FILES


def definitions(objects: Iterable[Resource]) -> Served:
    """What CustomResourceDefinitions among the objects serve."""
    found: Served = {}
    for resource in objects:
        if resource.ref.group_kind == DEFINITION:
            names = resource.spec.get("names")
            kind = names.get("kind") if isinstance(names, dict) else None
            group = resource.spec.get("group")
            if isinstance(kind, str) and isinstance(group, str):
                scope = resource.spec.get("scope") != "Cluster"
                found[(group, kind)] = Definition(frozenset(_versions(resource.spec)), scope)
    return found


def _versions(spec: dict[str, Any]) -> Iterator[str]:
    listed = spec.get("versions")
    for version in listed if isinstance(listed, list) else ():
        if isinstance(version, dict) and version.get("served") is not False:
            yield str(version.get("name", ""))
    if not listed:
        yield str(spec.get("version", ""))


def kind_known(world: Cluster, ref: Ref, more: Served) -> tuple[Admission | None, str]:
    """The refusal of a kind that no API serves, and why it is not known whether one does; both
    empty where one does. `more` is what this run has defined.
    """
    group, _, version = ref.api_version.rpartition("/")
    facts = built_in(ref.api_version, ref.kind)
    if facts is not None:
        minor = world.kubernetes
        if facts.since > minor or 0 < facts.removed <= minor:
            return _unserved(ref, minor), ""
        if f"{ref.api_version}/{ref.kind}" in _READ_ONLY:
            return refused(405, (Message(_NO_METHOD, ("kind",)),)), ""
        off = "alpha" in version or ("beta" in version and facts.since >= _OFF_BY_DEFAULT)
        off = off and ref.api_version not in _ON_ALL_THE_SAME
        if off and not _instance(world, ref):
            return None, f"{ref.api_version} is off unless the API server turns it on"
        return None, ""
    defined = _definition(world, ref, more)
    if defined is not None:
        served = defined.versions
        if version in served:
            return None, ""
        told = f"its CustomResourceDefinition serves {', '.join(sorted(served)) or 'no version'}"
        return _refused(f"{_NOT_FOUND}: {ref.kind} in {ref.api_version}; {told}"), ""
    if group in _closed():
        return _unserved(ref, world.kubernetes), ""
    if group in _FILES:
        words = f"{ref.api_version} {ref.kind} is a file for {_FILES[group]}, and no API object"
        return _refused(f"{_NOT_FOUND}: {words}"), ""
    if _instance(world, ref):
        return None, ""
    missing = f"no CustomResourceDefinition here serves {ref.kind} in {ref.api_version}"
    if _knows_kinds(world) and not _aggregated(world, group, version):
        return _refused(f"{_NOT_FOUND}: {missing}"), ""
    return None, missing


def namespaced(world: Cluster, ref: Ref, more: Served) -> bool | None:
    """Whether objects of a kind lie in namespaces; None where nobody tells. What lies in none has
    none on the server either, whatever its metadata say.
    """
    facts = built_in(ref.api_version, ref.kind)
    if facts is not None:
        return facts.namespaced
    defined = _definition(world, ref, more)
    if defined is not None:
        return defined.namespaced
    return False if is_file(ref.group) else None


def _definition(world: Cluster, ref: Ref, more: Served) -> Definition | None:
    key = (ref.group, ref.kind)
    return more.get(key) or _defined(world).get(key)


def namespace_known(
    world: Cluster, name: str, more: Collection[str], *, new: bool = True
) -> tuple[Message | None, str]:
    """The refusal (404, or 403 of a new object while it is deleted) of a namespace, and what is
    assumed of it. A live world knows its namespaces; of files it is taken to exist. `more` is what
    this run made.
    """
    if not name or name in _ALWAYS or name in more:
        return None, ""
    found = world.get("Namespace", "", name)
    if found is not None:
        status = found.raw.get("status")
        phase = status.get("phase") if isinstance(status, dict) else None
        if phase == "Terminating" and new:
            words = f"unable to create new content in namespace {name} because it is being "
            return Message(f"{words}terminated", ("metadata", "namespace"), found), ""
        return None, ""
    if _knows_namespaces(world) and world.saw(name):
        return Message(f'namespaces "{name}" not found', ("metadata", "namespace")), ""
    if not world.name and name in _spaces(world):
        return None, ""
    return None, f"namespace {name} is not in the world: taken to exist"


def _refused(text: str) -> Admission:
    return refused(404, (Message(text, ("kind",)),))


def _unserved(ref: Ref, minor: int) -> Admission:
    told = f"{_NOT_FOUND}: Kubernetes 1.{minor} serves no {ref.kind} in {ref.api_version}"
    facts = built_in(ref.api_version, ref.kind)
    if facts is not None and facts.removed:
        told += f", which ended with 1.{facts.removed}"
    part = _PARTS.get((ref.group, ref.kind))
    if part is not None:
        return _refused(f"{told}: it is sent to {part} of an object, and is none by itself")
    other = _elsewhere(ref, minor)
    return _refused(f"{told}; it does in {other}" if other else told)


def _elsewhere(ref: Ref, minor: int) -> str:
    """The apiVersion in which the kind is served; empty where there is none."""
    same = successor(ref.api_version, ref.kind, minor)
    if same is not None:
        return same
    apis = {key.rpartition("/")[0] for key in table().kinds if key.endswith(f"/{ref.kind}")}
    found = {successor(api, ref.kind, minor) for api in apis} - {None}
    return min(
        (api for api in found if api is not None), key=lambda api: (len(api), api), default=""
    )


@lru_cache(maxsize=1)
def _closed() -> frozenset[str]:
    """The groups that are Kubernetes' own: nothing can add kinds to them."""
    return frozenset(key.rpartition("/")[0].rpartition("/")[0] for key in table().kinds)


@lru_cache(maxsize=2)
def _defined(world: Cluster) -> Served:
    return definitions(world.of_kind(DEFINITION))


@lru_cache(maxsize=2)
def _spaces(world: Cluster) -> frozenset[str]:
    return frozenset(world.namespaces)


@lru_cache(maxsize=2)
def _apis(world: Cluster) -> frozenset[tuple[str, str]]:
    """The apiVersions and kinds of the objects of a live world: what is stored is served."""
    if not world.name:
        return frozenset()
    return frozenset((r.ref.api_version, r.ref.kind) for r in world.resources)


def _instance(world: Cluster, ref: Ref) -> bool:
    return (ref.api_version, ref.kind) in _apis(world)


def _knows_kinds(world: Cluster) -> bool:
    """Whether what the world has no definition of is not served. Every API server has APIServices:
    where none is here, nobody asked for them.
    """
    listed = DEFINITION not in world.unlisted and _SERVICE not in world.unlisted
    return bool(world.name) and listed and any(True for _ in world.of_kind(_SERVICE))


def _aggregated(world: Cluster, group: str, version: str) -> bool:
    return world.get(_SERVICE, "", f"{version}.{group}") is not None


def _knows_namespaces(world: Cluster) -> bool:
    """Whether what the world has no Namespace of does not exist."""
    listed = "Namespace" not in world.unlisted
    return bool(world.name) and listed and any(True for _ in world.of_kind("Namespace"))
