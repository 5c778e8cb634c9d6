"""Any receiver of JSON over HTTP: Martello's own form, Falco's (falcosidekick) or OCSF's."""

from __future__ import annotations

from martello.adapters.sinks.http import Http
from martello.adapters.sinks.text import form
from martello.core.alert import Alert
from martello.core.sink import NotSent


class Webhook:
    """One address. The header `Idempotency-Key` is alert and revision (D2)."""

    def __init__(self, name: str, http: Http, format: str = "martello") -> None:
        self.name = name
        self._http = http
        self._format = format

    def send(self, alert: Alert) -> None:
        """Posts it; any 2xx is a yes."""
        self._http.send(form(self._format, alert), {"Idempotency-Key": alert.key})

    def check(self) -> None:
        """Asks for the head: every answer is a receiver, but for a refusal and an error of its."""
        try:
            self._http.send(method="HEAD")
        except NotSent as error:
            status = str(error)[:3]
            if not status.isdecimal() or status in ("401", "403", "407") or status[0] == "5":
                raise
