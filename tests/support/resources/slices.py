"""One node's processor time in slices: groups with weights and quotas, tasks that come and go.

Written after the kernel's documentation (sched-design-CFS, sched-bwc) and the kubelet's of its
groups: every core runs, slice by slice, the leaf that is reached by going down from the root to the
child that had the least of its weight. What sleeps earns nothing for later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from martello.practices.resources.node.model import Node, Pod

Awake = Callable[[int], bool]
PERIOD = 100  # ms in which a quota is counted
BACKLOG = 50  # ms of work that may wait: more is lost


def weight(milli: int) -> int:
    """The shares that the kubelet writes for a request of so many thousandths of a core."""
    return min(max(milli * 1024 // 1000, 2), 262144)


@dataclass
class Group:
    """A control group; a leaf has `want`: thousandths of a core, or None for all it can get."""

    shares: int
    quota: float | None = None  # ms in a period
    children: list[Group] = field(default_factory=list)
    key: tuple[str, str] = ("", "")
    want: int | None = 0
    paced: float = 0.0  # what it had, by its weight
    spent: float = 0.0  # of the quota, in this period
    waiting: float = 0.0  # ms of work
    served: float = 0.0
    busy: bool = False  # a leaf that runs without end
    ready: bool = False

    def add(self, child: Group) -> Group:
        """Puts a child in."""
        self.children.append(child)
        return child


def tree(node: Node, pods: Sequence[Pod]) -> tuple[Group, dict[tuple[str, str], Group]]:
    """The groups as the kubelet makes them, and the leaves by pod and container."""
    own = node.capacity["cpu"] - node.reserved.get("cpu", 0)
    kubepods = Group(weight(own))
    burst = [p for p in pods if p.qos == "Burstable"]
    burstable = kubepods.add(Group(weight(sum(p.request.get("cpu", 0) for p in burst))))
    best = kubepods.add(Group(2))
    above = {"Guaranteed": kubepods, "Burstable": burstable, "BestEffort": best}
    leaves: dict[tuple[str, str], Group] = {}
    for pod in pods:
        made = Group(weight(pod.request.get("cpu", 0)), _quota(node, _all(pod)))
        above[pod.qos].add(made)
        for part in pod.parts:
            limit = _quota(node, part.limits.get("cpu"))
            leaf = Group(weight(part.requests.get("cpu", 0)), limit, key=(pod.key, part.name))
            leaf.want = part.use.cpu or 0
            leaves[leaf.key] = made.add(leaf)
    return kubepods, leaves


def _all(pod: Pod) -> int | None:
    limits = [part.limits.get("cpu", 0) for part in pod.parts]
    return pod.limit.get("cpu") if all(limits) else None


def _quota(node: Node, milli: int | None) -> float | None:
    return None if milli is None or not node.cpu_quota else max(milli * PERIOD / 1000, 1.0)


def run(
    node: Node,
    pods: Sequence[Pod],
    attacker: tuple[str, str],
    awake: Awake | None,
    *,
    ms: int,
    quantum: int = 2,
) -> dict[tuple[str, str], float]:
    """Thousandths of a core that each container was served, while the attacker (pod, container)
    spins whenever `awake(ms)`; the others, and it without that, bring what they want, evenly.
    """
    root, leaves = tree(node, pods)
    everything = _walk(root)
    cores = node.capacity["cpu"] // 1000
    for now in range(0, ms, quantum):
        if now % PERIOD < quantum:
            for group in everything:
                group.spent = 0.0
        for leaf in leaves.values():
            if leaf.key == attacker and awake is not None:
                leaf.busy = awake(now)
            else:
                leaf.waiting = min(leaf.waiting + (leaf.want or 0) * quantum / 1000, BACKLOG)
        for _ in range(cores):
            rest = float(quantum)
            while rest > 0 and _wake(root, quantum):
                rest -= _slice(root, rest)
    return {key: leaf.served * 1000 / ms for key, leaf in leaves.items()}


def _walk(group: Group) -> list[Group]:
    return [group, *(below for child in group.children for below in _walk(child))]


def _wake(group: Group, quantum: int) -> bool:
    """Whether something below can run; who wakes up begins where the others are."""
    if not group.children:
        can = group.busy or group.waiting >= quantum
    else:
        before = [child.paced for child in group.children if child.ready]
        can = False
        least = min(before, default=None)
        for child in group.children:
            was = child.ready
            if _wake(child, quantum):
                can = True
                if not was and least is not None:
                    child.paced = max(child.paced, least)
        if can and least is None:
            ready = [child for child in group.children if child.ready]
            most = max(child.paced for child in group.children)
            for child in ready:
                child.paced = most
    group.ready = can and (group.quota is None or group.spent < group.quota)
    return group.ready


def _slice(group: Group, quantum: float) -> float:
    if group.children:
        child = min((c for c in group.children if c.ready), key=lambda c: c.paced)
        had = _slice(child, min(quantum, _left(child, quantum)))
        child.paced += had * 1024 / child.shares
    else:
        had = quantum
        group.served += had
        group.waiting = max(group.waiting - had, 0.0)
    group.spent += had
    return had


def _left(group: Group, quantum: float) -> float:
    return quantum if group.quota is None else max(group.quota - group.spent, 0.0)
