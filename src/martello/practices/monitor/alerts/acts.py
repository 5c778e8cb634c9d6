"""One act, one hit: a request stands in the audit log once for each of its stages.

A rule that asks for no stage is true of several of them: an exec has ResponseStarted and, when the
session is over, ResponseComplete. The first of them counts, the later ones of the same request do
not. The id of a request can be chosen by its client (the header Audit-ID), so what is the same
request is told by its user and its URI too, and a stage that comes once more is another request.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from martello.practices.monitor.engine.rule import Hit

MOST: Final = 100_000  # requests under way; the least recent goes first
# Source: the type Stage of audit.k8s.io/v1. Panic takes the place of what would have come.
_ORDER: Final = {"RequestReceived": 0, "ResponseStarted": 1, "ResponseComplete": 2, "Panic": 2}
_LAST: Final = 2


class Acts:
    """The requests that are under way and that rules were true of."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._under_way: OrderedDict[int, int] = OrderedDict()  # rule and request: the last stage

    def first(self, hit: Hit) -> bool:
        """Whether a hit is the first of its rule for its request."""
        event = hit.event
        stage = _ORDER.get(event.get("api_stage") or "")
        name = event.get("api_id")
        if stage is None or not name or event.get("kind") != "audit":
            return True
        who = (event.get("actor_user"), event.get("actor_as"), event.get("api_verb"))
        key = hash((hit.rule, event.get("cluster"), name, event.get("api_uri"), who))
        before = self._under_way.pop(key, None)
        if stage != _LAST:
            self._under_way[key] = stage
            if len(self._under_way) > self._most:
                self._under_way.popitem(last=False)
        return before is None or before >= stage
