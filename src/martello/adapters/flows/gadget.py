"""JSON of Inspektor Gadget: `trace_tcp` (with its older forms `srcEndpoint` and `saddr`),
`advise_networkpolicy`, and the older `trace network`. Of an accepted connection the source is the
server: it is turned round.
"""

from __future__ import annotations

from typing import Final

from martello.adapters.flows.ends import (
    DUPLICATE,
    NOT_A_CONNECTION,
    BadLine,
    Ends,
    One,
    Read,
    Result,
    connection,
    elapsed,
    protocol_of,
)
from martello.adapters.flows.fields import Json, number, parsed, part, text, time
from martello.core.flow import Peer

NAME: Final = "gadget"
_KINDS: Final = {"pod": "pod", "svc": "service", "service": "service", "node": "node"}


def reader(ends: Ends) -> Read:
    """Reads one file's lines."""

    def read(line: bytes, witness: str) -> Result:
        raw = parsed(line)
        if isinstance(raw.get("endpoint"), dict):
            return _seen_by(ends, raw, witness)
        if "pktType" in raw:
            return _packet(ends, raw, witness)
        source, target = part(raw, "src", "srcEndpoint"), part(raw, "dst", "dstEndpoint")
        if not source and "saddr" in raw:
            source = {"addr": raw.get("saddr"), "port": raw.get("sport")}
            target = {"addr": raw.get("daddr"), "port": raw.get("dport")}
        if not source or not target:
            if "message" in raw or "notice" in raw:
                return NOT_A_CONNECTION
            raise BadLine("it is no event of Inspektor Gadget")
        return _traced(ends, raw, source, target, witness)

    return read


def _traced(ends: Ends, raw: Json, source: Json, target: Json, witness: str) -> One:
    event = text(raw, "type")
    if event in ("", "normal"):
        event = text(raw, "operation") or "connect"
    if event in ("close", "unknown"):
        return DUPLICATE
    here = _owner(ends, raw, text(source, "addr"))
    there = _endpoint(ends, target)
    port, source_port = number(target, "port") or 0, number(source, "port") or 0
    if event == "accept":
        here, there, port, source_port = there, here, source_port, port
    failed = raw.get("error") or raw.get("error_raw")
    return connection(
        here,
        there,
        protocol_of(text(target, "proto") or "TCP"),
        port,
        source_port,
        _time(raw),
        "unknown" if failed else "forwarded",
        False,
        1,
        (),
        None,
        NAME,
        witness,
    )


def _seen_by(ends: Ends, raw: Json, witness: str) -> One:
    """`advise_networkpolicy`: the remote end, and the port of the end that was called."""
    remote = part(raw, "endpoint")
    outward = raw.get("egress") in (1, True, "1", "true")
    return _turned(
        ends,
        _owner(ends, raw, ""),
        _endpoint(ends, remote),
        outward,
        text(remote, "proto"),
        number(remote, "port") or 0,
        _time(raw),
        witness,
    )


def _packet(ends: Ends, raw: Json, witness: str) -> One:
    """The older `trace network`."""
    target = part(raw, "dst")
    if not target:
        names = {"addr": "remoteAddr", "kind": "remoteKind", "name": "remoteName"}
        target = {key: raw.get(old) for key, old in names.items()}
        target["addr"] = target["addr"] or raw.get("addr")
        target["namespace"] = raw.get("remoteNamespace")
    if "proto" not in raw:
        return NOT_A_CONNECTION
    return _turned(
        ends,
        _owner(ends, raw, text(raw, "podIP")),
        _endpoint(ends, target),
        text(raw, "pktType") == "OUTGOING",
        text(raw, "proto"),
        number(raw, "port") or 0,
        _time(raw),
        witness,
    )


def _turned(
    ends: Ends,
    here: Peer,
    there: Peer,
    outward: bool,
    protocol: str,
    port: int,
    at: float,
    witness: str,
) -> One:
    first, last = (here, there) if outward else (there, here)
    verdict, reply = "forwarded", False
    return connection(
        first, last, protocol_of(protocol), port, 0, at, verdict, reply, 1, (), None, NAME, witness
    )


def _owner(ends: Ends, raw: Json, ip: str) -> Peer:
    """The pod whose process or network namespace the event is of."""
    named = part(raw, "k8s") or raw
    pod = text(named, "podName", "pod", "podname")
    if not pod:
        return ends.peer(ip)
    return ends.peer(ip, text(named, "namespace"), pod, _owner_name(named), "pod")


def _owner_name(named: Json) -> str:
    owner = part(named, "owner")
    return text(owner, "name") if text(owner, "kind") != "ReplicaSet" else ""


def _endpoint(ends: Ends, raw: Json) -> Peer:
    named = part(raw, "k8s") or raw
    kind = _KINDS.get(text(named, "kind"), "unknown")
    name = text(named, "name") if kind != "unknown" else ""
    pod = name if kind == "pod" else ""
    namespace = text(named, "namespace") if name else ""
    return ends.peer(text(raw, "addr"), namespace, pod, "" if pod else name, kind)


def _time(raw: Json) -> float:
    stamp = raw.get("timestamp")
    if isinstance(stamp, int) and not isinstance(stamp, bool):
        return elapsed(stamp, 1_000_000_000)
    return time(raw, "timestamp")
