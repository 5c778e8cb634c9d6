"""Quality of service: a pod's class, and how the kernel is told to weigh its containers."""

from __future__ import annotations

from collections.abc import Sequence

from martello.practices.resources.amounts import Amounts
from martello.practices.resources.node.model import Class, Node, Part, Pod


def qos_class(
    needs: Sequence[tuple[Amounts, Amounts]], level: tuple[Amounts, Amounts] | None = None
) -> Class:
    """The class of a pod by the requests and limits of its containers, init containers too; by
    those of the pod itself where it has some (`level`).
    """
    raise NotImplementedError


def oom_score_adj(pod: Pod, part: Part, node: Node) -> int:
    """What the kubelet writes to oom_score_adj of a container's processes: -997 to 1000."""
    raise NotImplementedError
