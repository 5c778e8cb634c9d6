"""The policies on each side of a connection: of pods that are there, and of pods to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from martello.core.reach import Ports, conn
from martello.practices.network.decide.decide import (
    EVERYTHING_PASSES,
    IN,
    NOTHING_PASSES,
    OUT,
    Asked,
    Passing,
    decide,
    rules_of,
)
from martello.practices.network.decide.takes import place_takes, pods_hold
from martello.practices.network.decide.witness import (
    ANYONE,
    Reading,
    Witness,
    pods_take,
    present,
    rule_takes,
)
from martello.practices.network.model import (
    NETWORK,
    Declared,
    Endpoint,
    NamedPort,
    Pods,
    Policies,
    Policy,
    Rule,
)


class Sides:
    """The policies of every pod, found once for each set of labels, and of pods to come."""

    __slots__ = (
        "_admitted",
        "_all",
        "_doubts",
        "_governing",
        "_local",
        "_own",
        "_present",
        "_selecting",
        "_there",
        "looked",
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
        self.looked = 0  # peers of rules, so far
        self._admitted: dict[tuple[object, ...], Passing] = {}
        self._there: dict[tuple[str, str], list[Endpoint]] = {}
        for endpoint in reading.world.endpoints:
            for label in () if endpoint.host_network else endpoint.labels.items():
                self._there.setdefault(label, []).append(endpoint)

    def distinct(self) -> Iterator[Endpoint]:
        """One endpoint for each workload, set of labels and ports."""
        seen = set()
        for endpoint in self.reading.world.endpoints:
            key = (endpoint.name, *class_of(endpoint))
            if not endpoint.host_network and key not in seen:
                seen.add(key)
                yield endpoint

    def governing(self, endpoint: Endpoint, direction: str) -> tuple[Policy, ...]:
        """The policies that surely or perhaps govern a direction of a pod."""
        if self._free(endpoint):
            return ()
        key = (direction, *class_of(endpoint))
        if key not in self._governing:
            answers = [
                (policy, pods_hold(policy.subject, endpoint, self.reading.world))
                for policy in (*self._local.get(endpoint.namespace, ()), *self._all)
                if governs(policy, direction)
            ]
            self._governing[key] = tuple(policy for policy, held in answers if held is not False)
            self._doubts[key] = any(held is None for _, held in answers)
        return self._governing[key]

    def doubted(self, endpoint: Endpoint, direction: str) -> bool:
        """Whether some policy may or may not govern a direction of a pod."""
        if self._free(endpoint):
            return False
        self.governing(endpoint, direction)
        return self._doubts[(direction, *class_of(endpoint))]

    def _free(self, endpoint: Endpoint) -> bool:
        """Whether the plugin leaves a pod alone, since nothing owns it."""
        return self.reading.profile.needs_owner and endpoint.kind == "Pod"

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
                if governs(policy, direction) and pods_take(policy.subject, witness, self.reading)
            )
        return self._selecting[key]

    def present(self, witness: Witness) -> bool:
        """Whether exactly these pods are there."""
        if witness not in self._present:
            self._present[witness] = present(witness, self.reading, self._there)
        return self._present[witness]

    def passing(
        self, endpoint: Endpoint, direction: str, witness: Witness, *, hopeful: bool
    ) -> tuple[Passing, Passing]:
        """What a pod's own policies let through for a pod to come, and what is left of it by the
        policies over that one.
        """
        inwards = direction == IN
        declared = partial(spoken, endpoint.ports) if inwards else named_ports
        if inwards and self.reading.written and witness == ANYONE:
            declared = partial(_kept, endpoint.ports)

        def takes_witness(rule: Rule) -> bool | None:
            return rule_takes(rule, witness, self.reading)

        def takes_endpoint(rule: Rule) -> bool | None:
            return place_takes(rule, endpoint, self.reading)

        policies = self.governing(endpoint, direction)
        # Pods under the same policies, with the same ports, admit the same.
        key = (direction, witness, hopeful, *map(id, policies), endpoint.ports if inwards else ())
        admitted = self._admitted.get(key)
        if admitted is None:
            self.looked += _peers(policies, direction)
            admitted = decide(policies, Asked(direction, takes_witness, declared, hopeful))
            self._admitted[key] = admitted
        if self.doubted(endpoint, direction):
            admitted = EVERYTHING_PASSES if hopeful else NOTHING_PASSES
        way = OUT if inwards else IN
        theirs = self.selecting(witness, way)
        if not theirs or not admitted:
            return admitted, admitted
        self.looked += _peers(theirs, way)
        asked = Asked(way, takes_endpoint, declared, hopeful)
        return admitted, admitted & decide(theirs, asked)


def _peers(policies: Iterable[Policy], direction: str) -> int:
    """How many peers of rules there are to look at."""
    rules = [rule for policy in policies for rule in rules_of(policy, direction) or ()]
    return sum(1 + len(rule.peers or ()) for rule in rules)


def governs(policy: Policy, direction: str) -> bool:
    """Admin policies without rules in a direction say nothing of it."""
    rules = rules_of(policy, direction)
    return rules is not None and (policy.tier == NETWORK or bool(rules) or bool(policy.doubt))


def class_of(endpoint: Endpoint) -> tuple[object, ...]:
    """What policies ask of a pod."""
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
