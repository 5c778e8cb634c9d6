"""An alert as an OCSF Detection Finding: class 2004 of version 1.6.0, which every event names.

Fields and numbers: ocsf-schema, events/findings/{finding,detection_finding}, objects/finding_info
and objects/evidences. Times are milliseconds since 1970.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

import martello
from martello.adapters.sinks.text import plain
from martello.core.alert import ACKNOWLEDGED, CLOSED, OPEN, Alert

VERSION: Final = "1.6.0"
_CLASS: Final = 2004
_SEVERITIES: Final = {"info": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
_NAMES: Final = {1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"}
_ACTIVITIES: Final = {1: "Create", 2: "Update", 3: "Close"}
_STATES: Final = {OPEN: (1, "New"), ACKNOWLEDGED: (2, "In Progress"), CLOSED: (4, "Resolved")}
_MILLISECOND: Final = 1_000_000


def finding(alert: Alert) -> dict[str, Any]:
    """The alert as one event of the class."""
    activity = 3 if alert.state == CLOSED else 1 if alert.revision == 1 else 2
    severity = _SEVERITIES.get(alert.severity, 0)
    status, named = _STATES.get(alert.state, (1, "New"))
    return {
        "activity_id": activity,
        "activity_name": _ACTIVITIES[activity],
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "type_uid": _CLASS * 100 + activity,
        "type_name": f"Detection Finding: {_ACTIVITIES[activity]}",
        "severity_id": severity,
        "severity": _NAMES.get(severity, "Unknown"),
        "status_id": status,
        "status": named,
        "time": alert.first // _MILLISECOND,
        "start_time": alert.first // _MILLISECOND,
        "end_time": alert.last // _MILLISECOND,
        "count": alert.repeats,
        "is_alert": alert.state != CLOSED,
        "message": plain(alert.says or alert.title),
        "metadata": {
            "version": VERSION,
            "uid": alert.key,
            "product": {
                "name": "Martello",
                "vendor_name": "Martello",
                "version": martello.__version__,
            },
        },
        "finding_info": {
            "uid": alert.id,
            "title": plain(alert.title),
            "desc": plain(alert.why or alert.says),
            "created_time": alert.first // _MILLISECOND,
            "first_seen_time": alert.first // _MILLISECOND,
            "last_seen_time": alert.last // _MILLISECOND,
            "analytic": {
                "uid": plain(alert.rule),
                "name": plain(alert.title),
                "type_id": 1,
                "type": "Rule",
                "version": alert.rule_hash,
            },
            "attacks": [{"technique": {"uid": plain(one)}} for one in alert.attack],
        },
        "remediation": {"desc": plain(alert.fix or "martello monitor alerts explain " + alert.id)},
        "evidences": [
            {"uid": one.event, "data": msgspec.to_builtins(one.columns)} for one in alert.evidence
        ],
        "unmapped": {"cluster": alert.cluster, "entity": dict(alert.entity)},
    }
