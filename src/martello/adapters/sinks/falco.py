"""An alert as Falco's own JSON output, so that whatever reads Falco (falcosidekick) reads it too.

Fields: output, priority, rule, time, output_fields, source, tags, hostname, uuid (Falco's json
output; falcosidekick's types.FalcoPayload).
"""

from __future__ import annotations

from typing import Any, Final

from martello.adapters.sinks.text import moment, plain
from martello.core.alert import Alert
from martello.core.event import COLUMNS

PRIORITIES: Final = {
    "critical": "Critical",
    "high": "Error",
    "medium": "Warning",
    "low": "Notice",
    "info": "Informational",
}


def event(alert: Alert) -> dict[str, Any]:
    """The alert as one Falco event. Its id goes in `uuid` and in `martello.key`."""
    told = dict(alert.evidence[-1].columns) if alert.evidence else {}
    told |= alert.entity
    audit = told.get("kind") == "audit"
    fields = {_field(name, audit): _value(value) for name, value in sorted(told.items())}
    fields |= {
        "martello.key": alert.key,
        "martello.state": alert.state,
        "martello.repeats": alert.repeats,
        "martello.cluster": plain(alert.cluster),
    }
    i = alert.id
    return {
        "uuid": f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:32]}",
        "output": plain(alert.says or alert.title),
        "priority": PRIORITIES.get(alert.severity, "Warning"),
        "rule": plain(f"{alert.rule} {alert.title}" if alert.title != alert.rule else alert.rule),
        "time": moment(alert.last),
        "output_fields": fields,
        "source": "k8s_audit" if audit else "syscall",
        "tags": ["martello", *map(plain, alert.attack)],
        "hostname": plain(str(told.get("node") or alert.cluster or "martello")),
    }


def _field(column: str, audit: bool) -> str:
    """Falco's name of a column, `ka.` for the audit log alone where there is another; what it has
    none for, by ours with a dot.
    """
    known = COLUMNS.get(column)
    if known is None or not known.falco:
        return column.replace("_", ".", 1)
    return next((one for one in known.falco if one.startswith("ka.") == audit), known.falco[0])


def _value(value: Any) -> Any:
    """Falco's fields are texts and numbers."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return plain(", ".join(map(str, value)), 4_000)
    return plain(str(value), 4_000)
