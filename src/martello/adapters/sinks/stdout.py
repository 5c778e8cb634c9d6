"""Alerts as lines of JSON on standard output: what collects a container's log reads them."""

from __future__ import annotations

import sys

from martello.adapters.sinks.text import encoded, form
from martello.core.alert import Alert
from martello.core.sink import NotSent


class Stdout:
    """The standard output of this process."""

    def __init__(self, name: str, format: str = "martello") -> None:
        self.name = name
        self._format = format

    def send(self, alert: Alert) -> None:
        """Writes a line."""
        try:
            sys.stdout.write(encoded(form(self._format, alert)).decode() + "\n")
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            raise NotSent(f"cannot write: {error}") from None

    def check(self) -> None:
        """There is one."""
        if sys.stdout.closed:
            raise NotSent("standard output is closed")
