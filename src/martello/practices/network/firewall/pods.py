"""The pod policies of a node as one nftables table: address → class, address → chain, and one
look-up of class, protocol and port.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from martello.core.errors import BadInput
from martello.core.reach import ALL, Conn, Ports
from martello.practices.network.addresses import cidrs, show_address
from martello.practices.network.firewall.alike import Reaching, addresses_of
from martello.practices.network.firewall.judged import Judged, Options, judged
from martello.practices.network.firewall.numbers import numbered, reused
from martello.practices.network.firewall.render import Chain, Ruleset, Set, comment_of
from martello.practices.network.model import Address, Endpoint, Place

HOOK: Final = "type filter hook forward priority filter; policy accept"
# Errors that belong to connections, and neighbours: without them IPv6 and path MTU discovery end.
ERRORS: Final = (
    "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem,"
    " nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept",
)
IP: Final = {4: "ip", 6: "ip6"}
ADDRESS: Final = {4: "ipv4_addr", 6: "ipv6_addr"}
_PORTED: Final = "{ tcp, udp, sctp }"
_WAYS: Final = (("e", "from", "daddr"), ("i", "to", "saddr"))
DEFAULT: Final = Options()


class _Made(msgspec.Struct):
    """What is built so far."""

    sets: list[Set] = []
    chains: list[Chain] = []
    dispatch: list[str] = []


def pod_rules(
    reach: Reaching,
    node: str | None = None,
    *,
    options: Options = DEFAULT,
    previous: Ruleset | None = None,
) -> Ruleset:
    """The policies of the pods of a node, or of all pods: both directions, both families.

    Hook forward sees connections after translation, as policies do. A pod and its own node do
    not meet there: they always reach each other. Numbers are kept from `previous`, so that
    `change(previous, new)` is small. Raises Stale where the model cannot decide and `options` do
    not say what then; BadInput where there is no such node, or more classes than the mark holds.
    """
    local = _local(reach, node)
    notes = [
        "ICMP errors, neighbour discovery and replies always pass",
        "another table may still drop what this one accepts",
        "pods newer than this table are not governed, and are outside addresses to the others",
    ]
    made = _Made()
    for version in (4, 6):
        here = [pod for pod in local if addresses_of(pod, version)]
        if here:
            found = judged(reach, here, version, options)
            notes += found.notes
            _family(found, made, options, previous)
    waiting = sum(not pod.addresses for pod in local)
    if waiting:
        notes.append(f"pods without an address yet, not governed: {waiting}")
    made.chains += [
        Chain("m_clear", (f"meta mark set meta mark & {_hex(options.below)}",)),
        Chain(
            "m_forward",
            ("ct state established,related accept", *ERRORS, *made.dispatch),
            hook=HOOK,
        ),
    ]
    return Ruleset(tuple(made.chains), tuple(made.sets), tuple(dict.fromkeys(notes)), options.table)


def _local(reach: Reaching, node: str | None) -> list[Endpoint]:
    world = reach.world
    named = {n.name for n in world.nodes} | {pod.node for pod in world.endpoints}
    if node is not None and node not in named:
        known = ", ".join(sorted(named - {""})[:5])
        raise BadInput(f"no node {node!r}", next=f"one of: {known}" if known else "")
    return [
        pod
        for pod in world.endpoints
        if not pod.host_network and (node is None or pod.node == node)
    ]


def _family(found: Judged, made: _Made, options: Options, previous: Ruleset | None) -> None:
    version = found.version
    ip, kind = IP[version], ADDRESS[version]
    classes = _classes(found, options, previous, made)
    pairs = {f"{a} . {a}": "" for pod in found.local for a in shown(pod, version)}
    made.sets.append(Set(f"m_self{version}", f"{kind} . {kind}", pairs))
    made.dispatch.append(f"{ip} saddr . {ip} daddr @m_self{version} accept")
    for letter, word, far in _WAYS:
        near = "saddr" if far == "daddr" else "daddr"
        looked = f"m_{far[0]}{version}"
        lines = (
            "jump m_clear",
            f"{ip} {far} vmap @m_class{version}",
            f"{ip} {far} vmap @m_net{version}",
        )
        made.chains.append(Chain(looked, lines))
        rows = found.out if letter == "e" else found.into
        members = _chains(found, letter, rows, classes, made, previous, options)
        name = f"m_{word}{version}"
        made.sets.append(Set(name, f"{kind} : verdict", members, "map"))
        made.dispatch.append(f"{ip} {near} vmap @{name}")


def _classes(found: Judged, options: Options, previous: Ruleset | None, made: _Made) -> list[int]:
    """The number of the class of each group of peers; groups of equal columns share one."""
    columns: dict[tuple[int, ...], list[int]] = {}
    for at, column in enumerate(zip(*found.out, *found.into, strict=True)):
        columns.setdefault(column, []).append(at)
    version = found.version
    keys: list[list[str]] = []
    for groups in columns.values():
        places = [place for at in groups for place in found.peers[at]]
        keys.append([a for place in places for a in shown(place, version)])
    held = reused(previous, f"m_class{version}", f"m_net{version}")
    numbers = numbered(keys, held)
    if max(numbers, default=0) >= 1 << options.mark_bits:
        raise BadInput(
            f"{len(numbers)} classes of peers do not fit {options.mark_bits} bits of the mark",
            next="give the mark more bits",
        )
    single: dict[str, str] = {}
    nets: dict[tuple[int, int], int] = {}
    result = [0] * len(found.peers)
    for number, groups in zip(numbers, columns.values(), strict=True):
        made.chains.append(Chain(f"m_k{version}_{number}", (_mark(number, options),)))
        for at in groups:
            result[at] = number
            for place in found.peers[at]:
                if isinstance(place, Address):
                    nets[(place.first, place.last)] = number
                else:
                    target = f"goto m_k{version}_{number}"
                    single.update(dict.fromkeys(shown(place, version), target))
    kind = f"{ADDRESS[version]} : verdict"
    wide = {
        _span(version, first, last): f"goto m_k{version}_{number}"
        for first, last, number in _joined(nets)
    }
    made.sets.append(Set(f"m_class{version}", kind, dict(sorted(single.items())), "map"))
    made.sets.append(Set(f"m_net{version}", kind, wide, "map", interval=True))
    return result


def _chains(
    found: Judged,
    letter: str,
    rows: list[list[int]],
    classes: list[int],
    made: _Made,
    previous: Ruleset | None,
    options: Options,
) -> dict[str, str]:
    """One chain for local pods of equal rows; none where all passes. Returns address → chain."""
    version = found.version
    shared: dict[tuple[tuple[int, int], ...], list[Endpoint]] = {}
    for group, row in zip(found.groups, rows, strict=True):
        if any(row):  # the first of `conns` is everything
            content = tuple(sorted(set(zip(classes, row, strict=True))))
            shared.setdefault(content, []).extend(group)
    keys = [[a for pod in pods for a in shown(pod, version)] for pods in shared.values()]
    word = "from" if letter == "e" else "to"
    numbers = numbered(keys, reused(previous, f"m_{word}{version}"))
    members: dict[str, str] = {}
    for number, addresses, (content, pods) in zip(numbers, keys, shared.items(), strict=True):
        name = f"m_{letter}{version}_{number}"
        looked = f"m_{'d' if letter == 'e' else 's'}{version}"
        passes = [(at, found.conns[one]) for at, one in content]
        sets = _allowed(name, passes, options)
        made.sets += [one for one, _ in sets]
        drop = f'drop comment "{comment_of(_names(pods))}"'
        made.chains.append(Chain(name, (f"jump {looked}", *(line for _, line in sets), drop)))
        members.update(dict.fromkeys(addresses, f"jump {name}"))
    return dict(sorted(members.items()))


def _allowed(
    name: str, content: Iterable[tuple[int, Conn]], options: Options
) -> list[tuple[Set, str]]:
    """The sets of one chain with the rule that asks each."""
    mark = f"meta mark & {_hex(options.ours)}"
    ported = f"{mark} . meta l4proto . th dport"
    everything: dict[str, str] = {}
    others: dict[str, str] = {}
    single: dict[str, str] = {}
    ranges: dict[str, str] = {}
    for number, passes in content:
        at = _hex(number << options.shift)
        if passes == ALL:
            everything[at] = ""
            continue
        if passes.other:
            others[at] = ""
        for ports in passes.ranges:
            into = single if ports.first == ports.last else ranges
            into[f"{at} . {_ports(ports)}"] = ""
    wide = "mark . inet_proto . inet_service"
    wanted = (
        (Set(f"{name}_all", "mark", everything), f"{mark} @{name}_all goto m_clear"),
        (Set(f"{name}_port", wide, single), f"{ported} @{name}_port goto m_clear"),
        (Set(f"{name}_span", wide, ranges, interval=True), f"{ported} @{name}_span goto m_clear"),
        (
            Set(f"{name}_other", "mark", others),
            f"meta l4proto != {_PORTED} {mark} @{name}_other goto m_clear",
        ),
    )
    return [(one, line) for one, line in wanted if one.elements]


def shown(place: Place, version: int) -> tuple[str, ...]:
    """The addresses of a place in one family, as nft prints them."""
    if isinstance(place, Address):
        return (_span(version, place.first, place.last),)
    return tuple(show_address(version, at) for at in addresses_of(place, version))


def _joined(nets: dict[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    joined: list[tuple[int, int, int]] = []
    for (first, last), number in sorted(nets.items()):
        if joined and joined[-1][2] == number and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last, number)
        else:
            joined.append((first, last, number))
    return joined


def _span(version: int, first: int, last: int) -> str:
    if first == last:
        return show_address(version, first)
    one, *more = cidrs(version, first, last)
    return f"{show_address(version, first)}-{show_address(version, last)}" if more else one


def _ports(ports: Ports) -> str:
    span = str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"
    return f"{ports.protocol.lower()} . {span}"


def _mark(number: int, options: Options) -> str:
    return f"meta mark set meta mark & {_hex(options.below)} | {_hex(number << options.shift)}"


def _names(pods: list[Endpoint]) -> str:
    names = sorted({pod.name for pod in pods})
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _hex(number: int) -> str:
    return f"0x{number:08x}"
