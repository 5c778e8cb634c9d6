"""What of an event is a fact of whom."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from sys import intern
from typing import Any, Final

import msgspec

Event = Mapping[str, Any]
# What a fact is about, in the words of a report.
CLASSES: Final[Mapping[str, str]] = {
    "exe": "program",
    "spawn": "program started by another",
    "destination": "destination",
    "directory": "directory written to",
    "file": "sensitive file read",
    "verb": "API verb and resource",
    "agent": "client program and network of a user",
}
_CONTAINER: Final = (
    *("k8s_ns", "pod_workload", "pod_template", "pod_name"),
    *("container_name", "container_id"),
)
# The columns that facts of each kind are made of: events that agree in them are one fact.
MADE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "process": (*_CONTAINER, "proc_exe", "proc_name", "proc_parent_exe", "proc_parent_name"),
    "network": (*_CONTAINER, "net_dst_ip", "net_dst_name", "net_dst_port"),
    "file": (*_CONTAINER, "file_path", "file_flags"),
    "audit": (
        *("actor_user", "actor_as", "actor_agent", "actor_ips", "actor_pod"),
        *("api_verb", "api_code", "k8s_group", "k8s_resource", "k8s_subresource"),
    ),
}
ACCOUNT: Final = "system:serviceaccount:"
_UUID: Final = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_HEX: Final = re.compile(r"(?<![0-9a-z])(?=[0-9a-f]*\d)[0-9a-f]{7,}(?![0-9a-z])")
_DIGITS: Final = re.compile(r"\d+")
_SUFFIX: Final = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}(?=$|[/._])")
# Letters between digits: nobody calls a thing so. And what programs call their own in /tmp.
_RANDOM: Final = re.compile(r"(?<=[./_-])(?=[A-Za-z]*\d+[A-Za-z]+\d)[A-Za-z0-9]{6,}(?=$|[./_-])")
_TEMPORARY: Final = re.compile(r"(?<=/tmp/)(?=[^/]*\d)[^/]{6,}")
_LONGEST: Final = 300


class Entity(msgspec.Struct, frozen=True, order=True):
    """Of whom a fact is: a container of a workload (`name` is deploy/billing), a service account,
    or a user. `template` is what a roll-out changes; `member` tells replicas apart and is not part
    of it.
    """

    kind: str  # workload, account, user
    namespace: str
    name: str
    container: str = ""
    template: str = ""

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{place}/{self.container}" if self.container else place

    @property
    def lineage(self) -> tuple[str, str, str, str]:
        """The same for every roll-out."""
        return (self.kind, self.namespace, self.name, self.container)


class Fact(msgspec.Struct, frozen=True):
    """One fact: of whom, by which replica, of which class, and its value."""

    of: Entity
    member: str
    kind: str
    value: str


def facts(event: Event) -> Iterator[Fact]:
    """The facts of an event."""
    kind = event.get("kind")
    if kind == "audit":
        yield from _audit(event)
        return
    of = workload(event)
    if of is None:
        return
    # Whoever knows a value remembers the replicas that have it: one text for each of them.
    member = intern(str(event.get("pod_name") or event.get("container_id") or ""))
    if kind == "process":
        exe = event.get("proc_exe") or event.get("proc_name")
        if exe:
            yield Fact(of, member, "exe", plain(exe))
            parent = event.get("proc_parent_exe") or event.get("proc_parent_name")
            if parent:
                yield Fact(of, member, "spawn", f"{plain(parent)} → {plain(exe)}")
    elif kind == "network":
        where = destination(event)
        if where:
            yield Fact(of, member, "destination", where)
    elif kind == "file" and event.get("file_path"):
        path = str(event["file_path"])
        flags = event.get("file_flags") or ()
        if {"write", "create", "truncate", "append"}.intersection(flags):
            yield Fact(of, member, "directory", plain(path.rpartition("/")[0] or "/"))
        else:
            yield Fact(of, member, "file", plain(path))


def workload(event: Event) -> Entity | None:
    """The container of a workload that an event of a host is of; None outside of any."""
    name = event.get("pod_workload") or event.get("pod_name")
    container = event.get("container_name") or ""
    if not name:
        name, container = event.get("container_id"), ""
        if not name or name == "host":
            return None
    template = str(event.get("pod_template") or "")
    return Entity("workload", str(event.get("k8s_ns") or ""), str(name), str(container), template)


def _audit(event: Event) -> Iterator[Fact]:
    user = str(event.get("actor_as") or event.get("actor_user") or "")
    if not user or int(event.get("api_code") or 200) >= 500:
        return
    resource, verb = event.get("k8s_resource"), event.get("api_verb")
    if resource == "events" and verb == "patch":  # the same one, seen again
        verb = "create"
    if user.startswith(ACCOUNT):
        space, _, name = user.removeprefix(ACCOUNT).partition(":")
        of = Entity("account", space, name)
        member = intern(str(event.get("actor_pod") or ""))
        if resource:
            yield Fact(of, member, "verb", f"{verb} {_resource(event)}")
    elif not user.startswith("system:"):
        of = Entity("user", "", user)
        if resource:
            yield Fact(of, "", "verb", f"{verb} {_resource(event)}")
        agent = str(event.get("actor_agent") or "").partition("/")[0]
        addresses = event.get("actor_ips") or ()
        if agent and addresses:  # all but the last are what the client says
            yield Fact(of, "", "agent", f"{plain(agent)} from {_network(str(addresses[-1]))}")


def _resource(event: Event) -> str:
    name = str(event["k8s_resource"])
    if event.get("k8s_subresource"):
        name += f"/{event['k8s_subresource']}"
    return f"{name}.{event['k8s_group']}" if event.get("k8s_group") else name


def destination(event: Event) -> str:
    """Where a connection goes: the name where it is known, else the network; and the port."""
    port = event.get("net_dst_port")
    name = event.get("net_dst_name")
    address = event.get("net_dst_ip")
    if not name and not address:
        return ""
    where = plain(name) if name else _network(str(address))
    return f"{where}:{port}" if port else where


def _network(address: str) -> str:
    """The /24 or /64 of an address; what is no address as it is."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return plain(address)
    if found.version == 6 and found.ipv4_mapped:
        found = found.ipv4_mapped
    length = 24 if found.version == 4 else 64
    return str(
        ipaddress.ip_network(
            (int(found), length) if found.version == 6 else f"{found}/{length}", strict=False
        )
    )


def plain(value: object) -> str:
    """A value without what is another one each time: ids, hashes, numbers, suffixes of pods."""
    text = str(value)[:_LONGEST]
    text = _UUID.sub("*", text.lower() if _UUID.search(text.lower()) else text)
    text = _SUFFIX.sub("-*", text)
    text = _TEMPORARY.sub("*", text)
    return _DIGITS.sub("*", _RANDOM.sub("*", _HEX.sub("*", text)))
