"""Guards as files: objects and patches in a kustomize component, settings for kubelets beside it;
and put into the live cluster that they were made for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from martello.cli.access.writing import document
from martello.cli.resources.folder import (
    KUBELETS,
    OBJECTS,
    PATCHES,
    aimed,
    free_name,
    write_files,
)
from martello.cli.resources.opening import Opened
from martello.cli.target import parse_target
from martello.core.resource import Ref, Resource
from martello.practices.resources.guards.model import OWN, Guards
from martello.report.text import clean, wrap

if TYPE_CHECKING:
    from martello.adapters.cluster.write import Write

_PLURALS: Final = {"LimitRange": "limitranges", "ResourceQuota": "resourcequotas"}
_WIDE: Final = 98


def write_guards(found: Guards, folder: str) -> tuple[str, ...]:
    """Writes a file for each object, patch and class of nodes, and kustomization.yaml; the files.
    Raises BadInput.
    """
    objects: dict[str, str] = {}
    patches: dict[str, str] = {}
    kubelets: dict[str, str] = {}
    targets: dict[str, dict[str, Any]] = {}
    for one in (*found.classes, *found.objects):
        objects[free_name(_called(one.ref), objects)] = document(one.raw)
    for patch in found.patches:
        name = free_name(_called(patch.ref), patches)
        body = _yaml(list(patch.steps)) if patch.steps else document(patch.body)
        patches[name] = _commented(patch.says) + body
        targets[name] = aimed(patch.ref) if patch.steps else {}
    for fragment in found.fragments:
        says = ("add this to the configuration of these nodes' kubelets", *fragment.says)
        name = free_name(fragment.name, kubelets)
        kubelets[name] = _commented(says) + _yaml(fragment.body)
    folders = {OBJECTS: objects, PATCHES: patches, KUBELETS: kubelets}
    files = {f"{place}/{name}": text for place, of in folders.items() for name, text in of.items()}
    if objects or patches:
        files["kustomization.yaml"] = _component(objects, targets)
    return write_files(files, folder)


def next_steps(found: Guards, folder: str) -> tuple[str, ...]:
    """What people do with the files: each line says how to try it before it is done."""
    place = shlex.quote(folder.rstrip("/") or "/")
    steps: list[str] = []
    if found.objects or found.classes:
        steps.append(f"kubectl diff -f {place}/{OBJECTS}")
        steps.append(f"kubectl apply --dry-run=server -f {place}/{OBJECTS}    # then without it")
    if found.patches:
        ref = found.patches[0].ref
        file = free_name(_called(ref), {})
        steps.append(f"# each patch starts its workload anew; {place} is a kustomize component")
        steps.append(
            f"kubectl patch {shlex.quote(ref.kind.lower())} {shlex.quote(ref.name)} "
            f"-n {shlex.quote(ref.namespace)} --dry-run=server "
            f"{'--type=json ' if found.patches[0].steps else ''}"
            f"--patch-file {place}/{PATCHES}/{file}"
        )
    if found.fragments:
        steps.append(f"# {place}/{KUBELETS} is for whoever runs the nodes")
    return tuple(steps)


def _called(ref: Ref) -> str:
    return "-".join(part for part in (ref.namespace, ref.kind.lower(), ref.name) if part)


def _commented(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for says in lines for line in wrap(clean(says), _WIDE, "# "))


def _yaml(body: Mapping[str, Any] | list[Any]) -> str:
    import yaml

    plain = body if isinstance(body, list) else dict(body)
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=False, width=_WIDE))


def _component(objects: Mapping[str, str], patches: Mapping[str, dict[str, Any]]) -> str:
    body: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
    }
    if objects:
        body["resources"] = [f"{OBJECTS}/{name}" for name in sorted(objects)]
    if patches:
        body["patches"] = [
            {"path": f"{PATCHES}/{name}", **patches[name]} for name in sorted(patches)
        ]
    head = "# Name this directory under `components` of a kustomization.yaml.\n"
    return head + _yaml(body)


def apply(seen: Opened, found: Guards, flags: dict[str, Any]) -> tuple[str, ...]:
    """Puts LimitRanges and quotas into the cluster, where it takes all of them in a dry run; what
    was done, in words. Patches would start workloads anew, and kubelets are not the API server's to
    change: those are left to people. Raises Refused, and what reading raises.
    """
    from martello.adapters.cluster.write import write_all

    writes = list(_writes(seen, found))
    if writes:
        word = parse_target(flags["files"][0]).where if flags["files"] else ""
        write_all(flags["context"] or word or None, flags["kubeconfig"], writes)
    return tuple(one.words for one in writes)


def _writes(seen: Opened, found: Guards) -> Iterator[Write]:
    """Defaults before the quotas that demand them; last what only an earlier run made."""
    from martello.adapters.cluster.write import Write

    new = {(one.ref.kind, one.ref.namespace, one.ref.name): one for one in found.objects}
    spaces = {one.ref.namespace for one in found.objects}
    for one in sorted(found.objects, key=lambda o: (o.ref.kind, o.ref.namespace, o.ref.name)):
        before = seen.cluster.get(one.ref.kind, one.ref.namespace, one.ref.name)
        if before is None:
            yield Write("POST", _collection(one.ref), one.raw, f"create {one.ref.local}")
        elif before.spec != one.spec:
            yield Write("PATCH", _object(one.ref), _changed(one, before), f"change {one.ref.local}")
    for kind in _PLURALS:
        for old in seen.cluster.of_kind(kind):
            key = (kind, old.ref.namespace, old.ref.name)
            if old.ref.namespace in spaces and old.ref.name.startswith(OWN) and key not in new:
                known = {k: old.metadata.get(k) for k in ("uid", "resourceVersion")}
                body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": known}
                yield Write("DELETE", _object(old.ref), body, f"delete {old.ref.local}")


def _changed(one: Resource, before: Resource) -> dict[str, Any]:
    """A merge: what is no longer said becomes null."""
    spec: dict[str, Any] = {**dict.fromkeys(before.spec), **one.spec}
    for key, value in one.spec.items():
        old = before.spec.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            spec[key] = {**dict.fromkeys(old), **value}
    version = {"resourceVersion": before.metadata.get("resourceVersion")}
    return {"metadata": version, "spec": spec}


def _collection(ref: Ref) -> str:
    return f"/api/v1/namespaces/{ref.namespace}/{_PLURALS[ref.kind]}"


def _object(ref: Ref) -> str:
    return f"{_collection(ref)}/{ref.name}"
