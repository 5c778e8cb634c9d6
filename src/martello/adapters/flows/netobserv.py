"""Flows of NetObserv (flowlogs-pipeline): `SrcAddr`, `SrcK8S_Name`, `Proto`, `TimeFlowStartMs` …

One packet passes several interfaces and two nodes, and each tells of it. Records marked
`Duplicate` go. Of the others with equal addresses, ports and protocol, the observer that came first
(agent, interfaces, direction) counts; what another tells within 30 seconds is the same flow.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from martello.adapters.flows.ends import (
    DUPLICATE,
    BadLine,
    Ends,
    Read,
    Result,
    connection,
    elapsed,
    protocol_of,
)
from martello.adapters.flows.fields import Json, number, parsed, text
from martello.core.flow import Peer

NAME: Final = "netobserv"
_WINDOW: Final = 30.0  # seconds
_REMEMBERED: Final = 100_000
_KINDS: Final = {"Pod": "pod", "Node": "node", "Service": "service"}
_SYN, _SYN_ACK = 0x02, 0x100  # the agent's own bit for a packet that has both
Seen = OrderedDict[tuple[Any, ...], tuple[str, float]]


def reader(ends: Ends) -> Read:
    """Reads one file's lines."""
    seen: Seen = OrderedDict()

    def read(line: bytes, witness: str) -> Result:
        raw = parsed(line)
        if "SrcAddr" not in raw and "SrcK8S_Name" not in raw:
            raise BadLine("it is no flow of NetObserv")
        at = elapsed(number(raw, "TimeFlowStartMs", "TimeFlowEndMs") or 0, 1000)
        if raw.get("Duplicate") is True or raw.get("_RecordType") == "heartbeat":
            return DUPLICATE
        port, source_port = number(raw, "DstPort") or 0, number(raw, "SrcPort") or 0
        protocol = protocol_of(raw.get("Proto"))
        key = (text(raw, "SrcAddr"), source_port, text(raw, "DstAddr"), port, protocol)
        if _told(seen, key, _observer(raw), at):
            return DUPLICATE
        return connection(
            _peer(ends, raw, "Src"),
            _peer(ends, raw, "Dst"),
            protocol,
            port,
            source_port,
            at,
            _verdict(raw),
            _reply(raw.get("Flags")),
            1,
            (),
            _translated(ends, raw),
            NAME,
            witness,
        )

    return read


def _told(seen: Seen, key: tuple[Any, ...], observer: str, at: float) -> bool:
    """Whether another observer told of this flow a moment ago."""
    first, when = seen.get(key, ("", 0.0))
    if first and first != observer and abs(at - when) <= _WINDOW:
        return True
    seen[key] = observer, at
    seen.move_to_end(key)
    if len(seen) > _REMEMBERED:
        seen.popitem(last=False)
    return False


def _observer(raw: Json) -> str:
    names = ("AgentIP", "Interfaces", "Interface", "IfDirections", "IfDirection", "FlowDirection")
    return repr([raw.get(name) for name in names])[:500]


def _peer(ends: Ends, raw: Json, side: str) -> Peer:
    kind = _KINDS.get(text(raw, f"{side}K8S_Type"), "unknown")
    name, owner = text(raw, f"{side}K8S_Name"), text(raw, f"{side}K8S_OwnerName")
    return ends.peer(
        text(raw, f"{side}Addr"),
        text(raw, f"{side}K8S_Namespace"),
        name if kind == "pod" else "",
        owner if kind == "pod" else name,
        kind,
        text(raw, f"{side}K8S_ClusterName", "K8S_ClusterName"),
    )


def _verdict(raw: Json) -> str:
    """Dropped where every packet was."""
    lost, all_ = number(raw, "PktDropPackets") or 0, number(raw, "Packets") or 0
    return "dropped" if lost and lost >= all_ else "forwarded"


def _reply(flags: Any) -> bool | None:
    """By the first packets of a TCP connection, where they are within the record."""
    if isinstance(flags, list):
        return True if "SYN_ACK" in flags else False if "SYN" in flags else None
    if isinstance(flags, int):
        return True if flags & _SYN_ACK else False if flags & _SYN else None
    return None


def _translated(ends: Ends, raw: Json) -> tuple[str, int] | None:
    address, port = ends.address(text(raw, "XlatDstAddr")), number(raw, "XlatDstPort")
    if not address or not port or not 0 < port <= 65535:
        return None
    return None if address == ends.address(text(raw, "DstAddr")) else (address, port)
