"""Which alerts go where, and how often: routes by severity, namespace, rule and team.

    [[monitor.route]]
    sinks = ["pagerduty:env:PAGERDUTY_KEY"]
    severity = "high"             # this or graver
    namespace = ["shop-*"]        # globs; one that fits is enough
    rule = ["MON-1*"]             # of ids and titles
    team = ["payments"]           # whose pod or namespace it is
    repeat = 3600                 # seconds: one that only grew is told at most so often

An alert goes to the sinks of every route that fits. One that is new, graver, closed or otherwise
changed by a person is told at once; one that only grew waits until its window is over, and is told
then as it is then.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from martello.core.alert import CLOSED, OPEN, SEVERITIES, Alert, alert_id

REPEAT: Final = 3_600.0
LABEL: Final = "team"
MOST: Final = 100_000  # alerts whose windows are known; the least recent are forgotten first
_MOST_PODS: Final = 200_000  # whose team is known
SILENT: Final = "MON-906"
_KEYS: Final = ("sinks", "severity", "namespace", "rule", "team", "repeat")
_LONGEST: Final = 30 * 86_400


class Route(msgspec.Struct, frozen=True):
    """Where alerts go that fit all that it says; empty fits everything."""

    sinks: tuple[str, ...]
    severity: str = "info"
    namespace: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    repeat: float = REPEAT

    def fits(self, alert: Alert, team: str) -> bool:
        """Whether an alert, which is of a team (empty: nobody's), goes this way."""
        if SEVERITIES.index(alert.severity) < SEVERITIES.index(self.severity):
            return False
        return (
            _any(self.namespace, alert.entity.get("k8s_ns", ""))
            and (_any(self.rule, alert.rule) or _any(self.rule, alert.title))
            and _any(self.team, team)
        )


def _any(globs: Sequence[str], word: str) -> bool:
    return not globs or any(fnmatchcase(word, one) for one in globs)


def read(table: Any) -> Route | str:
    """A route as it is written, or what is wrong with it."""
    if not isinstance(table, Mapping):
        return "a route is a table"
    unknown = sorted(set(map(str, table)) - set(_KEYS))
    if unknown:
        return f"unknown key '{unknown[0][:40]}'"
    words: dict[str, tuple[str, ...]] = {}
    for key in ("sinks", "namespace", "rule", "team"):
        given = table.get(key, [])
        listed = [given] if isinstance(given, str) else given
        if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
            return f"'{key}' is a list of words"
        words[key] = tuple(listed)
    if not words["sinks"]:
        return "'sinks' names where it leads"
    severity, repeat = table.get("severity", "info"), table.get("repeat", REPEAT)
    if severity not in SEVERITIES:
        return f"'severity' is one of {', '.join(SEVERITIES)}"
    if isinstance(repeat, bool) or not isinstance(repeat, int | float):
        return "'repeat' is a number of seconds"
    if not 0 <= repeat <= _LONGEST:
        return f"'repeat' is at most {_LONGEST:,} seconds"
    return Route(severity=severity, repeat=float(repeat), **words)


class _Window(msgspec.Struct):
    """What a sink was told of an alert, when, and what it was not told since."""

    severity: str
    state: str
    revision: int
    at: float
    repeat: float
    held: Alert | None = None


class Routing:
    """Routes with what they have told. `clock` is seconds that only grow; `team` says whose an
    alert is. Threads may share it.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        team: Callable[[Alert], str] = lambda _: "",
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self._routes = tuple(routes)
        self._team = team
        self._clock = clock
        self._most = most
        self._windows: OrderedDict[str, dict[str, _Window]] = OrderedDict()
        self._held: set[str] = set()  # alerts of which something is held back
        self._forgotten: list[tuple[Alert, tuple[str, ...]]] = []  # what was held back of others
        self._lock = threading.Lock()

    @property
    def sinks(self) -> tuple[str, ...]:
        """Every sink that a route leads to, once."""
        return tuple(dict.fromkeys(sink for one in self._routes for sink in one.sinks))

    def all(self, alert: Alert) -> dict[str, float]:
        """The sinks of an alert, each with the shortest window of the routes that lead there."""
        team = self._team(alert)
        found: dict[str, float] = {}
        for route in self._routes:
            if route.fits(alert, team):
                for sink in route.sinks:
                    found[sink] = min(found.get(sink, route.repeat), route.repeat)
        return found

    def __call__(self, alert: Alert) -> tuple[str, ...]:
        """The sinks that are told of an alert now."""
        with self._lock:
            now = self._clock()
            known = self._windows.pop(alert.id, {})
            told: list[str] = []
            for sink, repeat in self.all(alert).items():
                window = known.get(sink)
                if window is None or _urgent(window, alert) or now - window.at >= window.repeat:
                    told.append(sink)
                    known[sink] = _Window(alert.severity, alert.state, alert.revision, now, repeat)
                else:
                    window.held = alert
                    self._held.add(alert.id)
            if alert.state == CLOSED:
                self._held.discard(alert.id)
            if known and alert.state != CLOSED:
                self._windows[alert.id] = known
                if len(self._windows) > self._most:
                    self._forget(*self._windows.popitem(last=False))
            return tuple(told)

    def late(self) -> tuple[tuple[Alert, tuple[str, ...]], ...]:
        """What was held back and whose window is over: alerts with the sinks to tell now."""
        with self._lock:
            found, self._forgotten = self._forgotten, []
            now = self._clock()
            for id in tuple(self._held):
                held = [(s, w) for s, w in self._windows[id].items() if w.held is not None]
                due = [(s, w) for s, w in held if now - w.at >= w.repeat]
                found += _taken(due)
                for _, window in due:
                    window.at = now
                if len(due) == len(held):
                    self._held.discard(id)
        return tuple(found)

    def _forget(self, id: str, known: dict[str, _Window]) -> None:
        """There is no room for its windows: what is held back is told before they are over."""
        self._held.discard(id)
        self._forgotten += _taken(known.items())


def _taken(
    windows: Iterable[tuple[str, _Window]],
) -> list[tuple[Alert, tuple[str, ...]]]:
    """What windows hold back, by alert, with the sinks; they hold it no more."""
    sinks = [(sink, window) for sink, window in windows if window.held is not None]
    if not sinks:
        return []
    alert = max((w.held for _, w in sinks if w.held is not None), key=lambda one: one.revision)
    for _, window in sinks:
        window.held = None
    return [(alert, tuple(sink for sink, _ in sinks))]


def _urgent(window: _Window, alert: Alert) -> bool:
    graver = SEVERITIES.index(alert.severity) > SEVERITIES.index(window.severity)
    again = alert.revision <= window.revision  # what was to be told could not be kept
    return again or graver or alert.state != window.state


class Teams:
    """Whose pods and namespaces are: a label of theirs, else an annotation, of one name."""

    def __init__(self, label: str = LABEL) -> None:
        self._label = label
        self._pods: dict[tuple[str, str], str] = {}
        self._namespaces: dict[str, str] = {}

    def add(self, found: Any) -> None:
        """A pod or a namespace as the API server gives it; anything else is passed over."""
        metadata = found.get("metadata") if isinstance(found, Mapping) else None
        if not isinstance(metadata, Mapping):
            return
        team = self._of(metadata)
        name, namespace = str(metadata.get("name") or ""), str(metadata.get("namespace") or "")
        if not name:
            return
        if namespace:
            self._pods.pop((namespace, name), None)
            if team:
                self._pods[namespace, name] = team
            if len(self._pods) > _MOST_PODS:  # they come and go: who was not told of for longest
                del self._pods[next(iter(self._pods))]
        elif found.get("kind", "Namespace") == "Namespace":
            self._namespaces.pop(name, None)
            if team:
                self._namespaces[name] = team

    def _of(self, metadata: Mapping[str, Any]) -> str:
        for where in ("labels", "annotations"):
            told = metadata.get(where)
            if isinstance(told, Mapping) and isinstance(told.get(self._label), str):
                return str(told[self._label])
        return ""

    def of(self, alert: Alert) -> str:
        """The team of an alert; empty: nobody's."""
        namespace = alert.entity.get("k8s_ns", "")
        pod = self._pods.get((namespace, alert.entity.get("pod_name", "")), "")
        return pod or self._namespaces.get(namespace, "")


def silent(sink: str, why: str, at: int, cluster: str = "", began: int = 0) -> Alert:
    """MON-906: a sink does not answer (`why`), or does again (empty). `at` is now, `began` when it
    first did not, in ns since 1970.
    """
    first = began or at
    entity = {"sink": sink}
    return Alert(
        alert_id(SILENT, entity, str(first)),
        SILENT,
        "",
        "high",
        "A sink of alerts does not answer",
        f"{sink} does not answer: {why}" if why else f"{sink} answers again",
        entity,
        first,
        at,
        revision=1 if why else 2,
        state=OPEN if why else CLOSED,
        why="alerts for it wait, and are dead letters after a day",
        fix="martello monitor alerts retry, once it answers",
        cluster=cluster,
    )
