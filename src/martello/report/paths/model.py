"""What the reports of paths show: plain words and numbers, made by the command line."""

from __future__ import annotations

from typing import Any

import msgspec

from martello.report.model import Report


class Evidence(msgspec.Struct, frozen=True):
    """A fact that a step stands on, and where it is written. `sure` is false where nobody looked;
    `because` says why. `plain` is what nearly every pod is, told in data only.
    """

    says: str
    where: str = ""
    sure: bool = True
    because: str = ""
    plain: bool = False


class Step(msgspec.Struct, frozen=True):
    """One step: the edge, what is done, what it gives, and on what it stands."""

    edge: str
    says: str
    gives: str
    evidence: tuple[Evidence, ...] = ()
    attack: tuple[str, ...] = ()
    trace: str = ""
    needs: tuple[str, ...] = ()  # what the steps before gave: all of it
    kind: str = ""  # of what it gives: account, code, node, …
    group: str = ""  # the namespace of what it gives

    @property
    def sure(self) -> bool:
        """Whether everything that it stands on was assessed."""
        return all(one.sure for one in self.evidence)

    @property
    def shown(self) -> tuple[Evidence, ...]:
        """The evidence that people are told."""
        return tuple(one for one in self.evidence if not one.plain)


class Way(msgspec.Struct, frozen=True):
    """A class of paths: footholds that share a way to a goal, with its cheapest path. `choke` are
    edits each of which ends it.
    """

    severity: str
    begin: str
    goal: str
    footholds: tuple[str, ...]
    steps: tuple[Step, ...]
    cost: int
    why: tuple[str, ...] = ()
    choke: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()  # of the footholds, in their order


class Edit(msgspec.Struct, frozen=True):
    """One change that an owner may make. `cost` is by who uses it."""

    says: str
    cost: int
    kind: str
    where: str = ""
    why: str = ""


class Remedy(msgspec.Struct, frozen=True):
    """A cut: the edits after which the goals are out of reach. `open` are ways that no edit ends.
    `verified` by reading the edited cluster anew; None: not tried.
    """

    edits: tuple[Edit, ...]
    cost: int
    optimal: bool
    gap: int
    verified: bool | None
    open: tuple[str, ...] = ()
    also: tuple[Edit, ...] = ()  # other edits that end all that is listed


class Told(msgspec.Struct, frozen=True):
    """The answer of `paths find` and `paths cut`."""

    ways: tuple[Way, ...]
    remedy: Remedy | None
    footholds: int
    goals: tuple[str, ...]
    report: Report
    limited: bool = False  # there may be more classes
    everything: bool = False
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    folder: str = ""
    objects: tuple[dict[str, Any], ...] = ()
    removed: tuple[dict[str, Any], ...] = ()
