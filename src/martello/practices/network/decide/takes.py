"""Whether a rule takes in a place that is there: by its labels, by its addresses."""

from __future__ import annotations

from collections.abc import Iterable

from martello.practices.network.addresses import parse_address
from martello.practices.network.decide.witness import Reading, block_takes, within
from martello.practices.network.model import (
    Block,
    Domains,
    Doubtful,
    Endpoint,
    Node,
    Nodes,
    Place,
    Pods,
    Profile,
    Rule,
    Selector,
    Who,
    World,
)
from martello.practices.network.selectors import selects
from martello.practices.network.world import NAME_LABEL


def place_takes(rule: Rule, place: Place, reading: Reading, family: int = 0) -> bool | None:
    """Whether a rule takes in a place by IPv4 (4), IPv6 (6) or both (0); None where that is not
    known, or is another in each family.
    """
    if rule.peers is None:
        return True
    answers = {_holds(who, place, reading, family) for who in rule.peers}
    return True if True in answers else None if None in answers else False


def _holds(who: Who, place: Place, reading: Reading, family: int) -> bool | None:
    if isinstance(who, Doubtful):
        return None
    if isinstance(place, Endpoint) and not place.host_network:
        if isinstance(who, Pods):
            return pods_hold(who, place, reading.world)
        if isinstance(who, Block):
            return _block_holds(who, place, reading.profile, family)
        return False
    if isinstance(who, Pods):
        return False
    if isinstance(who, Nodes):
        return _nodes_hold(who, place, reading.world)
    spans = _spans(place)
    if isinstance(who, Domains):
        return _domains_hold(who, spans, reading.profile)
    return _in_all(place, who, family)


def _spans(place: Place) -> tuple[tuple[int, int, int], ...]:
    if isinstance(place, Endpoint | Node):
        return tuple((version, number, number) for version, number in place.addresses)
    return ((place.version, place.first, place.last),)


def _nodes_hold(who: Nodes, place: Place, world: World) -> bool | None:
    if isinstance(place, Endpoint):
        found = next((node for node in world.nodes if node.name == place.node), None)
        return selects(who.nodes, found.labels) if found else None
    return isinstance(place, Node) and selects(who.nodes, place.labels)


def _domains_hold(
    who: Domains, spans: Iterable[tuple[int, int, int]], profile: Profile
) -> bool | None:
    """A given table of names decides for the addresses in it; any other may have a name too."""
    for name, texts in profile.names:
        if name in who.names:
            known = [parse_address(text) for text in texts]
            if any((version, first) in known and first == last for version, first, last in spans):
                return True
    given = {name for name, _ in profile.names}
    return False if all(name in given for name in who.names) else None


def _block_holds(block: Block, endpoint: Endpoint, profile: Profile, family: int) -> bool | None:
    match = profile.blocks_match_pods if block.pods is None else block.pods
    if match is False:
        return False
    mine = [number for version, number in endpoint.addresses if version == block.version]
    if not mine:
        return False if endpoint.addresses else block_takes(block, profile)
    inside = _in_all(endpoint, block, family)
    return inside if match or inside is False else None


def _in_all(place: Place, block: Block, family: int) -> bool | None:
    """Whether a block holds every address of a place, none, or (None) some: a block of one family
    says nothing of the other.
    """
    inside = {
        within(first, last, block) if version == block.version else False
        for version, first, last in _spans(place)
        if family in (0, version)
    }
    return inside.pop() if len(inside) == 1 else None


def pods_hold(who: Pods, endpoint: Endpoint, world: World) -> bool | None:
    """Whether a peer, or the subject of a policy, selects a pod; None where that hangs on labels of
    a namespace that is not here.
    """
    if not selects(who.pods, endpoint.labels):
        return False
    if who.namespace:
        return who.namespace == endpoint.namespace
    labels = world.namespaces.get(endpoint.namespace)
    if labels is not None:
        return selects(who.namespaces, labels)
    known = Selector(tuple(r for r in who.namespaces.requirements if r.key == NAME_LABEL))
    if not selects(known, {NAME_LABEL: endpoint.namespace}):
        return False
    return True if known == who.namespaces else None
