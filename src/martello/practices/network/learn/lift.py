"""The label selector of a workload: its own matchLabels, without what changes from pod to pod or
from version to version, and exact: it selects that workload's pods and no other's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from martello.core.resource import strings
from martello.core.selector import MalformedSelector, matches
from martello.practices.network.learn.atlas import VOLATILE, Atlas
from martello.practices.network.learn.model import Key
from martello.practices.network.model import Endpoint

# Labels that name a version: they change with every release.
VERSIONS: Final = frozenset(
    (
        "app.kubernetes.io/version",
        "chart",
        "chart-version",
        "helm.sh/chart",
        "helm.sh/revision",
        "revision",
        "version",
    )
)
_NOT_KINDS: Final = frozenset(("Pod", "Job", "CronJob"))

Labels = Mapping[str, str]
Raw = dict[str, Any]


class Lifted(msgspec.Struct, frozen=True, eq=False):
    """A workload's selector. `also` names the workloads it cannot be told from; `why` says why it
    cannot be selected at all (then `selector` is None).
    """

    key: Key
    selector: Raw | None
    also: tuple[Key, ...] = ()
    why: str = ""


class _Pods(msgspec.Struct, frozen=True, eq=False):
    """One workload of a namespace: the label sets that its pods have."""

    key: Key
    labels: tuple[Labels, ...]


def lift(atlas: Atlas) -> dict[Key, Lifted]:
    """The selector of every workload, on the network of its node or not."""
    spaces: dict[str, list[_Pods]] = {}
    for key, shapes in atlas.shapes.items():
        kinds = tuple(shape[0].labels for shape in shapes if not shape[0].host_network)
        if kinds:
            spaces.setdefault(key.namespace, []).append(_Pods(key, kinds))
    found: dict[Key, Lifted] = {}
    for members in spaces.values():
        by_label = _by_label(members)
        for pods in members:
            own = _own_selector(pods.key, atlas)
            found[pods.key] = _lifted(pods, own, members, by_label)
    return found


def _lifted(
    pods: _Pods, own: Raw | None, members: list[_Pods], by_label: dict[tuple[str, str], set[int]]
) -> Lifted:
    common = _common(pods.labels)
    wanted = dict(own.get("matchLabels") or {}) if own else _stable(common)
    expressions = list(own.get("matchExpressions") or ()) if own else []
    versions = {k: v for k, v in wanted.items() if k in VERSIONS}
    wanted = _stable(wanted)
    expressions = [e for e in expressions if e.get("key") not in VOLATILE | VERSIONS]
    selector = _selector(wanted, expressions)
    others = _others(selector, pods, members, by_label)
    # A version that is part of the workload's own selector, where nothing else tells it apart.
    for more in (_stable(common), versions):
        wanted, others = _narrow(wanted, expressions, more, pods, others)
    absent, others = _absences(pods, others)
    expressions += absent
    if not wanted and not expressions and len(members) > 1:
        return Lifted(pods.key, None, why="its pods have no labels that tell them apart")
    return Lifted(
        pods.key, _selector(wanted, expressions), tuple(sorted(other.key for other in others))
    )


def _narrow(
    wanted: dict[str, str],
    expressions: list[Raw],
    more: Labels,
    pods: _Pods,
    others: list[_Pods],
) -> tuple[dict[str, str], list[_Pods]]:
    """Adds the labels that exclude most others, until there are none or nothing helps."""
    while others:
        best: tuple[int, str] | None = None
        for key in sorted(more.keys() - wanted.keys()):
            if pods.labels and all(one.get(key) == more[key] for one in pods.labels):
                left = sum(_taken(o, {"matchLabels": {key: more[key]}}) for o in others)
                if left < len(others) and (best is None or (left, key) < best):
                    best = (left, key)
        if best is None:
            break
        wanted = {**wanted, best[1]: more[best[1]]}
        others = [o for o in others if _taken(o, _selector(wanted, expressions))]
    return wanted, others


def _absences(pods: _Pods, others: list[_Pods]) -> tuple[list[Raw], list[_Pods]]:
    """Keys that every pod of another workload has and no pod of this one: they must be absent."""
    found: list[Raw] = []
    mine = {key for one in pods.labels for key in one}
    while others:
        shares: dict[str, int] = {}
        for other in others:
            keys = set.intersection(*(set(one) for one in other.labels))
            for key in keys - mine - VOLATILE - VERSIONS:
                shares[key] = shares.get(key, 0) + 1
        if not shares:
            break
        key = min(shares, key=lambda k: (-shares[k], k))
        found.append({"key": key, "operator": "DoesNotExist"})
        others = [o for o in others if not all(key in one for one in o.labels)]
    return found, others


def _taken(pods: _Pods, selector: Raw) -> bool:
    return any(matches(selector, one) for one in pods.labels)


def _others(
    selector: Raw,
    pods: _Pods,
    members: list[_Pods],
    by_label: dict[tuple[str, str], set[int]],
) -> list[_Pods]:
    """The other workloads that a selector takes in, from an index by label."""
    wanted = strings(selector.get("matchLabels"))
    sets = sorted((by_label.get(item, set()) for item in wanted.items()), key=len)
    candidates = sorted(set.intersection(*sets)) if sets else range(len(members))
    return [
        members[i]
        for i in candidates
        if members[i].key != pods.key and _taken(members[i], selector)
    ]


def _by_label(members: list[_Pods]) -> dict[tuple[str, str], set[int]]:
    found: dict[tuple[str, str], set[int]] = {}
    for index, pods in enumerate(members):
        for labels in pods.labels:
            for item in labels.items():
                found.setdefault(item, set()).add(index)
    return found


def _own_selector(key: Key, atlas: Atlas) -> Raw | None:
    """What the workload's object itself selects its pods by, where all its pods agree to it."""
    if key.kind in _NOT_KINDS:
        return None
    for endpoint in atlas.groups[key]:
        root = atlas.cluster.root(endpoint.resource)
        raw = root.spec.get("selector")
        if root.ref.kind != key.kind or not isinstance(raw, dict):
            continue
        if root.ref.kind in ("ReplicationController", "DeploymentConfig"):
            raw = {"matchLabels": raw}
        labels = strings(raw.get("matchLabels"))
        if not labels and not raw.get("matchExpressions"):
            continue
        if _agrees(raw, atlas.groups[key]):
            return {"matchLabels": labels, "matchExpressions": raw.get("matchExpressions") or []}
    return None


def _agrees(selector: Raw, endpoints: Iterable[Endpoint]) -> bool:
    try:
        return all(matches(selector, e.labels) for e in endpoints if not e.host_network)
    except MalformedSelector:
        return False


def _common(kinds: tuple[Labels, ...]) -> dict[str, str]:
    first, *rest = kinds
    return {k: v for k, v in first.items() if all(one.get(k) == v for one in rest)}


def _stable(labels: Labels) -> dict[str, str]:
    return {k: v for k, v in labels.items() if k not in VOLATILE and k not in VERSIONS}


def _selector(labels: Labels, expressions: Iterable[Raw]) -> Raw:
    found: Raw = {}
    if labels:
        found["matchLabels"] = dict(sorted(labels.items()))
    listed = sorted(expressions, key=lambda e: (str(e.get("key")), str(e.get("operator"))))
    if listed:
        found["matchExpressions"] = listed
    return found
