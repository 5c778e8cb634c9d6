"""What alerts are handed to: the words that sinks, their worker and the daemon share."""

from __future__ import annotations

from typing import Protocol

from martello.core.alert import Alert


class NotSent(Exception):
    """An alert did not get through. `retry_after`: the seconds that the sink asked for; `never`:
    the sink will not take it, however often it is sent.
    """

    def __init__(self, why: str, retry_after: float | None = None, *, never: bool = False) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        self.never = never


class Sink(Protocol):
    """Where alerts go. What is sent twice carries the same key (`Alert.key`)."""

    @property
    def name(self) -> str:
        """How the outbox calls it; the same after a restart. No secret is in it."""
        ...

    def send(self, alert: Alert) -> None:
        """Hands over one alert as it is now; returns when it was taken. Raises NotSent."""
        ...

    def check(self) -> None:
        """Tries whether it can be reached, without an alert. Raises NotSent."""
        ...
