"""What is known of kinds that are not built in: their metadata, the pods that they make, and the
fields of those that checks read.

Custom resources are judged by schemas that we do not have. Only values of the wrong type are told;
a field that is not named here may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from martello.core.kinds import built_in, table
from martello.core.path import Path, look_up
from martello.core.resource import Resource
from martello.core.schema import UNREADABLE, Violation, misfits

# A text is a code as data/api.json has them: `s` a string, `i` an integer, `o` a boolean, `[s` a
# list of strings, `{s` a mapping to strings. `[x]` is a list of such mappings.
_SELECTOR: Final = {
    "matchLabels": "{s",
    "matchExpressions": [{"key": "s", "operator": "s", "values": "[s"}],
}
_BACKEND: Final = {"group": "s", "kind": "s", "name": "s", "namespace": "s", "port": "i"}
_ROUTE: Final = {"spec": {"hostnames": "[s", "rules": [{"backendRefs": [_BACKEND]}]}}
_MONITOR: Final = {
    "spec": {"selector": _SELECTOR, "namespaceSelector": {"any": "o", "matchNames": "[s"}}
}
_KYVERNO: Final = {"spec": {"rules": [{"name": "s", "validate": {"message": "s"}}]}}
_KINDS: Final[dict[str, Any]] = {
    "Policy.audit.k8s.io": {
        "rules": [
            {
                "level": "s",
                "namespaces": "[s",
                "nonResourceURLs": "[s",
                "omitStages": "[s",
                "resources": [{"group": "s", "resources": "[s", "resourceNames": "[s"}],
                "userGroups": "[s",
                "users": "[s",
                "verbs": "[s",
            }
        ],
    },
    "DeploymentConfig.apps.openshift.io": {"spec": {"replicas": "i", "selector": "{s"}},
    "K8sAllowedRepos.constraints.gatekeeper.sh": {"spec": {"parameters": {"repos": "[s"}}},
    "GRPCRoute.gateway.networking.k8s.io": _ROUTE,
    "HTTPRoute.gateway.networking.k8s.io": _ROUTE,
    "TCPRoute.gateway.networking.k8s.io": _ROUTE,
    "TLSRoute.gateway.networking.k8s.io": _ROUTE,
    "UDPRoute.gateway.networking.k8s.io": _ROUTE,
    "ScaledObject.keda.sh": {
        "spec": {"minReplicaCount": "i", "scaleTargetRef": {"kind": "s", "name": "s"}}
    },
    "ClusterPolicy.kyverno.io": _KYVERNO,
    "Policy.kyverno.io": _KYVERNO,
    "ServiceMonitor.monitoring.coreos.com": _MONITOR,
    "SecurityContextConstraints.security.openshift.io": {"allowPrivilegedContainer": "o"},
}


def unreadable(resource: Resource, template: Path | None) -> Iterator[Violation]:
    """The values of a custom object that cannot be what their fields are for; nothing for built-in
    kinds. `template` is where its pod template lies, if it makes pods.
    """
    raw, ref = resource.raw, resource.ref
    if built_in(ref.api_version, ref.kind) is not None:
        return
    found = misfits(raw.get("metadata"), _code("Pod", "metadata"), ("metadata",))
    if template:
        outer = look_up(raw, template)
        found += misfits(outer, _code("PodTemplate", "template"), template)
    _walk(raw, _KINDS.get(ref.group_kind), (), found)
    yield from (v for v in found if v.kind in UNREADABLE)


def _code(kind: str, field: str) -> str:
    """The code of a field of a core kind."""
    facts = built_in("v1", kind)
    assert facts is not None
    return table().types[facts.type][field]


def _walk(value: Any, shape: Any, path: Path, found: list[Violation]) -> None:
    if isinstance(shape, str):
        found += misfits(value, shape, path)
    elif value is None or shape is None:
        return
    elif isinstance(shape, list):
        found += misfits(value, "[*", path)
        for index, item in enumerate(value if isinstance(value, list) else ()):
            _walk(item, shape[0], (*path, index), found)
    else:
        found += misfits(value, "{*", path)
        for key, inner in shape.items() if isinstance(value, dict) else ():
            _walk(value.get(key), inner, (*path, key), found)
