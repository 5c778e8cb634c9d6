"""What the report on guards shows: plain words, made by the command line."""

from __future__ import annotations

import msgspec


class Room(msgspec.Struct, frozen=True):
    """One key of a quota: what is taken now and at most, and the bound."""

    key: str
    now: str
    most: str
    hard: str
    share: float  # of the bound that is taken at most


class Made(msgspec.Struct, frozen=True):
    """One object, patch or fragment: what it is called, what it says, and the room in a quota."""

    name: str
    says: tuple[str, ...]
    rooms: tuple[Room, ...] = ()


class Space(msgspec.Struct, frozen=True):
    """What is made for one namespace; an empty name: for the nodes."""

    namespace: str
    made: tuple[Made, ...]


class Kept(msgspec.Struct, frozen=True):
    """An object that would not be let in, when, the code, and why."""

    object: str
    when: str
    code: int
    says: str


class Scored(msgspec.Struct, frozen=True):
    """Blast scores at one level: before, with the objects, with the kubelets' settings, too."""

    level: str
    worst: tuple[float, ...]
    mean: tuple[float, ...]
    risen: tuple[str, ...] = ()
    why: str = ""  # what the worst that is left does


class Ended(msgspec.Struct, frozen=True):
    """A workload that gets a priority class: by a resource, how many others could end its pods with
    the objects alone, and can with the class.
    """

    workload: str
    resource: str
    before: int
    after: int


class Proved(msgspec.Struct, frozen=True):
    """What was tried, and what came of it."""

    holds: bool
    pods: int
    workloads: int
    at_most: int
    objects: int
    refused: tuple[Kept, ...] = ()
    unassessed: tuple[Kept, ...] = ()
    already: tuple[Kept, ...] = ()
    scores: tuple[Scored, ...] = ()
    moved: tuple[str, ...] = ()  # workloads whose priority would change unasked
    ended: tuple[Ended, ...] = ()


class Told(msgspec.Struct, frozen=True):
    """Guards and their proof. `source` says what was measured, `assumed` what nobody did."""

    spaces: tuple[Space, ...]
    proof: Proved
    classes: tuple[Made, ...] = ()  # priority classes
    source: str = ""
    assumed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    nothing: str = "every namespace that was asked about has its guards"  # why, where all is empty
    next: tuple[str, ...] = ()  # commands, and remarks that begin with #
    exit: int = 0
