"""Replays the table of escalations: each alternative is found on a minimal world, and the edge that
finds it is not found where one part of it is missing.

An entry names no edge of ours. One passes where some edge of the catalogue gives what the entry's
target is, holds with all parts of the alternative, and fails without any one of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.support.paths.world import ATTACKER, START, fired, world

from martello.paths.facts import facts
from martello.paths.model import Proposition

Case = tuple[str, bool, str]
Row = dict[str, Any]
Fired = dict[str, set[Proposition]]
TARGETS: Final[dict[str, frozenset[str]]] = {
    "credential": frozenset(("secret", "secrets")),
    "serviceaccount": frozenset(("account", "accounts", "tokens")),
    "identity": frozenset(
        ("account", "accounts", "user", "users", "group", "groups", "kubelet", "admin", "part")
    ),
    "role": frozenset(("gained", "admin", "holds")),
    "pod": frozenset(("pods-of", "pods", "pod", "podsat", "podsats", "code")),
    "container": frozenset(("code", "pod", "pods-of")),
    "volume": frozenset(("secret", "tokens", "node")),
    "node": frozenset(("node", "nodes", "nodesof")),
    "cluster-admin": frozenset(("admin", "cloudadmin")),
    "cluster": frozenset(("cluster", "harm", "off", "admin", "part")),
    "traffic": frozenset(("traffic",)),
    "placement": frozenset(("placement",)),
    "cloud": frozenset(("cloud", "cloudadmin")),
    "endpoint": frozenset(("reaches", "reach")),
}
RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}
VARIANTS: Final[tuple[Row, ...]] = ({}, {"labels": RESTRICTED}, {"node": "second"})


def replay(path: Path) -> Iterator[Case]:
    """Every alternative of every entry, and of permissions every choice of one verb or resource."""
    table = json.loads((path / "edges.json").read_text(encoding="utf-8"))
    for entry in table["edges"]:
        unknown = _unknown(entry)
        if unknown:
            yield str(entry.get("id")), False, unknown
            continue
        for number, alternative in enumerate(entry.get("needs_any_of", ())):
            for name, chosen in _choices(alternative):
                case = f"{entry['id']} {number}{name}"
                yield case, *_tried(entry, list(_granted(entry, chosen)))
            if entry["scope"] == "cluster":
                yield f"{entry['id']} {number} in a namespace", *_void(entry, alternative)
        for number, words in enumerate(entry.get("facts_any_of", ())):
            yield f"{entry['id']} {number}", *_tried(entry, [_pictured(entry, words)])


def _unknown(entry: Row) -> str:
    """What of an entry this replay does not understand: it is a case that fails."""
    if not entry.get("needs_any_of") and not entry.get("facts_any_of"):
        return "it says no alternative"
    if entry.get("target") not in TARGETS:
        return f"the target {entry.get('target')} is not known here"
    told = [word for words in entry.get("facts_any_of", ()) for word in words]
    return next((f"no picture of: {word}" for word in told if not _kinds(word)), "")


def _wanted(entry: Row) -> frozenset[str]:
    """What the target is; what a role holds is no gain of a permission: every binding gives it."""
    wanted = TARGETS[entry["target"]]
    return wanted - {"holds"} if "needs_any_of" in entry else wanted


def _tried(entry: Row, worlds: Sequence[tuple[Row, list[Row]]]) -> tuple[bool, str]:
    """Whether some edge tells the whole from all its lesser worlds."""
    wanted = _wanted(entry)
    seen: set[str] = set()
    for whole, lesser in worlds:
        for variant in VARIANTS:
            found = {
                edge
                for edge, gives in _fired({**variant, **whole}).items()
                if any(one[0] in wanted for one in gives)
            }
            seen |= found
            for less in lesser:
                found -= set(_fired({**variant, **less}))
            if found:
                return True, ""
    return (
        False,
        f"found {sorted(seen)}, of which none needs all parts" if seen else "found nothing",
    )


def _fired(example: Row) -> Fired:
    cluster, inputs, footholds = world(example)
    if "footholds" in example:
        footholds = example["footholds"]
    return fired(facts(cluster, inputs), footholds)


def _choices(alternative: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The alternative as it is; with one verb of each; with one resource, the same in all
    permissions that offer the same ones.
    """
    yield "", alternative
    for number, permission in enumerate(alternative):
        if len(permission["verbs"]) > 1:
            for verb in permission["verbs"]:
                changed = [*alternative]
                changed[number] = {**permission, "verbs": [verb]}
                yield f" {verb}", changed
    several = [p["resources"] for p in alternative if len(p["resources"]) > 1]
    for resources in [several[0]] if several else []:
        for resource in resources:
            chosen = [
                {**p, "resources": [resource]} if p["resources"] == resources else p
                for p in alternative
            ]
            yield f" {resource}", chosen


