"""The values that the API server fills into a pod spec before anything judges it.

Source: the defaulting functions of Kubernetes' core/v1 API. Only what is missing is filled; the
input is never changed: mappings that
get a value are copied, all others are shared. Parts of the wrong kind are left as they are.
"""

from __future__ import annotations

from typing import Any, Final

from martello.core.image import needs_pull_always

_POD: Final = (
    ("restartPolicy", "Always"),
    ("dnsPolicy", "ClusterFirst"),
    ("terminationGracePeriodSeconds", 30),
    ("schedulerName", "default-scheduler"),
    ("enableServiceLinks", True),
)
_CONTAINER: Final = (
    ("terminationMessagePath", "/dev/termination-log"),
    ("terminationMessagePolicy", "File"),
)
_PROBE: Final = (
    ("timeoutSeconds", 1),
    ("periodSeconds", 10),
    ("successThreshold", 1),
    ("failureThreshold", 3),
)
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_MODES: Final = ("configMap", "secret", "downwardAPI", "projected")
_VOLUME_KEYS: Final = frozenset(("name",))


def defaulted_pod(spec: dict[str, Any]) -> dict[str, Any]:
    """A pod spec with the server's defaults: a new mapping that shares every unchanged part with
    the input.
    """
    pod = dict(spec)
    for key, value in _POD:
        if pod.get(key) is None:
            pod[key] = value
    if pod.get("securityContext") is None:
        pod["securityContext"] = {}
    _service_account(pod)
    for key in ("containers", "initContainers", "ephemeralContainers"):
        elements = pod.get(key)
        if isinstance(elements, list):
            pod[key] = [_container(e) if isinstance(e, dict) else e for e in elements]
    volumes = pod.get("volumes")
    if isinstance(volumes, list):
        pod["volumes"] = [_volume(v) if isinstance(v, dict) else v for v in volumes]
    return pod


def _service_account(pod: dict[str, Any]) -> None:
    """serviceAccount is the deprecated twin of serviceAccountName: each fills the other, the new
    name wins.
    """
    name = pod.get("serviceAccountName") or pod.get("serviceAccount") or "default"
    pod["serviceAccountName"] = name
    pod["serviceAccount"] = name


def _container(raw: dict[str, Any]) -> dict[str, Any]:
    container = dict(raw)
    for key, value in _CONTAINER:
        if container.get(key) is None:
            container[key] = value
    if container.get("imagePullPolicy") is None:
        image = container.get("image")
        if isinstance(image, str):
            container["imagePullPolicy"] = "Always" if needs_pull_always(image) else "IfNotPresent"
    container["resources"] = _resources(container.get("resources"))
    ports = container.get("ports")
    if isinstance(ports, list):
        container["ports"] = [_with(p, "protocol", "TCP") for p in ports]
    for key in _PROBES:
        probe = container.get(key)
        if isinstance(probe, dict):
            container[key] = _probe(probe)
    return container


def _resources(resources: Any) -> Any:
    """Quantities as strings, and requests from limits, each resource by itself."""
    if resources is None:
        return {}
    if not isinstance(resources, dict):
        return resources
    result = dict(resources)
    for key in ("limits", "requests"):
        if isinstance(result.get(key), dict):
            result[key] = {name: quantity_text(value) for name, value in result[key].items()}
    limits, requests = result.get("limits"), result.get("requests")
    if isinstance(limits, dict) and limits and (requests is None or isinstance(requests, dict)):
        result["requests"] = {**limits, **(requests or {})}
    return result


def quantity_text(value: Any) -> Any:
    """A quantity written as a YAML number becomes the text that the server reads; all else
    stays.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _probe(raw: dict[str, Any]) -> dict[str, Any]:
    probe = dict(raw)
    for key, value in _PROBE:
        if not probe.get(key):
            probe[key] = value
    if isinstance(probe.get("httpGet"), dict):
        get = dict(probe["httpGet"])
        get["path"] = get.get("path") or "/"
        get["scheme"] = get.get("scheme") or "HTTP"
        probe["httpGet"] = get
    return probe


def _volume(raw: dict[str, Any]) -> dict[str, Any]:
    if raw.keys() <= _VOLUME_KEYS:
        return {**raw, "emptyDir": {}}
    for key in _MODES:
        source = raw.get(key)
        if isinstance(source, dict) and source.get("defaultMode") is None:
            return {**raw, key: {**source, "defaultMode": 0o644}}
    path = raw.get("hostPath")
    if isinstance(path, dict) and path.get("type") is None:
        return {**raw, "hostPath": {**path, "type": ""}}
    return raw


def _with(value: Any, key: str, default: Any) -> Any:
    if isinstance(value, dict) and value.get(key) is None:
        return {**value, key: default}
    return value
