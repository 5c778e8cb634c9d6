"""What containers use, read again and again while `monitor run` goes on: from a Prometheus or from
metrics-server. What is usual is learned and kept, and what goes beyond it is an event that a rule
reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from martello.adapters.intake.decode import COLUMNS, lines
from martello.adapters.sensors.shape import Event, Place, identity, named
from martello.cli.prometheus import spoken, unspoken
from martello.core.cluster import Cluster
from martello.core.errors import BadInput, MartelloError, Unreachable
from martello.core.sizing import Key
from martello.core.usage import Chunk, Metric, Source
from martello.practices.resources.usage.beyond import (
    DAY,
    DAYS,
    METRICS,
    RECENT,
    SLOT,
    Excess,
    Peak,
    Usual,
)
from martello.store import usual
from martello.store.state import State

if TYPE_CHECKING:
    from martello.adapters.usage.owners import Owners

SOURCE: Final = "martello"
REASON: Final = "UsageBeyondUsual"
_PROMETHEUS: Final = 300.0  # seconds between two readings
_SNAPSHOTS: Final = 60.0
_LATE: Final = 60.0  # seconds until what is scraped can be asked for
_MOST: Final = 1_000  # events of one body
_MOST_FOUND: Final = 100_000  # that wait where nothing can be kept


class Asked:
    """Where use is read, by the flags: `source` is asked for a window of time (seconds since the
    epoch), with whose pods are as the newest reading of the cluster says; `means`: it tells means
    over slots, and knows the past; `every`: seconds between readings.
    """

    def __init__(self, flags: Mapping[str, Any]) -> None:
        """Raises BadInput and NotPermitted where the flags cannot be followed."""
        self.means = bool(flags["prometheus"])
        self.every = _PROMETHEUS if self.means else _SNAPSHOTS
        self._flags = flags
        self._spoken = spoken(flags) if self.means else None
        self._world: Cluster | None = None

    def hear(self, world: Cluster) -> None:
        """The newest reading of the cluster."""
        self._world = world

    def source(self) -> Source:
        """Raises what asking raises."""
        from martello.adapters.usage.owners import Owners

        owners = Owners(self._world)
        return _snapshot(self._flags, owners) if self._spoken is None else self._asked(owners)

    def _asked(self, owners: Owners) -> Source:
        from martello.adapters.prometheus.source import Prometheus

        assert self._spoken is not None
        # cAdvisor is often told not to count processes: without them less is known, not too little
        return Prometheus(self._spoken, metrics=METRICS, owners=owners, means=SLOT, spare=("pids",))


def asked(flags: Mapping[str, Any]) -> Asked | None:
    """Where use is read; None where nobody said. Raises BadInput and NotPermitted."""
    if flags["prometheus"] and flags["metrics_server"]:
        why = "--prometheus and --metrics-server exclude each other"
        raise BadInput("what containers use has two sources", why, "give one of them")
    if flags["metrics_server"] and not (flags["context"] or flags["kubeconfig"]):
        why = "--metrics-server is asked through the API server"
        raise BadInput("no cluster was named", why, "name one by --context or --kubeconfig")
    if not flags["prometheus"]:
        unspoken(flags)
    return Asked(flags) if flags["prometheus"] or flags["metrics_server"] else None


class Using:
    """One cluster's use: what is usual, and what was told of today.

    `keep` takes a body of events of a source. Raises what it raises; then nothing counts as told.
    """

    def __init__(
        self,
        where: Asked,
        keep: Callable[[str, bytes], object],
        place: Place,
        state: State,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.usual = Usual()
        self._where = where
        self._keep = keep
        self._place = place._replace(node="")
        self._state = state
        self._clock = clock
        self._found: list[Excess] = []  # what is to be told
        rows = usual.load(state, place.cluster)
        self.usual.load(_peak(row) for row in rows)
        # What was read before is known by day: the last day is read once more.
        self._until = max((row.day for row in rows), default=0) * float(DAY)

    def look(self) -> None:
        """One reading. Raises what reading, keeping and saving raise."""
        now = self._clock()
        until = now - _LATE if self._where.means else now + 1.0
        since = max(self._until, now - DAYS * DAY) if self._where.means else now - RECENT
        if self._where.means and since // SLOT == until // SLOT:
            return  # no further slot has ended
        failed: MartelloError | None = None
        try:
            why = self._read(since, until, now)
        except MartelloError as error:  # what came before it counts, and does not come again
            failed = error
        else:
            self._until = max(self._until, until)
            if left := self.usual.left_out:
                why = why or f"there is room for no more: {left} series are left out"
            if why:
                failed = Unreachable("not all of what containers use is known", why)
        self.usual.forget(now)
        self._tell(now)
        changed = [_row(one) for one in self.usual.changed()]
        usual.save(self._state, self._place.cluster, changed, int(now // DAY) - DAYS)
        if failed is not None:
            raise failed

    def _read(self, since: float, until: float, now: float) -> str:
        """Learns and judges; why not all is known, where that is so. Raises what asking raises."""
        why = ""
        for one in self._where.source().chunks(since, until):
            if isinstance(one, Chunk):
                self._found += self.usual.take(one, now, means=self._where.means)
            elif one.of is None:
                why = why or f"{one.what}: {one.why}"
        return why

    def _tell(self, now: float) -> None:
        """Tells what was found, and was not before."""
        new = self.usual.untold(self._found)
        self._found = self._found[-_MOST_FOUND:]
        for begin in range(0, len(new), _MOST):
            some = new[begin : begin + _MOST]
            self._keep(COLUMNS, lines([self._event(one, now) for one in some]))
            self.usual.told(some)
        self._found = []

    def _event(self, one: Excess, now: float) -> Event:
        of = one.of
        event: Event = {
            "id": identity(self._place, SOURCE, REASON, *_of(one), int(one.at)),
            "kind": "k8s_event",
            "action": "event",
            "source": SOURCE,
            "time": int(one.at * 1e9),
            "seen": int(now * 1e9),
            "k8s_ns": of.namespace,
            "k8s_resource": "pods",
            "k8s_name": of.pod,
            "k8s_obj_name": of.pod,
            "pod_name": of.pod,
            "pod_workload": of.workload,
            "container_name": of.container,
            "ev_reason": REASON,
            "ev_type": "Warning",
            "ev_count": 1,
            "log_text": one.says,
        }
        return named(event, self._place)


def _of(one: Excess) -> tuple[str, str, str, str]:
    return one.of.namespace, one.of.pod, one.of.container, one.metric


def _snapshot(flags: Mapping[str, Any], owners: Owners) -> Source:
    import msgspec

    from martello.adapters.cluster.kubeconfig import access
    from martello.adapters.usage.snapshot import take

    found = access(flags["context"], kubeconfig=flags["kubeconfig"])
    return take(msgspec.structs.replace(found, own=flags["own"]), owners=owners)


def _row(one: Peak) -> usual.Row:
    of = one.key
    at = (of.namespace, of.workload, of.container)
    return usual.Row(*at, one.metric, one.seconds, one.day, one.most, int(one.told))


def _peak(row: usual.Row) -> Peak:
    key, metric = Key(row.namespace, row.workload, row.container), cast(Metric, row.metric)
    return Peak(key, metric, row.seconds, row.day, row.most, bool(row.told))
