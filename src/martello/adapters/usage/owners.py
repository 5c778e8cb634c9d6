"""Whose pod it is or was, as `deploy/web`: by the series of kube-state-metrics, which know pods
that are gone, and by the objects of a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from martello.adapters.sensors.pods import owned
from martello.core.cluster import Cluster

# The endings that Kubernetes gives names (k8s.io/apimachinery, util/rand): no vowels, no 0, 1, 3.
_HASH: Final = r"[bcdfghjklmnpqrstvwxz2456789]"
_MADE: Final[Mapping[str, re.Pattern[str]]] = {
    "Deployment": re.compile(rf"(.+)-{_HASH}{{1,10}}-{_HASH}{{5}}"),
    "ReplicaSet": re.compile(rf"(.+)-{_HASH}{{5}}"),
    "DaemonSet": re.compile(rf"(.+)-{_HASH}{{5}}"),
    "Job": re.compile(rf"(.+)-{_HASH}{{5}}"),
    "CronJob": re.compile(rf"(.+)-\d{{8,10}}-{_HASH}{{5}}"),
    "StatefulSet": re.compile(r"(.+)-\d{1,10}"),
}
# What may be a name of an object or a container: anything else was not said by Kubernetes.
is_name: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?").fullmatch
_NOBODY: Final = ("", "<none>", "Node")
Labels = Mapping[str, str]


class Owners:
    """The workloads of pods, by namespace and name."""

    def __init__(self, cluster: Cluster | None = None) -> None:
        self._pods: dict[str, dict[str, str]] = {}
        self._makers: dict[tuple[str, str, str], str] = {}
        if cluster is not None:
            self._read(cluster)

    def _read(self, cluster: Cluster) -> None:
        """The pods that are there, and what made them and may have made others."""
        for resource in cluster.resources:
            ref = resource.ref
            kind = ref.kind
            if kind != "Pod" and kind not in _MADE:
                continue
            root = cluster.root(resource).ref
            whose = owned(root.kind, root.name) or ""
            if kind == "Pod":
                self._pods.setdefault(ref.namespace, {})[ref.name] = whose
            else:
                self._makers[ref.namespace, kind, ref.name] = whose

    def learn(
        self,
        namespace: str,
        pods: Iterable[Labels],
        sets: Iterable[Labels] = (),
        jobs: Iterable[Labels] = (),
    ) -> None:
        """What kube_pod_owner, kube_replicaset_owner and kube_job_owner say of a namespace. What
        the cluster's own objects say counts more.
        """
        known = self._pods.setdefault(namespace, {})
        above = {("ReplicaSet", one.get("replicaset", "")): one for one in sets}
        above |= {("Job", one.get("job_name", one.get("job", ""))): one for one in jobs}
        for one in pods:
            pod = one.get("pod", "")
            kind, name = one.get("owner_kind", ""), one.get("owner_name", "")
            if not is_name(pod) or one.get("owner_is_controller") == "false":
                continue
            if kind in _NOBODY or not name:
                known.setdefault(pod, f"pod/{pod}")
                continue
            higher = above.get((kind, name), {})
            if higher.get("owner_kind", "") not in _NOBODY and higher.get("owner_name"):
                kind, name = higher["owner_kind"], higher["owner_name"]
            if not is_name(kind) or not is_name(name):
                continue
            known.setdefault(pod, owned(kind, name) or "")

    def of(self, namespace: str, pod: str) -> str:
        """Whose a pod is. One that is in no list is told by its name, where something that is there
        makes such names; empty where nobody knows.
        """
        found = self._pods.get(namespace, {}).get(pod)
        return found if found is not None else self._told(namespace, pod)

    def _told(self, namespace: str, pod: str) -> str:
        whose = {
            maker
            for kind, pattern in _MADE.items()
            if (match := pattern.fullmatch(pod))
            and (maker := self._makers.get((namespace, kind, match[1])))
        }
        return whose.pop() if len(whose) == 1 else ""

    def forget(self, namespace: str) -> None:
        """Lets go of a namespace's pods once they were read."""
        self._pods.pop(namespace, None)
