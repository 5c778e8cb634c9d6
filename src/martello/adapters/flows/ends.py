"""The two ends of a flow: addresses, ports, names and times checked, peers kept once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import Final, TypeVar

from martello.core.flow import Flow, Peer

ICMP: Final = "icmp"
L7: Final = "l7"
NO_ADDRESS: Final = "no address"
NO_PORT: Final = "no port"
LOOPBACK: Final = "loopback"
DUPLICATE: Final = "duplicate"
NOT_A_CONNECTION: Final = "not a connection"
LOST: Final = "events lost by the sensor"

LARGEST_COUNT: Final = 1 << 53
_LAST_PORT: Final = 65535
_LAST_SECOND: Final = 253_402_300_799  # the end of the year 9999
_LONGEST_NAME: Final = 253
_MOST_NAMES: Final = 20
_KEPT: Final = 1 << 16
_PROTOCOLS: Final = {1: "ICMP", 6: "TCP", 17: "UDP", 47: "GRE", 58: "ICMPV6", 132: "SCTP"}
_WITHOUT_FLOWS: Final = frozenset({"ICMP", "ICMPV4", "ICMPV6", "IPV6-ICMP", "IGMP", "2"})
_WITH_PORTS: Final = frozenset({"TCP", "UDP", "SCTP"})


class BadLine(Exception):
    """A line that is not what its format promises. Its text holds nothing of the line."""


# What a reader makes of a line: a flow, or the reason why it is none (that is no fault). A line
# that holds many records gives one of these for each, their faults included.
One = Flow | str
Result = One | tuple[One | BadLine, ...]
Read = Callable[[bytes, str], Result]
T = TypeVar("T")


def each(records: Iterable[T], read: Callable[[T], One]) -> tuple[One | BadLine, ...]:
    """What each record of a line gives."""
    found: list[One | BadLine] = []
    for record in records:
        try:
            found.append(read(record))
        except BadLine as fault:
            found.append(fault)
    return tuple(found)


class Ends:
    """Makes peers, and keeps equal ones once. What it keeps is bounded."""

    def __init__(self) -> None:
        self._peers: dict[tuple[str, ...], Peer] = {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._addresses: dict[str, str] = {}

    def peer(
        self,
        ip: str,
        namespace: str = "",
        pod: str = "",
        workload: str = "",
        kind: str = "unknown",
        cluster: str = "",
    ) -> Peer:
        """The peer of these names. Raises BadLine where the address or a name is none."""
        key = (ip, namespace, pod, workload, kind, cluster)
        known = self._peers.get(key)
        if known is not None:
            return known
        for name in key[1:]:
            _check_name(name)
        made = Peer(kind, namespace, workload, pod, self.address(ip), cluster)
        if len(self._peers) >= _KEPT:
            self._peers.clear()
        self._peers[key] = made
        return made

    def address(self, text: str) -> str:
        """An address as it is written canonically; the unspecified one is none. Raises BadLine."""
        known = self._addresses.get(text)
        if known is None:
            known = _address(text)
            if len(self._addresses) >= _KEPT:
                self._addresses.clear()
            self._addresses[text] = known
        return known

    def names(self, given: Sequence[str]) -> tuple[str, ...]:
        """DNS names, the first twenty of them. Raises BadLine where one is none."""
        key = tuple(given[:_MOST_NAMES])
        known = self._names.get(key)
        if known is None:
            for name in key:
                _check_name(name)
            known = tuple(dict.fromkeys(name.rstrip(".").lower() for name in key if name))
            if len(self._names) >= _KEPT:
                self._names.clear()
            self._names[key] = known
        return known


def _address(text: str) -> str:
    if not text:
        return ""
    if len(text) > 64:
        raise BadLine("an address is malformed")
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        raise BadLine("an address is malformed") from None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return "" if found.is_unspecified else str(found)


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise BadLine(f"a name is longer than {_LONGEST_NAME} characters")
    if not name.isprintable():
        raise BadLine("a name has control characters")


def connection(
    source: Peer,
    destination: Peer,
    protocol: str,
    port: int,
    source_port: int = 0,
    at: float = 0.0,
    verdict: str = "forwarded",
    reply: bool | None = None,
    count: int = 1,
    names: tuple[str, ...] = (),
    translated: tuple[str, int] | None = None,
    reader: str = "",
    witness: str = "",
) -> Flow | str:
    """The flow, or why there is none. Raises BadLine for a port or count that cannot be."""
    if protocol in _WITHOUT_FLOWS:
        return ICMP
    if not 0 <= port <= _LAST_PORT or not 0 <= source_port <= _LAST_PORT:
        raise BadLine("a port is out of range")
    if not 0 <= count <= LARGEST_COUNT:
        raise BadLine("a count is out of range")
    for end in (source, destination):
        if not (end.ip or end.pod or end.workload or end.kind == "external"):
            return NO_ADDRESS
        if end.ip.startswith("127.") or end.ip == "::1":
            return LOOPBACK
    if not port and protocol in _WITH_PORTS:
        return NO_PORT
    return Flow(
        source,
        destination,
        protocol,
        port,
        source_port,
        at,
        verdict,
        reply,
        count or 1,
        names,
        translated,
        reader,
        witness,
    )


def protocol_of(value: object) -> str:
    """`TCP` of `tcp`, `6`, `"6"` or `IPPROTO_TCP`; what is not known as it was written, upper case.
    Raises BadLine where it is no protocol.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadLine("a protocol is missing or malformed")
    text = str(value).upper().removeprefix("IPPROTO_")
    if not 0 < len(text) <= 20 or not text.replace("-", "").isalnum() or not text.isascii():
        raise BadLine("a protocol is missing or malformed")
    return _PROTOCOLS.get(int(text), text) if text.isdigit() else text


def seconds_of(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; without a zone it is UTC. Raises BadLine."""
    if len(text) > 40:
        raise BadLine("a time is malformed")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadLine("a time is malformed") from None
    return moment(found)


def moment(found: datetime) -> float:
    """Seconds since 1970; without a zone it is UTC. Raises BadLine where it cannot be."""
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadLine("a time is malformed") from None


def elapsed(value: int, unit: int) -> float:
    """Seconds since 1970 of a number of units, so many to a second. Raises BadLine."""
    if not 0 <= value <= _LAST_SECOND * unit:
        raise BadLine("a time is out of range")
    return value / unit
