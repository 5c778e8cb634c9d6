"""How a check that kube-linter makes from a template and parameters is said with ours.

A check of its own name has an equal through its alias; one of another name has the equal of the
built-in check of its template. Either way no parameter may ask for what ours cannot be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from martello.catalogue.aliases import Names
from martello.core.check import Check

# The one built-in check of a template, where that has another name.
_BUILT_IN: Final = {
    "anti-affinity": "no-anti-affinity",
    "disallowed-api-obj": "no-extensions-v1beta",
    "env-var": "env-var-secret",
    "forbidden-service-types": "exposed-services",
    "hpa-minimum-replicas": "hpa-minimum-three-replicas",
    "kubeconform": "schema-validation",
    "cpu-requirements": "unset-cpu-requirements",
    "liveness-probe": "no-liveness-probe",
    "memory-requirements": "unset-memory-requirements",
    "minimum-replicas": "minimum-three-replicas",
    "ports": "ssh-port",
    "privileged": "privileged-container",
    "read-only-root-fs": "no-read-only-root-fs",
    "readiness-probe": "no-readiness-probe",
    "required-annotation": "required-annotation-email",
    "required-label": "required-label-owner",
    "service-account": "default-service-account",
    "target-port": "invalid-target-ports",
    "update-configuration": "no-rolling-update-strategy",
    "verify-container-capabilities": "drop-net-raw-capability",
}
# Two built-in checks share one of these: which of them is meant only the name tells.
_SHARED: Final = frozenset(("access-to-resources", "host-mounts"))
# The values that our check has built in. Any other one asks for another check.
_FIXED: Final[Mapping[str, Mapping[str, Any]]] = {
    "anti-affinity": {"minReplicas": 2},
    "cpu-requirements": {"lowerBoundMillis": 0, "upperBoundMillis": 0},
    "disallowed-api-obj": {"group": "extensions", "version": "v1beta.+"},
    "env-var": {"name": "(?i).*secret.*", "value": ".+"},
    "forbidden-service-types": {"forbiddenServiceTypes": ["NodePort", "LoadBalancer"]},
    "kubeconform": {"strict": True, "ignoreMissingSchemas": True},
    "latest-tag": {"BlockList": [".*:(latest)$", "^[^:]*$", "(.*/[^:]+)$"]},
    "memory-requirements": {"lowerBoundMB": 0, "upperBoundMB": 0},
    "ports": {"port": 22, "protocol": "TCP"},
    "scc-deny-privileged-container": {"AllowPrivilegedContainer": True},
    "service-account": {"serviceAccount": "^(|default)$"},
    "unsafe-sysctls": {
        "unsafeSysCtls": ["kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.", "net."]
    },
    "update-configuration": {"strategyTypeRegex": "^(RollingUpdate|Rolling)$"},
    "verify-container-capabilities": {"forbiddenCapabilities": ["NET_RAW"]},
}
# What kube-linter calls a parameter, and what the check here calls it.
_PARAMETERS: Final[Mapping[str, Mapping[str, str]]] = {
    "dangling-service": {"ignoredLabels": "ignored"},
    "dnsconfig-options": {"Key": "option", "Value": "value"},
    "required-label": {"key": "keys", "value": "value"},
    "required-annotation": {"key": "keys", "value": "value"},
    "statefulset-volumeclaimtemplate-annotation": {"annotation": "keys"},
    "minimum-replicas": {"minReplicas": "minReplicas"},
    "hpa-minimum-replicas": {"minReplicas": "minReplicas"},
    "priority-class-name": {"acceptedPriorityClassNames": "accepted"},
}
_ANY_VALUE: Final = ("required-label", "required-annotation")  # where the definition names none
# Several checks of kube-linter are one here; the hit's path tells which of them is meant.
_PARTS: Final = {
    "liveness-port": "livenessProbe",
    "readiness-port": "readinessProbe",
    "startup-port": "startupProbe",
    "pdb-max-unavailable": "maxUnavailable",
    "pdb-min-available": "minAvailable",
    "hpa-minimum-three-replicas": "minReplicas",
}
# And one check of kube-linter is two here: what it requires tells which.
_REQUIRED: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "cpu-requirements": {"request": frozenset(("RES-005",)), "limit": frozenset(("RES-003",))},
    "memory-requirements": {"request": frozenset(("RES-002",)), "limit": frozenset(("RES-001",))},
}
_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "DeploymentLike": frozenset(
        (
            *("Pod", "Deployment.apps", "DaemonSet.apps", "StatefulSet.apps", "ReplicaSet.apps"),
            *("ReplicationController", "Job.batch", "CronJob.batch"),
            *("DeploymentConfig.apps.openshift.io", "DeploymentConfig"),
        )
    ),
    "JobLike": frozenset(("Job.batch", "CronJob.batch")),
}


class Equal(msgspec.Struct, frozen=True):
    """Our checks that say the same: their ids, parameters, and the part of them that is meant."""

    ids: frozenset[str]
    params: Mapping[str, Any]
    kinds: tuple[str, ...]
    part: str

    def params_for(self, check: Check) -> dict[str, Any]:
        """The parameters that this check declares, in the form that it declares."""
        found: dict[str, Any] = {}
        for name, value in self.params.items():
            if name in check.params:
                wrap = check.params[name]["type"] == "array" and not isinstance(value, list)
                found[name] = [value] if wrap else value
        return found


def equal_of(definition: Mapping[str, Any], names: Names) -> Equal | None:
    """What says the same here as a check of kube-linter; None where nothing does."""
    template = definition.get("template", "")
    given: Mapping[str, Any] = definition.get("params") or {}
    name = definition["name"]
    ids = names.of_peer("kube-linter", name)
    if not ids and template not in _SHARED:
        name = _BUILT_IN.get(template, template)
        ids = names.of_peer("kube-linter", name)
    if template in _REQUIRED:
        required = given.get("requirementsType", "any")
        ids &= _REQUIRED[template].get(required, ids)
    if not ids or not _told(template, given):
        return None
    params = {ours: given[t] for t, ours in _PARAMETERS.get(template, {}).items() if t in given}
    if template in _ANY_VALUE:
        params.setdefault("value", ".*")
    if template == "priority-class-name":
        params["accepted"] = [*params.get("accepted", ()), ""]  # no class at all is fine there
    kinds = (definition.get("scope") or {}).get("objectKinds") or ()
    return Equal(ids, params, tuple(kinds), _PARTS.get(name, ""))


def _told(template: str, given: Mapping[str, Any]) -> bool:
    """Whether each parameter is one that our check has, or has the value that ours has built in."""
    if template in _SHARED:
        return True  # only those built in come here, and their lists are what ours look for
    fixed = _FIXED.get(template, {})
    mapped = _PARAMETERS.get(template, {})
    for key, value in given.items():
        if key in mapped or key == "requirementsType" or not value:
            continue
        if key not in fixed or fixed[key] != value:
            return False
    return True


def in_scope(group_kind: str, kinds: tuple[str, ...]) -> bool:
    """Whether an object is one that kube-linter would show to the check."""
    if not kinds or "Any" in kinds:
        return True
    return any(group_kind in _KINDS.get(k, ()) or group_kind.partition(".")[0] == k for k in kinds)
