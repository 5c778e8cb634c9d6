"""`resources record`: snapshots of metrics-server, added to a file of samples until it is enough.

A sample that metrics-server has told already (it measures every 15 s or so) is not written again.
The first snapshot must be had; later ones that cannot be are counted, and recording goes on.
"""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from martello.cli.progress import Progress
from martello.core.errors import BadInput, MartelloError, NotPermitted, Unreachable
from martello.core.usage import Chunk, Metric, Owned
from martello.report.text import clean, plural

if TYPE_CHECKING:
    from martello.adapters.usage.snapshot import Snapshot

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_LONGEST: Final = 366 * 86_400.0
_USUAL: Final = "60s"  # where only --for is said
_TICK: Final = 1.0  # seconds between two updates of the line of progress
_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
Take = Callable[[], "Snapshot"]


class Recorded(msgspec.Struct):
    """What was added so far, and what could not be had."""

    snapshots: int = 0
    samples: int = 0
    missed: int = 0  # snapshots
    why: str = ""  # the first one was missed, or is not whole
    containers: set[Owned] = set()
    last: dict[tuple[Owned, Metric], float] = {}  # the time of each series' newest sample


def record_command(word: str, flags: Mapping[str, Any]) -> int:
    """Records, and says what; the exit code. Raises BadInput, and what the first snapshot raises:
    Unreachable or NotPermitted.
    """
    from martello.adapters.cluster.kubeconfig import access
    from martello.adapters.usage import csv_file, snapshot

    every, length = _times(flags["every"], flags["length"])
    file = Path(word)
    csv_file.fit(file)
    namespaces = tuple(flags["namespaces"])

    def take() -> Snapshot:
        """With what the kubeconfig says by now: tokens are renewed."""
        return snapshot.take(access(flags["context"], kubeconfig=flags["kubeconfig"]), namespaces)

    done = Recorded()
    with Progress() as progress, _ended_by_signals():
        progress("asking metrics-server")
        try:
            _record(take, file, done)
            if every:
                _go_on(take, file, done, every, length, progress)
        except KeyboardInterrupt:
            if not (every and done.snapshots):
                raise
    world = f"cluster:{flags['context']}" if flags["context"] else "cluster"
    return _tell(word, world, done, bool(flags["allow_incomplete"]))


def _go_on(
    take: Take, file: Path, done: Recorded, every: float, length: float, progress: Progress
) -> None:
    """The snapshots after the first one, at whole multiples of a distance (seconds) from it; ends
    after a length (0: never).
    """
    begun = time.monotonic()
    troubled = False
    while True:
        at = begun + (int((time.monotonic() - begun) / every) + 1) * every
        if length and at - begun > length:
            return
        while (left := at - time.monotonic()) > 0:
            what = f"{plural(done.snapshots, 'snapshot')}, {plural(done.samples, 'sample')}"
            progress(f"{what}; the next one in {left:.0f} s, Ctrl-C ends")
            time.sleep(min(left, _TICK))
        try:
            _record(take, file, done)
            troubled = False
        except (Unreachable, NotPermitted) as error:
            done.missed += 1
            done.why = done.why or _line(error)
            if not troubled:
                print(f"missed: {clean(_line(error))}; going on", file=sys.stderr)
            troubled = True


def _record(take: Take, file: Path, done: Recorded) -> None:
    """Adds what is new of one snapshot."""
    from martello.adapters.usage import csv_file

    taken = take()
    times = {(chunk.of, chunk.metric): float(chunk.times[-1]) for chunk in taken.samples}
    new = [chunk for chunk in taken.samples if _is_new(chunk, done.last)]
    with _undisturbed():
        done.samples += csv_file.append(file, new)
        done.snapshots += 1
        done.last = times
        done.containers.update(chunk.of for chunk in new)
    if taken.gaps:
        done.why = done.why or f"{taken.gaps[0].what}: {taken.gaps[0].why}"


def _is_new(chunk: Chunk, last: Mapping[tuple[Owned, Metric], float]) -> bool:
    return float(chunk.times[-1]) > last.get((chunk.of, chunk.metric), 0.0)


def _tell(word: str, world: str, done: Recorded, allowed: bool) -> int:
    """Says what was recorded; the exit code."""
    told = f"{plural(done.samples, 'sample')} of {plural(len(done.containers), 'container')}"
    print(clean(f"{word}: {told} added by {plural(done.snapshots, 'snapshot')}"))
    if done.missed:
        print(clean(f"missed: {plural(done.missed, 'snapshot')}; {done.why}"))
    elif done.why:
        print(clean(f"missed: {done.why}"))
    if done.samples:
        print("next, with a day of samples or more, better two weeks:")
        print(clean(f"  martello resources advise --samples {word} -f {world}"))
    else:
        done.why = done.why or "metrics-server knows no container yet"
    if not done.why or allowed:
        return 0
    reason = "some of it was missed" if done.samples else done.why
    print(clean(f"exit 3: {reason} (--allow-incomplete)"))
    return 3


def _line(error: MartelloError) -> str:
    return f"{error.what}: {error.why}" if error.why else error.what


def _times(every: str, length: str) -> tuple[float, float]:
    """Seconds between snapshots (0: only one) and of all (0: without end). Raises BadInput."""
    whole = _seconds(length, "--for") if length else 0.0
    apart = _seconds(every or _USUAL, "--every") if every or length else 0.0
    if whole and apart > whole:
        raise BadInput(
            f"--every {every or _USUAL} is longer than --for {length}",
            "that would be one snapshot",
            "leave both out for one, or name a longer --for",
        )
    return apart, whole


def _seconds(text: str, flag: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    length = int(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 1.0 <= length <= _LONGEST:
        raise BadInput(
            f"{flag} {text[:40]} is no length of time",
            "it is a second to a year",
            "such as 30s, 5m, 1h or 14d",
        )
    return length


@contextlib.contextmanager
def _signals(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    before = {one: signal.signal(one, handler) for one in _ENDING}
    try:
        yield
    finally:
        for one, handled in before.items():
            signal.signal(one, handled)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _ended_by_signals() -> contextlib.AbstractContextManager[None]:
    """SIGTERM, as services are ended, does what Ctrl-C does."""
    return _signals(_interrupt)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A signal waits until what is written is whole."""
    came: list[int] = []
    with _signals(lambda number, _: came.append(number)):
        yield
    if came:
        raise KeyboardInterrupt
