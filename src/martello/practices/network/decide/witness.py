"""Pods that are not there yet, of which a selector is all that is known: what takes them in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from martello.practices.network.addresses import parse_range
from martello.practices.network.model import (
    EVERYTHING,
    Block,
    Doubtful,
    Endpoint,
    Pods,
    Profile,
    Requirement,
    Rule,
    Selector,
    Who,
    World,
)
from martello.practices.network.selectors import selects, show
from martello.practices.network.world import NAME_LABEL


class Witness(msgspec.Struct, frozen=True):
    """Any pod that `pods` selects in any namespace that `namespaces` selects. `namespace` names the
    one it lies in, where that is certain.
    """

    pods: Selector = EVERYTHING
    namespaces: Selector = EVERYTHING
    namespace: str = ""

    def __str__(self) -> str:
        if self == ANYONE:
            return "any pod of any namespace"
        pods = f"pods with {show(self.pods)}" if self.pods.requirements else "all pods"
        if self.namespace:
            return f"{pods} of namespace {self.namespace}"
        if not self.namespaces.requirements:
            return f"{pods} of any namespace"
        return f"{pods} of namespaces with {show(self.namespaces)}"


ANYONE: Final = Witness()


class Reading(msgspec.Struct, frozen=True):
    """How a rule is asked of a witness. By default it takes in a witness whose selector implies the
    rule's; `written` compares selectors as they are written.
    """

    world: World
    profile: Profile
    written: bool = False


def witness_of(who: Pods) -> Witness:
    """The pods that one peer of a rule speaks of."""
    if who.namespace:
        return Witness(who.pods, _called(who.namespace), who.namespace)
    names = [r for r in who.namespaces.requirements if r.key == NAME_LABEL and r.operator == "In"]
    sure = len(names) == 1 and len(names[0].values) == 1
    return Witness(who.pods, who.namespaces, names[0].values[0] if sure else "")


def _called(namespace: str) -> Selector:
    return Selector((Requirement(NAME_LABEL, "In", (namespace,)),))


def witnesses(rules: Iterable[Rule]) -> Iterator[Witness]:
    """Those of all rules, each once, without the one that is any pod."""
    seen = {ANYONE}
    for rule in rules:
        for who in rule.peers or ():
            if isinstance(who, Pods) and (witness := witness_of(who)) not in seen:
                seen.add(witness)
                yield witness


def present(
    witness: Witness, reading: Reading, there: Mapping[tuple[str, str], Sequence[Endpoint]]
) -> bool:
    """Whether a selector that names every label by value has its pods here already: it means these,
    rather than pods to come. `there` are pods by one label.
    """
    if not (_pinned(witness.pods) and _pinned(witness.namespaces)):
        return False
    first = witness.pods.requirements[0]
    return any(
        selects(witness.namespaces, namespace_labels(reading.world, endpoint.namespace))
        and selects(witness.pods, endpoint.labels)
        for endpoint in there.get((first.key, first.values[0]), ())
    )


def _pinned(selector: Selector) -> bool:
    asked = selector.requirements
    return bool(asked) and all(r.operator == "In" and len(r.values) == 1 for r in asked)


def namespace_labels(world: World, namespace: str) -> dict[str, str]:
    """The labels that a namespace surely has."""
    return world.namespaces.get(namespace) or {NAME_LABEL: namespace}


def rule_takes(rule: Rule, witness: Witness, reading: Reading) -> bool | None:
    """Whether a rule takes in the witness; None where that is not known."""
    if rule.peers is None:
        return True
    answers = {_takes(who, witness, reading) for who in rule.peers}
    return True if True in answers else None if None in answers else False


def _takes(who: Who, witness: Witness, reading: Reading) -> bool | None:
    if isinstance(who, Pods):
        return pods_take(who, witness, reading)
    if isinstance(who, Block):
        return block_takes(who, reading.profile)
    return None if isinstance(who, Doubtful) else False


def pods_take(who: Pods, witness: Witness, reading: Reading) -> bool:
    """Whether a peer, or the subject of a policy, takes in every pod that the witness stands for.

    Whatever it takes in of them only in part is not this witness, but another one.
    """
    namespaces = _called(who.namespace) if who.namespace else who.namespaces
    if reading.written:
        return _same(namespaces, witness.namespaces) and _same(who.pods, witness.pods)
    labels = reading.world.namespaces.get(witness.namespace) if witness.namespace else None
    there = (
        selects(namespaces, labels) if labels else implies(_some(witness.namespaces), namespaces)
    )
    return there and implies(witness.pods, who.pods)


@lru_cache(maxsize=4096)
def _some(namespaces: Selector) -> Selector:
    """What is known of namespaces that a selector selects: each has a label with its name."""
    return Selector((*namespaces.requirements, Requirement(NAME_LABEL, "Exists")))


def _same(asked: Selector, known: Selector) -> bool:
    return not asked.requirements or asked == known


def block_takes(block: Block, profile: Profile) -> bool | None:
    """The address of a pod to come is one of the pod ranges, where these are known."""
    match = profile.blocks_match_pods if block.pods is None else block.pods
    if match is False:
        return False
    ranges = [r for r in map(parse_range, profile.pod_ranges) if r and r[0] == block.version]
    inside = {within(r[1], r[2], block) for r in ranges} or {None}
    if inside == {False}:
        return False
    return True if match and inside == {True} else None


def within(first: int, last: int, block: Block) -> bool | None:
    """Whether an interval lies in a block whole, not at all, or (None) in part."""
    if last < block.first or block.last < first:
        return False
    if any(low <= first and last <= high for low, high in block.excepts):
        return False
    touched = any(first <= high and low <= last for low, high in block.excepts)
    return True if block.first <= first and last <= block.last and not touched else None


@lru_cache(maxsize=65536)
def implies(known: Selector, asked: Selector) -> bool:
    """Whether `asked` selects all labels that `known` selects, as far as one key at a time shows
    it.
    """
    return all(_follows(known, requirement) for requirement in asked.requirements)


def _follows(known: Selector, asked: Requirement) -> bool:
    about = [r for r in known.requirements if r.key == asked.key]
    if any(r.operator == "DoesNotExist" for r in about):
        return asked.operator in ("DoesNotExist", "NotIn")
    one_of = [frozenset(r.values) for r in about if r.operator == "In"]
    refused = frozenset(v for r in about if r.operator == "NotIn" for v in r.values)
    values = frozenset.intersection(*one_of) - refused if one_of else frozenset()
    if asked.operator == "In":
        return bool(one_of) and values <= frozenset(asked.values)
    if asked.operator == "NotIn":
        wanted = frozenset(asked.values)
        return wanted <= refused or (bool(one_of) and not values & wanted)
    return asked.operator == "Exists" and any(r.operator in ("In", "Exists") for r in about)
