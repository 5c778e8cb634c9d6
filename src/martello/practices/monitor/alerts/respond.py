"""What can be done at once about an alert, as proposals: hold its pod, its node, or let it go.

- quarantine: a NetworkPolicy that allows nothing, for a label that only this pod gets. Policies add
  up, so the pod also loses the labels by which others allow it something: it leaves its Service and
  its controller, which starts another in its place, and stays to be looked at.
- cordon: nothing new is placed on the node.
- evict: the pod ends by the API that minds disruption budgets; what it holds in memory is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from martello.core.alert import Alert
from martello.core.selector import MalformedSelector, matches

ACTIONS: Final = ("quarantine", "cordon", "evict")
LABEL: Final = "martello.dev/quarantine"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
Json = Mapping[str, Any]


class Change(msgspec.Struct, frozen=True):
    """One call of the API: POST to a collection or PATCH (a merge) of an object."""

    method: str
    path: str
    body: Json
    words: str


class Action(msgspec.Struct, frozen=True):
    """One proposal: what it changes, and what must be known before. `why`: why there is none."""

    name: str
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    why: str = ""


class Subject(msgspec.Struct, frozen=True):
    """Whom an alert is about; empty: it does not say."""

    namespace: str = ""
    pod: str = ""
    node: str = ""


def subject(alert: Alert) -> Subject:
    """The pod and the node of an alert, by its group and its evidence, the latest first."""
    told: dict[str, Any] = {}
    for one in alert.evidence:
        told |= one.columns
    told |= alert.entity
    pod = told.get("pod_name")
    if not pod and told.get("k8s_resource") == "pods":
        pod = told.get("k8s_name") or told.get("k8s_obj_name")
    node = told.get("node")
    if not node and told.get("k8s_resource") == "nodes":
        node = told.get("k8s_name")
    return Subject(_named(told.get("k8s_ns")), _named(pod), _named(node))


def _named(value: Any) -> str:
    """A name as Kubernetes allows it: what an attacker wrote reaches no path otherwise."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def proposals(
    alert: Alert,
    names: Sequence[str] = ACTIONS,
    *,
    pod: Json | None = None,
    policies: Sequence[Json] | None = None,
) -> tuple[Action, ...]:
    """What could be done. `pod` is the pod as it is now, `policies` the NetworkPolicies of its
    namespace; without them the proposals say what they do not know.
    """
    about = subject(alert)
    if pod is not None:
        spec, metadata = _part(pod, "spec"), _part(pod, "metadata")
        about = Subject(
            about.namespace,
            about.pod,
            _named(spec.get("nodeName")) or about.node,
        )
        uid = str(metadata.get("uid") or "")
    else:
        uid = _uid(alert)
    made = {
        "quarantine": lambda: _quarantine(alert, about, pod, policies),
        "cordon": lambda: _cordon(about),
        "evict": lambda: _evict(about, uid),
    }
    return tuple(made[name]() for name in names)


def _uid(alert: Alert) -> str:
    for one in reversed(alert.evidence):
        if one.columns.get("pod_uid"):
            return str(one.columns["pod_uid"])
    return ""


def _quarantine(
    alert: Alert, about: Subject, pod: Json | None, policies: Sequence[Json] | None
) -> Action:
    if not about.pod or not about.namespace:
        return Action("quarantine", why="the alert names no pod")
    mark = alert.id[:12]
    name = f"martello-quarantine-{mark}"
    held: dict[str, Any] = dict(_part(_part(pod or {}, "metadata"), "labels"))
    others = [one for one in policies or () if _part(one, "metadata").get("name") != name]
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": about.namespace,
            "annotations": {"martello.dev/alert": alert.id},
        },
        "spec": {
            "podSelector": {"matchLabels": {LABEL: mark}},
            "policyTypes": ["Ingress", "Egress"],
        },
    }
    namespace = f"/namespaces/{about.namespace}"
    created = Change(
        "POST",
        f"/apis/networking.k8s.io/v1{namespace}/networkpolicies",
        policy,
        f"create {about.namespace}/NetworkPolicy/{name}",
    )
    labelled = Change(
        "PATCH",
        f"/api/v1{namespace}/pods/{quote(about.pod, safe='')}",
        {"metadata": {**_same(pod), "labels": {**dict.fromkeys(held, None), LABEL: mark}}},
        f"change the labels of {about.namespace}/Pod/{about.pod}",
    )
    known = policies is not None and len(others) < len(policies)
    changes = (labelled,) if known else (created, labelled)
    notes = ["only a network that enforces NetworkPolicies obeys; open connections may stay"]
    if pod is None:
        notes.append("the pod was not read: the labels by which others allow it something stay")
    elif held:
        notes.append(f"it leaves its Service and controller, which starts another: {_told(held)}")
    if policies is not None:
        open_ones = _allowing(others, {LABEL: mark})
        if open_ones:
            notes.append(f"still allowed by {', '.join(open_ones)}: it selects every pod")
    elif pod is not None:
        notes.append("the policies of the namespace were not read: one for every pod still allows")
    return Action("quarantine", changes, tuple(notes))


def _same(pod: Json | None) -> dict[str, str]:
    """The version that was read: what was changed since is not overwritten."""
    version = _part(pod or {}, "metadata").get("resourceVersion")
    return {"resourceVersion": str(version)} if version else {}


def _told(labels: Json) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _allowing(policies: Iterable[Json], labels: Mapping[str, str]) -> list[str]:
    """The policies that select a pod of these labels alone and allow something."""
    found: list[str] = []
    for one in policies:
        spec = _part(one, "spec")
        try:
            selected = matches(spec.get("podSelector") or {}, labels)
        except MalformedSelector:
            selected = True
        if selected and (spec.get("ingress") or spec.get("egress")):
            found.append(str(_part(one, "metadata").get("name")))
    return sorted(found)


def _cordon(about: Subject) -> Action:
    if not about.node:
        return Action("cordon", why="the alert names no node, and its pod was not read")
    change = Change(
        "PATCH",
        f"/api/v1/nodes/{quote(about.node, safe='')}",
        {"spec": {"unschedulable": True}},
        f"cordon Node/{about.node}",
    )
    return Action("cordon", (change,), ("what runs there goes on running",))


def _evict(about: Subject, uid: str) -> Action:
    if not about.pod or not about.namespace:
        return Action("evict", why="the alert names no pod")
    body: dict[str, Any] = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": about.pod, "namespace": about.namespace},
    }
    notes = ["what it holds in memory and on its own disk is gone: look first, or quarantine"]
    if uid:
        body["deleteOptions"] = {"preconditions": {"uid": uid}}
    else:
        notes.append("the pod's uid is not known: another of the same name would go")
    change = Change(
        "POST",
        f"/api/v1/namespaces/{about.namespace}/pods/{quote(about.pod, safe='')}/eviction",
        body,
        f"evict {about.namespace}/Pod/{about.pod}",
    )
    return Action("evict", (change,), tuple(notes))


def _part(value: Any, key: str) -> Json:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}
