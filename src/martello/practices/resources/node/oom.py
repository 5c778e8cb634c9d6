"""Whom the kernel kills when memory is out, faster than the kubelet measures.

`oom_badness` of mm/oom_kill.c (Linux since 5.9, which lets points be negative): pages in use plus
oom_score_adj times a thousandth of all pages, by process; the highest is killed, of equals any. All
pages are the node's, or those of `kubepods` where that is held to less. On cgroup v2 a container
is killed whole since Kubernetes 1.28 (memory.oom.group, kubernetes#117793) unless
singleProcessOOMKill (1.32, #126096) says otherwise.

Nobody knows how a neighbour's memory lies in its processes: it is taken for one, the most that its
points can be. An attacker splits its own into so many that each weighs nothing: it is as hard to
kill as its oom_score_adj alone makes it, however much it holds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import msgspec

from martello.practices.resources.node.model import Node, Part, Pod
from martello.practices.resources.node.qos import oom_score_adj

_PAGE: Final = 4096
_WHOLE: Final = 28


class Candidate(msgspec.Struct, frozen=True):
    """A container as the kernel weighs it: the highest `points` (bytes; may be negative) goes."""

    pod: Pod
    part: Part
    adjust: int  # oom_score_adj
    use: int  # bytes, as one process
    points: int


class Kills(msgspec.Struct, frozen=True):
    """An attacker's best play against the kernel; words as of `evict.Play`. Other containers of the
    attacker's own pod are victims like any.
    """

    victims: tuple[Candidate, ...]
    uses: tuple[int, ...]  # bytes that the attacker's container uses at each kill
    ends: str  # "bounded" | "itself" | "alone"
    whole: bool  # a container is killed with all its processes
    assumed: bool = False


def memory(node: Node) -> int:
    """Bytes at which the kernel kills: of `kubepods` where the node keeps pods to that, else of
    the node.
    """
    capacity = node.capacity.get("memory", 0) // 1000
    reserved = node.reserved.get("memory", 0) // 1000 if node.pods_enforced else 0
    return max(capacity - reserved, 0)


def whole(node: Node) -> bool:
    """Whether the kernel kills all processes of a container together."""
    return node.cgroup == 2 and node.kubernetes >= _WHOLE and not node.single_kill


def order(node: Node, pods: Sequence[Pod]) -> list[Candidate]:
    """All containers of a node, the first to be killed first; equals in order of their names."""
    return Weighing(node, pods).order


def kills(node: Node, pods: Sequence[Pod], attacker: Pod, part: Part, cap: int | None) -> Kills:
    """The best play of one container, split into so many processes that each weighs nothing. `cap`
    bounds its bytes; None: nothing does.
    """
    return Weighing(node, pods).kills(attacker, part, cap)


class Weighing:
    """One sort of a node's containers, then the kills in O(log n + victims) an attacker."""

    def __init__(self, node: Node, pods: Sequence[Pod]) -> None:
        self._node = node
        used = {
            (pod.key, part.name): bytes_
            for pod in pods
            for part, bytes_ in zip(pod.parts, uses(pod), strict=True)
        }
        total = sum(used.values())
        system = node.used_by_system.memory
        capacity = node.capacity.get("memory", 0) // 1000
        held = memory(node)
        outside = (capacity - held) if system is None else system
        # Whichever is full first: `kubepods`, or the node with what is outside of pods.
        self.room = min(held - total, capacity - outside - total)
        all_ = held if held - total <= capacity - outside - total else capacity
        self._unit = all_ // _PAGE // 1000
        self.assumed = any(
            pod.use.memory is None and any(p.use.memory is None for p in pod.parts) for pod in pods
        )
        self.order = sorted(
            (
                self._weigh(pod, part, used[(pod.key, part.name)])
                for pod in pods
                for part in pod.parts
            ),
            key=lambda one: (-one.points, one.pod.key, one.part.name),
        )
        self._at = {(c.pod.key, c.part.name): index for index, c in enumerate(self.order)}
        self._points = [-one.points for one in self.order]  # rising
        self._freed = list(accumulate([one.use for one in self.order], initial=0))

    def _weigh(self, pod: Pod, part: Part, used: int) -> Candidate:
        adjust = oom_score_adj(pod, part, self._node)
        return Candidate(pod, part, adjust, used, (used // _PAGE + adjust * self._unit) * _PAGE)

    def kills(self, attacker: Pod, part: Part, cap: int | None) -> Kills:
        """As the function `kills`. A container that is not among them comes with no use yet."""
        least, ends = self.reach(attacker, part, cap)
        own, skip = self._own(attacker, part)
        first = self.order[: min(least, skip)] + self.order[skip + 1 : least + 1]
        return Kills(
            tuple(first),
            tuple([self._needed(index, own, skip) for index in range(least)]),
            ends,
            whole(self._node),
            self.assumed,
        )

    def reach(self, attacker: Pod, part: Part, cap: int | None) -> tuple[int, str]:
        """How many of the order are killed, the attacker left out, and why no more."""
        own, skip = self._own(attacker, part)
        end = len(self.order)
        if skip < end:
            mine = self.order[skip]
            base = mine.points - mine.use // _PAGE * _PAGE
        else:
            base = self._weigh(attacker, part, 0).points
        preceding = bisect_right(self._points, -base)  # those that have no less, itself among them
        preceding -= skip < preceding
        count = end - (skip < end)
        if cap is not None:
            spare = cap - own - self.room - 1
            afforded = bisect_right(self._freed, spare)
            if afforded > skip:
                afforded = max(bisect_right(self._freed, spare + own), skip + 2) - 1
            if afforded <= preceding and afforded < count:
                return afforded, "bounded"
        return preceding, "alone" if preceding == count else "itself"

    def _own(self, attacker: Pod, part: Part) -> tuple[int, int]:
        """What it uses already, and its place in the order (the end: it has none)."""
        skip = self._at.get((attacker.key, part.name), len(self.order))
        return (self.order[skip].use if skip < len(self.order) else 0), skip

    def _needed(self, index: int, own: int, skip: int) -> int:
        """The attacker's least use at which the next one is killed."""
        freed = self._freed[index] if index <= skip else self._freed[index + 1] - own
        return max(own + self.room + 1 + freed, 0)


def uses(pod: Pod) -> list[int]:
    """Bytes of each container: measured; where only the pod's are known, those fall to the parts
    that nobody measured, by their requests; where nothing is known, the request.
    """
    known = [part.use.memory for part in pod.parts]
    asked = [-(-part.requests.get("memory", 0) // 1000) for part in pod.parts]
    if pod.use.memory is None:
        return [a if k is None else k for k, a in zip(known, asked, strict=True)]
    rest = max(pod.use.memory - sum(k for k in known if k is not None), 0)
    open_ = [index for index, one in enumerate(known) if one is None]
    weights = sum(asked[index] for index in open_)
    found = [k or 0 for k in known]
    for index in open_:
        found[index] = rest * asked[index] // weights if weights else rest // len(open_)
    return found
