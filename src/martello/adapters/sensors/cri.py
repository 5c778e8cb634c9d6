"""Containers' logs as the kubelet's runtime writes them: CRI lines (`time stream P|F text`), and
Docker's JSON. Parts (P) are joined until their end (F), for each stream apart.

Columns: log_stream, log_text, and where the path names them (`/var/log/pods/NS_POD_UID/NAME/N.log`)
k8s_ns, pod_name, pod_uid, container_name; the rest from the pods that are handed in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import (
    NOWHERE,
    Event,
    NotRead,
    Place,
    finished,
    identity,
    lines,
    moment,
    named,
    parsed,
    text,
    text_of,
)
from martello.core.event import Gap

SOURCE: Final = "cri"
LONGEST_LOG: Final = 256 << 10  # bytes of a joined line; the rest is dropped, and flagged
_LINE: Final = re.compile(rb"(\S{10,40}) (stdout|stderr) ([PF])(?::\S*)?(?: (.*))?", re.S)
_POD: Final = re.compile(r"(?:^|/)([a-z0-9.-]+)_([a-z0-9.-]+)_([0-9a-f-]{32,36})/([^/]+)/[^/]+$")
_LINK: Final = re.compile(r"(?:^|/)([a-z0-9.-]+)_([a-z0-9.-]+)_([a-z0-9.-]+)-([0-9a-f]{64})\.log$")


class Line(NamedTuple):
    """One line of a log: when, of which stream, what, and whether more of it follows."""

    time: str
    stream: str
    text: bytes
    partial: bool


def line_of(line: bytes) -> Line:
    """The parts of a line without its end. Raises NotRead."""
    if line.startswith(b"{"):
        raw = parsed(line, set())
        log, stream = raw.get("log"), text(raw, "stream")
        if not isinstance(log, str) or stream not in ("stdout", "stderr"):
            raise NotRead("it is no line of a container's log")
        partial = not log.endswith("\n")
        told = log.removesuffix("\n").encode("utf-8", "replace")
        return Line(text(raw, "time") or "", stream, told, partial)
    found = _LINE.fullmatch(line)
    if found is None:
        raise NotRead("it is no line of a container's log")
    return Line(
        found[1].decode("ascii", "replace"),
        found[2].decode("ascii"),
        found[4] or b"",
        found[3] == b"P",
    )


def pod_of(path: str, pods: Pods) -> Event:
    """The columns that a log's path gives."""
    found = _POD.search(path)
    if found is not None:
        uid = found[3]
        known = pods.pod(uid, found[1], found[2])
        own = {"k8s_ns": found[1], "pod_name": found[2], "pod_uid": uid}
        return {**known, **own, "container_name": found[4]}
    found = _LINK.search(path)
    if found is not None:
        own = {"k8s_ns": found[2], "pod_name": found[1], "container_name": found[3]}
        return {**pods.container(found[4]), **own, "container_id": found[4]}
    return {}


class _Held:
    """The parts of a line that is not finished."""

    __slots__ = ("begun", "cut", "parts", "size")

    def __init__(self, begun: str) -> None:
        self.begun = begun
        self.parts: list[bytes] = []
        self.size = 0
        self.cut = False

    def add(self, part: bytes) -> None:
        room = LONGEST_LOG - self.size
        if len(part) > room:
            part, self.cut = part[: max(room, 0)], True
        if part:
            self.parts.append(part)
            self.size += len(part)


