"""What the tokens of pods may do, as far as it costs others: asked of access, for resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.practices.access import Access
from martello.practices.access.chain import uncertain
from martello.practices.access.principals import account
from martello.practices.resources.blast.model import Rights
from martello.practices.resources.blast.objects import NAMESPACED
from martello.practices.resources.node.model import Pod

# Who may make or change one of these makes pods.
_MAKERS: Final = frozenset(
    (
        *(("", name) for name in ("pods", "replicationcontrollers", "podtemplates")),
        *(("apps", n) for n in ("deployments", "daemonsets", "replicasets", "statefulsets")),
        *(("batch", name) for name in ("jobs", "cronjobs")),
    )
)
_WRITES: Final = frozenset(("create", "*"))
_CHANGES: Final = frozenset(("update", "patch"))


def may(cluster: Cluster, access: Access) -> Callable[[Pod], Rights]:
    """The function that the blast radius asks: each account is looked at once."""
    known: dict[tuple[str, str], Rights] = {}
    doubts = tuple(f"{each} may allow more" for each in uncertain(access.chain))

    def asked(pod: Pod) -> Rights:
        spec = pod.raw.get("spec")
        spec = spec if isinstance(spec, dict) else {}
        name = spec.get("serviceAccountName")
        name = name if isinstance(name, str) and name else "default"
        if not _mounted(cluster, spec, pod.namespace, name):
            return Rights()
        key = (pod.namespace, name)
        if key not in known:
            known[key] = _rights(access, *key, doubts)
        return known[key]

    return asked


def _mounted(cluster: Cluster, spec: dict[str, Any], namespace: str, name: str) -> bool:
    """Whether the pod gets a token: it says so, or else its account, or else yes."""
    own = spec.get("automountServiceAccountToken")
    if isinstance(own, bool):
        return own
    found = cluster.get("ServiceAccount", namespace, name)
    return found is None or found.raw.get("automountServiceAccountToken") is not False


def _rights(access: Access, namespace: str, name: str, doubts: tuple[str, ...]) -> Rights:
    who = account(namespace, name)
    pods: set[str] = set()
    creates: set[tuple[str, str, str]] = set()
    for scope, (verb, group, resource, named, url) in access.atoms(who):
        if url:
            continue
        makes = [kind for kind in _MAKERS if _meant(kind, group, resource)]
        if verb in _WRITES and named is None:
            pods.update([scope] * bool(makes))
            creates.update((scope, *kind) for kind in _kinds(group, resource))
        elif verb in _CHANGES and any(kind != ("", "pods") for kind in makes):
            pods.add(scope)
    return Rights(who.username, who.groups, frozenset(pods), frozenset(creates), doubts)


def _meant(kind: tuple[str, str], group: str, resource: str) -> bool:
    return group in ("*", kind[0]) and resource in ("*", kind[1])


def _kinds(group: str, resource: str) -> list[tuple[str, str]]:
    """The kinds that a rule's words mean; a literal one counts even if nobody here knows it."""
    if resource != "*" and group != "*":
        return [(group, resource)]
    return [kind for kind in NAMESPACED if _meant(kind, group, resource)]
