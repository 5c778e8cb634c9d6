"""A collector of OpenTelemetry: alerts as log records, OTLP/HTTP in JSON.

Source: opentelemetry-proto, collector/logs/v1 and logs/v1 (severity numbers; integers of 64 bits
are texts in JSON), semantic conventions for Kubernetes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

import martello
from martello.adapters.sinks.http import Http
from martello.adapters.sinks.text import plain
from martello.core.alert import Alert
from martello.core.sink import NotSent

_NUMBERS: Final = {"critical": 21, "high": 17, "medium": 13, "low": 10, "info": 9}
_RESOURCE: Final = {
    "k8s_ns": "k8s.namespace.name",
    "pod_name": "k8s.pod.name",
    "container_name": "k8s.container.name",
    "node": "k8s.node.name",
}


class Otlp:
    """One collector. `clock` tells seconds since 1970."""

    def __init__(self, name: str, http: Http, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self._http = http
        self._clock = clock

    def send(self, alert: Alert) -> None:
        """Exports one record; one that the collector counts as rejected was not taken."""
        self._export(request(alert, int(self._clock() * 1e9)))

    def check(self) -> None:
        """Exports nothing."""
        self._export({"resourceLogs": []})

    def _export(self, body: dict[str, Any]) -> None:
        answer = self._http.send(body)
        try:
            told = msgspec.json.decode(answer or b"{}")
            partial = told.get("partialSuccess") or {}
            rejected = int(partial.get("rejectedLogRecords") or 0)
            why = str(partial.get("errorMessage") or "")
        except (msgspec.DecodeError, AttributeError, TypeError, ValueError):
            return  # a yes in other words
        if rejected:
            raise NotSent(f"rejected: {plain(why, 200)}", never=True)


def request(alert: Alert, now: int) -> dict[str, Any]:
    """ExportLogsServiceRequest of one alert at a moment (ns since 1970)."""
    where = {name: alert.entity[name] for name in _RESOURCE if alert.entity.get(name)}
    resource = {"service.name": "martello", "k8s.cluster.name": alert.cluster}
    resource |= {_RESOURCE[name]: value for name, value in where.items()}
    attributes: dict[str, Any] = {
        "martello.alert.id": alert.id,
        "martello.alert.key": alert.key,
        "martello.alert.revision": alert.revision,
        "martello.alert.state": alert.state,
        "martello.alert.repeats": alert.repeats,
        "martello.rule.id": alert.rule,
        "martello.rule.title": alert.title,
        "martello.attack": ", ".join(alert.attack),
    }
    attributes |= {f"martello.entity.{k}": v for k, v in alert.entity.items() if k not in where}
    record = {
        "timeUnixNano": str(max(0, alert.last)),
        "observedTimeUnixNano": str(now),
        "severityNumber": _NUMBERS.get(alert.severity, 13),
        "severityText": alert.severity,
        "body": {"stringValue": plain(alert.says or alert.title)},
        "attributes": _attributes(attributes),
    }
    scope = {"name": "martello.monitor", "version": martello.__version__}
    logs = {"scope": scope, "logRecords": [record]}
    return {
        "resourceLogs": [
            {"resource": {"attributes": _attributes(resource)}, "scopeLogs": [logs]},
        ]
    }


def _attributes(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "value": {"intValue": str(value)}
            if isinstance(value, int)
            else {"stringValue": plain(value)},
        }
        for key, value in told.items()
        if value != ""
    ]
