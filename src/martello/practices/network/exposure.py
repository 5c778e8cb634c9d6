"""What workloads are open to beyond the pods that are there: any pod of the cluster, pods that some
rule waits for.

A workload is *unprotected* in a direction that no policy governs. Rows of the others are one for
any pod of the cluster (`ANYONE`), and one for each pair of selectors of their own rules for which
the answer is another: more, or by an exception of an admin policy less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final, Protocol

import msgspec

from martello.core.reach import Conn, Ports, conn
from martello.practices.network.decide import (
    EVERYTHING_PASSES,
    IN,
    NOTHING_PASSES,
    OUT,
    Asked,
    Passing,
    decide,
    rules_of,
)
from martello.practices.network.model import (
    NETWORK,
    Declared,
    Endpoint,
    NamedPort,
    Pods,
    Policies,
    Policy,
    Profile,
    Rule,
    World,
)
from martello.practices.network.takes import place_takes, pods_hold
from martello.practices.network.witness import (
    ANYONE,
    Reading,
    Witness,
    pods_take,
    present,
    rule_takes,
    witnesses,
)

DIRECTIONS: Final = (IN, OUT)
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
    """The rows, and (workload, direction) of what no policy governs."""

    rows: tuple[Exposed, ...]
    unprotected: tuple[tuple[str, str], ...]


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


def exposure(reach: Answered, *, written: bool = False) -> Exposure:
    """The exposure of every workload, the pods of one taken together. With `written`, selectors
    are compared as they are written rather than by what they imply. Pods on the network of their
    node are left out: no policy governs them.
    """
    sides = Sides(reach.policies, Reading(reach.world, reach.profile, written))
    rows: dict[tuple[str, str, Witness], Exposed] = {}
    unprotected: dict[tuple[str, str], None] = {}
    for endpoint in sides.distinct():
        for direction in DIRECTIONS:
            if not sides.governing(endpoint, direction):
                unprotected[(endpoint.name, direction)] = None
            for row in _rows(endpoint, direction, sides):
                key = (row.workload, row.direction, row.witness)
                rows[key] = _joined(rows[key], row) if key in rows else row
    return Exposure(tuple(rows.values()), tuple(unprotected))


def _rows(endpoint: Endpoint, direction: str, sides: Sides) -> Iterator[Exposed]:
    base = sides.row(endpoint, direction, ANYONE)
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
        row = sides.row(endpoint, direction, witness)
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


class Sides:
    """The policies of every pod, found once for each set of labels, and of pods to come."""

    __slots__ = (
        "_all",
        "_doubts",
        "_governing",
        "_local",
        "_own",
        "_present",
        "_selecting",
        "reading",
    )

    def __init__(self, policies: Policies, reading: Reading) -> None:
        self.reading = reading
        self._local: dict[str, list[Policy]] = {}
        self._all: list[Policy] = []
        for policy in policies.policies:
            if policy.subject.namespace:
                self._local.setdefault(policy.subject.namespace, []).append(policy)
            else:
                self._all.append(policy)
        self._own = {
            (who.namespace, who.pods)
            for policy in policies.policies
            for rule in (*(policy.ingress or ()), *(policy.egress or ()))
            for who in rule.peers or ()
            if isinstance(who, Pods) and who.namespace
        }
        self._governing: dict[tuple[object, ...], tuple[Policy, ...]] = {}
        self._doubts: dict[tuple[object, ...], bool] = {}
        self._selecting: dict[tuple[Witness, str], tuple[Policy, ...]] = {}
        self._present: dict[Witness, bool] = {}

    def distinct(self) -> Iterator[Endpoint]:
        """One endpoint for each workload, set of labels and ports."""
        seen = set()
        for endpoint in self.reading.world.endpoints:
            key = (endpoint.name, *_class(endpoint))
            if not endpoint.host_network and key not in seen:
                seen.add(key)
                yield endpoint

    def governing(self, endpoint: Endpoint, direction: str) -> tuple[Policy, ...]:
        """The policies that surely or perhaps govern a direction of a pod."""
        key = (direction, *_class(endpoint))
        if key not in self._governing:
            answers = [
                (policy, pods_hold(policy.subject, endpoint, self.reading.world))
                for policy in (*self._local.get(endpoint.namespace, ()), *self._all)
                if _governs(policy, direction)
            ]
            self._governing[key] = tuple(policy for policy, held in answers if held is not False)
            self._doubts[key] = any(held is None for _, held in answers)
        return self._governing[key]

    def doubted(self, endpoint: Endpoint, direction: str) -> bool:
        """Whether some policy may or may not govern a direction of a pod."""
        self.governing(endpoint, direction)
        return self._doubts[(direction, *_class(endpoint))]

    def selecting(self, witness: Witness, direction: str) -> tuple[Policy, ...]:
        """The policies that govern a direction of every pod of a witness."""
        key = (witness, direction)
        if key not in self._selecting:
            here = self._local.get(witness.namespace, ())
            if self.reading.written and (witness.namespace, witness.pods) not in self._own:
                here = ()  # a pod chosen by labels of its namespace lies in no namespace as written
            self._selecting[key] = tuple(
                policy
                for policy in (*here, *self._all)
                if _governs(policy, direction) and pods_take(policy.subject, witness, self.reading)
            )
        return self._selecting[key]

    def present(self, witness: Witness) -> bool:
        """Whether exactly these pods are there."""
        if witness not in self._present:
            self._present[witness] = present(witness, self.reading.world)
        return self._present[witness]

    def row(self, endpoint: Endpoint, direction: str, witness: Witness) -> Exposed:
        """What passes between a pod and a pod to come."""
        sure = self._passing(endpoint, direction, witness, hopeful=False)
        best = self._passing(endpoint, direction, witness, hopeful=True)
        because = _reasons(self.governing(endpoint, direction))
        if self.doubted(endpoint, direction):
            because = (*because, _UNKNOWN_LABELS)
        maybe = best[1] - sure[1]
        return Exposed(
            endpoint.name,
            direction,
            witness,
            sure[0],
            sure[1],
            maybe,
            because if maybe else (),
        )

    def _passing(
        self, endpoint: Endpoint, direction: str, witness: Witness, *, hopeful: bool
    ) -> tuple[Passing, Passing]:
        inwards = direction == IN
        declared = partial(spoken, endpoint.ports) if inwards else named_ports
        if inwards and self.reading.written and witness == ANYONE:
            declared = partial(_kept, endpoint.ports)

        def takes_witness(rule: Rule) -> bool | None:
            return rule_takes(rule, witness, self.reading)

        def takes_endpoint(rule: Rule) -> bool | None:
            return place_takes(rule, endpoint, self.reading)

        policies = self.governing(endpoint, direction)
        admitted = decide(policies, Asked(direction, takes_witness, declared, hopeful))
        if self.doubted(endpoint, direction):
            admitted = EVERYTHING_PASSES if hopeful else NOTHING_PASSES
        way = OUT if inwards else IN
        theirs = self.selecting(witness, way)
        if not theirs or not admitted:
            return admitted, admitted
        asked = Asked(way, takes_endpoint, declared, hopeful)
        return admitted, admitted & decide(theirs, asked)


def _governs(policy: Policy, direction: str) -> bool:
    """Admin policies without rules in a direction say nothing of it."""
    rules = rules_of(policy, direction)
    return rules is not None and (policy.tier == NETWORK or bool(rules) or bool(policy.doubt))


def _reasons(policies: Iterable[Policy]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(policy.doubt for policy in policies if policy.doubt))


def _class(endpoint: Endpoint) -> tuple[object, ...]:
    return endpoint.namespace, frozenset(endpoint.labels.items()), endpoint.ports


def spoken(ports: tuple[Declared, ...], rule: Rule) -> Passing:
    """What a rule speaks of, by the ports that the destination declares; a name it does not give
    is nothing.
    """
    if rule.ports is None:
        return EVERYTHING_PASSES
    return Passing(conn([one for port in rule.ports for one in _resolved(ports, port)]))


def _resolved(ports: tuple[Declared, ...], port: Ports | NamedPort) -> Iterator[Ports]:
    if isinstance(port, Ports):
        yield port
        return
    for own in ports:
        if own.name == port.name and port.protocol in ("", own.protocol):
            yield Ports(own.protocol, own.number, own.number)


def _kept(ports: tuple[Declared, ...], rule: Rule) -> Passing:
    """What a rule speaks of as it is written: a name that the pod does not give stays a name."""
    names = {p for p in rule.ports or () if isinstance(p, NamedPort)}
    lost = frozenset(name for name in names if not any(_resolved(ports, name)))
    return spoken(ports, rule) | Passing(names=lost)


def named_ports(rule: Rule) -> Passing:
    """What a rule speaks of where the pod that would resolve names is not there."""
    if rule.ports is None:
        return EVERYTHING_PASSES
    numbers = conn([port for port in rule.ports if isinstance(port, Ports)])
    return Passing(numbers, frozenset(p for p in rule.ports if isinstance(p, NamedPort)))


def show_passing(passing: Passing) -> str:
    """`all`, `none`, or `TCP 80 http`: numbers, then the names that only the pods could resolve."""
    shown = passing.shown
    if not shown:
        return str(passing.conn)
    names = [f"{name.protocol} {name.name}".strip() for name in shown]
    return " ".join(([str(passing.conn)] if passing.conn != Conn() else []) + names)
