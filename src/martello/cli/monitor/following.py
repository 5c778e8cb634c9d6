"""What is followed: logs as they grow, the kernel's messages, the cluster's Events, the sensor."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

from martello.adapters.intake.decode import COLUMNS, lines
from martello.adapters.intake.mark import written
from martello.adapters.intake.tail import Lost, Piece, Tail, Tails, whole_lines, whole_records
from martello.adapters.sensors.containers import Containers
from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import Event, Place
from martello.cli.monitor.missing import said
from martello.cli.monitor.watch import Watch
from martello.core.errors import BadInput, MartelloError

LOGS: Final = ("audit", "falco", "tetragon", "hubble", "cri", "auditd", "ndjson")
ALONE: Final = ("kmsg", "events")
_PAUSE: Final = 0.2  # seconds between looks at a log
_AGAIN: Final = 1.0  # seconds before what found no room is kept again
_GATHER: Final = 0.1  # seconds that a sensor's events are gathered
_MOST_HELD: Final = 1_000  # of them, before they are kept at once
_MOST_SEEN: Final = 200_000


class Followed(Protocol):
    """A log, or a directory of them."""

    def poll(self) -> Iterator[Piece | Lost]:
        """What was written since."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...


def parsed(told: Iterable[str]) -> list[tuple[str, str]]:
    """`--follow` as kind and path. Raises BadInput."""
    found = []
    for one in told:
        kind, colon, path = one.partition(":")
        if kind in ALONE and not path:
            found.append((kind, ""))
        elif kind in LOGS and colon and path:
            found.append((kind, os.path.abspath(path)))
        else:
            known = [*(f"{name}:PATH" for name in LOGS), *ALONE]
            raise BadInput(f"cannot follow {one}", "", f"it is one of {', '.join(known)}")
    if len(set(found)) < len(found):
        raise BadInput("a log is followed twice", "", "name each once")
    return found


def begin(
    watch: Watch, kind: str, path: str, flags: dict[str, Any], place: Place, pods: Pods
) -> None:
    """Follows one of `--follow`. Raises BadInput where it cannot."""
    if kind == "events":
        _events(watch, flags)
    elif kind == "kmsg":
        _kmsg(watch, place, pods, flags["from_start"])
    else:
        _log(watch, kind, path, flags["from_start"])


def _log(watch: Watch, kind: str, path: str, from_start: bool) -> None:
    name = watch.keeper.name(kind, path)
    marks = watch.keeper.marks(name)
    log: Followed
    if kind == "cri":
        if not os.path.isdir(path):
            raise BadInput(f"cannot follow {path}", "it is no directory", "such as /var/log/pods")
        log = Tails(path, marks, from_start=from_start)
    else:
        if os.path.isdir(path):
            raise BadInput(f"cannot follow {path}", "it is a directory", "name the file")
        cut = whole_records if kind == "auditd" else whole_lines
        log = Tail(path, marks, from_start=from_start, cut=cut)

    def run() -> None:
        while True:
            ending = watch.jobs.ending.is_set()  # what was written until then is read once more
            try:
                for one in log.poll():
                    if not _kept(watch, kind, path, one):
                        return
                watch.jobs.troubled(path)
            except OSError as error:
                watch.jobs.troubled(path, f"{path}: {error.strerror}")
            if ending or watch.jobs.ending.wait(_PAUSE):
                break
        log.close()

    watch.jobs.thread(run, f"{kind} {path}")


def _kept(watch: Watch, kind: str, path: str, one: Piece | Lost) -> bool:
    """Keeps a piece of a log; the log holds it until there is room. False: it ends before."""
    if isinstance(one, Lost):
        watch.keeper.missed(kind, one.size, f"{one.path}: {one.why}", "lost")
        return True
    while True:
        try:
            watch.keeper.keep(kind, one.body, path, written(one.mark))
            return True
        except MartelloError as error:
            watch.jobs.troubled(path, f"{path} waits: {error.what}")
            if watch.jobs.ending.wait(_AGAIN):
                return False


def sensor(
    watch: Watch, events: Iterable[Event | None], name: str, stop: Callable[[], None]
) -> None:
    """Keeps the events of a sensor for as long as it gives some. A moment after the last one they
    are kept, whether another follows or not.
    """
    held: list[Event] = []
    lock = threading.Lock()

    def keep() -> None:
        with lock:
            if not held:
                return
            try:
                watch.keeper.keep(COLUMNS, lines(held))
            except MartelloError as error:
                watch.keeper.missed(name, 0, error.what)
            held.clear()

    def run() -> None:
        try:
            for event in events:
                with lock:
                    held.extend([event] if event is not None else [])
                if len(held) >= _MOST_HELD:
                    keep()
                if watch.jobs.ending.is_set():
                    break
        except Exception as error:
            what = str(error.strerror) if isinstance(error, OSError) else said(error)
            watch.jobs.troubled(name, f"{name}: {what}")
            watch.keeper.missed(name, 0, what, "died")
        keep()

    watch.jobs.run(keep, f"{name} kept", _GATHER)
    watch.jobs.thread(run, name, stop)


def bpftrace(watch: Watch, place: Place, pods: Pods) -> None:
    """Watches the containers of this machine."""
    from martello.adapters.sensors.bpftrace import Sensor, boot_id

    found = Sensor(place._replace(boot=boot_id()), Containers(pods))
    sensor(watch, found, "bpftrace", found.stop)


def _kmsg(watch: Watch, place: Place, pods: Pods, from_start: bool) -> None:
    from martello.adapters.sensors.bpftrace import boot_id
    from martello.adapters.sensors.kmsg import Reader
    from martello.adapters.sensors.kmsg import watch as messages

    if not os.access("/dev/kmsg", os.R_OK):
        raise BadInput("cannot follow /dev/kmsg", "you may not read it", "run as root")
    booted = time.time_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    reader = Reader(place._replace(boot=boot_id()), boot=booted, containers=Containers(pods))
    sensor(watch, messages(reader, time.time_ns, from_start=from_start), "kmsg", lambda: None)


def _events(watch: Watch, flags: dict[str, Any]) -> None:
    """The cluster's Events: each as it is now, whenever it has changed."""
    import msgspec

    from martello.cli.monitor.collection import Collection

    seen: dict[str, str] = {}

    def take(found: list[dict[str, Any]]) -> None:
        new = {uid: one for one in found if (uid := _uid(one)) and seen.get(uid) != _version(one)}
        if not new:
            return
        watch.keeper.keep("events", b"\n".join(map(msgspec.json.encode, new.values())))
        for uid, one in new.items():
            seen.pop(uid, None)
            seen[uid] = _version(one)
        for old in list(seen)[: max(0, len(seen) - _MOST_SEEN)]:
            del seen[old]

    Collection(flags, "/api/v1/events", "events", take).follow(watch.jobs)


def _uid(one: dict[str, Any]) -> str:
    meta = one.get("metadata")
    return str(meta.get("uid") or "") if isinstance(meta, dict) else ""


def _version(one: dict[str, Any]) -> str:
    return str(one["metadata"].get("resourceVersion"))
