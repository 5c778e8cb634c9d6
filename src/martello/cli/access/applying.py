"""A trim put into the live cluster that it was made of: tried as a whole, then made step by step.

What is new comes first and what goes comes last, so that nobody misses a right in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from martello.cli.access.opening import Opened
from martello.cli.target import parse_target
from martello.core.errors import BadInput, Refused
from martello.core.resource import Ref, Resource

if TYPE_CHECKING:
    from martello.adapters.cluster.write import Write
    from martello.practices.access.trim import Trim

_PLURALS: Final = {
    "ClusterRole": "clusterroles",
    "Role": "roles",
    "ClusterRoleBinding": "clusterrolebindings",
    "RoleBinding": "rolebindings",
}
_SERVERS: Final = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")


def live_only(flags: dict[str, Any]) -> None:
    """Raises BadInput where what is read is no live cluster alone."""
    words = flags["files"]
    if words and (len(words) > 1 or parse_target(words[0]).kind != "cluster"):
        raise BadInput(
            "--apply changes a live cluster",
            f"{', '.join(words)} is read",
            "name a cluster alone by -f cluster:CONTEXT or --context, or --write DIR",
        )


def apply(world: Opened, found: Trim, gaps: int, flags: dict[str, Any]) -> tuple[str, ...]:
    """Makes the edits; what was made, in words. Raises Refused where anything is in doubt or the
    server refuses a part of it, and what reading raises.
    """
    from martello.adapters.cluster.write import write_all

    for doubt, why in (
        (len(found.proof.denied) + len(found.proof.unknown), "requests of the log are denied"),
        (len(found.disagreements), "requests were allowed by what is not here"),
        (gaps, "parts of the log could not be read"),
        (len(world.missing), "parts of the cluster could not be read"),
    ):
        if doubt:
            raise Refused(
                "nothing is applied: the proof is not clean",
                f"{doubt:,} {why}",
                "leave out --apply, and --write DIR to review what is proposed",
            )
    writes = list(_writes(world, found))
    if writes:
        word = parse_target(flags["files"][0]).where if flags["files"] else ""
        write_all(flags["context"] or word or None, flags["kubeconfig"], writes)
    return tuple(one.words for one in writes)


def _writes(world: Opened, found: Trim) -> Iterator[Write]:
    """New objects, roles before bindings; then changed ones; then what goes, bindings first."""
    objects = sorted({one.ref: one for one in found.objects}.values(), key=_bindings_last)
    cluster = world.cluster
    held = {ref: cluster.get(ref.group_kind, ref.namespace, ref.name) for ref in _refs(objects)}
    yield from (_created(one) for one in objects if held[one.ref] is None)
    for one in objects:
        before = held[one.ref]
        if before is not None:
            yield _changed(one, before)
    for ref in sorted(dict.fromkeys(found.removed), key=lambda r: not r.kind.endswith("Binding")):
        before = cluster.get(ref.group_kind, ref.namespace, ref.name)
        if before is not None:
            yield _deleted(before)


def _refs(objects: list[Resource]) -> list[Ref]:
    return [one.ref for one in objects]


def _bindings_last(one: Resource) -> bool:
    return one.ref.kind.endswith("Binding")


def _created(one: Resource) -> Write:
    from martello.adapters.cluster.write import Write

    metadata = {k: v for k, v in one.metadata.items() if k not in _SERVERS}
    body = {**one.raw, "metadata": metadata}
    return Write("POST", _collection(one.ref), body, f"create {one.ref.local}")


def _changed(one: Resource, before: Resource) -> Write:
    from martello.adapters.cluster.write import Write

    changed: dict[str, Any] = {
        key: one.raw[key]
        for key in ("rules", "subjects")
        if key in one.raw and one.raw[key] != before.raw.get(key)
    }
    version: dict[str, Any] = {"resourceVersion": before.metadata.get("resourceVersion")}
    body: dict[str, Any] = {"metadata": version, **changed}
    return Write("PATCH", _object(one.ref), body, f"change {one.ref.local}")


def _deleted(before: Resource) -> Write:
    from martello.adapters.cluster.write import Write

    seen = {key: before.metadata.get(key) for key in ("uid", "resourceVersion")}
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": seen}
    return Write("DELETE", _object(before.ref), body, f"delete {before.ref.local}")


def _collection(ref: Ref) -> str:
    where = f"/namespaces/{ref.namespace}" if ref.namespace else ""
    return f"/apis/{ref.api_version}{where}/{_PLURALS[ref.kind]}"


def _object(ref: Ref) -> str:
    return f"{_collection(ref)}/{quote(ref.name, safe='')}"
