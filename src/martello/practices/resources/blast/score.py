"""The score of a blast: the weighted share of all other workloads that it harms, 0 to 100.

A workload weighs by its priority, and five times as much where it is named as a crown; it counts by
the share of its replicas that are hurt. Each resource that nothing guards adds a tenth, even where
nobody stands beside it today: 0 means that every resource has a guard, and that what the guards
allow fits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import repeat
from math import ceil
from operator import attrgetter
from typing import Final

from martello.practices.resources.blast.model import Blast, Effect, Harm
from martello.practices.resources.blast.objects import SERVER
from martello.practices.resources.node.model import CRITICAL, Pod

_CROWN: Final = 5
_UNGUARDED: Final = 0.1
_UNIT: Final = 10**9
_KEY: Final = attrgetter("key")


class Weights:
    """What each workload of a world weighs, and how many pods it has."""

    __slots__ = ("_of_account", "_pods", "_share", "_total", "_weights")

    def __init__(
        self,
        pods: Iterable[Pod],
        crown: Collection[str] = frozenset(),
        accounts: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._weights: dict[str, int] = {}
        self._pods: dict[str, list[str]] = {}
        for pod in pods:
            weight = _weight(pod.priority) * (_CROWN if pod.owner in crown else 1)
            self._weights[pod.owner] = max(weight, self._weights.get(pod.owner, 0))
            self._pods.setdefault(pod.owner, []).append(pod.key)
        self._total = sum(self._weights.values())
        self._of_account = accounts or {}
        self._share = {  # of each pod, in whole numbers: sums do not depend on their order
            key: self._weights[owner] * _UNIT // len(keys)
            for owner, keys in self._pods.items()
            for key in keys
        }

    def score(self, attacker: str, harms: Iterable[Harm]) -> float:
        """The score of one attacker's harms, rounded up to a tenth."""
        hurt: set[str] = set()
        free = 0
        for harm in harms:
            if harm.resource == "unenforced":
                continue
            free += harm.guard is None
            hurt.update(map(_KEY, harm.victims))
        if SERVER in hurt:
            return 100.0
        for user in hurt & self._of_account.keys():
            for owner in self._of_account[user]:
                if owner != attacker:
                    hurt.update(self._pods[owner])
        weighed = sum(map(self._share.get, hurt, repeat(0)))
        total = (self._total - self._weights.get(attacker, 0)) * _UNIT
        share = 100 * weighed / total if total else 0.0
        return min(100.0, ceil(round((share + _UNGUARDED * free) * 10, 6)) / 10)


def _weight(priority: int) -> int:
    """Twenty for what the system needs, five for what somebody put above others, two below."""
    if priority >= CRITICAL:
        return 20
    if priority > 0:
        return 5
    return 2 if priority == 0 else 1


# What cannot be waited out weighs more than what is only slow.
_LASTING: Final[frozenset[Effect]] = frozenset(
    ("evicted", "killed", "no fork", "unschedulable", "blocked")
)


def gravity(blast: Blast, crown: Collection[str] = frozenset()) -> str:
    """How grave a blast is: critical where it stops all writes to the API or ends a crown of
    others, high where it ends pods of other namespaces, medium where of its own, or where others
    only get slower, low where its own do; empty where nobody is hurt.
    """
    own = blast.attacker.partition("/")[0]
    worst = 4
    for harm in blast.harms:
        for victim in harm.victims:
            if victim.key == SERVER or (victim.owner in crown and victim.effect in _LASTING):
                return "critical"
            near = (victim.owner or _space(victim.key)).partition("/")[0] == own
            worst = min(worst, (1 if victim.effect in _LASTING else 2) + near)
    return ("", "high", "medium", "low", "")[worst]


def _space(user: str) -> str:
    """The namespace of an account's name."""
    return user.removeprefix("system:serviceaccount:").replace(":", "/", 1)
