"""Hubble's JSON lines, bare or in `{"flow": …}` or `{"result": {"flow": …}}`, as Cilium exports
them (api/v1/flow/flow.proto). Field masks drop any field. Identities flip between host, world and
remote-node: only addresses and pods' names are taken.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from martello.adapters.flows.ends import (
    ICMP,
    L7,
    LOST,
    NOT_A_CONNECTION,
    BadLine,
    Ends,
    Read,
    Result,
    connection,
    moment,
)
from martello.core.flow import Peer

NAME: Final = "hubble"
_INGRESS: Final = 8  # the reserved identity of Cilium's own ingress
# FORWARDED is of the point of observation. An audited packet passes; a traced one has no verdict.
_VERDICTS: Final[dict[str | int | None, str]] = {
    **dict.fromkeys(("FORWARDED", "AUDIT", "REDIRECTED", "TRANSLATED", 1, 4, 5, 7), "forwarded"),
    **dict.fromkeys(("DROPPED", 2), "dropped"),
}


class _Named(msgspec.Struct, gc=False):
    name: str | None = None
    namespace: str | None = None


class _Side(msgspec.Struct, gc=False):
    identity: int | None = None
    namespace: str | None = None
    pod_name: str | None = None
    cluster_name: str | None = None
    workloads: list[_Named] | None = None


class _Flags(msgspec.Struct, gc=False):
    SYN: bool = False
    ACK: bool = False


class _Ports(msgspec.Struct, gc=False):
    source_port: int = 0
    destination_port: int = 0
    flags: _Flags | None = None


class _Layer4(msgspec.Struct, gc=False):
    TCP: _Ports | None = None
    UDP: _Ports | None = None
    SCTP: _Ports | None = None
    ICMPv4: dict[str, int] | None = None
    ICMPv6: dict[str, int] | None = None


class _Addresses(msgspec.Struct, gc=False):
    source: str | None = None
    destination: str | None = None


class _Seen(msgspec.Struct, gc=False):
    time: datetime | None = None
    verdict: str | int | None = None
    IP: _Addresses | None = None
    l4: _Layer4 | None = None
    source: _Side | None = None
    destination: _Side | None = None
    Type: str | int | None = None
    l7: msgspec.Raw = msgspec.Raw()
    is_reply: bool | None = None
    reply: bool | None = None
    destination_names: list[str] | None = None
    source_service: _Named | None = None
    destination_service: _Named | None = None


class _Wrapped(msgspec.Struct, gc=False):
    flow: _Seen | None = None
    lost_events: msgspec.Raw = msgspec.Raw()
    node_status: msgspec.Raw = msgspec.Raw()


class _Line(_Seen, gc=False):
    flow: _Seen | None = None
    result: _Wrapped | None = None
    lost_events: msgspec.Raw = msgspec.Raw()
    node_status: msgspec.Raw = msgspec.Raw()


_DECODE: Final = msgspec.json.Decoder(_Line).decode
_NO_SIDE: Final = _Side()
_NO_ADDRESSES: Final = _Addresses()


def reader(ends: Ends) -> Read:
    """Reads one file's lines."""

    def read(line: bytes, witness: str) -> Result:
        try:
            found = _DECODE(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            raise BadLine("it is no flow of Hubble") from None
        seen: _Seen | None = found.flow
        if seen is None:
            event = found.result or found
            if event.lost_events:
                return LOST
            if event.node_status:
                return NOT_A_CONNECTION
            seen = found if found.result is None else found.result.flow
            if seen is None or (seen.IP is None and seen.source is None):
                raise BadLine("it is no flow of Hubble")
        return _read(ends, seen, witness)

    return read


def _read(ends: Ends, seen: _Seen, witness: str) -> Result:
    if seen.Type == "L7" or seen.Type == 2 or (seen.l7 and seen.l7 != b"null"):
        return L7
    l4 = seen.l4
    if l4 is None:
        return NOT_A_CONNECTION
    ports = l4.TCP
    protocol = "TCP"
    if ports is None:
        ports, protocol = (l4.UDP, "UDP") if l4.UDP is not None else (l4.SCTP, "SCTP")
        if ports is None:
            icmp = l4.ICMPv4 is not None or l4.ICMPv6 is not None
            return ICMP if icmp else NOT_A_CONNECTION
    reply = seen.is_reply
    if reply is None:
        flags = ports.flags
        if seen.reply:  # the older field: false and absent are written alike
            reply = True
        elif flags is not None and flags.SYN:
            reply = flags.ACK
    addresses = seen.IP or _NO_ADDRESSES
    names = seen.destination_names
    return connection(
        _peer(ends, seen.source or _NO_SIDE, addresses.source or "", seen.source_service),
        _peer(
            ends,
            seen.destination or _NO_SIDE,
            addresses.destination or "",
            seen.destination_service,
        ),
        protocol,
        ports.destination_port,
        ports.source_port,
        0.0 if seen.time is None else moment(seen.time),
        _VERDICTS.get(seen.verdict, "unknown"),
        reply,
        1,
        ends.names(names) if names else (),
        None,
        NAME,
        witness,
    )


def _peer(ends: Ends, side: _Side, ip: str, service: _Named | None) -> Peer:
    cluster = side.cluster_name or ""
    pod = side.pod_name
    if pod:
        held = side.workloads
        workload = (held[0].name or "") if held else ""
        return ends.peer(ip, side.namespace or "", pod, workload, "pod", cluster)
    if service is not None and service.name:
        return ends.peer(ip, service.namespace or "", "", service.name, "service", cluster)
    kind = "ingress" if side.identity == _INGRESS else "unknown"
    return ends.peer(ip, side.namespace or "", "", "", kind, cluster)
