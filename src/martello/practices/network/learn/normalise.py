"""One flow as edges between parties: turned to its initiator, translated past Services, addresses
resolved as of its time. What cannot be resolved says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from martello.core.flow import Flow, Peer
from martello.core.reach import PROTOCOLS
from martello.core.resource import Resource
from martello.practices.network.addresses import parse_address
from martello.practices.network.learn import services
from martello.practices.network.learn.atlas import Atlas, Number
from martello.practices.network.learn.model import NODE, OUTSIDE, WORKLOAD, Party
from martello.practices.network.learn.probes import probed

# Aside from edges: why a flow makes none. Only `UNRESOLVED` is a gap.
ICMP: Final = "icmp"
ITSELF: Final = "itself"
OWN_NODE: Final = "own-node"
LOCAL: Final = "local"
UNRESOLVED: Final = "unresolved"

# Readers whose records begin at the initiator, whether or not they say so.
INITIATOR_FIRST: Final = frozenset(("conntrack", "tetragon", "falco", "gadget", "envoy"))
_EPHEMERAL: Final = 32768
_NODE_PORTS: Final = frozenset((2379, 2380, 6443, 10250, 10255, 10256, 10257, 10259, 9100))


class Seen(msgspec.Struct, frozen=True):
    """One normalised connection. `node_side` is the node's address where an end is a node."""

    source: Party
    destination: Party
    protocol: str
    port: int
    service: str = ""
    source_number: Number | None = None


class Aside(msgspec.Struct, frozen=True):
    """A flow that makes no edge."""

    kind: str
    reason: str = ""


class _Unknown(Exception):
    """Why an end could not be told."""


def normalise(flow: Flow, atlas: Atlas) -> tuple[Seen, ...] | Aside:
    """The edges of a flow: several where its Service has several workloads behind it and the
    source does not say which was taken.
    """
    if flow.protocol not in PROTOCOLS or not flow.port:
        return Aside(ICMP, flow.protocol)
    source_number, number = parse_address(flow.source.ip), parse_address(flow.destination.ip)
    if _local(source_number) or _local(number):
        return Aside(LOCAL)
    turned = _turn(flow, atlas, source_number, number)
    if turned is None:
        return Aside(UNRESOLVED, "which side began cannot be told")
    client, server, client_number, server_number, port, translated = turned
    try:
        source = _party(client, client_number, flow.at, atlas)
        ends = tuple(_destinations(server, server_number, port, flow, translated, atlas))
    except _Unknown as unknown:
        return Aside(UNRESOLVED, str(unknown))
    seen: dict[Seen, None] = {}
    reason = ITSELF
    hidden = _hidden(source, server_number, port, flow, atlas)
    for destination, held, target, service in ends:
        if source.kind == WORKLOAD and held is not None and client_number == held:
            continue
        if source.kind == NODE and _probe(source.node, destination, held, target, flow.at, atlas):
            reason = OWN_NODE
            continue
        if source.kind == destination.kind == OUTSIDE or source.kind == destination.kind == NODE:
            reason = LOCAL
            continue
        seen[Seen(source, destination, flow.protocol, target, service, client_number)] = None
        if hidden is not None and not _runs_on(destination, held, hidden.node, flow.at, atlas):
            seen[Seen(hidden, destination, flow.protocol, target, service, server_number)] = None
    return tuple(seen) if seen else Aside(reason)


_Turned = tuple[Peer, Peer, Number | None, Number | None, int, tuple[Number, int] | None]


def _turn(
    flow: Flow, atlas: Atlas, source: Number | None, destination: Number | None
) -> _Turned | None:
    """The initiator first. Without a word of the source: the side that listens is the server, else
    the lower port, where it is below the ephemeral ones.
    """
    translated = None
    if flow.translated is not None:
        number = parse_address(flow.translated[0])
        if number is not None and flow.translated[1]:
            translated = number, flow.translated[1]
    as_is: _Turned = (flow.source, flow.destination, source, destination, flow.port, translated)
    if flow.reply is False or (flow.reply is None and flow.reader in INITIATOR_FIRST):
        return as_is
    if not flow.source_port:
        return None if flow.reply else as_is
    flipped: _Turned = (flow.destination, flow.source, destination, source, flow.source_port, None)
    if flow.reply:
        return flipped
    there = _listens(flow.destination, destination, flow, flow.port, atlas)
    here = _listens(flow.source, source, flow, flow.source_port, atlas)
    if there != here:
        return as_is if there else flipped
    if flow.port < flow.source_port and flow.port < _EPHEMERAL:
        return as_is
    if flow.source_port < flow.port and flow.source_port < _EPHEMERAL:
        return flipped
    return None


def _listens(peer: Peer, number: Number | None, flow: Flow, port: int, atlas: Atlas) -> bool:
    state = services.index(atlas.state(flow.at))
    if number is not None:
        service = state.by_address.get(number)
        if service is not None:
            return services.port_of(service, flow.protocol, port) is not None
        if number in atlas.node_addresses:
            return port in _NODE_PORTS or (flow.protocol, port) in state.by_node_port
    endpoint = atlas.holder(number, flow.at) if number is not None else None
    if endpoint is None:
        return peer.kind == "service"
    return any(p.number == port and p.protocol == flow.protocol for p in endpoint.ports)


