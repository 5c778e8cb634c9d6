"""PagerDuty by its Events API v2: an alert is one incident, whatever becomes of it.

Limits: dedup_key 255 and summary 1,024 characters, 512 KB an event (Events API v2 reference).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.adapters.sinks.http import Http, Value
from martello.adapters.sinks.text import heading, moment, places, plain
from martello.core.alert import ACKNOWLEDGED, CLOSED, Alert

URL: Final = "https://events.pagerduty.com/v2/enqueue"
_ACTIONS: Final = {ACKNOWLEDGED: "acknowledge", CLOSED: "resolve"}
_SEVERITIES: Final = {"critical": "critical", "high": "error", "medium": "warning"}
_LARGEST: Final = 400_000  # bytes of what is told of the evidence
_SUMMARY: Final = 1_024


class PagerDuty:
    """One integration; `key` is its routing key."""

    def __init__(self, name: str, http: Http, key: Value) -> None:
        self.name = name
        self._http = http
        self._key = key

    def send(self, alert: Alert) -> None:
        """Triggers, acknowledges or resolves; the key of all revisions is the alert's id."""
        self._http.send({"routing_key": self._key(), **event(alert)})

    def check(self) -> None:
        """Sends an empty event, which is refused: there is no other way to ask."""
        self._http.send({}, fine=frozenset((400,)))


def event(alert: Alert) -> dict[str, Any]:
    """The event of an alert, without the routing key."""
    action = _ACTIONS.get(alert.state, "trigger")
    told: dict[str, Any] = {
        "event_action": action,
        "dedup_key": alert.id,
        "client": "Martello",
    }
    if action != "trigger":
        return told
    where = places(alert)
    details: dict[str, Any] = {
        "says": plain(alert.says, 4_000),
        "why": plain(alert.why, 4_000),
        "fix": plain(alert.fix, 4_000),
        "graver": [plain(one, 1_000) for one in alert.raised],
        "attack": [plain(one) for one in alert.attack],
        "repeats": alert.repeats,
        "last": moment(alert.last),
        "key": alert.key,
        **{name: plain(value, 1_000) for name, value in where.items()},
    }
    evidence = msgspec.to_builtins(alert.evidence)
    if len(msgspec.json.encode(evidence)) <= _LARGEST // 6:  # an escaped character may take six
        details["evidence"] = evidence
    node = where.get("node", "")
    told["payload"] = {
        "summary": plain(f"{heading(alert)}: {alert.says}", _SUMMARY),
        "source": plain(alert.cluster or node or "martello", 255),
        "severity": _SEVERITIES.get(alert.severity, "info"),
        "timestamp": moment(alert.first),
        "component": plain(where.get("workload") or where.get("pod") or node, 255),
        "group": plain(where.get("namespace", ""), 255),
        "class": plain(alert.rule, 255),
        "custom_details": details,
    }
    return told
