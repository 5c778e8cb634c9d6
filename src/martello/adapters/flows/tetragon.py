"""Tetragon's JSON export: `process_connect` of the extended build, and kernel probes on
`tcp_connect` and its like. Only the calling side is seen. A line may lack its time; container ids
are cut to 31 characters and are not used: the pod is named.
"""

from __future__ import annotations

from typing import Final

from martello.adapters.flows.ends import (
    NOT_A_CONNECTION,
    BadLine,
    Ends,
    One,
    Read,
    Result,
    connection,
    protocol_of,
)
from martello.adapters.flows.fields import Json, number, parsed, part, text, texts, time
from martello.core.flow import Peer

NAME: Final = "tetragon"
_CALLS: Final = {
    "tcp_connect": "TCP",
    "tcp_v4_connect": "TCP",
    "tcp_v6_connect": "TCP",
    "security_socket_connect": "",
    "udp_sendmsg": "UDP",
    "udpv6_sendmsg": "UDP",
}
_STOPPED: Final = frozenset({"KPROBE_ACTION_SIGKILL", "KPROBE_ACTION_OVERRIDE"})


def reader(ends: Ends) -> Read:
    """Reads one file's lines."""

    def read(line: bytes, witness: str) -> Result:
        raw = parsed(line)
        at = time(raw, "time")
        connected = part(raw, "process_connect")
        if connected:
            return _connected(ends, connected, at, witness)
        probe = part(raw, "process_kprobe", "process_lsm")
        if text(probe, "function_name") in _CALLS:
            return _called(ends, probe, at, witness)
        if not any(key.startswith(("process_", "rate_limit")) for key in raw):
            raise BadLine("it is no event of Tetragon")
        return NOT_A_CONNECTION

    return read


def _connected(ends: Ends, raw: Json, at: float, witness: str) -> One:
    return connection(
        _process(ends, raw, text(raw, "source_ip")),
        _pod(ends, part(raw, "destination_pod"), text(raw, "destination_ip"), "unknown"),
        protocol_of(raw.get("protocol", "TCP")),
        number(raw, "destination_port") or 0,
        number(raw, "source_port") or 0,
        at,
        "forwarded",
        False,
        1,
        ends.names(texts(raw, "destination_names")),
        None,
        NAME,
        witness,
    )


def _called(ends: Ends, raw: Json, at: float, witness: str) -> One:
    given = raw.get("args")
    arguments = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    for argument in arguments[:10]:
        sock = part(argument, "sock_arg", "sockaddr_arg")
        to = text(sock, "daddr", "addr")
        if not to:
            continue
        protocol = text(sock, "protocol") or _CALLS[text(raw, "function_name")]
        return connection(
            _process(ends, raw, text(sock, "saddr")),
            ends.peer(to),
            # The address alone, as a security hook has it, tells no protocol.
            protocol_of(protocol or "unknown"),
            number(sock, "dport", "port") or 0,
            number(sock, "sport") or 0,
            at,
            "dropped" if text(raw, "action") in _STOPPED else "forwarded",
            False,
            1,
            (),
            None,
            NAME,
            witness,
        )
    return NOT_A_CONNECTION


def _process(ends: Ends, raw: Json, ip: str) -> Peer:
    """The caller: a pod, or where nothing names a container a process of the node itself."""
    process = part(raw, "process")
    host = bool(process) and not text(process, "docker")
    return _pod(ends, part(process, "pod"), ip, "node" if host else "unknown")


def _pod(ends: Ends, raw: Json, ip: str, otherwise: str) -> Peer:
    name = text(raw, "name")
    if not name:
        return ends.peer(ip, kind=otherwise)
    return ends.peer(ip, text(raw, "namespace"), name, text(raw, "workload"), "pod")
