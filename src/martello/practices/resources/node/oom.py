"""Whom the kernel kills when memory is out, faster than the kubelet measures."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from martello.practices.resources.node.model import Node, Part, Pod


class Candidate(msgspec.Struct, frozen=True):
    """A container as the kernel weighs it: the highest `points` (bytes; may be negative) goes."""

    pod: Pod
    part: Part
    adjust: int  # oom_score_adj
    use: int  # bytes, as one process
    points: int


class Kills(msgspec.Struct, frozen=True):
    """An attacker's best play against the kernel; words as of `evict.Play`."""

    victims: tuple[Candidate, ...]
    uses: tuple[int, ...]  # bytes that the attacker's container uses at each kill
    ends: str  # "bounded" | "itself" | "alone"
    whole: bool  # a container is killed with all its processes
    assumed: bool = False


def memory(node: Node) -> int:
    """Bytes at which the kernel kills: of `kubepods` where the node keeps pods to that, else of
    the node.
    """
    raise NotImplementedError


def order(node: Node, pods: Sequence[Pod]) -> list[Candidate]:
    """All containers of a node, the first to be killed first; equals in order of their names."""
    raise NotImplementedError


def kills(node: Node, pods: Sequence[Pod], attacker: Pod, part: Part, cap: int | None) -> Kills:
    """The best play of one container, split into so many processes that each weighs nothing. `cap`
    bounds its bytes; None: nothing does.
    """
    raise NotImplementedError


class Weighing:
    """One sort of a node's containers, then the kills in O(log n + victims) an attacker."""

    def __init__(self, node: Node, pods: Sequence[Pod]) -> None:
        raise NotImplementedError

    def kills(self, attacker: Pod, part: Part, cap: int | None) -> Kills:
        """As the function `kills`."""
        raise NotImplementedError
