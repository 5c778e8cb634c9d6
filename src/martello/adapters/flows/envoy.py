"""Access logs of Envoy and Istio: JSON with Istio's field names, and Istio's default text.

A sidecar logs what its application called (outbound) and what called it (inbound). A gateway has
two connections a line: from its client, and to the backend. Names come from the configured cluster,
never from SNI or Host: those the client chooses.
"""

from __future__ import annotations

from typing import Final

from martello.adapters.flows.ends import (
    NO_ADDRESS,
    BadLine,
    Ends,
    One,
    Read,
    Result,
    connection,
    seconds_of,
)
from martello.adapters.flows.fields import Json, host_port, parsed, text

NAME: Final = "envoy"
_LONGEST: Final = 1 << 16
_TAIL: Final = ("upstream_cluster", "upstream_local_address", "downstream_local_address")
_BLACK_HOLE: Final = "BlackHoleCluster"


def reader(ends: Ends) -> Read:
    """Reads one file's lines."""

    def read(line: bytes, witness: str) -> Result:
        raw = _text_line(line) if line.startswith(b"[") else parsed(line)
        caller, called = (
            text(raw, "downstream_remote_address"),
            text(raw, "downstream_local_address"),
        )
        if not caller or not called:
            if "upstream_host" in raw:
                return NO_ADDRESS
            raise BadLine("it is no access log of Envoy")
        stamp = text(raw, "start_time")
        return _flows(ends, raw, caller, called, seconds_of(stamp) if stamp else 0.0, witness)

    return read


def _flows(ends: Ends, raw: Json, caller: str, called: str, at: float, witness: str) -> Result:
    cluster = text(raw, "upstream_cluster")
    backend, own = text(raw, "upstream_host"), text(raw, "upstream_local_address")
    (source, source_port), (target, port) = _end(caller), _end(called)
    outward = not cluster.startswith("inbound") and bool(backend)
    sidecar = bool(own) and ends.address(_end(own)[0]) == ends.address(source)
    names = _names(ends, cluster)

    def flow(
        first: str,
        first_port: int,
        last: str,
        last_port: int,
        translated: tuple[str, int] | None = None,
    ) -> One:
        verdict = "dropped" if cluster == _BLACK_HOLE else "forwarded"
        if not backend and verdict == "forwarded" and not cluster.startswith("inbound"):
            verdict = "unknown"
        return connection(
            ends.peer(first),
            ends.peer(last),
            "TCP",
            last_port,
            first_port,
            at,
            verdict,
            False,
            1,
            names if sidecar or last != target else (),
            translated,
            NAME,
            witness,
        )

    if not outward:
        return flow(source, source_port, target, port)
    host, host_port_ = _end(backend)
    if sidecar:
        found = ends.address(host), host_port_
        same = found == (ends.address(target), port)
        return flow(source, source_port, target, port, None if same else found)
    called_by = flow(source, source_port, target, port)
    return (called_by, flow(*_end(own), host, host_port_)) if own else called_by


def _end(value: str) -> tuple[str, int]:
    """Addresses of Unix sockets and of Envoy's own listeners are none."""
    if value.startswith(("/", "@", "envoy://", "internal_")):
        return "", 0
    return host_port(value)


def _names(ends: Ends, cluster: str) -> tuple[str, ...]:
    """The host of `outbound|443||www.example.com`."""
    parts = cluster.split("|")
    return ends.names((parts[3],)) if len(parts) == 4 and parts[0] == "outbound" else ()


def _text_line(line: bytes) -> Json:
    """Istio's default format. It is read from its end, where clients choose nothing:
    `… "UPSTREAM_HOST" CLUSTER LOCAL DOWNSTREAM_LOCAL DOWNSTREAM_REMOTE SNI ROUTE`. Envoy's own
    default ends with the host: it does not say who called.
    """
    if len(line) > _LONGEST:
        raise BadLine("it is longer than a line of an access log")
    try:
        whole = line.decode().rstrip()
    except UnicodeDecodeError:
        raise BadLine("it is no access log of Envoy") from None
    parts = whole.rsplit('"', 2)
    if len(parts) != 3 or "]" not in parts[0]:
        raise BadLine("it is no access log of Envoy")
    found: Json = {"start_time": whole[1 : whole.index("]")], "upstream_host": parts[1]}
    tail = parts[2].split()
    if len(tail) >= 4:
        found |= dict(zip((*_TAIL, "downstream_remote_address"), tail, strict=False))
    return found
