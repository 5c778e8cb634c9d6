"""The places that people name: `shop/web`, `shop/deploy/web`, `node/n1`, an address, `internet`."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from martello.core.errors import BadInput
from martello.practices.network.addresses import parse_address, parse_range
from martello.practices.network.model import Address, Endpoint, Place, World

_SHORT: Final = {
    "cj": "cronjob",
    "deploy": "deployment",
    "ds": "daemonset",
    "po": "pod",
    "rc": "replicationcontroller",
    "rs": "replicaset",
    "sts": "statefulset",
}
_INTERNET: Final = (Address(4, 0, 2**32 - 1), Address(6, 0, 2**128 - 1))


def find(world: World, text: str) -> tuple[Place, ...]:
    """The places that a text names, several where a workload has several pods. `shop/*` is every
    place of a namespace. An address that a pod or node has is that pod or node.

    Raises BadInput for what is not here; it names the nearest.
    """
    if text == "internet":
        return _INTERNET
    if text.startswith("node/"):
        nodes = [node for node in world.nodes if node.name == text[5:]]
        return tuple(nodes) or _missing(text, (f"node/{node.name}" for node in world.nodes))
    return _addressed(world, text) or _named(world, text)


def _addressed(world: World, text: str) -> tuple[Place, ...]:
    single = parse_address(text)
    if single is not None:
        version, number = single
        held = [e for e in world.endpoints if single in e.addresses and not e.host_network]
        nodes = [node for node in world.nodes if single in node.addresses]
        return (*held, *nodes) or (Address(version, number, number),)
    spread = parse_range(text)
    return (Address(*spread),) if spread is not None else ()


def _named(world: World, text: str) -> tuple[Place, ...]:
    namespace, slash, rest = text.partition("/")
    kind, _, name = rest.rpartition("/")
    kind = _SHORT.get(kind.lower(), kind.lower())
    if slash and name:
        found = [e for e in world.endpoints if e.namespace == namespace and _is(e, kind, name)]
        if found:
            return tuple(found)
    return _missing(text, _names(world.endpoints))


def _is(endpoint: Endpoint, kind: str, name: str) -> bool:
    if name == "*" and not kind:
        return True
    if kind == "pod":
        return endpoint.pod == name
    if kind:
        return endpoint.workload == name and endpoint.kind.lower() == kind
    return name in (endpoint.workload, endpoint.pod)


def _names(endpoints: Iterable[Endpoint]) -> Iterable[str]:
    return dict.fromkeys(endpoint.name for endpoint in endpoints)


def _missing(text: str, names: Iterable[str]) -> tuple[Place, ...]:
    known = list(names)
    last = text.rpartition("/")[2]
    same = [name for name in known if name.rpartition("/")[2] == last][:3]
    near = same or get_close_matches(text, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "`martello network matrix` lists all"
    why = "a place is namespace/name, node/name, an address, a CIDR or internet"
    raise BadInput(f"there is no place {text!r} here", why, hint)
