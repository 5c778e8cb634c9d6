"""Replays KubeHound's attack cluster: each expected edge is one of ours, between the same things.

All manifests are one cluster of three nodes. It is read as of Kubernetes 1.23, the last version
that made the token secrets which upstream's TOKEN edges stand for. Where an `exact` list is longer
or shorter than ours, each pair of the difference is a case that fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Nowhere, resource_of
from martello.paths.facts import Facts, facts
from martello.paths.horn import Program
from martello.paths.model import Inputs, Proposition, Weakness

Case = tuple[str, bool, str]
Row = dict[str, Any]
NODES: Final = tuple(f"kubehound.test.local-{w}" for w in ("control-plane", "worker", "worker2"))
# Upstream's edge → ours, and those that only spell out what one of them gives.
EDGES: Final[dict[str, tuple[str, ...]]] = {
    "CE_MODULE_LOAD": ("load-module",),
    "CE_NET_MITM": ("host-network-admin",),
    "CE_NSENTER": ("nsenter",),
    "CE_PRIV_MOUNT": ("privileged-mount",),
    "CE_SYS_PTRACE": ("ptrace-host",),
    "CE_UMH_CORE_PATTERN": ("core-pattern",),
    "CE_VAR_LOG_SYMLINK": ("var-log-symlink", "token-mounted", "binding"),
    "CONTAINER_ATTACH": ("pod-container",),
    "ENDPOINT_EXPLOIT": ("endpoint-exploit", "network-reach"),
    "EXPLOIT_CONTAINERD_SOCK": ("runtime-socket",),
    "EXPLOIT_HOST_READ": ("hostpath-read",),
    "EXPLOIT_HOST_TRAVERSE": ("hostpath-kubelet-pods", "kubelet-tokens"),
    "EXPLOIT_HOST_WRITE": ("hostpath-write",),
    "IDENTITY_ASSUME": ("token-mounted", "node-identity", "group-member"),
    "IDENTITY_IMPERSONATE": ("impersonate-user", "impersonate-group", "impersonate-account"),
    "PERMISSION_DISCOVER": ("binding",),
    "POD_ATTACH": ("node-to-pod",),
    "POD_CREATE": ("pod-create-node",),
    "POD_EXEC": ("pod-exec",),
    "POD_PATCH": ("pod-patch",),
    "ROLE_BIND": ("role-bind", "role-bind-clusterrole", "clusterrole-bind", "binding"),
    "SHARE_PS_NAMESPACE": ("shared-pid", "pod-container"),
    "TOKEN_BRUTEFORCE": ("secret-read-named", "token-secret-legacy"),
    "TOKEN_LIST": ("secret-list", "token-secret-legacy"),
    "TOKEN_STEAL": ("node-to-pod", "token-mounted", "kubelet-tokens"),
    "VOLUME_ACCESS": ("node-to-pod", "pod-container"),
    "VOLUME_DISCOVER": (),
}
MODES: Final = frozenset(("container-escape", "none", "every-target", "exact", "subset"))
_PLAIN: Final = frozenset(("part", "scope", "role", "one-request", "goal"))


def replay(path: Path) -> Iterator[Case]:
    """One case for each pair that is expected, and for each that an exact list has not."""
    found = Hound(path / "world.jsonl")
    for line in (path / "edges.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row.get("edge") not in EDGES or row.get("mode") not in MODES:
            yield str(row.get("test")), False, "an edge or a mode that is not known here"
            continue
        for name, passed, detail in _row(found, row):
            yield f"{row['test']} {name}", passed, detail


def _row(hound: Hound, row: Row) -> Iterator[Case]:
    edge, mode = row["edge"], row["mode"]
    if mode == "container-escape":
        for name in row["from_any"]:
            got = hound.targets(edge, row["from_class"], name, row["to_class"])
            yield name, bool(got & set(row["to_any"])), f"leads to {sorted(got)}"
    elif mode == "none":
        for name in row["from_any"]:
            got = hound.targets(edge, row["from_class"], name, row["to_class"])
            yield name, not got, f"leads to {sorted(got)}"
    elif mode == "every-target":
        every = hound.names(row["to_class"])
        reached = {
            target
            for start in hound.names(row["from_class"])
            for target in hound.targets(edge, row["from_class"], start, row["to_class"])
        }
        for target in sorted(every):
            yield target, target in reached, "nothing leads there"
    else:
        yield from _pairs(hound, row)


def _pairs(hound: Hound, row: Row) -> Iterator[Case]:
    edge, ends = row["edge"], (row["from_class"], row["to_class"])
    expected = {(start, end) for start, end in row.get("expected", ())}
    for start, end in sorted(expected):
        got = hound.targets(edge, ends[0], start, ends[1])
        yield f"{start} → {end}", end in got, f"leads to {sorted(got)}"
    if row["mode"] == "exact":
        starts = {start for start, _ in expected}
        if edge == "PERMISSION_DISCOVER":
            starts = hound.names(ends[0])
        for start in sorted(starts):
            for end in sorted(hound.targets(edge, ends[0], start, ends[1])):
                if (start, end) not in expected:
                    yield f"{start} → {end}", False, "not expected"


class Hound:
    """The cluster of the corpus, and what each of its things is in ours."""

    def __init__(self, path: Path) -> None:
        objects = [
            _placed(one, number)
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines())
            for one in json.loads(line)["manifests"]
        ]
        for name in NODES:
            labels = {"node-role.kubernetes.io/control-plane": ""} if "control" in name else {}
            objects.append(_object("Node", name, labels=labels))
        for name in sorted({o["metadata"].get("namespace", "") for o in objects} - {""}):
            objects.append(_object("Namespace", name))
        resources = [resource_of(one, Nowhere()) for one in objects]
        weak = (Weakness("ubuntu", "CVE-2099-0001"),)
        self.facts: Facts = facts(Cluster(resources, kubernetes=23), Inputs(weaknesses=weak))
        self.world = self.facts.world
        self.bound = {w.who for w in self.world.held if w.who[0] == "account"}

    def names(self, kind: str) -> set[str]:
        """The things of an upstream class."""
        classes = self.world.classes
        if kind == "Node":
            return set(self.world.nodes)
        if kind == "Pod":
            return {cls.workload.resource.ref.name for cls in classes}
        if kind == "Container":
            return {name for cls in classes for name in cls.containers}
        if kind == "Identity":
            return {who[2] for who in self.bound if who[1] == "default"}
        if kind == "Volume":
            return {name for cls in classes for name, _ in self._mounts(cls)}
        raise KeyError(kind)

    def targets(self, edge: str, source: str, name: str, target: str) -> set[str]:
        """Where the edges that are this one lead from a thing."""
        if edge == "PERMISSION_DISCOVER":
            return {
                f"{one.role[2]}::{one.name[3]}"
                for one in self.world.held
                if one.who == ("account", "default", name)
            }
        starts = self._starts(source, name)
        if (source, target) == ("Container", "Volume"):
            return set(self._volumes(edge, starts))
        allowed = frozenset(EDGES[edge]) | _PLAIN
        known = through(self.facts.program, starts, lambda label: label in allowed)
        found = {self.facts.program.names[n] for n in known} - set(starts)
        return self._ends(target, found)

    def _volumes(self, edge: str, starts: list[Proposition]) -> Iterator[str]:
        """The mounts that our edges of a container stand on."""
        program = self.facts.program
        mounts = {(c.id, n): v for c in self.world.classes for v, n in self._mounts(c)}
        if edge == "VOLUME_DISCOVER":
            yield from (mounts[(p[1], p[2])] for p in starts if (p[1], p[2]) in mounts)
        here = {program.id(one) for one in starts}
        for body, label in zip(program.bodies, program.labels, strict=True):
            if label.edge in EDGES[edge] and here.intersection(body):
                for fact in (program.facts[n] for n in body if n in program.facts):
                    if fact.resource is not None and "volumeMounts" in fact.path:
                        yield look_up(fact.resource.raw, (*fact.path, "name"))

    def _starts(self, kind: str, name: str) -> list[Proposition]:
        classes = self.world.classes
        if kind == "Node":
            return [("node", name)]
        if kind == "Pod":
            return [("pods-of", c.id) for c in classes if c.workload.resource.ref.name == name]
        if kind == "Container":
            return [
                prop
                for c in classes
                if name in c.containers
                for prop in (("code", c.id, name), *(("code", c.id, name, n) for n in c.nodes))
            ]
        if kind == "PermissionSet":
            role, _, binding = name.partition("::")
            return [
                ("holds", *one.role, one.scope)
                for one in self.world.held
                if one.role[2] == role and one.name[3] == binding
            ]
        return [("account", "default", name)]

    def _ends(self, kind: str, found: set[Proposition]) -> set[str]:
        classes = {cls.id: cls for cls in self.world.classes}
        if kind == "Node":
            return {p[1] for p in found if p[0] == "node"}
        if kind == "Container":
            return {p[2] for p in found if p[0] == "code"}
        if kind == "Pod":
            ids = {p[1] for p in found if p[0] in ("pods-of", "pod")}
            return {classes[i].workload.resource.ref.name for i in ids}
        if kind == "Identity":
            return {p[1] for p in found if p[0] in ("group", "user")} | {
                p[2] for p in found if p in self.bound and p[1] == "default"
            }
        if kind == "PermissionSet":
            return {p[3] for p in found if p[0] in ("holds", "gained")}
        nodes = {p[1] for p in found if p[0] == "node"}
        held = {(p[1], p[2]) for p in found if p[0] == "code"}
        return {
            volume
            for cls in classes.values()
            for volume, container in self._mounts(cls)
            if (cls.id, container) in held or (nodes & set(cls.nodes) and not held)
        }

    def _mounts(self, cls: Any) -> Iterator[tuple[str, str]]:
        for container in cls.workload.containers:
            for mount in container.raw.get("volumeMounts") or ():
                yield mount["name"], container.name


def through(
    program: Program, starts: list[Proposition], allowed: Callable[[str], bool]
) -> set[int]:
    """What follows from the starts by rules of some edges alone."""
    known = {program.id(one) for one in starts} | set(program.facts)
    while True:
        new = {
            head
            for head, body, label in zip(program.heads, program.bodies, program.labels, strict=True)
            if head not in known and allowed(label.edge) and known.issuperset(body)
        }
        if not new:
            return known - set(program.facts)
        known |= new


def _placed(one: Row, number: int) -> Row:
    """An object as the server keeps it: in the namespace default, a pod on a worker."""
    metadata = dict(one["metadata"])
    kind = one["kind"]
    if not kind.startswith("Cluster") and kind not in ("Node", "Namespace"):
        metadata.setdefault("namespace", "default")
    one = {**one, "metadata": metadata}
    if kind == "Pod":
        one["spec"] = {**one["spec"], "nodeName": NODES[1 + number % 2]}
    return one


def _object(kind: str, name: str, **metadata: Any) -> Row:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}
