"""`VERB RESOURCE[/NAME]` and `VERB PATH`: what a person asks, as the authorizer is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.practices.access.known import as_sent, custom, resources, selected_name
from martello.practices.access.model import Request

# kubectl's short names of built-in kinds, by their plural.
_SHORT: Final = {
    "cm": "configmaps",
    "cj": "cronjobs",
    "crd": "customresourcedefinitions",
    "crds": "customresourcedefinitions",
    "csr": "certificatesigningrequests",
    "deploy": "deployments",
    "ds": "daemonsets",
    "ep": "endpoints",
    "ev": "events",
    "hpa": "horizontalpodautoscalers",
    "ing": "ingresses",
    "limits": "limitranges",
    "netpol": "networkpolicies",
    "no": "nodes",
    "ns": "namespaces",
    "pc": "priorityclasses",
    "pdb": "poddisruptionbudgets",
    "po": "pods",
    "pv": "persistentvolumes",
    "pvc": "persistentvolumeclaims",
    "quota": "resourcequotas",
    "rc": "replicationcontrollers",
    "rs": "replicasets",
    "sa": "serviceaccounts",
    "sc": "storageclasses",
    "sts": "statefulsets",
    "svc": "services",
}
_PARTS: Final = {
    "pods": [
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
        "resize",
        "status",
    ],
    "services": ["proxy", "status"],
    "nodes": ["configz", "healthz", "log", "metrics", "pods", "proxy", "spec", "stats", "status"],
    "namespaces": ["finalize", "status"],
    "serviceaccounts": ["token"],
    "certificatesigningrequests": ["approval", "status"],
    "deployments": ["rollback", "scale", "status"],
}
# Of requests, of what is only checked, and of paths. Roles may name others.
_VERBS: Final = (
    *("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"),
    *("bind", "escalate", "impersonate", "use", "approve", "sign", "attest"),
    *("post", "put", "head", "options", "*"),
)
_ANY: Final = ("scale", "status")
# Groups of which a kind is meant where several have one of its name; others are asked by name.
_FIRST: Final = ("", "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io")


class Asked(msgspec.Struct, frozen=True):
    """A request as it was meant, and what is to be said of how it was read."""

    request: Request
    words: str  # `get secrets/db`
    namespaced: bool = True
    notes: tuple[str, ...] = ()


def parse(
    words: tuple[str, ...],
    cluster: Cluster,
    namespace: str,
    subresource: str = "",
    fields: str = "",
) -> Asked:
    """Reads the words of a question. Raises BadInput."""
    if len(words) != 2:
        raise BadInput(
            "a verb and one resource are asked for",
            f"{len(words)} word{'s were' if len(words) != 1 else ' was'} given",
            "such as: get secrets/db, create pods/exec, or get /healthz",
        )
    verb, what = words
    odd = _odd(verb, namespace, cluster)
    if what.startswith("/"):
        request = as_sent(Request(verb, path=what), cluster)
        return Asked(request, f"{verb} {what}", False, odd)
    resource, _, rest = what.partition("/")
    if rest.count("/") > 1:
        raise BadInput(
            f"{what} has too many parts",
            "a resource has a name and one subresource at most",
            "such as: get secrets/db, or get pods/web-1/log",
        )
    group, plural, inside, notes = _resource(resource, cluster)
    name, part = _rest(plural, rest, subresource)
    if rest and not subresource and part == rest:
        notes += (f"{part} is read as a part of {plural}; a name: {plural}/NAME/{part}",)
    if fields and verb in ("list", "watch"):
        name = name or selected_name(fields)
    asked = Request(verb, group, plural, part, name, namespace)
    shown = "/".join(word for word in (_dotted(group, plural, cluster), name, part) if word)
    sent = as_sent(asked, cluster)
    if name and not sent.name and not part:
        notes += (f"{verb} names no object: it is asked for all of them",)
    if namespace and not sent.namespace:
        notes += (f"{plural} lie in no namespace: -n {namespace} has no meaning here",)
    return Asked(sent, f"{verb} {shown}", inside, (*odd, *_less(notes, verb, name, part)))


def _odd(verb: str, namespace: str, cluster: Cluster) -> tuple[str, ...]:
    """Notes on a verb that no rule has, and on a namespace in which nothing lies: misspelled?"""
    notes: list[str] = []
    if verb not in _VERBS and not any(verb in v for v in _verbs(cluster)):
        from martello.cli.errors import nearest

        near = nearest(verb, _VERBS)
        notes.append(f"no verb {verb} is known here: it is asked literally; the nearest is {near}")
    if namespace and not any(
        one.ref.namespace == namespace
        or (one.ref.kind == "Namespace" and one.ref.name == namespace)
        for one in cluster.resources
    ):
        notes.append(f"nothing here lies in namespace {namespace}")
    return tuple(notes)


def _verbs(cluster: Cluster) -> Iterator[list[Any]]:
    """The verbs of each rule."""
    for kind in ("ClusterRole", "Role"):
        for role in cluster.of_kind(kind):
            rules = role.raw.get("rules")
            for rule in rules if isinstance(rules, list) else ():
                verbs = rule.get("verbs") if isinstance(rule, dict) else None
                if isinstance(verbs, list):
                    yield verbs


def _less(notes: tuple[str, ...], verb: str, name: str, part: str) -> tuple[str, ...]:
    """Without the note on how `pods/exec` is read where nobody can have meant a name."""
    if part and not name and verb in ("create", "connect"):
        return tuple(n for n in notes if " is read as a part of " not in n)
    return notes


def _rest(plural: str, rest: str, subresource: str) -> tuple[str, str]:
    """The name and the subresource in what follows the resource."""
    if subresource:
        return rest, subresource
    name, slash, part = rest.partition("/")
    if slash:
        return name, part
    if name in _PARTS.get(plural, _ANY):
        return "", name
    return name, ""


def _resource(word: str, cluster: Cluster) -> tuple[str, str, bool, tuple[str, ...]]:
    """Group, plural, and whether it lies in namespaces, of a resource as people write it."""
    if not word:
        raise BadInput("no resource is named", "", "such as: get secrets/db")
    if word == "*":
        return "*", "*", True, ("`*` is asked literally: only rules for everything match",)
    short, dot, group = word.partition(".")
    known = _known(cluster)
    name = _SHORT.get(short.lower(), short)
    groups = known.get(name)
    if groups is None:
        name = _plural(short, known)
        groups = known.get(name, {})
    if dot:
        wanted = next((g for g in groups if g == group or (group.endswith(f".{g}") and g)), None)
        if wanted is None and group in ("core", "v1") and "" in groups:
            wanted = ""
        if wanted is not None:
            return wanted, name, groups[wanted], ()
        note = f"no resource {word} is known here: it is asked literally"
        return group, short, True, (note,)
    if not groups:
        note = f"no resource {word} is known here: it is asked literally, in the core group"
        return "", short, True, (note,)
    best = next((g for g in _FIRST if g in groups), next(iter(groups)))
    return best, name, groups[best], ()


def _plural(word: str, known: dict[str, dict[str, bool]]) -> str:
    """`pod` and `Pod` are pods."""
    from martello.core.kinds import plural

    made = plural(word)
    return made if made in known else word


def _known(cluster: Cluster) -> dict[str, dict[str, bool]]:
    """By plural: the groups that have it, with whether it lies in namespaces there."""
    found: dict[str, dict[str, bool]] = {}
    for group, name, inside in (
        *resources(),
        *((g, n, i) for (g, n), i in custom(cluster).items()),
    ):
        if group != "extensions":
            found.setdefault(name, {})[group] = inside
    return found


def _dotted(group: str, plural: str, cluster: Cluster) -> str:
    """The resource, with its group where the name alone means another one."""
    if group in ("", "*"):
        return plural
    groups = _known(cluster).get(plural, {})
    alone = next((g for g in _FIRST if g in groups), next(iter(groups), group))
    return plural if alone == group else f"{plural}.{group}"
