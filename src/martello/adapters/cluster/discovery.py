"""Which of the wanted kinds an API server serves, in which version, and under which path."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from martello.adapters.cluster.client import Client
from martello.adapters.cluster.failure import Denied
from martello.adapters.cluster.kinds import WHOLE_GROUPS, Kind
from martello.core.errors import BadInput, NotPermitted
from martello.core.version import minor


class Served(msgspec.Struct, frozen=True):
    """A kind, and the version of it that this server prefers."""

    kind: Kind
    version: str

    @property
    def api_version(self) -> str:
        """What objects of the kind carry as apiVersion."""
        return f"{self.kind.group}/{self.version}" if self.kind.group else self.version

    def path(self, namespace: str = "") -> str:
        """The path of the collection: of one namespace, or of all."""
        root = f"/apis/{self.api_version}" if self.kind.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace and self.kind.namespaced else ""
        return f"{root}{inside}/{self.kind.resource}"


class Discovery(msgspec.Struct, frozen=True):
    """What a server serves of what was wanted."""

    served: tuple[Served, ...]
    absent: tuple[Kind, ...]  # not served: there can be no such objects
    broken: Mapping[Kind, str]  # served, but the group did not say how


async def discover(client: Client, wanted: Iterable[Kind]) -> Discovery:
    """Asks the groups of the wanted kinds for their resources.

    A kind is taken in the first version that has it, the group's preferred one first. Raises
    NotPermitted where not even the list of groups may be read.
    """
    wanted = tuple(wanted)
    try:
        groups = await client.get("/apis")
    except Denied as denied:
        raise NotPermitted(
            f"{client.server} does not tell what it serves ({denied.status})",
            denied.why,
            "sign in, or choose another --context",
        ) from None
    versions = {**_versions(groups), "": ["v1"]}
    asked = sorted({kind.group for kind in wanted} | {g for g in WHOLE_GROUPS if g in versions})
    async with asyncio.TaskGroup() as tasks:
        answers = {
            group: tasks.create_task(_group(client, group, versions.get(group, [])))
            for group in asked
        }
    served: list[Served] = []
    absent: list[Kind] = []
    broken: dict[Kind, str] = {}
    for kind in wanted:
        resources, trouble = answers[kind.group].result()
        found = resources.get(kind.resource)
        if found is not None:
            version, namespaced, _ = found
            served.append(Served(msgspec.structs.replace(kind, namespaced=namespaced), version))
        elif trouble:
            broken[kind] = trouble
        else:
            absent.append(kind)
    for group in WHOLE_GROUPS:
        if group in answers:
            for resource, (version, namespaced, name) in answers[group].result()[0].items():
                served.append(Served(Kind(group, name, resource, namespaced), version))
    return Discovery(tuple(served), tuple(absent), broken)


async def kubernetes_minor(client: Client) -> int | None:
    """The minor version of the server; None where it does not tell."""
    try:
        told = await client.get("/version")
        major, text = told.get("major"), told.get("minor")
        return minor(f"{major}.{text}")
    except (Denied, BadInput):
        return None


def _versions(groups: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    entries = groups.get("groups")
    for entry in entries if isinstance(entries, list) else ():
        name = entry.get("name") if isinstance(entry, dict) else None
        versions = entry.get("versions") if isinstance(name, str) else None
        if not isinstance(name, str) or not isinstance(versions, list):
            continue
        every = [v.get("version") for v in versions if isinstance(v, dict)]
        texts = [v for v in every if isinstance(v, str)]
        first = entry.get("preferredVersion")
        preferred = first.get("version") if isinstance(first, dict) else None
        found[name] = sorted(texts, key=lambda v: v != preferred)
    return found


async def _group(
    client: Client, group: str, versions: list[str]
) -> tuple[dict[str, tuple[str, bool, str]], str]:
    """The listable resources of a group: (version, namespaced, kind); and what went wrong."""
    resources: dict[str, tuple[str, bool, str]] = {}
    trouble = ""
    for version in versions:
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            answer = await client.get(path)
        except Denied as denied:
            trouble = f"{path} could not be read ({denied.status}): {denied.why}"
            continue
        entries = answer.get("resources")
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict) or "list" not in (entry.get("verbs") or ()):
                continue
            name, kind = entry.get("name"), entry.get("kind")
            if isinstance(name, str) and isinstance(kind, str) and "/" not in name:
                resources.setdefault(name, (version, entry.get("namespaced") is True, kind))
    return resources, trouble
