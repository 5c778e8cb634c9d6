"""Whether the cluster's own admission lets made pods into its namespaces: what Pod Security
exempts, and what ValidatingAdmissionPolicies refuse.

A policy is tried on pods that differ in nothing but what an attacker needs. What it refuses of a
pod that takes its node, and not of a plain one, it refuses whatever else is in the pod; what it
refuses of a plain one too is a doubt: another pod may pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.paths.guards import enforced_level
from martello.paths.model import LEVELS, Admission

if TYPE_CHECKING:
    from martello.gate.made import Tried

_POLICY: Final = "ValidatingAdmissionPolicy.admissionregistration.k8s.io"
_BINDING: Final = "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io"
_SERVER: Final = "AdmissionConfiguration.apiserver.config.k8s.io"
_SECURITY: Final = "PodSecurityConfiguration.pod-security.admission.config.k8s.io"
_SINCE: Final = 26  # the first minor version with policies

Security = Callable[[str, str], Admission | None]
Policies = Callable[[str, str, str], Admission | None]


def security(cluster: Cluster) -> tuple[Security | None, tuple[str, ...]]:
    """What the server's own configuration of Pod Security makes of namespaces, where it is among
    the objects; the second part says what of it is not followed. None: the labels say it all.
    """
    found = _configuration(cluster)
    if found is None:
        return None, ()
    exempt = frozenset(_words(found, "namespaces"))
    default = look_up(found, ("defaults", "enforce"))
    default = default if default in LEVELS else LEVELS[2]

    def told(namespace: str, level: str) -> Admission | None:
        if namespace in exempt:
            return Admission(True, f"Pod Security exempts namespace {namespace}")
        labels = cluster.namespace_labels(namespace)
        if labels is None:
            return None
        enforced = enforced_level(labels, cluster.kubernetes, default)
        if enforced == enforced_level(labels, cluster.kubernetes):
            return None
        return Admission(LEVELS.index(enforced) >= LEVELS.index(level))

    notes = tuple(
        f"Pod Security exempts {what} {', '.join(words[:5])}: that is not followed"
        for key, what in (("usernames", "users"), ("runtimeClasses", "runtime classes"))
        if (words := _words(found, key))
    )
    return told, notes


def _configuration(cluster: Cluster) -> Mapping[str, Any] | None:
    """The configuration of Pod Security, by itself or within that of the server."""
    for one in cluster.of_kind(_SECURITY):
        return one.raw
    for one in cluster.of_kind(_SERVER):
        plugins = one.raw.get("plugins")
        for plugin in plugins if isinstance(plugins, list) else ():
            if isinstance(plugin, dict) and plugin.get("name") == "PodSecurity":
                inner = plugin.get("configuration")
                return inner if isinstance(inner, dict) else None
    return None


def _words(configuration: Mapping[str, Any], key: str) -> list[str]:
    value = look_up(configuration, ("exemptions", key))
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def policies(cluster: Cluster) -> Policies | None:
    """What policies say of pods of a level that come into a namespace, each question once; None
    where there is no policy that could refuse anything.
    """
    if cluster.kubernetes < _SINCE or not {_POLICY, _BINDING} <= cluster.kinds:
        return None
    resources = [one for kind in (_POLICY, _BINDING) for one in cluster.of_kind(kind)]
    tried: list[Tried] = []
    known: dict[tuple[str, str, str], Admission | None] = {}

    def told(namespace: str, level: str, how: str) -> Admission | None:
        key = (namespace, level, how)
        if key not in known:
            if not tried:
                tried.append(_tried(resources, cluster))
            known[key] = tried[0].said(namespace, level, how)
        return known[key]

    return told


def _tried(resources: list[Resource], cluster: Cluster) -> Tried:
    from martello.gate.made import Tried

    return Tried(resources, cluster)


__all__ = ["Policies", "Security", "policies", "security"]
