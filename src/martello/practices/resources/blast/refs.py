"""Which object says a limit: the workload itself, or the LimitRange that filled it in."""

from __future__ import annotations

from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Ref, Resource
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.amounts import Malformed
from martello.practices.resources.blast import caps
from martello.practices.resources.blast.model import Harm
from martello.practices.resources.node.model import Pod

_KINDS: Final = {
    "deploy": "Deployment.apps",
    "sts": "StatefulSet.apps",
    "ds": "DaemonSet.apps",
    "rs": "ReplicaSet.apps",
    "rc": "ReplicationController",
    "cronjob": "CronJob.batch",
    "job": "Job.batch",
    "pod": "Pod",
}
_NAMES: Final = {"cpu": "cpu", "memory": "memory", "disk": "ephemeral-storage"}


def workload(cluster: Cluster, pod: Pod) -> Resource | None:
    """The object that makes a pod, where it is here."""
    kind, _, name = pod.workload.partition("/")
    return cluster.get(_KINDS.get(kind, kind), pod.namespace, name)


def referred(cluster: Cluster, harm: Harm, pod: Pod) -> Harm:
    """The harm with the object that its guard is written in."""
    guard, name = harm.guard, _NAMES.get(harm.resource)
    if name is None or guard is None or guard.ref is not None or " " not in guard.says:
        return harm
    if guard.says.partition(" ")[0] not in ("limit", "sizeLimit"):
        return harm
    ref = _ref(cluster, pod, name)
    if ref is None:
        return harm
    return msgspec.structs.replace(harm, guard=msgspec.structs.replace(guard, ref=ref))


def _ref(cluster: Cluster, pod: Pod, name: str) -> Ref | None:
    if not any(caps.own_limit(pod, part, name) for part in pod.parts):
        try:
            found = ranges(cluster, pod.namespace)
        except Malformed:  # the server stores no such object
            return None
        for items in found:
            for item in items:
                if item.type == "Container" and name in item.default:
                    return item.owner.ref
    made = workload(cluster, pod)
    return made.ref if made is not None else None
