"""The tree of control groups that a kubelet makes: weights, caps and bounds."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from martello.practices.resources.node.model import Curve, Node, Part, Pod


class Group(msgspec.Struct, frozen=True):
    """One group. `weight` counts among its siblings only; None is "no bound".

    A leaf is a container (`pod`, `part`) or all that is outside of pods (neither).
    """

    name: str
    weight: int  # cpu.shares (v1) or cpu.weight (v2)
    cap: int | None = None  # thousandths of a core
    memory: int | None = None  # bytes
    pids: int | None = None
    children: tuple[Group, ...] = ()
    pod: Pod | None = None
    part: Part | None = None
    high: int | None = None  # memory.high, bytes


def shares(milli: int) -> int:
    """cpu.shares of a request in thousandths of a core: 2 to 262144."""
    raise NotImplementedError


def quota(milli: int) -> int:
    """Microseconds of each period of 100 ms for a limit in thousandths of a core; 0: no quota."""
    raise NotImplementedError


def weight(shares: int, curve: Curve = "linear") -> int:
    """cpu.weight (cgroup v2, 1 to 10000) of cpu.shares."""
    raise NotImplementedError


def tree(node: Node, pods: Sequence[Pod]) -> Group:
    """The root group of a node: what is outside of pods, and `kubepods` with its classes, pods and
    containers.
    """
    raise NotImplementedError
