"""Services that configuration names: URLs and host:port in env, arguments and ConfigMaps. Only
names of Services that are here count; values are never shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource, strings
from martello.core.workload import Workload, workload_of
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.infrastructure import behind
from martello.practices.network.learn.model import WORKLOAD, Edge, Key, Party
from martello.practices.network.learn.services import mappings
from martello.practices.network.ports import protocol_of, service_ports

_LONGEST: Final = 262_144  # characters of one value that are read
_MOST: Final = 256  # hosts of one value
_HOST_WORDS: Final = frozenset(
    ("addr", "address", "backend", "endpoint", "host", "hostname", "server", "uri", "url")
)
_SCHEMES: Final = {
    "amqp": 5672,
    "http": 80,
    "https": 443,
    "ldap": 389,
    "mongodb": 27017,
    "mysql": 3306,
    "nats": 4222,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
}
_ENDS: Final = frozenset("/?#\"'`<>()[]{}|\\ \t\r\n,;")


class Named(msgspec.Struct, frozen=True):
    """A host that a text names, with its port (0: none) and whether the form alone says that it is
    a host.
    """

    host: str
    port: int
    sure: bool


def hosts(text: str) -> Iterator[Named]:
    """The hosts in a text: the authority of each URL, or the whole as `host`, `host:port`, or a
    list of them.
    """
    text = text[:_LONGEST]
    count = 0
    at = text.find("://")
    if at < 0:
        for part in text.replace(",", " ").split()[:_MOST]:
            yield from _authority(part.strip("\"'"), 0, False)
        return
    while at >= 0 and count < _MOST:
        begin = at
        while begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] in "+-."):
            begin -= 1
        end = at + 3
        while end < len(text) and (text[end] not in _ENDS or text[end] == ","):
            end += 1
        default = _SCHEMES.get(text[begin:at].lower(), 0)
        for part in text[at + 3 : end].rpartition("@")[2].split(","):
            count += 1
            yield from _authority(part, default, True)
        at = text.find("://", end)


def _authority(text: str, default: int, sure: bool) -> Iterator[Named]:
    host, colon, port = text.partition(":")
    if not host or len(host) > 253 or not all(c.isalnum() or c in "-._" for c in host):
        return
    if colon and not (port.isdecimal() and len(port) <= 5):
        return
    number = int(port) if colon else default
    yield Named(host.rstrip(".").lower(), number, sure or bool(colon))


def declared(atlas: Atlas) -> Iterator[tuple[Edge, str]]:
    """Edges to the Services that each workload's configuration names, and where it names them."""
    for key, endpoints in atlas.groups.items():
        root = atlas.cluster.root(endpoints[0].resource)
        workload = workload_of(root)
        if workload is None or endpoints[0].host_network:
            continue
        found: dict[tuple[Resource, int], str] = {}
        for text, name, where in _texts(workload, atlas.cluster):
            for named in hosts(text):
                service = _service(named, name, key.namespace, atlas.cluster)
                if service is not None:
                    found.setdefault((service, named.port), where)
        for (service, port), where in found.items():
            yield from _edges(key, service, port, where, atlas)


def _edges(
    key: Key, service: Resource, port: int, where: str, atlas: Atlas
) -> Iterator[tuple[Edge, str]]:
    name = f"{service.ref.namespace}/{service.ref.name}"
    for _, entry in service_ports(service):
        if port and entry.get("port") != port:
            continue
        for party, target in behind(service, entry, atlas):
            for form in range(len(atlas.shapes[key])):
                source = Party(WORKLOAD, key, form)
                if source != party:
                    edge = Edge(source, party, protocol_of(entry), target, service=name)
                    yield msgspec.structs.replace(edge, declared=f"{where} names it"), where


def _service(named: Named, name: str, namespace: str, cluster: Cluster) -> Resource | None:
    """The Service that a host means from within a namespace. A bare word counts only where it is
    written like a host, or where what holds it is called one.
    """
    parts = named.host.split(".")
    space = namespace
    if len(parts) > 1:
        if len(parts) > 2 and parts[2] != "svc":
            return None
        space = parts[1]
    elif not named.sure:
        words = name.replace("-", "_").replace(".", "_").lower().split("_")
        if words[-1] not in _HOST_WORDS:
            return None
    return cluster.get("Service", space, parts[0])


def _texts(workload: Workload, cluster: Cluster) -> Iterator[tuple[str, str, str]]:
    """(value, what it is called, where it is) of everything that configures the containers."""
    for container in workload.containers:
        raw = container.raw
        for one in mappings(raw.get("env")):
            name, value = one.get("name"), one.get("value")
            if not isinstance(name, str):
                continue
            if isinstance(value, str):
                yield value, name, f"env {name} of container {container.name}"
            source = one.get("valueFrom")
            chosen = source.get("configMapKeyRef") if isinstance(source, dict) else None
            if isinstance(chosen, dict):
                data = _config(chosen.get("name"), workload, cluster)
                text = data.get(str(chosen.get("key")))
                if text is not None:
                    yield text, name, f"env {name} of container {container.name}"
        for one in mappings(raw.get("envFrom")):
            chosen = one.get("configMapRef")
            if isinstance(chosen, dict):
                yield from _all(chosen.get("name"), workload, cluster)
        for key in ("command", "args"):
            words = raw.get(key)
            for word in words if isinstance(words, list) else ():
                if isinstance(word, str):
                    flag, _, text = word.partition("=") if word[:1] == "-" else ("", "", word)
                    yield text, flag, f"{key} of container {container.name}"
    for volume in mappings(workload.pod.get("volumes")):
        chosen = volume.get("configMap")
        if isinstance(chosen, dict):
            yield from _all(chosen.get("name"), workload, cluster)


def _all(name: Any, workload: Workload, cluster: Cluster) -> Iterator[tuple[str, str, str]]:
    for key, text in _config(name, workload, cluster).items():
        yield text, key, f"{key} of ConfigMap {name}"


def _config(name: Any, workload: Workload, cluster: Cluster) -> dict[str, str]:
    if not isinstance(name, str):
        return {}
    found = cluster.get("ConfigMap", workload.namespace, name)
    return strings(found.raw.get("data")) if found is not None else {}
