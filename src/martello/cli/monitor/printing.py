"""What `monitor run` prints of its alerts: lines for people on a terminal, else lines of JSON."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from io import StringIO, TextIOWrapper
from typing import Final

from martello.cli.reports import screen
from martello.core.alert import Alert
from martello.report.monitor import alerts as report

_MOST: Final = 10_000  # alerts that are known to have been told


def printer() -> Callable[[Alert], None]:
    """What prints an alert to standard output. Nobody need read it: the outbox has the alert."""
    try:
        terminal = sys.stdout.isatty()
    except (AttributeError, ValueError):  # none, closed
        terminal = False
    return _Lines() if terminal else _json


def quiet(alert: Alert) -> None:
    """A sink prints it."""


def _json(alert: Alert) -> None:
    import msgspec

    _write(msgspec.json.encode(alert).decode() + "\n")


class _Lines:
    """Whole where it is new here, graver or of another state, else that it happened again."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, str]] = {}  # by id: severity and state
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")

    def __call__(self, alert: Alert) -> None:
        now = (alert.severity, alert.state)
        again = self._told.pop(alert.id, None) == now
        self._told[alert.id] = now
        if len(self._told) > _MOST:
            self._told.pop(next(iter(self._told)), None)
        out = StringIO()
        report.write_one(alert, screen(sys.stdout), out, again=again)
        _write(out.getvalue())  # at once: sinks tell from threads of their own


def _write(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # gone, full, closed, none
        sys.stdout.write(text)
        sys.stdout.flush()