def _granted(entry: Row, alternative: list[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """The worlds in which the alternative is granted, in each scope that the entry allows."""
    rules = [dict(permission) for permission in alternative]
    scope = entry["scope"]
    every = ("namespace", "grant"), ("cluster", "wide")
    keys = [key for word, key in every if word in scope] or ["grant", "wide"]
    for key in ["system"] if "kube-system" in scope else keys:
        yield {key: rules}, [{key: rules[:n] + rules[n + 1 :]} for n in range(len(rules))]


def _void(entry: Row, alternative: list[Row]) -> tuple[bool, str]:
    """What must be held cluster-wide gives nothing through a RoleBinding."""
    wanted = _wanted(entry)
    ((whole, lesser),) = _granted(entry, alternative)
    found = {e for e, gives in _fired(whole).items() if any(one[0] in wanted for one in gives)}
    for less in lesser:
        found -= set(_fired(less))
    local = {
        edge
        for edge, gives in _fired({"grant": alternative}).items()
        if edge in found and any(one[0] in wanted and "shop" not in one for one in gives)
    }
    return not local, f"found {sorted(local)}"


def _pictured(entry: Row, words: list[str]) -> tuple[Row, list[Row]]:
    lesser = [_world(entry, words, word) for word in words]
    return _world(entry, words, ""), lesser


def _world(entry: Row, words: list[str], without: str) -> Row:
    """A world in which the words hold, but for one that does not."""
    container: Row = {"name": "main", "image": "x", "securityContext": {}}
    pod: Row = {"containers": [container], "automountServiceAccountToken": False}
    example: Row = {"pod": pod, "kubernetes": 34}
    for word in words:
        _PICTURES[_kinds(word)[0]](example, pod, container, word, word != without)
    foothold: Proposition = ("pods-of", START)
    if entry["source"] in ("serviceaccount", "identity", "subject"):
        foothold = ATTACKER
    example.setdefault("footholds", [foothold])
    return example


def _kinds(word: str) -> list[str]:
    return [key for key in _PICTURES if key in word]


def _security(container: Row) -> Row:
    found: Row = container["securityContext"]
    return found


def _privileged(_e: Row, _p: Row, container: Row, _w: str, holds: bool) -> None:
    _security(container)["privileged"] = holds


def _host(_e: Row, pod: Row, _c: Row, word: str, holds: bool) -> None:
    pod[word] = holds


def _unmasked(_e: Row, _p: Row, container: Row, _w: str, holds: bool) -> None:
    _security(container)["procMount"] = "Unmasked" if holds else "Default"


def _metadata(example: Row, _p: Row, _c: Row, _w: str, holds: bool) -> None:
    example.update(provider="aws:///eu-1/i-1", egress=None if holds else False)


def _capability(_e: Row, _p: Row, container: Row, word: str, holds: bool) -> None:
    if holds:
        added = _security(container).setdefault("capabilities", {}).setdefault("add", [])
        added.append(word.split()[1])


def _apparmor(_e: Row, _p: Row, container: Row, _w: str, holds: bool) -> None:
    _security(container)["appArmorProfile"] = {"type": "Unconfined" if holds else "RuntimeDefault"}


def _cgroup(example: Row, _p: Row, _c: Row, _w: str, holds: bool) -> None:
    example["cgroup"] = 1 if holds else 2


def _root(_e: Row, _p: Row, container: Row, _w: str, holds: bool) -> None:
    _security(container)["runAsUser"] = 0 if holds else 1000


def _host_path(_e: Row, pod: Row, container: Row, word: str, holds: bool) -> None:
    match = re.search(r"/[\w./-]+", word)
    path = match[0] if match else "/root/.ssh"
    if "socket" in word:
        path = "/run/containerd/containerd.sock"
    pod.setdefault("volumes", []).append(
        {"name": "host", "hostPath": {"path": path if holds else "/data"}}
    )
    mount = {"name": "host", "mountPath": "/host", "readOnly": word.startswith("readable")}
    container.setdefault("volumeMounts", []).append(mount)


def _logs(example: Row, pod: Row, _c: Row, _w: str, holds: bool) -> None:
    pod["automountServiceAccountToken"] = True
    example["grant"] = ["get pods/log" if holds else "get pods"]


def _token(_e: Row, pod: Row, _c: Row, _w: str, holds: bool) -> None:
    pod["automountServiceAccountToken"] = holds


def _secret(_e: Row, _p: Row, container: Row, _w: str, holds: bool) -> None:
    if holds:
        container["envFrom"] = [{"secretRef": {"name": "db"}}]


def _volume(_e: Row, pod: Row, container: Row, _w: str, holds: bool) -> None:
    pod["volumes"] = [{"name": "v", "secret": {"secretName": "db"}}]
    if holds:
        container["volumeMounts"] = [{"name": "v", "mountPath": "/v"}]


def _shared(_e: Row, pod: Row, _c: Row, _w: str, holds: bool) -> None:
    pod["shareProcessNamespace"] = holds


def _node(example: Row, _p: Row, _c: Row, _w: str, holds: bool) -> None:
    example["footholds"] = [("node", "worker")] if holds else []


def _control(example: Row, _p: Row, _c: Row, _w: str, holds: bool) -> None:
    example["control"] = holds
    example["footholds"] = [("node", "worker")]


def _exposed(example: Row, _p: Row, _c: Row, _w: str, holds: bool) -> None:
    example.update(weak="CVE-2099-0001", exposed=holds, footholds=[("internet",)])


def _cloud(example: Row, _p: Row, _c: Row, _w: str, holds: bool) -> None:
    if holds:
        example["cloud"] = "arn:aws:iam::1:role/x"


def _bound(example: Row, _p: Row, _c: Row, _w: str, holds: bool) -> None:
    if holds:
        example["grant"] = ["get secrets"]


def _belongs(example: Row, _p: Row, _c: Row, _w: str, holds: bool) -> None:
    example["footholds"] = [("pods-of", START)] if holds else []


_PICTURES: Final = {
    "container privileged": _privileged,
    "shareProcessNamespace": _shared,
    "hostPath": _host_path,
    "hostPID": _host,
    "hostNetwork": _host,
    "hostIPC": _host,
    "procMount": _unmasked,
    "metadata service": _metadata,
    "capability": _capability,
    "AppArmor": _apparmor,
    "cgroup": _cgroup,
    "user root": _root,
    "logs": _logs,
    "service account token": _token,
    "refers to a secret": _secret,
    "volume mounted": _volume,
    "control of the node": _node,
    "control-plane": _control,
    "exposes it": _exposed,
    "cloud identity": _cloud,
    "RoleBinding": _bound,
    "belongs to the pod": _belongs,
}
