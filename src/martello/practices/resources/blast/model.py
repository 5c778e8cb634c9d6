"""The words of the blast radius: attackers, what they take, who is hurt, what bounds it."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from martello.core.resource import Ref

Level = Literal["container", "token", "namespace", "tenant"]
LEVELS: Final[tuple[Level, ...]] = ("container", "token", "namespace", "tenant")
Resource = Literal[
    "cpu", "memory", "pids", "disk", "inodes", "placement", "objects", "api", "unenforced"
]
RESOURCES: Final[tuple[Resource, ...]] = (
    *("cpu", "memory", "pids", "disk", "inodes"),
    *("placement", "objects", "api", "unenforced"),
)
Effect = Literal["throttled", "evicted", "killed", "no fork", "unschedulable", "slowed", "blocked"]


class Victim(msgspec.Struct, frozen=True):
    """A pod, or an account at the API server, that is hurt."""

    key: str  # `namespace/pod`, or a user's name
    owner: str  # `namespace/kind/name`; empty for accounts
    effect: Effect
    amount: int | None = None  # processor demand not served (thousandths), bytes over request …
    round: int = 0  # the how-manieth it is, where there is an order


class Guard(msgspec.Struct, frozen=True):
    """What bounds the harm: in words, and the object (or node) that says so."""

    says: str
    ref: Ref | None = None


class Harm(msgspec.Struct, frozen=True):
    """What one attacker can do by one resource.

    `take` is the supremum of what it can hold (thousandths of a core, bytes, numbers); None: no
    bound. `exact` says whether victims are exactly those, an upper bound, or not assessed;
    `assumed` names settings that decided and that nobody told.
    """

    resource: Resource
    take: int | None
    guard: Guard | None
    victims: tuple[Victim, ...] = ()
    exact: Literal["exact", "bound", "unassessed"] = "exact"
    assumed: tuple[str, ...] = ()
    why: str = ""  # one line more for people


class Rights(msgspec.Struct, frozen=True):
    """What a pod's token may do at the API server, as far as it costs others anything.

    Namespaces are names; the empty one is every namespace. `creates` are (namespace, API group,
    resource); cluster-wide resources have the empty namespace.
    """

    user: str = ""  # as the API server calls it; empty: the pod has no token
    groups: tuple[str, ...] = ()
    pods: frozenset[str] = frozenset()  # where it may create pods, of whatever kind
    creates: frozenset[tuple[str, str, str]] = frozenset()
    unsure: tuple[str, ...] = ()  # why there may be more


class Starved(msgspec.Struct, frozen=True):
    """A fact for those who join practices: this attacker does this to that pod or account."""

    attacker: str  # `namespace/kind/name`
    level: Level
    resource: Resource
    effect: Effect
    victim: str  # `namespace/pod`, or a user's name
    owner: str  # `namespace/kind/name`; empty for accounts
    sure: bool  # nothing was assumed


class Blast(msgspec.Struct, frozen=True):
    """All harms of one attacker. `score` is 0 to 100: the weighted share of workloads harmed."""

    attacker: str  # `namespace/kind/name`
    level: Level
    harms: tuple[Harm, ...]
    score: float
    places: tuple[str, ...] = ()  # nodes on which it is or may come to be
