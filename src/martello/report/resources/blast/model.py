"""What the reports of the blast radius show: plain words and figures, made by the command line."""

from __future__ import annotations

import msgspec


class Hurt(msgspec.Struct, frozen=True):
    """One that is hurt: a pod, or an account at the API server."""

    name: str
    owner: str
    effect: str
    amount: str = ""  # by how much: `310Mi over its request`
    round: int = 0


class Line(msgspec.Struct, frozen=True):
    """One resource. `take` is what the attacker can hold in words, `says` what comes of it."""

    resource: str
    take: str
    guard: str  # empty: none
    guard_where: str
    says: str
    hurt: tuple[Hurt, ...] = ()
    exact: str = "exact"
    assumed: tuple[str, ...] = ()


class Advice(msgspec.Struct, frozen=True):
    """Guards that bring the score down, and to what. `cheapest`: all cheaper ones were tried."""

    guards: tuple[str, ...]
    before: float
    after: float
    cheapest: bool


class Beside(msgspec.Struct, frozen=True):
    """What is left of a row without what is told once for nearly all."""

    severity: str  # empty: nobody is hurt
    score: float
    worst: str


class Row(msgspec.Struct, frozen=True):
    """One attacker."""

    attacker: str  # `shop/deploy/web`
    where: str
    about: str  # `Burstable, no memory limit, 3 replicas on 3 nodes`
    severity: str  # empty: nobody is hurt
    score: float
    worst: str
    lines: tuple[Line, ...]
    places: tuple[str, ...] = ()
    advice: Advice | None = None
    beside: Beside | None = None  # where something is told once


class Bar(msgspec.Struct, frozen=True):
    """One resource of a node: whole units, and what the worst attacker could add (None: all)."""

    name: str
    unit: str
    total: int
    asked: int
    used: int | None
    take: int | None


class Stand(msgspec.Struct, frozen=True):
    """A node with the worst attacker on it, and who goes down in which order."""

    node: str
    pods: int
    attacker: str
    bars: tuple[Bar, ...]
    order: tuple[Hurt, ...]
    assumed: bool = False


class Shared(msgspec.Struct, frozen=True):
    """One gap that nearly every workload shares, and one fix."""

    who: str  # `every workload`
    resource: str
    says: str
    fix: str


class Told(msgspec.Struct, frozen=True):
    """All rows, the worst first: by what is beside what all share, where that is told once."""

    level: str
    rows: tuple[Row, ...]
    nodes: tuple[Stand, ...]
    pods: int
    fail_on: str
    single: bool = False  # one workload was asked about
    target: float | None = None
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unassessed: int = 0  # lines that settings decide which nobody told, workloads without a node
    exit: int = 0
    shared: Shared | None = None
    nothing: str = ""  # why there is nobody to judge
