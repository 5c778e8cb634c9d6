"""The fleet file: which clusters there are, where each is read from, its ranges, its exports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.reach import ALL, FIRST_PORT, LAST_PORT, NONE, Conn, Ports, conn
from martello.practices.network.addresses import parse_range

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_PORT: Final = re.compile(r"(TCP|UDP|SCTP) (\d{1,5})(?:-(\d{1,5}))?")
_KEYS: Final = frozenset(
    ("files", "context", "pods", "services", "nodes", "exports", "cni", "mesh", "translated")
)
_EXPORT: Final = frozenset(("service", "addresses", "ports", "to"))
_MOST: Final = 1_000
_WIDEST: Final = 4_096  # addresses that one export may name


class Export(msgspec.Struct, frozen=True):
    """Something that other clusters may use: the pods of a Service, or addresses. No ports: those
    of the Service; `to` empty: every cluster.
    """

    service: str
    ranges: tuple[tuple[int, int, int], ...]
    ports: Conn
    to: tuple[str, ...]


class Member(msgspec.Struct, frozen=True):
    """One cluster of a fleet. `files` are manifests or a bundle, `context` a context of the
    kubeconfig: one of them. Ranges are CIDRs. `mesh` says that pods of other clusters are known by
    labels, `translated` that its addresses change on their way out.
    """

    name: str
    files: str = ""
    context: str = ""
    pods: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    exports: tuple[Export, ...] = ()
    cni: str = ""
    mesh: bool = False
    translated: bool = False

    @property
    def ranges(self) -> tuple[tuple[int, int, int], ...]:
        """All its own addresses: (version, first, last)."""
        written = (*self.pods, *self.services, *self.nodes)
        return tuple(found for text in written if (found := parse_range(text)))


def members(raw: Any) -> tuple[Member, ...]:
    """The clusters of a parsed fleet file, in its order. Raises BadInput with the place of what is
    wrong.
    """
    written = _mapping(raw, "the fleet file", frozenset(("clusters",))).get("clusters")
    named = _mapping(written, "clusters", None)
    if not named:
        raise BadInput("the fleet file names no clusters", next="clusters: {one: {files: DIR}}")
    if len(named) > _MOST:
        raise BadInput(f"the fleet file names more than {_MOST} clusters")
    found = tuple(_member(name, one) for name, one in named.items())
    for one in found:
        for export in one.exports:
            strange = next((c for c in export.to if c not in named), None)
            if strange is not None:
                raise BadInput(f"clusters.{one.name}.exports: no cluster {strange!r}")
    return found


def _member(name: Any, raw: Any) -> Member:
    where = f"clusters.{name}"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no name for a cluster")
    fields = _mapping(raw, where, _KEYS)
    ranges = {key: _ranges(fields.get(key), f"{where}.{key}") for key in _RANGES}
    exports = _list(fields.get("exports"), f"{where}.exports")
    files, context = (_text(fields.get(k), f"{where}.{k}") for k in ("files", "context"))
    if bool(files) == bool(context):
        raise BadInput(f"{where} is read from files or from a context: write one of them")
    return Member(
        name,
        files,
        context,
        exports=tuple(_export(one, f"{where}.exports[{n}]") for n, one in enumerate(exports)),
        cni=_text(fields.get("cni"), f"{where}.cni"),
        mesh=_switch(fields.get("mesh"), f"{where}.mesh"),
        translated=_switch(fields.get("translated"), f"{where}.translated"),
        **ranges,
    )


_RANGES: Final = ("pods", "services", "nodes")


def _export(raw: Any, where: str) -> Export:
    fields = _mapping(raw, where, _EXPORT)
    service = _text(fields.get("service"), f"{where}.service")
    texts = _ranges(fields.get("addresses"), f"{where}.addresses")
    if bool(service) == bool(texts):
        raise BadInput(f"{where} names a service or addresses: write one of them")
    if service and service.count("/") != 1:
        raise BadInput(f"{where}.service is NAMESPACE/NAME, not {service!r}")
    spans = tuple(found for text in texts if (found := parse_range(text)))
    if sum(last - first + 1 for _, first, last in spans) > _WIDEST:
        raise BadInput(f"{where} exports more than {_WIDEST} addresses")
    ports = [_port(one, where) for one in _list(fields.get("ports"), f"{where}.ports")]
    to = tuple(_text(one, f"{where}.to") for one in _list(fields.get("to"), f"{where}.to"))
    return Export(service, spans, conn(ports) if ports else NONE if service else ALL, to)


def _port(raw: Any, where: str) -> Ports:
    found = _PORT.fullmatch(raw) if isinstance(raw, str) else None
    first = int(found[2]) if found else 0
    last = int(found[3] or first) if found else 0
    if found is None or not FIRST_PORT <= first <= last <= LAST_PORT:
        raise BadInput(f"{where}.ports: {raw!r} is no port", next="write it as TCP 443")
    return Ports(found[1], first, last)


def _ranges(raw: Any, where: str) -> tuple[str, ...]:
    texts = tuple(_text(one, where) for one in _list(raw, where))
    for text in texts:
        if parse_range(text) is None:
            raise BadInput(f"{where}: {text!r} is no range of addresses", next="write it as a CIDR")
    return texts


def _mapping(raw: Any, where: str, keys: frozenset[str] | None) -> Mapping[Any, Any]:
    if not isinstance(raw, dict):
        raise BadInput(f"{where} is no mapping")
    strange = next((key for key in raw if keys is not None and key not in keys), None)
    if strange is not None:
        raise BadInput(f"{where} has no key {strange!r}", f"known: {', '.join(sorted(keys or ()))}")
    return raw


def _list(raw: Any, where: str) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list) or len(raw) > _MOST:
        raise BadInput(f"{where} is no list of at most {_MOST}")
    return raw


def _text(raw: Any, where: str) -> str:
    if raw is None:
        return ""
    if not isinstance(raw, str):
        raise BadInput(f"{where}: {raw!r} is no text")
    return raw


def _switch(raw: Any, where: str) -> bool:
    if raw is None or isinstance(raw, bool):
        return bool(raw)
    raise BadInput(f"{where}: {raw!r} is neither true nor false")
