"""From the chunks of a source to what each container asked for, a namespace at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from martello.core.errors import MartelloError
from martello.core.sizing import Key
from martello.core.usage import Chunk, Gap, Owned
from martello.practices.resources.usage import segments
from martello.practices.resources.usage.demand import HOUR, Demand
from martello.practices.resources.usage.recorder import Recorder, Window


def window(since: float, until: float) -> Window:
    """The whole hours that hold a span of time."""
    begin = since // HOUR * HOUR
    return Window(begin, max(1, int(-(-(until - begin) // HOUR))))


def gather(
    chunks: Iterable[Chunk | Gap],
    span: Window,
    whose: Callable[[Owned], str] = segments.workload,
    gaps: list[Gap] | None = None,
    finished: Callable[[str], bool] = lambda _: False,
) -> Iterator[Demand]:
    """What each container asked for; those of a namespace are given and forgotten when the next
    namespace begins. `whose` names the workload of a pod, `gaps` takes what could not be had. Where
    the source breaks off, a namespace that is `finished` is given before its error is raised.
    """
    open_: dict[Key, Recorder] = {}
    namespace: str | None = None
    try:
        for chunk in chunks:
            if isinstance(chunk, Gap):
                if gaps is not None:
                    gaps.append(chunk)
                continue
            if chunk.of.namespace != namespace:
                yield from _closed(open_)
                namespace = chunk.of.namespace
            if chunk.of.container in ("", "POD"):
                continue  # the pod's own group, and the container that only holds its network
            key = Key(chunk.of.namespace, whose(chunk.of), chunk.of.container)
            recorder = open_.get(key)
            if recorder is None:
                recorder = open_[key] = Recorder(key, span)
            recorder.take(chunk)
    except MartelloError:
        if namespace is not None and finished(namespace):
            yield from _closed(open_)
        raise
    yield from _closed(open_)


def _closed(recorders: dict[Key, Recorder]) -> Iterator[Demand]:
    for key in sorted(recorders):
        yield recorders.pop(key).demand()
