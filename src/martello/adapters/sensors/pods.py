"""The pods that are handed in, and what events say of each: namespace, name, workload, what runs in
it. The API server's answers give them, again and again while events come.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import msgspec

from martello.adapters.sensors.shape import Json, part, text

_CRONJOB: Final = re.compile(r"(.+)-\d{8,10}")
_MOST_PODS: Final = 200_000  # pods that are handed in; those that were not for longest go first
_SHORT: Final = 12  # characters of an id that every sensor tells
_KINDS: Final = {
    "DaemonSet": "ds",
    "StatefulSet": "sts",
    "Deployment": "deploy",
    "ReplicaSet": "rs",
}
_Key = TypeVar("_Key")
_Told = TypeVar("_Told")


class Pods:
    """The pods that are handed in, by their containers' ids, their uid and their name. One thread
    may add while others ask.
    """

    def __init__(self, pods: Iterable[Json] = ()) -> None:
        self.version = 0  # grows with each pod that is new or says something else
        self._lock = threading.Lock()
        self._containers: dict[str, Mapping[str, str]] = {}
        self._short: dict[str, str] = {}  # the first 12 characters of an id; empty: of several
        self._uids: dict[str, Mapping[str, str]] = {}
        self._static: dict[str, Mapping[str, str]] = {}  # by what the kubelet calls a static pod
        self._names: dict[tuple[str, str], Mapping[str, str]] = {}
        for pod in pods:
            self.add(pod)

    def add(self, pod: Json) -> None:
        """A pod as the API server gives it, once more each time that it is read."""
        meta, spec = part(pod, "metadata"), part(pod, "spec")
        columns = {
            "k8s_ns": text(meta, "namespace"),
            "pod_name": text(meta, "name"),
            "pod_uid": text(meta, "uid"),
            "pod_workload": workload(pod),
            "pod_sa": text(spec, "serviceAccountName", "serviceAccount"),
            "pod_template": template(pod),
        }
        whole = {column: value for column, value in columns.items() if value}
        if whole.get("pod_name"):
            with self._lock:
                self._put(pod, whole)

    def _put(self, pod: Json, whole: Mapping[str, str]) -> None:
        meta, status = part(pod, "metadata"), part(pod, "status")
        uid = whole.get("pod_uid", "")
        new = self._uids.get(uid) != whole
        if uid:
            _latest(self._uids, uid.replace("_", "-"), whole)
        # Anybody may write the annotation: the uid of another pod is that pod's all the same.
        if mirror := text(part(meta, "annotations"), "kubernetes.io/config.hash"):
            _latest(self._static, mirror.replace("_", "-"), whole)
        _latest(self._names, (whole.get("k8s_ns", ""), whole["pod_name"]), whole)
        for state in _objects(
            status, "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"
        ):
            found = (text(state, "containerID") or "").rpartition("://")[2]
            if found:
                told = {**whole, **_image(state)}
                new = new or self._containers.get(found) != told
                _latest(self._containers, found, told)
                short = found[:_SHORT]
                _latest(self._short, short, found if self._short.get(short, found) == found else "")
        self.version += new

    def container(self, found: str) -> Mapping[str, str]:
        """The columns of a container's pod and its own, by its id or what Tetragon leaves of it
        (the first 31 characters). Nothing where it is not known.
        """
        with self._lock:
            known = self._containers.get(found)
            if known is None and _SHORT <= len(found) < 64:
                whole = self._short.get(found[:_SHORT], "")
                known = self._containers.get(whole) if whole.startswith(found) else None
        return known or {}

    def pod(self, uid: str = "", namespace: str = "", name: str = "") -> Mapping[str, str]:
        """The columns of a pod, by its uid or its name."""
        with self._lock:
            uid = uid.replace("_", "-")
            found = self._uids.get(uid) or self._static.get(uid)
            return found or self._names.get((namespace, name)) or {}


def _latest(known: dict[_Key, _Told], key: _Key, told: _Told) -> None:
    known.pop(key, None)
    known[key] = told
    if len(known) > _MOST_PODS:
        del known[next(iter(known))]


def workload(pod: Json) -> str:
    """Whose pod it is, as `deploy/NAME`; `pod/NAME` where it is nobody's. A ReplicaSet's Deployment
    is told by the hash that its name ends in, a Job's CronJob by the minute.
    """
    meta = part(pod, "metadata")
    owners = _objects(meta, "ownerReferences")
    owner = next((one for one in owners if one.get("controller") is True), None)
    kind, name = (text(owner, "kind"), text(owner, "name")) if owner else (None, None)
    if not kind or not name or kind == "Node":
        own = text(meta, "name")
        return f"pod/{own}" if own else ""
    if kind == "Job" and (found := _CRONJOB.fullmatch(name)):
        return f"cronjob/{found[1]}"
    return owned(kind, name, text(part(meta, "labels"), "pod-template-hash")) or ""


def owned(kind: str | None, name: str | None, hash_: str | None = None) -> str | None:
    """A workload that a sensor names by kind and name, as `deploy/NAME`; None without a kind."""
    if not kind or not name:
        return None
    if kind == "ReplicaSet" and hash_ and name.endswith(f"-{hash_}"):
        return f"deploy/{name.removesuffix(f'-{hash_}')}"
    return f"{_KINDS.get(kind, kind.lower())}/{name}"


def template(pod: Json) -> str:
    """A hash of what the pod is to run: names, images and commands, as its spec says it. Digests
    come with the status, when its first processes run already: they would make it two templates.
    """
    told = [
        (text(one, "name"), text(one, "image"), one.get("command"), one.get("args"))
        for one in _objects(part(pod, "spec"), "initContainers", "containers")
    ]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16] if told else ""


def _objects(raw: Json, *keys: str) -> list[Json]:
    lists = [raw.get(key) for key in keys]
    return [
        one for all_ in lists if isinstance(all_, list) for one in all_ if isinstance(one, dict)
    ]


def _image(state: Json) -> dict[str, str]:
    digest = (text(state, "imageID") or "").rpartition("@")[2].rpartition("://")[2]
    return {
        column: value
        for column, value in {
            "container_name": text(state, "name"),
            "container_id": (text(state, "containerID") or "").rpartition("://")[2],
            "image_ref": text(state, "image"),
            "image_digest": digest if digest.startswith("sha256:") else "",
        }.items()
        if value
    }
