"""Who is behind what a controller does: the one who last wrote the workload that it works for.

A pod is created by a controller, for a ReplicaSet, for a Deployment that somebody wrote. The audit
log tells of each write; the owner references in the written objects join them. They stand in the
log from level Request on; below it the pod's name tells, which is a guess and is marked as one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from sys import getsizeof
from typing import Any, Final

import msgspec

from martello.practices.monitor.engine.terms import document

MOST: Final = 250_000  # objects that are remembered; the least recent goes first
MOST_BYTES: Final = 64 << 20  # of what is remembered of them, about
_EACH: Final = 250  # bytes of an object besides its names
_WRITES: Final = frozenset(("create", "update", "patch"))
# The resource of each kind that makes pods, and the word for it in `pod_workload`.
WORKLOADS: Final[Mapping[str, tuple[str, str]]] = {
    "deployments": ("Deployment", "deploy"),
    "daemonsets": ("DaemonSet", "daemonset"),
    "statefulsets": ("StatefulSet", "statefulset"),
    "replicasets": ("ReplicaSet", "replicaset"),
    "replicationcontrollers": ("ReplicationController", "replicationcontroller"),
    "jobs": ("Job", "job"),
    "cronjobs": ("CronJob", "cronjob"),
    "pods": ("Pod", "pod"),
}
RESOURCES: Final = frozenset(WORKLOADS)
_MACHINES: Final = (
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:apiserver",
    "system:node:",
)
_CONTROLLERS: Final = "system:serviceaccount:kube-system:"
_DEEPEST: Final = 8
Key = tuple[str, str, str]  # namespace, kind, name


class Origin(msgspec.Struct, frozen=True):
    """Who last wrote a workload, which one it is (`deploy/billing`), and when (ns UTC). `guessed`:
    told by names.
    """

    user: str
    workload: str
    time: int
    guessed: bool = False


class _Known(msgspec.Struct):
    user: str
    time: int
    owner: Key | None


def is_machine(user: str) -> bool:
    """Whether a user is a part of the cluster that acts for others."""
    if user.startswith(_CONTROLLERS):
        name = user.removeprefix(_CONTROLLERS)
        return name.endswith(("-controller", "-scheduler")) or name == "generic-garbage-collector"
    return user.startswith(_MACHINES)


def _person(event: Mapping[str, Any]) -> str:
    """Who it is: who is impersonated, but for one who takes the place of a part of the cluster."""
    user = str(event.get("actor_user") or "")
    other = str(event.get("actor_as") or "")
    return other if other and not is_machine(other) else user


class Authors:
    """What is known of writes. Events are given in the order in which they come."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._known: OrderedDict[Key, _Known] = OrderedDict()
        self.forgotten = 0

    def note(self, event: Mapping[str, Any]) -> None:
        """Learns from an audit event, where it is a write of something that makes pods."""
        key = key_of(event)
        if key is None or event.get("api_verb") not in _WRITES or not _went_well(event):
            return
        if event.get("k8s_subresource"):
            return
        user = _person(event)
        owner = _owner(event, key[0])
        known = self._known.pop(key, None)
        self._bytes -= 0 if known is None else _size(key, known)
        written = _Known("", 0, None) if known is None else known
        if user and not is_machine(user):
            written.user, written.time = user, int(event.get("time") or 0)
        written.owner = owner or written.owner
        self._known[key] = written
        self._bytes += _size(key, written)
        while len(self._known) > self._most or self._bytes > self._most_bytes:
            gone = self._known.popitem(last=False)
            self._bytes -= _size(*gone)
            self.forgotten += 1

    def of(self, event: Mapping[str, Any]) -> Origin | None:
        """Who is behind an audit event of a controller; None: nobody, or nobody knows."""
        key = key_of(event)
        if key is None or not is_machine(_person(event)):
            return None
        return self._follow(_owner(event, key[0])) or self.behind(key)

    def behind(self, key: Key) -> Origin | None:
        """Who is behind an object."""
        return self._follow(key) or self._guess(key)

    def _follow(self, key: Key | None) -> Origin | None:
        found: Origin | None = None
        for _ in range(_DEEPEST):
            known = self._known.get(key) if key is not None else None
            if key is None or known is None:
                break
            if known.user:
                found = Origin(known.user, _called(key), known.time)
            key = known.owner
        return found

    def _guess(self, key: Key) -> Origin | None:
        """By names: a pod is called after its ReplicaSet, which is called after its Deployment."""
        space, _, name = key
        for _ in range(2):
            name = name.rpartition("-")[0]
            if not name:
                break
            for kind, _ in WORKLOADS.values():
                found = self._follow((space, kind, name))
                if found is not None:
                    return msgspec.structs.replace(found, guessed=True)
        return None


def _size(key: Key, known: _Known) -> int:
    """Bytes that an object takes, about."""
    return _EACH + sum(map(getsizeof, (key[0], key[2], known.user, *(known.owner or ())[::2])))


def key_of(event: Mapping[str, Any]) -> Key | None:
    """The workload or pod that an audit event is about."""
    kind = WORKLOADS.get(str(event.get("k8s_resource") or ""))
    name = event.get("k8s_obj_name") or event.get("k8s_name")
    if kind is None or not name:
        return None
    return str(event.get("k8s_ns") or ""), kind[0], str(name).removesuffix("*")


def _called(key: Key) -> str:
    word = next(word for kind, word in WORKLOADS.values() if kind == key[1])
    return f"{word}/{key[2]}"


def _went_well(event: Mapping[str, Any]) -> bool:
    return int(event.get("api_code") or 200) < 400


def _owner(event: Mapping[str, Any], space: str) -> Key | None:
    """The controller that the written object names."""
    raw = document(event.get("raw"))
    if not isinstance(raw, dict):
        return None
    for body in ("responseObject", "requestObject"):
        written = raw.get(body)
        meta = written.get("metadata") if isinstance(written, dict) else None
        owners = meta.get("ownerReferences") if isinstance(meta, dict) else None
        for one in owners if isinstance(owners, list) else ():
            if isinstance(one, dict) and one.get("controller") is True:
                kind, name = one.get("kind"), one.get("name")
                if isinstance(kind, str) and isinstance(name, str):
                    return space, kind, name
    return None