class Log:
    """One container's log, read as it grows. `path` names the pod."""

    def __init__(self, path: str, place: Place = NOWHERE, pods: Pods | None = None) -> None:
        self.path = path
        self._place = place
        self._where = pod_of(path, pods or Pods())
        self._held: dict[str, _Held] = {}

    def read(self, parts: Iterable[bytes], seen: int, ends: bool = True) -> Iterator[Event | Gap]:
        """The events of the log; with `ends`, what is unfinished then is told as it is."""
        for at, size, line in lines(parts, 2 * LONGEST_LOG):
            if line is None:
                yield Gap(self.path, at, size, "a line is longer than 512 KiB")
                continue
            try:
                yield from self.line(line, seen)
            except NotRead as error:
                yield Gap(self.path, at, size, str(error))
        if ends:
            yield from self.end(seen)

    def line(self, line: bytes, seen: int) -> list[Event]:
        """The event that a line completes, if it does. Raises NotRead."""
        told = line_of(line)
        held = self._held.get(told.stream)
        if held is None:
            held = _Held(told.time)
        held.add(told.text)
        if told.partial:
            self._held[told.stream] = held
            return []
        self._held.pop(told.stream, None)
        return [self._event(told.stream, held, {"partial"} if held.cut else set(), seen)]

    def end(self, seen: int) -> list[Event]:
        """What is held when the log ends, flagged `partial`."""
        held, self._held = self._held, {}
        return [self._event(stream, one, {"partial"}, seen) for stream, one in held.items()]

    def _event(self, stream: str, held: _Held, flags: set[str], seen: int) -> Event:
        whole = b"".join(held.parts)
        at = moment(held.begun, seen, flags)
        event: Event = {
            "id": identity(self._place, SOURCE, self.path, held.begun, stream, whole),
            "kind": "log",
            "action": "line",
            "source": SOURCE,
            "time": at,
            "seen": seen,
            **self._where,
            "log_stream": stream,
            "raw": whole.decode("utf-8", "backslashreplace"),
        }
        event = finished(named(event, self._place), flags)
        # A log's line may be longer than other columns.
        event["log_text"] = text_of(whole, flags)
        if flags:
            event["flags"] = sorted(flags)
        return event


class Logs:
    """Every log below a directory (`/var/log/pods`), followed through rotation: a file
    that was renamed is read to its end as the same pod's, the new one from its begin.
    """

    def __init__(
        self,
        root: str,
        place: Place = NOWHERE,
        pods: Pods | None = None,
        *,
        from_start: bool = False,
    ) -> None:
        self._root, self._place, self._pods = root, place, pods or Pods()
        self._from_start = from_start
        self._known: dict[tuple[int, int], tuple[Log, int, bytes]] = {}  # by inode: read up to
        self._begun = False

    def poll(self, seen: int) -> Iterator[Event | Gap]:
        """What was written since the last poll. A file that was cut is read anew, and a Gap."""
        there: set[tuple[int, int]] = set()
        for path in self._paths():
            try:
                with open(path, "rb") as file:
                    status = os.fstat(file.fileno())
                    key = (status.st_dev, status.st_ino)
                    there.add(key)
                    yield from self._grown(path, key, file.fileno(), status.st_size, seen)
            except OSError:
                continue  # rotated away between looking and opening: it has another name now
        for key in [one for one in self._known if one not in there]:
            log, _, held = self._known.pop(key)
            if held.strip():
                yield Gap(log.path, 0, len(held), "the log ended within a line")
            yield from log.end(seen)
        self._begun = True

    def _paths(self) -> Iterator[str]:
        for directory, _, names in os.walk(self._root):
            for name in sorted(names):
                if ".log" in name and not name.endswith((".gz", ".tmp")):
                    yield os.path.join(directory, name)

    def _grown(
        self, path: str, key: tuple[int, int], file: int, size: int, seen: int
    ) -> Iterator[Event | Gap]:
        known = self._known.get(key)
        if known is None:
            skipped = 0 if self._from_start or self._begun else size
            known = (Log(path, self._place, self._pods), skipped, b"")
        log, offset, held = known
        if size < offset:
            yield Gap(path, size, offset - size, "the log was cut; what it held then is not known")
            offset, held = 0, b""
        while offset < size:
            piece = os.pread(file, min(1 << 18, size - offset), offset)
            if not piece:
                break
            offset += len(piece)
            whole, newline, held = (held + piece).rpartition(b"\n")
            if newline:
                yield from log.read((whole, newline), seen, ends=False)
            if len(held) > 2 * LONGEST_LOG:
                yield Gap(path, offset - len(held), len(held), "a line is longer than 512 KiB")
                held = b""
        self._known[key] = (log, offset, held)
