"""Tells by its first lines in which format a file holds flows, and names the readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from martello.adapters.flows import (
    calico,
    cloud,
    conntrack,
    envoy,
    falco,
    gadget,
    goldmane,
    hubble,
    netobserv,
    tetragon,
    vpc,
)
from martello.adapters.flows.ends import Ends, Read

READERS: Final[Mapping[str, Callable[[Ends], Read]]] = {
    module.NAME: module.reader
    for module in (
        hubble,
        goldmane,
        calico,
        netobserv,
        conntrack,
        vpc,
        cloud,
        envoy,
        tetragon,
        falco,
        gadget,
    )
}
_KEYS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_LONGEST_TEXT: Final = 1 << 16
Keys = Mapping[str, msgspec.Raw]


def detect(lines: Iterable[bytes]) -> str:
    """The name of the reader for these lines; nothing where none of them tells."""
    for line in lines:
        found = _of(line)
        if found:
            return found
    return ""


def content(line: bytes) -> bytes:
    """What a container wrote, of a line in its node's log file (`TIME stdout F …`)."""
    parts = line[:80].split(b" ", 3)
    if len(parts) < 4 or parts[1] not in (b"stdout", b"stderr") or parts[2][:1] != b"F":
        return line
    return line[sum(map(len, parts[:3])) + 3 :]


def of_containers(read: Read) -> Read:
    """The same reader for log files of containers."""
    return lambda line, witness: read(content(line), witness)


def _of(line: bytes) -> str:
    if line.startswith((b"{", b"data:")):
        keys = _keys(line[5:] if line.startswith(b"data:") else line)
        return _object(keys)
    head = line[:_LONGEST_TEXT]
    if b"src=" in head and b"dst=" in head:
        return conntrack.NAME
    if line.startswith(b"[") and b'"' in head:
        return envoy.NAME
    words = head.decode("ascii", "replace").split()
    if vpc.fields_of(words) is not None:
        return vpc.NAME
    stamped = words[:1] and words[0].endswith("Z")
    words = words[1:] if stamped else words
    plain = len(words) == len(vpc.DEFAULT) and words[0] == "2" and words[1].isalnum()
    return vpc.NAME if plain else ""


def _keys(raw: bytes) -> Keys:
    try:
        return _KEYS(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return {}


def _object(keys: Keys) -> str:
    names = keys.keys()
    if any(name.startswith("process_") for name in names):
        return tetragon.NAME
    if "output_fields" in names:
        return falco.NAME
    if "SrcAddr" in names or "SrcK8S_Name" in names:
        return netobserv.NAME
    if "source_name_aggr" in names or "source_name_aggr" in _inner(keys, "_source"):
        return calico.NAME
    if names & {"source_name", "sourceName", "items"}:
        return goldmane.NAME
    if names & {"upstream_cluster", "upstream_host", "downstream_remote_address"}:
        return envoy.NAME
    if names & {"jsonPayload", "records", "flowRecords"} or (
        "connection" in names and "src_ip" in _inner(keys, "connection")
    ):
        return cloud.NAME
    if "flow" in names:
        return goldmane.NAME if _inner(keys, "flow").keys() & {"Key", "key"} else hubble.NAME
    if names & {"result", "lost_events", "node_status"} or (
        "verdict" in names and names & {"IP", "l4", "source"}
    ):
        return hubble.NAME
    if names & {"srcEndpoint", "saddr", "pktType"} or names >= {"src", "dst"}:
        return gadget.NAME
    return gadget.NAME if names >= {"endpoint", "egress"} else ""


def _inner(keys: Keys, name: str) -> Keys:
    return _keys(bytes(keys[name])) if name in keys else {}
