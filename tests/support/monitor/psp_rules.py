"""PodSecurityPolicies as Falco rules over audit events, as its converter of 2019 named them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from martello.practices.monitor.engine.ir import Atom, Pointer, both, opposite
from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.falco.load import load

_PATHS = Pointer(("requestObject", "spec", "volumes", "*", "hostPath", "path"))
_BOOLEANS = {
    "hostPID": ("host_pid", "(hostPID)"),
    "hostIPC": ("host_ipc", "(hostIPC)"),
    "hostNetwork": ("host_network", "(hostNetwork)"),
    "privileged": ("containers.privileged", "(privileged) K8s Audit"),
}
_SETS = {
    "volumes": "volumes.volume_type",
    "allowedCapabilities": "containers.add_capabilities",
    "allowedProcMountTypes": "containers.proc_mount",
}


def rules(text: str) -> list[Rule]:
    """The rules of one policy; they apply to pods all of whose images the annotation names."""
    policy = yaml.safe_load(text)
    name = policy["metadata"]["name"].replace("-", "_")
    notes = policy["metadata"].get("annotations") or {}
    about = ["jevt.value[/stage] = ResponseComplete", "ka.verb = create"]
    about += ["ka.target.resource = pods", "not ka.target.subresource exists"]
    for key, field in (
        ("falco-rules-psp-images", "ka.req.pod.containers.image.repository"),
        ("falco-rules-psp-namespaces", "ka.target.namespace"),
    ):
        if key in notes:
            about.append(f"{field} in {_listed(yaml.safe_load(notes[key]))}")
    said = {
        f"PSP {name} Violation {suffix}": [*about, condition]
        for suffix, condition in _conditions(policy.get("spec") or {})
    }
    allowed = (policy.get("spec") or {}).get("allowedHostPaths")
    paths = _paths(_written({"about": about})[0], name, allowed) if allowed else []
    return [*_written(said), *paths]


def _written(said: Mapping[str, Sequence[str]]) -> list[Rule]:
    """Rules of these conditions."""
    items = [
        {
            "rule": title,
            "desc": "a policy",
            "condition": " and ".join(conditions),
            "output": "%ka.user.name",
            "priority": "WARNING",
            "source": "k8s_audit",
        }
        for title, conditions in said.items()
    ]
    found = load([("psp.yaml", yaml.safe_dump(items))], strict=True)
    assert not found.errors, found.errors
    return list(found.pack)


def _conditions(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, (field, suffix) in _BOOLEANS.items():
        if not spec.get(key):
            yield suffix, f"ka.req.pod.{field} intersects (true)"
    for key, field in _SETS.items():
        if spec.get(key):
            yield f"({key})", _outside(f"ka.req.pod.{field}", spec[key])
    if spec.get("allowedFlexVolumes"):
        drivers = [one["driver"] for one in spec["allowedFlexVolumes"]]
        yield "(allowedFlexVolumes)", _outside("ka.req.pod.volumes.flexvolume_driver", drivers)
    if spec.get("hostPorts"):
        ports = _numbers(spec["hostPorts"])
        yield "(hostPorts)", _outside("ka.req.pod.containers.host_port", ports)
    if spec.get("readOnlyRootFilesystem"):
        yield (
            "(readOnlyRootFilesystem) K8s Audit",
            "not ka.req.pod.containers.read_only_fs in (true)",
        )
    if spec.get("allowPrivilegeEscalation") is False:
        yield (
            "(allowPrivilegeEscalation)",
            "ka.req.pod.containers.allow_privilege_escalation intersects (true)",
        )
    yield from _ids(spec)


def _ids(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    user, group, some, files = (
        spec.get(key) or {} for key in ("runAsUser", "runAsGroup", "supplementalGroups", "fsGroup")
    )
    if user.get("rule") == "MustRunAs":
        inside = f"ka.req.pod.containers.eff_run_as_user in {_listed(_ranges(user))}"
        yield "(runAsUser=MustRunAs) K8s Audit", f"not {inside}"
    if user.get("rule") == "MustRunAsNonRoot":
        root = "ka.req.pod.containers.eff_run_as_user intersects (0)"
        yield "(runAsUser=MustRunAsNonRoot) K8s Audit", root
    inside = f"ka.req.pod.containers.eff_run_as_group in {_listed(_ranges(group))}"
    if group.get("rule") == "MustRunAs":
        yield "(runAsGroup=MustRunAs) K8s Audit", f"not {inside}"
    if group.get("rule") == "MayRunAs":
        said = "(ka.req.pod.containers.run_as_group exists or ka.req.pod.run_as_group exists)"
        yield "(runAsGroup=MayRunAs)", f"not {inside} and {said}"
    for rule, field, suffix in (
        (some, "supplemental_groups", f"(supplementalGroups={some.get('rule')})"),
        (files, "fs_group", "(fsGroup)"),
    ):
        field = f"ka.req.pod.{field}"
        if rule.get("rule") == "MustRunAs":
            yield suffix, f"not {field} in {_listed(_ranges(rule))}"
        if rule.get("rule") == "MayRunAs":
            yield suffix, _outside(field, _ranges(rule))


def _outside(field: str, allowed: Sequence[Any]) -> str:
    """There is something, and not all of it is allowed."""
    return f"{field} exists and not {field} in {_listed(allowed)}"


def _ranges(rule: Mapping[str, Any]) -> list[int]:
    return _numbers(rule.get("ranges") or ())


def _numbers(ranges: Sequence[Mapping[str, int]]) -> list[int]:
    return [n for one in ranges for n in range(one["min"], min(one["max"], 100_000) + 1)]


def _listed(values: Sequence[Any]) -> str:
    return f"({', '.join(str(one) for one in values)})"


def _paths(about: Rule, name: str, allowed: Sequence[Mapping[str, str]]) -> list[Rule]:
    """Host paths below none of the allowed prefixes. Falco's operator no longer takes a list."""
    below = Atom(_PATHS, "pmatch", tuple(one["pathPrefix"] for one in allowed), "all")
    title = f"PSP {name} Violation (allowedHostPaths)"
    tree = both(about.tree, Atom(_PATHS, "exists"), opposite(below))
    return [Rule(title, title, tree, ("audit",))]
