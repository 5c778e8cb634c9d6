"""An alert, what it stands on, and what became of it: plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

OPEN: Final = "open"
ACKNOWLEDGED: Final = "acknowledged"
CLOSED: Final = "closed"
SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
SHOWN: Final = 10  # events kept as evidence of one alert


class Evidence(msgspec.Struct, frozen=True):
    """One event that an alert stands on: its id, when it was (ns UTC), and the columns that its
    rule reads or says.
    """

    event: str
    time: int
    columns: Mapping[str, Any] = {}


class Alert(msgspec.Struct, frozen=True):
    """A rule that fired for a group of events. `revision` grows with each change; `entity` is the
    columns of the group. Times are ns UTC. `repeats` is how many events it stands on.
    """

    id: str
    rule: str
    rule_hash: str
    severity: str
    title: str
    says: str
    entity: Mapping[str, str]
    first: int
    last: int
    repeats: int = 1
    revision: int = 1
    state: str = OPEN
    why: str = ""
    fix: str = ""
    cluster: str = ""
    attack: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    raised: tuple[str, ...] = ()  # why the severity is above the rule's

    @property
    def key(self) -> str:
        """The idempotency key of a delivery of what it is now."""
        return f"{self.id}-{self.revision}"


def alert_id(rule: str, entity: Mapping[str, str], first_event: str) -> str:
    """The same for the same events, however often they are read."""
    told = "\0".join((rule, *(f"{k}={v}" for k, v in sorted(entity.items())), first_event))
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]
