"""Where `monitor run` tells its alerts: the sinks that were named, routes, and their workers."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from martello.adapters.sinks import open_sink
from martello.adapters.sinks.deliver import deliver
from martello.cli.config import load_config
from martello.cli.monitor.watch import Watch
from martello.core.alert import Alert
from martello.core.errors import BadInput
from martello.core.sink import Sink
from martello.practices.monitor.alerts.route import SILENT, Route, Routing, Teams, read, silent
from martello.report.text import clean
from martello.store.outbox import Outbox

_LATE_EVERY: Final = 1.0  # seconds between looks at what was held back
_ABANDON_EVERY: Final = 600.0


class Adds(Protocol):
    """What is given the cluster's objects one by one."""

    def add(self, one: Any) -> None:
        """One object as the API server gives it."""
        ...


class Telling:
    """The sinks that were named, opened, and the routes that lead to them."""

    def __init__(
        self,
        urls: Sequence[str],
        routes: Sequence[Any] = (),
        label: str = "team",
        environ: Mapping[str, str] | None = None,
        where: str = "martello.toml",
    ) -> None:
        self.sinks: dict[str, Sink] = {}
        self.teams = Teams(label)
        self.began: dict[str, int] = {}  # sinks that do not answer, and since when
        names: dict[str, str] = {}

        def named(url: str) -> str:
            if url not in names:
                sink = open_sink(url, environ)
                names[url] = sink.name
                self.sinks.setdefault(sink.name, sink)
            return names[url]

        made = [Route(tuple(map(named, dict.fromkeys(urls))))] if urls else []
        for number, table in enumerate(routes, 1):
            route = read(table)
            if isinstance(route, str):
                raise BadInput(f"{where}: [[monitor.route]] {number}", route, "mend the route")
            made.append(
                Route(
                    tuple(map(named, route.sinks)),
                    route.severity,
                    route.namespace,
                    route.rule,
                    route.team,
                    route.repeat,
                )
            )
        self.route = Routing(made, team=self.teams.of)

    @property
    def printed(self) -> bool:
        """Whether standard output is one of the sinks."""
        return any(name.startswith("stdout:") for name in self.sinks)

    def both(self, pods: Adds) -> Adds:
        """What is told of pods is told of teams too."""
        return _Both(pods, self.teams)

    def begin(self, watch: Watch, told: Callable[[Alert], None] = lambda _: None) -> None:
        """A worker for each sink, and one that looks after what was held back."""

        for one in watch.judge.outbox.alerts(closed=False):  # of an earlier run
            if one.rule == SILENT and one.entity.get("sink") in self.sinks:
                self.began[one.entity["sink"]] = one.first

        def hears(sink: Sink, why: str) -> None:
            # No trouble of the door's: an audit log must come in though nobody can be told.
            self._heard(watch.judge.outbox, watch.settings.cluster, sink, why, told)

        for sink in self.sinks.values():
            watch.deliver(sink, lambda box, one, end: deliver(box, one, end, hears))
        if self.sinks:
            watch.jobs.run(lambda: self._late(watch.judge.outbox), "routes", _LATE_EVERY)

        def abandon() -> None:
            watch.judge.outbox.abandon(self.sinks)

        watch.jobs.run(abandon, "outbox", _ABANDON_EVERY)

    def _late(self, outbox: Outbox) -> None:
        for alert, sinks in self.route.late():
            outbox.again(alert.id, sinks)

    def _heard(
        self, outbox: Outbox, cluster: str, sink: Sink, why: str, told: Callable[[Alert], None]
    ) -> None:
        """MON-906, to all other sinks: this one does not answer, or does again."""
        now = time.time_ns()
        if not why and sink.name not in self.began:
            return
        began = self.began.setdefault(sink.name, now)
        if not why:
            del self.began[sink.name]
        alert = silent(sink.name, why, now, cluster, began)
        print(clean(alert.says), file=sys.stderr, flush=True)
        outbox.put([alert], [name for name in self.route(alert) if name != sink.name])
        told(alert)


class _Both:
    """Hands each object to two."""

    def __init__(self, *of: Adds) -> None:
        self._of = of

    def add(self, one: Any) -> None:
        for each in self._of:
            each.add(one)


def telling(flags: Mapping[str, Any]) -> Telling:
    """From `--sink` and the settings of [monitor]. Raises BadInput."""
    config = load_config({"monitor.sinks": list(flags["sinks"]) or None}, Path.cwd(), os.environ)
    monitor = config.monitor
    return Telling(monitor["sinks"], config.routes, monitor["team-label"])
