"""A Prometheus as a source of samples: namespace by namespace, metric by metric, piece by piece of
time, each answer decoded and handed on before the next one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from martello.adapters.prometheus import decode, queries
from martello.adapters.prometheus.client import Client
from martello.adapters.prometheus.dedupe import Last, one, together
from martello.adapters.prometheus.failure import Failed
from martello.adapters.prometheus.queries import Pieces, Scope, Window
from martello.adapters.prometheus.settings import Settings
from martello.adapters.usage.owners import Labels, Owners, is_name
from martello.core.errors import MartelloError
from martello.core.usage import COUNTERS, Chunk, Counts, Gap, Metric, Owned

_EXPECTED: tuple[Metric, ...] = ("cpu", "memory")  # every container has them
_PARTS = ("cpu", "device")  # labels by which one series may come in several
# Labels that say which container or what of it; all others only say who saw it.
_SAYING = frozenset(
    ("__name__", "namespace", "pod", "container", "id", "uid", "name", "image", "reason")
) | frozenset((*_PARTS, "resource", "unit"))
_MOST_SKIPPED = 3  # pieces of one metric and namespace that may fail for good
_LONGEST_WAIT = 15.0


class _Series(msgspec.Struct, frozen=True, order=True):
    pod: str
    container: str
    series: str


class _Question(msgspec.Struct, frozen=True):
    """One metric, as this server tells it, and the namespaces that have it."""

    metric: Metric
    name: str
    more: str
    namespaces: frozenset[str]

    def selector(self, scope: Scope, namespace: str = "") -> str:
        """The selector of its series."""
        return scope.selector(self.name, self.more, namespace)


class Prometheus:
    """A Source. `metrics` are asked for; `namespaces` and the beginnings of `pods`' names narrow
    the question; `owners` knows whose pods are, besides what kube-state-metrics tells. `means`:
    not the samples, but the means of `cores`, `memory` and `pids` over so many seconds, each told
    at its end. `spare`: metrics without which nothing is missing.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        metrics: Sequence[Metric] = queries.ASKED,
        namespaces: Sequence[str] = (),
        pods: Sequence[str] = (),
        owners: Owners | None = None,
        means: float = 0.0,
        spare: Sequence[Metric] = (),
        progress: Callable[[Counts], None] = lambda _: None,
    ) -> None:
        self.counts = Counts()
        self._settings = settings
        self._means = means
        self._spare = frozenset(spare)
        self._metrics = [one for one in metrics if queries.names(one, means=bool(means))]
        self._scope = Scope(tuple(namespaces), tuple(pods), settings.cluster)
        self._owners = owners or Owners()
        self._progress = progress
        self._row = 0  # failures one after another
        self._size = int(settings.first * 1000)
        self._came = 0  # samples of the last answer
        self._client: Client

    def chunks(self, since: float, until: float) -> Iterator[Chunk | Gap]:
        """The samples of a time window, see core.usage.Source. A namespace or metric that cannot be
        had is a Gap; Unreachable where the server is away for good, NotPermitted where it does not
        want us.
        """
        window = -int(-since * 1000 // 1), -int(-until * 1000 // 1)
        with Client(self._settings, self.counts) as self._client:
            wanted = [found for metric in self._metrics if (found := self._find(metric, window))]
            for question in wanted:
                if not question.namespaces and question.metric not in self._spare:
                    yield Gap(question.selector(self._scope), "the server has no such series")
            namespaces = sorted(frozenset[str]().union(*(w.namespaces for w in wanted)))
            self.counts.total = len(namespaces)
            for namespace in namespaces:
                self.counts.namespace = namespace
                yield from self._namespace(namespace, wanted, window)
                self.counts.finished.append(namespace)
                self._owners.forget(namespace)
            self.counts.namespace = ""

    def _find(self, metric: Metric, window: Window) -> _Question:
        """Under which name there are series of a metric, and in which namespaces."""
        names = queries.names(metric, means=bool(self._means))
        for name, more in names:
            selector = self._scope.selector(name, more)
            try:
                data, _ = self._patient("label/namespace/values", _span(selector, window))
            except Failed as failed:
                raise failed.error from None
            found = decode.names(data, self._settings.url)
            kept = self._scope.namespaces
            spaces = frozenset(n for n in found if is_name(n) and (not kept or n in kept))
            if spaces:
                return _Question(metric, name, more, spaces)
        return _Question(metric, *names[0], frozenset())

    def _namespace(
        self, namespace: str, wanted: Sequence[_Question], window: Window
    ) -> Iterator[Chunk | Gap]:
        yield from self._whose(namespace, window)
        seen: dict[Metric, set[Owned]] = {}
        self._size = int(self._settings.first * 1000)
        for question in wanted:
            had = seen.setdefault(question.metric, set())
            if namespace not in question.namespaces:
                continue
            for found in self._metric(namespace, question, window):
                if isinstance(found, Chunk) and question.metric in _EXPECTED:
                    had.add(found.of)
                yield found
        everyone = set[Owned]().union(*seen.values())
        for question in wanted:
            if question.metric in _EXPECTED:
                query = question.selector(self._scope, namespace)
                for of in _missing(everyone, seen[question.metric]):
                    yield Gap(query, "this container has no such series", namespace, of)

    def _whose(self, namespace: str, window: Window) -> Iterator[Gap]:
        """Learns whose pods are and were. One that cannot be had is a Gap."""
        found: list[list[Labels]] = []
        scope = Scope((), self._scope.pods, self._scope.cluster)
        for name in ("kube_pod_owner", "kube_replicaset_owner", "kube_job_owner"):
            if name != "kube_pod_owner":
                scope = Scope((), (), self._scope.cluster)
            selector = scope.selector(name, "", namespace, containers=False)
            try:
                data, _ = self._patient("series", _span(selector, window))
                found.append(list(decode.labels(data, self._settings.url)))
            except Failed as failed:
                found.append([])
                yield Gap(selector, failed.why, namespace)
        self._owners.learn(namespace, *found)

    def _metric(self, namespace: str, question: _Question, window: Window) -> Iterator[Chunk | Gap]:
        """The samples of a namespace's metric, piece by piece."""
        settings = self._settings
        selector = question.selector(self._scope, namespace)
        query = selector
        step = self._means or (settings.step if question.metric in queries.STEPPED else 0.0)
        if self._means:
            query = queries.mean(question.metric, selector, step)
        most = int(step * 1000) * queries.MOST_STEPS if step else window[1] - window[0]
        first = 10 * self._size if step else self._size
        pieces = Pieces(window, first, int(settings.smallest * 1000), settings.samples, most)
        lasts: dict[tuple[_Series, str], Last] = {}
        warned: set[str] = set()
        skipped = 0
        while (piece := pieces.piece()) is not None:
            try:
                series, warnings = self._answer(query, piece, step)
            except Failed as failed:
                much = failed.kind == "much"
                if (much or failed.kind == "broken") and pieces.halve(lasting=much):
                    self.counts.halved += 1
                elif much or failed.kind == "refused":  # else asked once more: _wait bounds it
                    lost = pieces.skip()
                    skipped += 1
                    yield Gap(f"{selector} of {_told(lost)}", failed.why, namespace)
                    if failed.kind == "refused" or skipped >= _MOST_SKIPPED:
                        return
                continue
            self._came = 0
            yield from self._chunks(namespace, question.metric, series, piece, lasts)
            for warning in warnings:
                if warning not in warned and len(warned) < 20:
                    warned.add(warning)
                    yield Gap(selector, warning, namespace)
            pieces.done(self._came)
            self._progress(self.counts)
        if not step:
            self._size = pieces.size

    def _answer(
        self, selector: str, piece: Window, step: float
    ) -> tuple[list[decode.Series], tuple[str, ...]]:
        if step:
            data, warnings = self._ask("query_range", queries.stepped(selector, piece, step))
        else:
            data, warnings = self._ask("query", queries.raw(selector, piece))
        return decode.matrix(data, self._settings.url), warnings

    def _chunks(
        self,
        namespace: str,
        metric: Metric,
        series: Sequence[decode.Series],
        piece: Window,
        lasts: dict[tuple[_Series, str], Last],
    ) -> Iterator[Chunk]:
        """One answer as chunks, a container's series at a time."""
        begin, end = piece[0] / 1000, piece[1] / 1000
        counter = metric in COUNTERS
        for key, parts in sorted(self._grouped(series).items()):
            pairs: list[decode.Pair] = []
            for part, seen in sorted(parts.items()):
                read = {who: self._tidy(raw, begin, end) for who, raw in seen.items()}
                pair, last = one(read, lasts.get((key, part)), self.counts, counter=counter)
                if last is not None:
                    lasts[key, part] = last
                if len(pair[0]):
                    pairs.append(pair)
            if not pairs:
                continue
            times, values = together(pairs)
            self.counts.samples += len(times)
            whose = self._owners.of(namespace, key.pod)
            of = Owned(namespace, key.pod, key.container, whose)
            yield Chunk(of, metric, times, values, series=key.series)

    def _tidy(self, raw: msgspec.Raw, begin: float, end: float) -> decode.Pair:
        pair = decode.samples(raw, self._settings.url)
        self._came += len(pair[0])
        return decode.tidy(pair, begin, end, self.counts)

    def _grouped(
        self, series: Sequence[decode.Series]
    ) -> dict[_Series, dict[str, dict[str, msgspec.Raw]]]:
        """Which container's series → which part of it → who saw it → the samples."""
        found: dict[_Series, dict[str, dict[str, msgspec.Raw]]] = {}
        for each in series:
            labels = each.metric
            pod, container = labels.get("pod", ""), labels.get("container", "")
            if container == "POD" or not is_name(pod) or not is_name(container):
                self.counts.drop("of no container")
                continue
            which = labels.get("id") or labels.get("uid") or labels.get("name") or ""
            part = "|".join(labels.get(label, "") for label in _PARTS)
            who = "|".join(f"{k}={v}" for k, v in sorted(labels.items()) if k not in _SAYING)
            parts = found.setdefault(_Series(pod, container, which), {})
            parts.setdefault(part, {})[who] = each.values
        for parts in found.values():
            if "total|" in parts:  # the sum of all processors, beside each of them
                for part in [part for part in parts if part != "total|"]:
                    del parts[part]
        return found

    def _patient(self, path: str, params: Mapping[str, str]) -> tuple[msgspec.Raw, tuple[str, ...]]:
        """A question that cannot be made smaller. Raises Failed where asking again is no use."""
        while True:
            try:
                return self._ask(path, params)
            except Failed as failed:
                if failed.kind in ("much", "refused"):
                    raise

    def _ask(self, path: str, params: Mapping[str, str]) -> tuple[msgspec.Raw, tuple[str, ...]]:
        """One question. Raises Failed once it has waited as long as is needed before the next, and
        the error itself where too many have failed one after another.
        """
        limit = max(1.0, self._settings.seconds - 2)
        more = {
            "timeout": f"{limit:g}s",
            # Thanos: replicas as one, nothing downsampled, and whether a part is an answer
            "dedup": "true",
            "max_source_resolution": "0s",
            "partial_response": "true" if self._settings.partial else "false",
        }
        try:
            body = self._client.ask(path, {**params, **more})
        except Failed as failed:
            self._wait(failed)
            raise
        self._row = 0
        data, warnings = decode.opened(body, self._settings.url)
        return data, tuple(filter(None, map(self._client.safe, warnings)))

    def _wait(self, failed: Failed) -> None:
        self.counts.retries += 1
        if failed.kind in ("much", "refused"):
            return
        self._row += 1
        if self._row >= self._settings.tries:
            raise _after(failed.error, self._row)
        pause = self._settings.wait * 2 ** (self._row - 1) * (0.5 + self._settings.chance() / 2)
        self._settings.sleep(min(_LONGEST_WAIT, max(failed.after, pause)))


def _missing(everyone: set[Owned], had: set[Owned]) -> list[Owned]:
    """Containers that had nothing in any pod of their workload, each once, in one of its pods."""
    known = {(of.workload or of.pod, of.container) for of in had}
    found: dict[tuple[str, str], Owned] = {}
    for of in sorted(everyone - had):
        key = (of.workload or of.pod, of.container)
        if key not in known:
            found.setdefault(key, of)
    return list(found.values())


def _after(error: MartelloError, tries: int) -> MartelloError:
    told = f"{tries} tries"
    why = f"{error.why[:-1]}, {told})" if error.why.endswith(")") else f"{error.why} ({told})"
    return type(error)(error.what, why, error.next)


def _span(selector: str, window: Window) -> dict[str, str]:
    begin, end = window
    return {
        "match[]": selector,
        "start": queries.seconds(begin),
        "end": queries.seconds(end - 1),
    }


def _told(window: Window) -> str:
    begin, end = (datetime.fromtimestamp(at // 1000, UTC) for at in window)
    return f"{begin:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}"
