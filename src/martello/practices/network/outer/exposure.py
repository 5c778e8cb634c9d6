"""What workloads are open to beyond the pods that are there: any pod of the cluster, pods that some
rule waits for.

A workload is *unprotected* in a direction that no policy governs. Rows of the others are one for
any pod of the cluster (`ANYONE`), and one for each pair of selectors of their own rules for which
the answer is another: more, or by an exception of an admin policy less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec

from martello.core.reach import Conn
from martello.practices.network.decide.decide import (
    IN,
    NOTHING_PASSES,
    OUT,
    Passing,
    rules_of,
)
from martello.practices.network.decide.sides import Sides
from martello.practices.network.decide.witness import (
    ANYONE,
    Reading,
    Witness,
    witnesses,
)
from martello.practices.network.model import (
    Endpoint,
    Policies,
    Policy,
    Profile,
    World,
)

DIRECTIONS: Final = (IN, OUT)
BUDGET: Final = 2_000_000
_UNKNOWN_LABELS: Final = "labels of a namespace that is not here"


class Exposed(msgspec.Struct, frozen=True):
    """What one workload lets in from, or out to, pods that are not there yet.

    `admitted` is what its own policies let through; `passing` is what is left of that by the
    policies that would select these pods; `maybe` passes only perhaps, for the reasons given.
    """

    workload: str
    direction: str  # in or out
    witness: Witness
    admitted: Passing
    passing: Passing
    maybe: Passing = NOTHING_PASSES
    because: tuple[str, ...] = ()


class Exposure(msgspec.Struct, frozen=True):
    """The rows, and (workload, direction) of what no policy governs. `more`: the budget left some
    selectors unasked.
    """

    rows: tuple[Exposed, ...]
    unprotected: tuple[tuple[str, str], ...]
    more: bool = False


class Answered(Protocol):
    """What a `Reach` was made of."""

    @property
    def world(self) -> World:
        """The places."""
        ...

    @property
    def policies(self) -> Policies:
        """All policies."""
        ...

    @property
    def profile(self) -> Profile:
        """What the network plugin does."""
        ...


def exposure(reach: Answered, *, written: bool = False, budget: int = BUDGET) -> Exposure:
    """The exposure of every workload, the pods of one taken together. With `written`, selectors
    are compared as they are written rather than by what they imply. Pods on the network of their
    node are left out: no policy governs them. A budget is a number of peers of rules looked at.
    """
    sides = Sides(reach.policies, Reading(reach.world, reach.profile, written))
    rows: dict[tuple[str, str, Witness], Exposed] = {}
    unprotected: dict[tuple[str, str], None] = {}
    for endpoint in sides.distinct():
        for direction in DIRECTIONS:
            if not sides.governing(endpoint, direction):
                unprotected[(endpoint.name, direction)] = None
            for row in _rows(endpoint, direction, sides, budget):
                key = (row.workload, row.direction, row.witness)
                rows[key] = _joined(rows[key], row) if key in rows else row
    return Exposure(tuple(rows.values()), tuple(unprotected), sides.looked > budget)


def _rows(endpoint: Endpoint, direction: str, sides: Sides, budget: int) -> Iterator[Exposed]:
    base = _row(endpoint, direction, ANYONE, sides)
    if base.admitted or base.maybe:
        yield base
    own = [
        rule
        for policy in sides.governing(endpoint, direction)
        for rule in rules_of(policy, direction) or ()
    ]
    for witness in witnesses(own):
        if sides.present(witness):
            continue
        if sides.looked > budget:
            return
        row = _row(endpoint, direction, witness, sides)
        if (row.admitted, row.passing, row.maybe) != (base.admitted, base.passing, base.maybe):
            yield row


def _joined(one: Exposed, more: Exposed) -> Exposed:
    """What some pod of the workload lets through."""
    return Exposed(
        one.workload,
        one.direction,
        one.witness,
        one.admitted | more.admitted,
        one.passing | more.passing,
        (one.maybe | more.maybe) - (one.passing | more.passing),
        tuple(dict.fromkeys((*one.because, *more.because))),
    )


def _row(endpoint: Endpoint, direction: str, witness: Witness, sides: Sides) -> Exposed:
    sure = sides.passing(endpoint, direction, witness, hopeful=False)
    best = sides.passing(endpoint, direction, witness, hopeful=True)
    because = _reasons(sides.governing(endpoint, direction))
    if sides.doubted(endpoint, direction):
        because = (*because, _UNKNOWN_LABELS)
    maybe = best[1] - sure[1]
    return Exposed(endpoint.name, direction, witness, *sure, maybe, because if maybe else ())


def _reasons(policies: Iterable[Policy]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(policy.doubt for policy in policies if policy.doubt))


def show_passing(passing: Passing) -> str:
    """`all`, `none`, or `TCP 80 http`: numbers, then the names that only the pods could resolve."""
    shown = passing.shown
    if not shown:
        return str(passing.conn)
    names = [f"{name.protocol} {name.name}".strip() for name in shown]
    return " ".join(([str(passing.conn)] if passing.conn != Conn() else []) + names)
