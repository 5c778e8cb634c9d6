"""Open connections that new rules deny: replies and established packets pass a filter unasked, so
the kernel must forget them first.
"""

from __future__ import annotations

from collections.abc import Iterable

from martello.core.flow import Flow
from martello.practices.network.addresses import parse_address
from martello.practices.network.firewall.alike import Reaching
from martello.practices.network.model import Address, Place, World

Connection = tuple[str, str, int, str, int]  # protocol, source, port, destination, port


def doomed(reach: Reaching, flows: Iterable[Flow]) -> tuple[Connection, ...]:
    """The connections that are surely denied now, as their initiator sent them: the destination as
    it was before translation. What cannot be decided stays; so does what has no address or port.
    """
    places = by_address(reach.world)
    found: dict[Connection, None] = {}
    for flow in flows:
        if flow.reply:
            continue
        to, port = flow.translated or (flow.destination.ip, flow.port)
        source, target = _place(places, flow.source.ip), _place(places, to)
        if source is None or target is None:
            continue
        family = _family(flow.source.ip)
        said = reach.verdict(source, target, family)
        if said.verdict(flow.protocol.upper(), port) == "denied":
            sent = (flow.protocol, flow.source.ip, flow.source_port, flow.destination.ip, flow.port)
            found[sent] = None
    return tuple(found)


def by_address(world: World) -> dict[tuple[int, int], Place]:
    """Whose an address is; pods on the network of a node are the node."""
    found: dict[tuple[int, int], Place] = {}
    for pod in world.endpoints:
        found.update(dict.fromkeys(pod.addresses, pod))
    for node in world.nodes:
        found.update(dict.fromkeys(node.addresses, node))
    return found


def _place(places: dict[tuple[int, int], Place], text: str) -> Place | None:
    address = parse_address(text)
    if address is None:
        return None
    return places.get(address) or Address(address[0], address[1], address[1])


def _family(text: str) -> int:
    found = parse_address(text)
    return found[0] if found else 0
