"""Alerts of Falco whose output fields tell of a connection (`fd.*`).

`fd.name` is `client:port->server:port`. Local and remote addresses are the seeing process's; so is
the pod that an alert names.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from martello.adapters.flows.ends import (
    NOT_A_CONNECTION,
    BadLine,
    Ends,
    Read,
    Result,
    connection,
    protocol_of,
)
from martello.adapters.flows.fields import Json, host_port, number, parsed, part, text, time

NAME: Final = "falco"
_OUT: Final = frozenset({"connect", "sendto", "sendmsg", "sendmmsg"})
_IN: Final = frozenset({"accept", "accept4", "recvfrom", "recvmsg", "recvmmsg"})


class _Ends(NamedTuple):
    client: str
    client_port: int
    server: str
    server_port: int


def reader(ends: Ends) -> Read:
    """Reads one file's lines."""

    def read(line: bytes, witness: str) -> Result:
        raw = parsed(line)
        fields = part(raw, "output_fields")
        if not fields and "rule" not in raw:
            raise BadLine("it is no alert of Falco")
        found = _ends(fields)
        if found is None:
            return NOT_A_CONNECTION
        protocol = text(fields, "fd.l4proto")
        if not protocol:
            return "no protocol"
        namespace, pod = text(fields, "k8s.ns.name"), text(fields, "k8s.pod.name")
        named = (namespace, pod, "", "pod") if pod else ("", "", "", "unknown")
        event = text(fields, "evt.type")
        return connection(
            ends.peer(found.client, *(named if event in _OUT else ())),
            ends.peer(found.server, *(named if event in _IN else ())),
            protocol_of(protocol),
            found.server_port,
            found.client_port,
            time(raw, "time"),
            "forwarded",
            False,
            1,
            (),
            None,
            NAME,
            witness,
        )

    return read


def _ends(fields: Json) -> _Ends | None:
    """Client and server: as named so, else from `fd.name`, else from the local and remote end."""
    if text(fields, "fd.sip"):
        return _pair(fields, "c", "s")
    name = text(fields, "fd.name")
    client, arrow, server = name.partition("->")
    if arrow:
        # Unix sockets are written with an arrow too, raw sockets without ports.
        plain = fields.get("fd.type", "ipv4") in ("ipv4", "ipv6") and " " not in name
        return _named(client, server) if plain else None
    event = text(fields, "evt.type")
    if not text(fields, "fd.rip", "fd.lip"):
        return None
    if event in _IN:
        return _pair(fields, "r", "l")
    # Rules that tell the remote end alone are of outgoing connections.
    return _pair(fields, "l", "r") if event in _OUT or "evt.type" not in fields else None


def _named(client: str, server: str) -> _Ends | None:
    if ":" not in client or ":" not in server:
        return None
    return _Ends(*host_port(client), *host_port(server))


def _pair(fields: Json, client: str, server: str) -> _Ends:
    return _Ends(
        text(fields, f"fd.{client}ip"),
        number(fields, f"fd.{client}port") or 0,
        text(fields, f"fd.{server}ip"),
        number(fields, f"fd.{server}port") or 0,
    )
