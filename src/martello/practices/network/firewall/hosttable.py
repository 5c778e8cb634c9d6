"""The filter of a node as one nftables table of its own, beside that of its pods."""

from __future__ import annotations

from typing import Final

from martello.practices.network.addresses import parse_range
from martello.practices.network.firewall.hosts import (
    METADATA,
    NODE_PORTS,
    Opening,
    Site,
    openings,
    sources,
)
from martello.practices.network.firewall.pods import ERRORS, IP
from martello.practices.network.firewall.render import Chain, Ruleset, Set, braced, comment_of

TABLE: Final = "martello_host"
_ADDRESS: Final = {4: "ipv4_addr", 6: "ipv6_addr"}
_ALWAYS: Final = (
    'iifname "lo" accept',
    "ct state established,related accept",
    *ERRORS,
    "icmp type echo-request accept",
    "icmpv6 type { echo-request, mld-listener-query, mld-listener-report,"
    " mld2-listener-report } accept",
    'udp sport 67 udp dport 68 accept comment "DHCP"',
    'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment "DHCP"',
)
_INPUT: Final = "type filter hook input priority filter; policy accept"
_BEFORE: Final = "type filter hook prerouting priority dstnat - 10; policy accept"
_FORWARD: Final = "type filter hook forward priority filter - 5; policy accept"


def host_rules(site: Site, node: str) -> Ruleset:
    """What comes to the node itself, to its NodePorts before they are translated, and what its pods
    may not reach: the metadata address. Raises BadInput as `openings` does.
    """
    found = openings(site, node)
    ports = f"{NODE_PORTS[0]}-{NODE_PORTS[1]}"
    before = [line for one in found if one.before for line in _lines(site, one)]
    chains = (
        Chain(
            "m_input",
            (
                *_ALWAYS,
                *(line for one in found if not one.before for line in _lines(site, one)),
                'drop comment "nothing else comes to this node"',
            ),
            _INPUT,
        ),
        Chain(
            "m_before",
            ("ct state established,related accept", "fib daddr type local jump m_published"),
            _BEFORE,
        ),
        Chain(
            "m_published",
            (*before, *(f"{p} dport {ports} drop" for p in ("tcp", "udp", "sctp"))),
        ),
        Chain("m_metadata", tuple(_metadata(site)), _FORWARD),
    )
    notes = (
        "replies, ICMP errors, echo and the fail-safe ports always pass",
        "what the node itself begins is not filtered",
        "node ports that lead to a pod on the network of this node need an opening of their own",
    )
    return Ruleset(chains, tuple(_sets(site)), notes, TABLE)


def _lines(site: Site, opening: Opening) -> list[str]:
    """The rules of one opening; a NodePort with sources drops the others by name."""
    if opening.protocol == "IPIP":
        match = "meta l4proto 4"
    else:
        span = str(opening.first)
        span += f"-{opening.last}" if opening.last != opening.first else ""
        match = f"{opening.protocol.lower()} dport {span}"
    said = f'comment "{comment_of(f"{opening.name}: {opening.why}")}"'
    ranges = sources(site, opening)
    if ranges is None:
        return [f"{match} accept {said}"]
    lines = []
    for version in (4, 6):
        own = [one for one in ranges if _version(one) == version]
        if own:
            lines.append(f"{IP[version]} saddr {braced(_disjoint(own))} {match} accept {said}")
    return [*lines, f"{match} drop {said}"] if opening.before else lines


def _metadata(site: Site) -> list[str]:
    lines = []
    for address in METADATA:
        version = 6 if ":" in address else 4
        ip = IP[version]
        lines.append(f"{ip} saddr @m_pods{version} {ip} daddr {address} drop")
    return lines


def _sets(site: Site) -> list[Set]:
    found = []
    for version in (4, 6):
        own = _disjoint([one for one in site.pods if _version(one) == version])
        elements = dict.fromkeys(own, "")
        found.append(Set(f"m_pods{version}", _ADDRESS[version], elements, interval=True))
    return found


def _version(text: str) -> int:
    found = parse_range(text)
    return found[0] if found else 0


def _disjoint(ranges: list[str]) -> list[str]:
    """Ranges of one family without those that lie in others: nft takes no overlaps."""
    spans = sorted((found[1], -found[2], one) for one in ranges if (found := parse_range(one)))
    kept: list[str] = []
    end = -1
    for _, negative, text in spans:
        if -negative > end:
            kept.append(text)
            end = -negative
    return kept
