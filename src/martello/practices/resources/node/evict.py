"""Whom the kubelet evicts under pressure, in which order; an attacker's best play against it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from martello.practices.resources.node.model import Node, Pod, Signal


class Round(msgspec.Struct, frozen=True):
    """One eviction: the attacker's pod uses `use` (bytes or numbers), and `victim` goes."""

    use: int
    victim: Pod


class Play(msgspec.Struct, frozen=True):
    """An attacker's best play. `ends` says why there is no further victim.

    `assumed`: the use of some pod was not known; its request stands in where free space is
    counted, and it goes first where pods are ranked.
    """

    rounds: tuple[Round, ...]
    ends: str  # "bounded" by the cap | "itself" would be next | "alone" | "no threshold"
    assumed: bool = False


def order(node: Node, pods: Sequence[Pod], signal: Signal) -> list[Pod]:
    """The pods of a node that can be evicted, the first to go first. A pod whose use is None is one
    without stats. Equals, of which the kubelet takes any, are in order of their names.
    """
    raise NotImplementedError


def threshold(node: Node, signal: Signal) -> int | None:
    """What must be left of a resource (bytes, numbers): the largest of the hard and soft
    thresholds; None: there is none, nobody is evicted.
    """
    raise NotImplementedError


def room(node: Node, pods: Sequence[Pod], signal: Signal) -> int | None:
    """How much more the pods of a node can use before the threshold is crossed (bytes, numbers;
    negative: it is crossed already); None without a threshold or without a known capacity.
    """
    raise NotImplementedError


def play(
    node: Node, pods: Sequence[Pod], attacker: Pod, cap: int | None, signal: Signal = "memory"
) -> Play:
    """The attacker's best play on its node: in each round the least use that crosses the threshold.
    `cap` bounds the use of its whole pod (bytes, numbers); None: nothing does.
    """
    raise NotImplementedError


class Ranking:
    """One sort of a node's pods for one signal, then a play in O(log n + victims) an attacker."""

    def __init__(self, node: Node, pods: Sequence[Pod], signal: Signal) -> None:
        raise NotImplementedError

    def play(self, attacker: Pod, cap: int | None) -> Play:
        """As the function `play`."""
        raise NotImplementedError


def disk_bound(pod: Pod) -> int | None:
    """Bytes of local disk beyond which the kubelet evicts a pod for its own limits: of containers,
    of the pod, of emptyDirs; None: it may fill the disk. Until it is measured a pod may hold more.
    """
    raise NotImplementedError
