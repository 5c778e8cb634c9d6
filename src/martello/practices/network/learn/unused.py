"""Rules of NetworkPolicies that no edge needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.network.decide.takes import place_takes, pods_hold
from martello.practices.network.decide.witness import Reading
from martello.practices.network.engine.reach import Reach
from martello.practices.network.learn.model import Edge
from martello.practices.network.learn.replay import Stage
from martello.practices.network.model import (
    NETWORK,
    Endpoint,
    NamedPort,
    Place,
    Policy,
    Rule,
)


class UnusedRule(msgspec.Struct, frozen=True):
    """A rule by its policy and where it lies there."""

    policy: Resource
    path: Path


def unused_rules(reached: Reach, stage: Stage, edges: Iterable[Edge]) -> tuple[UnusedRule, ...]:
    """The rules that no edge needs, or may need, as the policies order them."""
    reading = Reading(reached.world, reached.profile)
    entering: dict[int, list[tuple[Edge, Place]]] = {}
    leaving: dict[int, list[tuple[Edge, Place]]] = {}
    ends: dict[int, Endpoint] = {}
    for edge in edges:
        source, destination = stage.places(edge)
        if isinstance(source, Endpoint):
            ends[id(source)] = source
            leaving.setdefault(id(source), []).append((edge, destination))
        if isinstance(destination, Endpoint):
            ends[id(destination)] = destination
            entering.setdefault(id(destination), []).append((edge, source))
    found: list[UnusedRule] = []
    for policy in reached.policies.policies:
        if policy.tier != NETWORK or policy.doubt:
            continue
        subjects = tuple(_subjects(policy, ends.values(), reading))
        for rules, lanes in ((policy.ingress, entering), (policy.egress, leaving)):
            for rule in rules or ():
                if not _needed(rule, subjects, lanes, lanes is leaving, reading):
                    found.append(UnusedRule(policy.resource, rule.path))
    return tuple(found)


def _subjects(policy: Policy, ends: Iterable[Endpoint], reading: Reading) -> Iterator[Endpoint]:
    for end in ends:
        if not end.host_network and pods_hold(policy.subject, end, reading.world) is not False:
            yield end


def _needed(
    rule: Rule,
    subjects: Sequence[Endpoint],
    lanes: dict[int, list[tuple[Edge, Place]]],
    lanes_leave: bool,
    reading: Reading,
) -> bool:
    for subject in subjects:
        for edge, other in lanes.get(id(subject), ()):
            target = other if lanes_leave else subject
            if _speaks(rule, edge, target) and place_takes(rule, other, reading) is not False:
                return True
    return False


def _speaks(rule: Rule, edge: Edge, target: Place) -> bool:
    """Whether a rule's ports hold an edge's; names are those of the target."""
    if rule.ports is None:
        return True
    for port in rule.ports:
        if isinstance(port, NamedPort):
            named = target.ports if isinstance(target, Endpoint) else ()
            wanted = (port.name, edge.port, edge.protocol)
            if any((p.name, p.number, p.protocol) == wanted for p in named):
                return True
        elif port.protocol == edge.protocol and port.first <= edge.port <= port.last:
            return True
    return False
