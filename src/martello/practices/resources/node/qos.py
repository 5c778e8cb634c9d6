"""Quality of service: a pod's class, and how the kernel is told to weigh its containers.

Read in Kubernetes 1.20.2 and 1.37.2: `ComputePodQOS` (pkg/apis/core/v1/helper/qos/qos.go) and
`GetContainerOOMScoreAdjust` (pkg/kubelet/qos/policy.go). What changed between: Guaranteed is -997
since 1.20, -998 before (kubernetes#71269); of critical pods only those of the node since 1.22
(#99729); restartable init containers since 1.29, resources of the pod since 1.34 (the versions
that switch SidecarContainers and PodLevelResources on: pkg/features/kube_features.go).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from martello.practices.resources.amounts import Amounts, Malformed, amounts
from martello.practices.resources.node.model import Class, Node, Part, Pod

SIDECARS: Final = 29  # the minor version that counts init containers which stay
POD_LEVEL: Final = 34  # … that counts resources of the pod itself
_NODE_CRITICAL: Final = "system-node-critical"
_NODE_CRITICAL_PRIORITY: Final = 2_000_001_000
_COMPUTE: Final = ("cpu", "memory")


def qos_class(
    needs: Sequence[tuple[Amounts, Amounts]], level: tuple[Amounts, Amounts] | None = None
) -> Class:
    """The class of a pod by the requests and limits of its containers, init containers too; by
    those of the pod itself where it has some (`level`).
    """
    if level is not None:
        return _class(*level)
    found = {_class(requests, limits) for requests, limits in needs}
    if not found:
        return "BestEffort"
    return found.pop() if len(found) == 1 else "Burstable"


def _class(requests: Amounts, limits: Amounts) -> Class:
    """Of one set: 0 is nothing said; all that is said must be a limit that is requested too."""
    pairs = [(requests.get(name, 0), limits.get(name, 0)) for name in _COMPUTE]
    if not any(request or limit for request, limit in pairs):
        return "BestEffort"
    if all(request == limit != 0 for request, limit in pairs):
        return "Guaranteed"
    return "Burstable"


def oom_score_adj(pod: Pod, part: Part, node: Node) -> int:
    """What the kubelet writes to oom_score_adj of a container's processes: -998 to 1000."""
    guaranteed = -997 if node.kubernetes >= 20 else -998
    if _last(pod, node.kubernetes) or pod.qos == "Guaranteed":
        return guaranteed
    if pod.qos == "BestEffort":
        return 1000
    capacity = _bytes(node.capacity)
    if capacity <= 0:
        return 999
    rest = _unshared(pod) if node.kubernetes >= POD_LEVEL else 0
    request = _bytes(part.requests)
    if part.sidecar and node.kubernetes >= SIDECARS:
        regular = [_bytes(p.requests) for p in pod.parts if not p.sidecar]
        request = max(request, min(regular, default=0))
    adjust = 1000 - 1000 * (request + rest) // capacity
    return min(max(adjust, 1000 + guaranteed), 999)


def _last(pod: Pod, minor: int) -> bool:
    """Whether the kubelet holds a pod for one that the kernel should kill last."""
    if not pod.critical:
        return False
    if minor < 22:
        return True
    spec = pod.raw.get("spec")
    name = spec.get("priorityClassName") if isinstance(spec, dict) else None
    if isinstance(name, str) and name:
        return name == _NODE_CRITICAL
    return pod.priority >= _NODE_CRITICAL_PRIORITY


def _bytes(requests: Amounts) -> int:
    return -(-requests.get("memory", 0) // 1000)


def _unshared(pod: Pod) -> int:
    """Bytes of a pod's own request that its containers do not ask for, to each of them."""
    spec = pod.raw.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("resources"), dict):
        return 0
    try:
        level = amounts(spec["resources"].get("requests"))
    except Malformed:
        return 0
    if not level.get("memory"):
        return 0
    init = _listed(spec.get("initContainers"))
    asked = sum(_bytes(part.requests) for part in pod.parts)
    stays = before = 0
    for container in init:
        own = _own(container)
        if container.get("restartPolicy") == "Always":
            stays += own
            before = max(before, stays)
        else:
            before = max(before, stays + own)
    count = max(len(_listed(spec.get("containers"))) + len(init), 1)
    return max(_bytes(level) - max(asked, before), 0) // count


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _own(container: dict[str, Any]) -> int:
    resources = container.get("resources")
    if not isinstance(resources, dict):
        return 0
    try:
        return _bytes(amounts(resources.get("requests")))
    except Malformed:
        return 0
