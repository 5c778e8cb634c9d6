"""The records of the probes (probes/*.bt) as events.

A record is a line of bpftrace's JSON whose text has fields between `|`, at most one of them of the
attacker's making, and that the last. Some events are several records of one thread: an exec (X, D,
A), an open whose real names are told (D, O), a mount (M, P).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from martello.adapters.sensors import calls
from martello.adapters.sensors.containers import Containers
from martello.adapters.sensors.execs import Exec, arguments, executable, marks
from martello.adapters.sensors.records import lost, name, record, result, string
from martello.adapters.sensors.records import path as path_of
from martello.adapters.sensors.shape import (
    SECOND,
    Event,
    NotRead,
    Place,
    finished,
    gap,
    identity,
    named,
    text_of,
)
from martello.adapters.sensors.tree import LONGEST_ARGS, Process, Tree, inhabits, link, looked_up

SOURCE: Final = "bpftrace"
_LATE: Final = SECOND  # ns until an exec is told without the records that did not come
_MOST_PENDING: Final = 4096
_NOT_SET: Final = 4_294_967_295
_SELF: Final = "exe"


class Decoder:
    """Feeds on lines, gives events. `boot` is the wall time (ns) at which the machine booted;
    `host` the inode of the host's mount namespace.
    """

    def __init__(
        self,
        place: Place,
        containers: Containers,
        *,
        host: int,
        boot: int,
        proc: str = "/proc",
        tree: Tree | None = None,
    ) -> None:
        self.place, self.containers, self.host, self.boot = place, containers, host, boot
        self.tree = Tree(lives=partial(inhabits, proc)) if tree is None else tree
        self.lost = self.unread = 0
        self.canaries: dict[int, int] = {}  # the sensor's own processes: until when (ns since boot)
        self.own: set[int] = set()  # what the sensor itself does is no event
        self.heard: set[int] = set()  # those that were seen
        self._proc = proc
        self._execs: OrderedDict[int, Exec] = OrderedDict()
        self._names: OrderedDict[int, tuple[list[bytes], bytes]] = OrderedDict()
        self._texts: dict[int, dict[str, str]] = {}
        self._kinds: dict[bytes, Callable[[list[bytes], bytes, int], list[Event]]] = {
            b"O": self._open, b"U": self._changed, b"C": self._connect, b"L": self._listen,
            b"P": self._call, b"Y": self._failed, b"X": self._exec, b"A": self._argument,
            b"D": self._named, b"M": self._text, b"K": self._fork, b"Q": self._exit,
        }  # fmt: skip

    def feed(self, line: bytes, seen: int) -> list[Event]:
        """The events that a line completes; `seen` is now (ns)."""
        found = record(line)
        if found is None:
            return self._other(line, seen)
        try:
            return self._kinds[found.kind](found.fields, found.raw, seen)
        except (KeyError, ValueError, IndexError):
            self.unread += 1
            why = "a record of the probes cannot be read"
            return [gap(self.place, SOURCE, "unread", seen, seen, why, 1)]

    def late(self, seen: int) -> list[Event]:
        """The execs whose other records did not come within a second."""
        found: list[Event] = []
        for pid, pending in list(self._execs.items()):
            if abs(seen - pending.seen) < _LATE:  # a clock may be set back
                break
            found += self._executed(pid, self._execs.pop(pid), seen)
        return found

    def _other(self, line: bytes, seen: int) -> list[Event]:
        try:
            count = lost(line)
        except NotRead as error:
            self.unread += 1
            return [gap(self.place, SOURCE, "unread", seen, seen, str(error), 1)]
        if count is None:
            return []  # attached_probes, and maps at the end
        self.lost += count
        why = "the kernel's buffer was full: these records are lost"
        return [gap(self.place, SOURCE, "lost", seen, seen, why, count)]

    def _process(self, pid: int, mount: int, cgroup: int) -> Process:
        known = self.tree.get(pid)
        if known is not None and known.columns and self._same(known, mount):
            self._called(known, mount)
            return known
        return self._look_up(pid, self._key(cgroup, mount, pid), mount)

    def _same(self, known: Process, mount: int) -> bool:
        """Whether a process is the one that was seen. In another namespace it may not be."""
        if known.alive and known.where != mount:
            if known.where:
                self.tree.newer(known.pid, looked_up(known.pid, 0, self._proc)[0].began)
            known.where = mount
        return known.alive

    def _called(self, process: Process, mount: int) -> None:
        """The names of a process' pod, where they became known after it had begun."""
        if "pod_workload" not in process.columns and process.called != self.containers.pods.version:
            process.called = self.containers.pods.version
            process.columns.update(self.containers.columns(process.key, mount, process.pid))

    def _key(self, cgroup: int, mount: int, pid: int) -> int:
        key, known = self.containers.key(cgroup, mount, pid), self.tree.get(pid)
        # A namespace that a container made for itself, or the host's that it went into.
        if key == mount and known is not None and known.alive and not self.tree.inhabited(mount):
            return known.key
        return key

    def _look_up(self, pid: int, key: int, mount: int) -> Process:
        """A process that was there before the sensor."""
        found, ppid, _ = looked_up(pid, key, self._proc)
        return self._met(found, ppid, key, mount)

    def begin(self, process: Process, ppid: int, mount: int) -> None:
        """A process that runs as the sensor begins."""
        group = self.containers.cgroup(process.pid)
        self._met(process, ppid, self.containers.key(group, mount, process.pid), mount)

    def _met(self, found: Process, ppid: int, key: int, mount: int) -> Process:
        self.tree.newer(found.pid, found.began)
        process = self._placed(found.pid, ppid, key, found.known)
        process.take(found)
        process.columns = self._columns(process, mount)
        return process

    def _placed(self, pid: int, ppid: int, key: int, at: int) -> Process:
        """A process in its place; the key may be another container's by now."""
        first = self.tree.first(key)
        process = self.tree.executed(pid, ppid, key, self._outside(ppid), at)
        if self.tree.first(key) != first:
            self.containers.forget(key)
        return process

    def _outside(self, pid: int) -> Process | None:
        """A parent that is in no container, as it is now."""
        if pid <= 0 or self.tree.holds(pid):
            return None
        found = looked_up(pid, self.host, self._proc)[0]
        return found if found.alive else None

    def _columns(self, process: Process, mount: int) -> Event:
        return {**process.told(), **self.containers.columns(process.key, mount, process.pid)}

    def _event(
        self,
        kind: str,
        action: str,
        fields: list[bytes],
        raw: bytes,
        seen: int,
        flags: set[str],
        columns: Event,
    ) -> list[Event]:
        """An event of a record that begins as most do: time, pid, tid, mount, cgroup, uid."""
        pid, tid = int(fields[2]), int(fields[3])
        at = int(fields[1])
        if at <= self.canaries.get(pid, -1) or pid in self.own:
            return []
        process = self._process(pid, int(fields[4]), int(fields[5]))
        event: Event = {
            **process.columns,
            "id": identity(self.place, SOURCE, at, tid, action),
            "kind": kind,
            "action": action,
            "source": SOURCE,
            "time": self.boot + at,
            "seen": seen,
            "seq": at,
            "proc_uid": int(fields[6]),
            "sys_res": result(int(fields[7])),
            "raw": raw.decode("utf-8", "backslashreplace"),
        }
        # Records are short, and what is told of the process is finished already.
        event.update(
            {key: value for key, value in columns.items() if value is not None and value != []}
        )
        if flags:
            event["flags"] = sorted(flags)
        return [named(event, self.place)]

    def _fork(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        parent, child, mount, cgroup = map(int, fields[2:6])
        key, known = self._key(cgroup, mount, parent), self.tree.get(parent)
        # One that has ended forks no more: another one does, or the records are out of order.
        if known is None or (
            not known.alive and (known.key != key or inhabits(self._proc, parent, key))
        ):
            self._process(parent, mount, cgroup)
        self.tree.fork(parent, child, key, int(fields[1]))
        return []

    def _exec(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        pid = int(fields[2])
        before = self._execs.pop(pid, None)
        events = self._executed(pid, before, seen) if before else []
        if int(fields[1]) <= self.canaries.get(pid, -1):
            self.heard.add(pid)
            return events
        pending = self._execs[pid] = Exec(fields, seen)
        pending.raw.append(raw)
        if len(self._execs) > _MOST_PENDING:
            events += self._executed(*self._execs.popitem(last=False), seen)
        return events

    def _argument(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        pending = self._execs.get(int(fields[2]))
        if pending is not None and int(fields[3]) == sum(map(len, pending.got)):
            pending.got.append(bytes.fromhex(fields[4].decode("ascii")))
            pending.raw.append(raw)
        return self._finish(int(fields[2]), pending, seen)

    def _named(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        tid = int(fields[2])
        names = [name(field) for field in fields[4:9]]
        if root := int(fields[3]):  # where the process' root is, it has no name
            names[root] = b"/"
        pending = self._execs.get(tid)
        if pending is not None and pending.names is None:
            pending.names = names
            pending.raw.append(raw)
            return self._finish(tid, pending, seen)
        if int(fields[1]) > self.canaries.get(tid, -1):
            self._names[tid] = (names, raw)
            if len(self._names) > _MOST_PENDING:
                self._names.popitem(last=False)
        return []

    def _finish(self, pid: int, pending: Exec | None, seen: int) -> list[Event]:
        if pending is None or not pending.whole:
            return []
        del self._execs[pid]
        return self._executed(pid, pending, seen)

    def _executed(self, pid: int, pending: Exec, seen: int) -> list[Event]:
        flags: set[str] = set()
        fields = pending.fields
        ppid, mount, cgroup = map(int, fields[3:6])
        self.tree.newer(pid, int(fields[14]))
        key = self._key(cgroup, mount, pid)
        process = self._placed(pid, ppid, key, int(fields[1]))
        argv = arguments(pending, self._proc, flags)
        process.name = text_of(name(fields[15]), flags)
        if process.name == _SELF and argv:  # a shell runs its own applets by /proc/self/exe
            process.name = argv[0].rpartition("/")[2] or process.name
        process.exe = executable(pending, self._proc, flags)
        process.args = (args := " ".join(argv))[:LONGEST_ARGS]
        process.cwd = link(f"{self._proc}/{pid}/cwd") or process.cwd
        auid = int(fields[8]) & _NOT_SET
        columns: Event = {
            **self._columns(process, mount),
            "proc_args": args or None,
            "proc_argv": argv,
            "proc_cwd": process.cwd or None,
            "proc_auid": None if auid == _NOT_SET else auid,
            "proc_tty": text_of(name(fields[16]), flags) or None,
            "proc_exec_id": f"{pid}.{pending.at}",
            "proc_flags": [*(["entered"] if process.entered else ()), *marks(pending)],
        }
        process.columns = finished(columns, flags)
        process.columns.pop("flags", None)
        head = [b"X", fields[1], fields[2], fields[2], fields[4], fields[5], fields[6], b"0"]
        raw = b"\n".join(pending.raw)
        call = {"sys_call": "execve"}
        return self._event("process", "exec", head, raw, seen, flags, call)

    def _failed(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        flags: set[str] = set()
        path = string(fields[8], flags)
        columns = {"proc_args": path, "sys_call": "execve"}
        return self._event("process", "exec_failed", fields, raw, seen, flags, columns)

    def _exit(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        pid = int(fields[2])
        pending = self._execs.pop(pid, None)
        events = self._executed(pid, pending, seen) if pending else []
        columns = self.tree.exit(pid)
        self._names.pop(pid, None)
        self._texts.pop(pid, None)
        at, code = int(fields[1]), int(fields[3])
        if at <= self.canaries.get(pid, -1) or "proc_exec_id" not in columns:
            return events  # a child that never executed anything is no event
        event: Event = {
            **columns,
            "id": identity(self.place, SOURCE, at, pid, "exit"),
            "kind": "process",
            "action": "exit",
            "source": SOURCE,
            "time": self.boot + at,
            "seen": seen,
            "seq": at,
            "sys_res": f"signal {code & 127}" if code & 127 else f"exit {code >> 8 & 255}",
            "raw": raw.decode("ascii", "replace"),
        }
        return [*events, finished(named(event, self.place), set())]

    def _open(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        flags: set[str] = set()
        tid, asked, told = int(fields[3]), int(fields[8], 16), int(fields[9], 16)
        given = string(fields[10], flags)
        names, more = self._names.pop(tid, ([], b""))
        path = self._real(int(fields[2]), given, names, bool(told & 0x10000), flags)
        columns = {"file_path": path, "file_flags": calls.open_flags(asked), "sys_call": "open"}
        raw = raw if not more else more + b"\n" + raw
        return self._event("file", "open", fields, raw, seen, flags, columns)

    def _real(
        self, pid: int, given: str, names: list[bytes], own: bool, flags: set[str]
    ) -> str | None:
        """The path of a file: the kernel's names where they reach up to the process' root; else as
        it was given, made absolute.
        """
        if names and own and (path := path_of(names)) is not None:
            flags.discard("truncated")
            return text_of(path, flags)
        whole = self._absolute(pid, given, flags)
        if names and whole is not None and not own:
            last = text_of(names[0], flags)
            if whole.rpartition("/")[2] != last and not last.startswith(".."):
                flags.add("guessed")  # a link or a raced path on another mount
                return f"{whole.rpartition('/')[0]}/{last}"
        return whole

    def _absolute(self, pid: int, given: str, flags: set[str]) -> str | None:
        if not given:
            flags.add("partial")
            return None
        if not given.startswith("/"):
            process = self.tree.get(pid)
            where = link(f"{self._proc}/{pid}/cwd") or (process.cwd if process else "")
            if not where:
                flags.add("partial")
                return given
            flags.add("guessed")  # it may be relative to a directory that was opened
            given = f"{where}/{given}"
        return calls.normal(given)

    def _changed(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        """unlink, rename (the new name), link and symlink (the old one), chmod that sets ids."""
        flags: set[str] = set()
        action = fields[8].decode("ascii")
        mode = int(fields[9], 16)
        marks = [mark for bit, mark in ((0o4000, "setuid"), (0o2000, "setgid")) if mode & bit]
        path = self._absolute(int(fields[2]), string(fields[10], flags), flags)
        columns = {"file_path": path, "file_flags": marks, "sys_call": action}
        return self._event("file", action, fields, raw, seen, flags, columns)

    def _connect(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        flags: set[str] = set()
        path = string(fields[14], flags) if fields[8] == b"1" else ""
        columns = {**calls.connection(fields, path), "sys_call": "connect"}
        return self._event("network", "connect", fields, raw, seen, flags, columns)

    def _listen(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        columns = {**calls.listening(fields), "sys_call": "listen"}
        return self._event("network", "listen", fields, raw, seen, set(), columns)

    def _text(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        held = self._texts.setdefault(int(fields[2]), {})
        held[fields[3].decode("ascii")] = string(fields[4], set())
        if len(self._texts) > _MOST_PENDING:
            self._texts.pop(next(iter(self._texts)))
        return []

    def _call(self, fields: list[bytes], raw: bytes, seen: int) -> list[Event]:
        flags: set[str] = set()
        which = fields[8].decode("ascii")
        numbers = [int(field) for field in fields[9:12]]
        held = self._texts.pop(int(fields[3]), {})
        given = calls.arguments(which, numbers, string(fields[12], flags), held)
        columns: dict[str, Any] = {"priv_arg": given, "sys_call": which}
        return self._event("priv", which, fields, raw, seen, flags, columns)
