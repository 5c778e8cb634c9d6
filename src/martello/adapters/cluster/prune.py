"""What of a live object is dropped as soon as it is parsed: nothing that a check looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from martello.adapters.cluster.kinds import Kind
from martello.core.errors import BadInput

# A copy of the whole object as it was applied: of a Secret, its values too.
_COPIES: Final = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "objectset.rio.cattle.io/applied",
)
_POD_STATUS: Final = ("phase", "podIP", "podIPs", "hostIP", "qosClass")
_CONTAINER_STATUSES: Final = (
    "containerStatuses",
    "initContainerStatuses",
    "ephemeralContainerStatuses",
)
_CONTAINER_STATUS: Final = ("name", "image", "imageID", "restartCount")


def refuse_depth(item: dict[str, Any]) -> None:
    """Raises BadInput for what is nested deeper than a bundle could keep (some 250 levels): whoever
    may write a custom resource chooses its depth, and all that follows goes down into it.
    """
    import orjson

    try:
        orjson.dumps(item)
    except TypeError:
        raise BadInput("cannot judge it", "it is nested too deeply") from None


def prune(raw: dict[str, Any], kind: Kind) -> dict[str, Any] | None:
    """The object without managed fields, copies of itself and bulky status; changed in place.

    None for a ReplicaSet that its owner has scaled to nothing: an old revision makes no pods.
    """
    metadata = raw.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
        metadata.pop("selfLink", None)
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict):
            for copy in _COPIES:
                annotations.pop(copy, None)
            if not annotations:
                del metadata["annotations"]
    if kind.metadata_only:
        return {k: v for k, v in raw.items() if k in ("apiVersion", "kind", "metadata")}
    if kind.group_kind == "ReplicaSet.apps" and _retired(raw, metadata):
        return None
    cut = _CUTS.get(kind.group_kind)
    if cut is not None:
        cut(raw)
    return raw


def _retired(raw: dict[str, Any], metadata: Any) -> bool:
    spec, status = raw.get("spec"), raw.get("status")
    owners = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
    if not isinstance(spec, dict) or not isinstance(owners, list) or not owners:
        return False
    running = status.get("replicas", 0) if isinstance(status, dict) else 0
    return spec.get("replicas") == 0 and running == 0


def _pod(raw: dict[str, Any]) -> None:
    status = raw.get("status")
    if not isinstance(status, dict):
        return
    kept = {key: status[key] for key in _POD_STATUS if key in status}
    for key in _CONTAINER_STATUSES:
        containers = status.get(key)
        if isinstance(containers, list):
            kept[key] = [
                {field: c[field] for field in _CONTAINER_STATUS if field in c}
                for c in containers
                if isinstance(c, dict)
            ]
    raw["status"] = kept


def _node(raw: dict[str, Any]) -> None:
    status = raw.get("status")
    if isinstance(status, dict):
        status.pop("images", None)


def _config_map(raw: dict[str, Any]) -> None:
    binary = raw.get("binaryData")
    if isinstance(binary, dict):
        raw["binaryData"] = dict.fromkeys(binary, "")


def _definition(raw: dict[str, Any]) -> None:
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return
    versions = spec.get("versions")
    for version in versions if isinstance(versions, list) else ():
        if isinstance(version, dict):
            for bulky in ("schema", "additionalPrinterColumns"):
                version.pop(bulky, None)
    for bulky in ("validation", "additionalPrinterColumns"):
        spec.pop(bulky, None)
    raw.pop("status", None)


def _conditions(raw: dict[str, Any]) -> None:
    status = raw.get("status")
    if isinstance(status, dict):
        status.pop("conditions", None)


_CUTS: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "Pod": _pod,
    "Node": _node,
    "ConfigMap": _config_map,
    "CustomResourceDefinition.apiextensions.k8s.io": _definition,
    "Deployment.apps": _conditions,
    "StatefulSet.apps": _conditions,
    "ReplicaSet.apps": _conditions,
    "DaemonSet.apps": _conditions,
    "Job.batch": _conditions,
}


def pod_template_kind(raw: dict[str, Any]) -> Kind | None:
    """The kind that a CustomResourceDefinition makes, where its schema says that it holds a pod
    template (`spec.template.spec.containers`) as a Deployment does. To be asked before `prune`.
    """
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return None
    names, versions = spec.get("names"), spec.get("versions")
    if not isinstance(names, dict) or not isinstance(versions, list):
        return None
    for version in versions:
        node: Any = version
        for key in ("schema", "openAPIV3Schema"):
            node = node.get(key) if isinstance(node, dict) else None
        for key in ("spec", "template", "spec", "containers"):
            properties = node.get("properties") if isinstance(node, dict) else None
            node = properties.get(key) if isinstance(properties, dict) else None
        if isinstance(node, dict) and node.get("type") == "array":
            group, name, resource = spec.get("group"), names.get("kind"), names.get("plural")
            if isinstance(group, str) and isinstance(name, str) and isinstance(resource, str):
                return Kind(group, name, resource, spec.get("scope") == "Namespaced")
    return None
