"""An alert in words and as plain data, safe to show: what an attacker wrote obeys nobody.

Controls, line ends and marks that turn the direction of writing become `\\x1b` and the like; JSON
is pure ASCII, so that no terminal and no parser finds anything in it that acts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from martello.core.alert import ACKNOWLEDGED, CLOSED, Alert

SCHEMA: Final = "martello-alert/v1"
_SECOND: Final = 1_000_000_000
_LATEST: Final = 253_402_300_799  # the last second that has four digits of a year
# Columns of an alert's group, and what people call them.
NAMES: Final[Mapping[str, str]] = {
    "k8s_ns": "namespace",
    "pod_workload": "workload",
    "pod_name": "pod",
    "container_name": "container",
    "actor_user": "user",
    "node": "node",
}


def plain(text: str, most: int = 0) -> str:
    """The text with everything unprintable escaped; at most so many characters (0: no limit)."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if not most or len(text) <= most else text[: most - 1] + "…"


def heading(alert: Alert, most: int = 0) -> str:
    """What it is, in one line: `[high] MON-131 A shell in a pod`."""
    state = {ACKNOWLEDGED: "acknowledged: ", CLOSED: "closed: "}.get(alert.state, "")
    name = alert.rule if alert.rule == alert.title else f"{alert.rule} {alert.title}"
    return plain(f"{state}[{alert.severity}] {name}", most)


def places(alert: Alert) -> dict[str, str]:
    """Where and who, by the names that people use; `cluster` first where it is known."""
    found = {"cluster": alert.cluster} if alert.cluster else {}
    told = {NAMES.get(column, column): value for column, value in alert.entity.items() if value}
    return found | told


def moment(nanoseconds: int) -> str:
    """RFC 3339 in UTC with microseconds; what no calendar has is its nearest end."""
    seconds, rest = divmod(max(0, nanoseconds), _SECOND)
    at = datetime.fromtimestamp(min(seconds, _LATEST), UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def own(alert: Alert) -> dict[str, Any]:
    """The alert as Martello writes it, with its idempotency key."""
    return {"schema": SCHEMA, "key": alert.key, **msgspec.to_builtins(alert)}


def encoded(value: Any) -> bytes:
    """JSON in ASCII, on one line."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def form(name: str, alert: Alert) -> dict[str, Any]:
    """The alert in a form of `format=`: martello, falco or ocsf."""
    if name == "falco":
        from martello.adapters.sinks import falco

        return falco.event(alert)
    if name == "ocsf":
        from martello.adapters.sinks import ocsf

        return ocsf.finding(alert)
    return own(alert)
