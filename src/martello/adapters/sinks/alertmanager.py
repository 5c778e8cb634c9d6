"""Prometheus Alertmanager by its API v2.

It forgets an alert that nobody repeats (D3): each post holds for `HOLDS` seconds, so what is open
is posted again every `REPEATS`; one that is closed is posted with its end. Labels name an alert and
stay the same for all its revisions; what changes is in annotations.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from martello.adapters.sinks.http import Http
from martello.adapters.sinks.text import moment, places, plain
from martello.core.alert import CLOSED, Alert

REPEATS: Final = 60.0  # seconds
HOLDS: Final = 300.0  # seconds: a few repeats may be lost
_ALERTS: Final = "/api/v2/alerts"
_STATUS: Final = "/api/v2/status"
_AT_ONCE: Final = 200
_LONGEST: Final = 1_000  # characters of a label
_SECOND: Final = 1_000_000_000


class Alertmanager:
    """One Alertmanager. `clock` tells seconds since 1970."""

    repeats: Final = REPEATS

    def __init__(self, name: str, http: Http, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self._http = http
        self._clock = clock

    def send(self, alert: Alert) -> None:
        """Posts it as it is now."""
        self.repeat((alert,))

    def repeat(self, alerts: Sequence[Alert]) -> None:
        """Posts alerts that are open still. Raises NotSent."""
        now = int(self._clock() * _SECOND)
        for first in range(0, len(alerts), _AT_ONCE):
            some = alerts[first : first + _AT_ONCE]
            self._http.send([posted(one, now) for one in some], path=_ALERTS)

    def check(self) -> None:
        """Asks for its status."""
        self._http.send(method="GET", path=_STATUS)


def posted(alert: Alert, now: int) -> dict[str, Any]:
    """One alert as it is posted at a moment (ns since 1970)."""
    closed = alert.state == CLOSED
    ends = max(now, alert.first) if closed else now + int(HOLDS * _SECOND)
    labels = {
        "alertname": alert.rule,
        "alert_id": alert.id,
        "severity": alert.severity,
        **{name: value for name, value in places(alert).items() if name.isidentifier()},
    }
    annotations = {
        "summary": alert.title,
        "description": alert.says,
        "why": alert.why,
        "fix": alert.fix,
        "graver": "; ".join(alert.raised),
        "attack": ", ".join(alert.attack),
        "repeats": str(alert.repeats),
        "last": moment(alert.last),
        "state": alert.state,
        "key": alert.key,
    }
    return {
        "labels": {k: plain(v, _LONGEST) for k, v in labels.items() if v and k.isascii()},
        "annotations": {k: plain(v, 4 * _LONGEST) for k, v in annotations.items() if v},
        "startsAt": moment(min(alert.first, now)),
        "endsAt": moment(ends),
    }
