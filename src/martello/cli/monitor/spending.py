"""Quotas that are nearly spent, as events: told when they come to be, by each reading."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from martello.adapters.intake.decode import COLUMNS, lines
from martello.adapters.sensors.shape import Event, Place, identity, named
from martello.core.cluster import Cluster
from martello.practices.resources.amounts import Malformed
from martello.practices.resources.pressing import Pressing, of_quotas

SOURCE: Final = "martello"
REASON: Final = "QuotaNearlySpent"
_MOST: Final = 1_000  # of one reading; the others by the next ones


class Spending:
    """What was told of a cluster; a key is told again once it was not nearly spent in between.

    `keep` takes a body of events of a source. Raises what it raises; then nothing counts as told.
    """

    def __init__(
        self,
        keep: Callable[[str, bytes], object],
        place: Place,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._keep = keep
        self._place = place
        self._clock = clock
        self._told: frozenset[tuple[str, str]] = frozenset()

    def __call__(self, cluster: Cluster) -> None:
        """One reading of the cluster."""
        found = {(one.of, one.what): one for one in _pressing(cluster)}
        new = [one for key, one in found.items() if key not in self._told]
        if new:
            now = self._clock()
            self._keep(COLUMNS, lines([self._event(one, now) for one in new[:_MOST]]))
        later = {(one.of, one.what) for one in new[_MOST:]}
        self._told = frozenset(found) - later

    def _event(self, one: Pressing, now: int) -> Event:
        space, _, name = one.of.partition("/")
        event: Event = {
            "id": identity(self._place, SOURCE, REASON, one.of, one.what, now),
            "kind": "k8s_event",
            "action": "event",
            "source": SOURCE,
            "time": now,
            "seen": now,
            "k8s_ns": space,
            "k8s_resource": "resourcequotas",
            "k8s_name": name,
            "k8s_obj_name": name,
            "ev_reason": REASON,
            "ev_type": "Warning",
            "ev_count": 1,
            "log_text": f"{one.what}: {one.says}",
        }
        return named(event, self._place._replace(node=""))


def _pressing(cluster: Cluster) -> Iterator[Pressing]:
    for space in dict.fromkeys(one.ref.namespace for one in cluster.of_kind("ResourceQuota")):
        try:
            yield from of_quotas(cluster, space)
        except Malformed:  # the server stores no such quota
            continue
