"""Flow logs of Google Cloud's VPC networks (log entries) and of Azure's virtual networks and
network security groups (blobs of records with flow tuples).
"""

from __future__ import annotations

from typing import Any, Final

from martello.adapters.flows.ends import (
    BadLine,
    Ends,
    One,
    Read,
    Result,
    connection,
    each,
    elapsed,
    protocol_of,
)
from martello.adapters.flows.fields import Json, digits, number, parsed, part, text, texts, time
from martello.core.flow import Peer

NAME: Final = "cloud"
_MILLISECONDS: Final = 100_000_000_000  # a larger number of seconds is of the year 5138
_LETTERS: Final = {"T": "TCP", "U": "UDP"}
_DEEPEST: Final = 10  # records, properties, flows, flows: objects and lists


def reader(ends: Ends) -> Read:
    """Reads one file's lines: an entry, a record, or a whole blob of records each."""

    def read(line: bytes, witness: str) -> Result:
        raw = parsed(line)
        entry = part(raw, "jsonPayload") or raw
        if "connection" in entry:
            return _google(ends, entry, witness)
        if not any(key in raw for key in ("records", "flowRecords", "properties")):
            raise BadLine("it is no flow log of a cloud")
        return each(_tuples(raw, 0), lambda one: _azure(ends, one, witness))

    return read


def _google(ends: Ends, raw: Json, witness: str) -> Result:
    ends_of = part(raw, "connection")
    return connection(
        _google_side(ends, part(raw, "src_gke_details"), text(ends_of, "src_ip")),
        _google_side(ends, part(raw, "dest_gke_details"), text(ends_of, "dest_ip")),
        protocol_of(ends_of.get("protocol")),
        number(ends_of, "dest_port") or 0,
        number(ends_of, "src_port") or 0,
        time(raw, "start_time"),
        "dropped" if text(raw, "disposition").upper() == "DENIED" else "forwarded",
        None,
        1,
        (),
        None,
        NAME,
        witness,
    )


def _google_side(ends: Ends, raw: Json, ip: str) -> Peer:
    pod, cluster = part(raw, "pod"), part(raw, "cluster")
    name = text(pod, "pod_name")
    return ends.peer(
        ip,
        text(pod, "pod_namespace"),
        name,
        text(part(pod, "pod_workload"), "workload_name"),
        "pod" if name else "unknown",
        text(cluster, "cluster_name"),
    )


def _tuples(raw: Any, depth: int) -> list[str]:
    """All flow tuples below: two formats nest them differently."""
    if depth > _DEEPEST or not isinstance(raw, dict | list):
        return []
    if isinstance(raw, list):
        return [found for one in raw for found in _tuples(one, depth + 1)]
    found = list(texts(raw, "flowTuples"))
    for key in ("records", "properties", "flowRecords", "flows", "flowGroups"):
        found += _tuples(raw.get(key), depth + 1)
    return found


def _azure(ends: Ends, given: str, witness: str) -> One:
    """`time,source,destination,port,port,protocol,direction,…`: then the decision (A, D) of a
    security group, or the state (B, C, E, D) of a virtual network.
    """
    words = given.split(",")
    if len(words) < 8:
        raise BadLine("a flow tuple is cut")
    at = digits(words[0])
    return connection(
        ends.peer(words[1]),
        ends.peer(words[2]),
        protocol_of(_LETTERS.get(words[5], words[5])),
        digits(words[4] or "0"),
        digits(words[3] or "0"),
        elapsed(at, 1000 if at > _MILLISECONDS else 1),
        "dropped" if words[7] == "D" else "forwarded",
        None,
        1,
        (),
        None,
        NAME,
        witness,
    )