def _party(peer: Peer, number: Number | None, at: float, atlas: Atlas) -> Party:
    """Who an end is: by its address at that time, else by the names that the source gave."""
    if number is not None:
        endpoint = atlas.holder(number, at)
        if endpoint is not None:
            return atlas.party_of(endpoint)
        node = atlas.node_addresses.get(number)
        if node is not None:
            known = atlas.nodes.get(node)
            if known is None or number not in known.addresses:
                atlas.more_addresses.setdefault(node, set()).add(number)
            return Party(NODE, node=node)
    named = _named(peer, atlas)
    if named is not None:
        return named
    if number is None:
        raise _Unknown(f"no address and no known name ({peer.kind})")
    if atlas.ever_pod(number):
        raise _Unknown("no pod that is known had this address then")
    if atlas.in_services(number):
        raise _Unknown("no Service that is known had this address then")
    if peer.namespace or peer.pod or peer.kind in ("pod", "service"):
        raise _Unknown(f"a {peer.kind} that is not among the objects")
    if peer.kind == "node":
        raise _Unknown("a node that is not among the objects")
    return Party(OUTSIDE, version=number[0], address=number[1])


def _named(peer: Peer, atlas: Atlas) -> Party | None:
    if peer.namespace and peer.pod:
        party = atlas.by_pod.get((peer.namespace, peer.pod))
        if party is not None:
            return on_node(party, atlas)
    if peer.namespace and peer.workload:
        found = atlas.by_name.get((peer.namespace, peer.workload), [])
        if len(found) == 1 and len(atlas.shapes[found[0]]) == 1:
            return on_node(Party(WORKLOAD, found[0]), atlas)
    return None


def on_node(party: Party, atlas: Atlas) -> Party:
    """Pods on the network of their node are that node to every policy."""
    assert party.workload is not None
    endpoint = atlas.shapes[party.workload][party.form][0]
    if not endpoint.host_network:
        return party
    node = atlas.nodes.get(endpoint.node)
    if node is None or not node.addresses:
        raise _Unknown("a pod on the network of a node whose address is not known")
    return Party(NODE, node=endpoint.node)


_End = tuple[Party, Number | None, int, str]


def _destinations(
    peer: Peer,
    number: Number | None,
    port: int,
    flow: Flow,
    translated: tuple[Number, int] | None,
    atlas: Atlas,
) -> Iterator[_End]:
    """The ends behind a destination, past any Service."""
    state = atlas.state(flow.at)
    held = services.index(state)
    service = held.by_address.get(number) if number is not None else None
    name = f"{service.ref.namespace}/{service.ref.name}" if service is not None else ""
    if translated is not None:
        there, at_port = translated
        yield _party(Peer(), there, flow.at, atlas), there, at_port, name
        return
    key = "port"
    if service is None and number in atlas.node_addresses and number is not None:
        service, key = held.by_node_port.get((flow.protocol, port)), "nodePort"
    if service is None:
        yield _party(peer, number, flow.at, atlas), number, port, ""
        return
    name = f"{service.ref.namespace}/{service.ref.name}"
    yield from _behind(service, key, port, name, flow, atlas)


def _behind(
    service: Resource, key: str, port: int, name: str, flow: Flow, atlas: Atlas
) -> Iterator[_End]:
    entry = services.port_of(service, flow.protocol, port, key)
    if entry is None:
        raise _Unknown(f"Service {name} has no port {flow.protocol} {port}")
    state = atlas.state(flow.at)
    found = False
    asked = (id(state), id(service), key, port, flow.protocol)
    targets = atlas.behind.get(asked)
    if targets is None:
        targets = services.targets(service, entry, state, atlas.world.endpoints)
        atlas.behind[asked] = targets
    for target in targets:
        found = True
        if target.endpoint is not None:
            party = on_node(atlas.party_of(target.endpoint), atlas)
            yield party, target.number, target.port, name
        else:
            yield _party(Peer(), target.number, flow.at, atlas), target.number, target.port, name
    if not found:
        raise _Unknown(f"Service {name} had nothing behind it")


def _hidden(
    source: Party, number: Number | None, port: int, flow: Flow, atlas: Atlas
) -> Party | None:
    """The node whose address hides a client that came in by a node port: pods on other nodes see
    that address (S3), unless the Service keeps its traffic local.
    """
    node = atlas.node_addresses.get(number) if number is not None else None
    if node is None or source.kind != OUTSIDE:
        return None
    held = services.index(atlas.state(flow.at)).by_node_port.get((flow.protocol, port))
    if held is None or held.spec.get("externalTrafficPolicy") == "Local":
        return None
    return Party(NODE, node=node)


def _probe(
    node: str, destination: Party, number: Number | None, port: int, at: float, atlas: Atlas
) -> bool:
    """Whether a node asks one of its own pods how it is. Pods on the network of a node have its
    address too: what they reach at other ports is evidence, since that pod may move.
    """
    if number is None or not _runs_on(destination, number, node, at, atlas):
        return False
    endpoint = atlas.holder(number, at)
    return endpoint is not None and port in probed(endpoint)


def _runs_on(destination: Party, number: Number | None, node: str, at: float, atlas: Atlas) -> bool:
    """Whether a destination is a pod of this very node: what its kubelet reaches always."""
    if destination.kind != WORKLOAD or number is None:
        return False
    endpoint = atlas.holder(number, at)
    return endpoint is not None and endpoint.node == node


def _local(number: Number | None) -> bool:
    """Loopback, unspecified, multicast, broadcast and link-local of IPv6: never between places."""
    if number is None:
        return False
    version, value = number
    if version == 4:
        return value >> 24 in (0, 127) or value >> 28 >= 14
    return value <= 1 or value >> 120 == 0xFF or value >> 118 == 0xFE80 >> 6
