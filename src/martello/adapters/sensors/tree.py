"""The processes of containers as a sensor sees them come and go: parents, and who was let in.

A process is *entered* where it is not the container's first process and no child of it: somebody
came in from outside (exec, nsenter). Ancestors are kept as names, so that neither long chains nor
numbers that are used again grow or mislead the tree.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

MOST: Final = 65_536  # processes, the dead that children may still name among them
MOST_ANCESTORS: Final = 16
LONGEST_ARGS: Final = 4096  # characters of a command line that are remembered
_SHORT_ARGS: Final = 512  # of one that has ended: its children may still name it
_TICK: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")  # ns
_NAMESPACES: Final = 0xEFFF_FF00  # from there on: MNT_NS_INIT_INO of newer kernels
Key = int  # of a container: see containers.py


@dataclass(slots=True)
class Process:
    """One process. `columns` are those of its last exec, as events of other kinds repeat them."""

    pid: int
    key: Key
    name: str = ""
    exe: str = ""
    args: str = ""
    cwd: str = ""
    ancestors: tuple[str, ...] = ()  # names, the parent first
    parent: tuple[int, str, str, str] = (0, "", "", "")  # pid, name, path, command line
    entered: bool = False
    known: int = 1 << 63  # ns since boot when it was there: what began later is another one
    alive: bool = True
    where: int = 0  # the mount namespace that it was seen in last
    called: int = -1  # the version of the pods when its own was looked for last
    columns: dict[str, Any] = field(default_factory=dict)

    @property
    def began(self) -> int:
        """When one that was looked up began, or a tick before (ns since boot); 0: gone."""
        return self.known - _TICK if self.alive else 0

    def take(self, other: Process) -> None:
        """What another look at the same process found."""
        self.name, self.exe = other.name, other.exe
        self.args, self.cwd = other.args, other.cwd

    def told(self) -> dict[str, Any]:
        """What events say of it, but for its container."""
        columns: dict[str, Any] = {
            "proc_pid": self.pid,
            "proc_name": self.name,
            "proc_exe": self.exe or None,
            "proc_args": self.args or None,
            "proc_ppid": self.parent[0] or None,
            "proc_parent_name": self.parent[1] or None,
            "proc_parent_exe": self.parent[2] or None,
            "proc_parent_args": self.parent[3] or None,
            "proc_ancestors": list(self.ancestors) or None,
            "proc_flags": ["entered"] if self.entered else None,
        }
        return {column: value for column, value in columns.items() if value is not None}


class Tree:
    """Every process seen in a container; the least recently used are forgotten beyond `most`.
    `lives` says whether the first process of a container is still in it: its end may be lost.
    """

    def __init__(
        self, most: int = MOST, lives: Callable[[int, Key], bool] = lambda *_: True
    ) -> None:
        self._most = most
        self._lives = lives
        self._known: OrderedDict[int, Process] = OrderedDict()
        self._first: OrderedDict[Key, int] = OrderedDict()
        self.forgotten = 0

    def get(self, pid: int) -> Process | None:
        """The process, or None."""
        return self._known.get(pid)

    def holds(self, pid: int) -> bool:
        """Whether a process that was seen is still there."""
        process = self._known.get(pid)
        return process is not None and process.alive and self._lives(pid, process.key)

    def newer(self, pid: int, start: int) -> None:
        """A process that began at `start` (ns since boot): one of its number that was there before
        has ended, though that was not seen.
        """
        process = self._known.get(pid)
        if process is not None and start > process.known:
            process.alive = False

    def fork(self, parent: int, child: int, key: Key, at: int) -> None:
        """A child that runs what its parent runs, until it executes something."""
        from_ = self._known.get(parent)
        process = Process(child, key, known=at)
        if from_ is not None:
            process.take(from_)
            process.ancestors = (from_.name, *from_.ancestors)[:MOST_ANCESTORS]
            process.parent = (parent, from_.name, from_.exe, from_.args)
            process.entered = from_.entered if from_.key == key else True
            process.columns = {
                **from_.columns,
                "proc_pid": child,
                "proc_ppid": parent,
                "proc_parent_name": from_.name,
                "proc_parent_exe": from_.exe,
                "proc_parent_args": from_.args,
                "proc_ancestors": list(process.ancestors),
            }
            process.columns.pop("proc_exec_id", None)  # it has executed nothing itself
        self._keep(process)

    def executed(
        self, pid: int, ppid: int, key: Key, outside: Process | None, at: int = 1 << 63
    ) -> Process:
        """The process that has executed something, `at` (ns since boot). Its parent is the one that
        forked it, where that was seen; else what is told of one outside of containers; else `ppid`,
        unless that was in another container and has ended: its number is somebody else's by now.
        """
        process = self._known.get(pid)
        if process is None or not process.alive:
            process, parent = Process(pid, key), self._known.get(ppid)
            if parent is not None and not parent.alive and parent.key != key:
                parent = None
            self._come(process, outside or parent)
        elif process.key != key:
            process.entered = True  # from one container into another
        elif not process.parent[0] and outside is not None:
            self._come(process, outside)
        process.key, process.alive, process.known = key, True, at
        self._keep(process)
        return process

    def first(self, key: Key) -> int | None:
        """The first process of a container."""
        return self._first.get(key)

    def inhabited(self, key: Key) -> bool:
        """Whether the first process of a container is there: the number of the namespace of one
        that has ended is used again at once.
        """
        return self.holds(self._first.get(key, 0))

    def _come(self, process: Process, parent: Process | None) -> None:
        key = process.key
        if parent is not None:
            process.ancestors = (parent.name, *parent.ancestors)[:MOST_ANCESTORS]
            process.parent = (parent.pid, parent.name, parent.exe, parent.args)
            if parent.key == key:
                process.entered = parent.entered
                return
        first = self._known.get(self._first.get(key, 0))
        if first is not None and first.alive and first.pid != process.pid:
            first.alive = self._lives(first.pid, key)
        if first is None or not first.alive or first.pid == process.pid:
            # A dead one was a hook that a runtime ran there, or the inode is used again.
            self._first[key] = process.pid
            self._first.move_to_end(key)
            if len(self._first) > self._most:
                self._first.popitem(last=False)
            process.entered = False
        else:
            process.entered = True

    def exit(self, pid: int) -> dict[str, Any]:
        """A process ends: its columns. Its children may still name it, so no more is remembered."""
        process = self._known.get(pid)
        if process is None:
            return {}
        columns, process.columns = process.columns, {}
        process.alive = False
        process.args = process.args[:_SHORT_ARGS]
        process.parent = (process.parent[0], "", "", "")
        return columns

    def _keep(self, process: Process) -> None:
        self._known[process.pid] = process
        self._known.move_to_end(process.pid)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
            self.forgotten += 1

    def __len__(self) -> int:
        return len(self._known)


def running(host: int, proc: str = "/proc") -> Iterator[tuple[Process, int]]:
    """The processes that are in another mount namespace than the host's now, with their parents'
    numbers, the oldest first.
    """
    found: list[tuple[int, Process, int]] = []
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        key = mount_namespace(int(name), proc)
        if key and key != host:
            process, ppid, start = looked_up(int(name), key, proc)
            found.append((start, process, ppid))
    for _, process, ppid in sorted(found, key=lambda one: (one[0], one[1].pid)):
        yield process, ppid


def mount_namespace(pid: int, proc: str = "/proc") -> int:
    """The inode of a process' mount namespace; 0 where it is not there any more."""
    try:
        return os.stat(f"{proc}/{pid}/ns/mnt").st_ino
    except OSError:
        return 0


def inhabits(proc: str, pid: int, key: Key) -> bool:
    """Whether a process is in what the key stands for; of a control group, whether it is there."""
    found = mount_namespace(pid, proc)
    return found == key if _NAMESPACES <= key < 1 << 32 else found != 0


def looked_up(pid: int, key: Key, proc: str = "/proc") -> tuple[Process, int, int]:
    """A process as /proc tells it now, its parent and its start (clock ticks)."""
    process = Process(pid, key)
    ppid = start = 0
    try:
        stat = Path(f"{proc}/{pid}/stat").read_bytes()
        fields = stat[stat.rindex(b")") + 2 :].split()
        ppid, start = int(fields[1]), int(fields[19])
        name = Path(f"{proc}/{pid}/comm").read_bytes()
        with Path(f"{proc}/{pid}/cmdline").open("rb") as file:
            told = file.read(LONGEST_ARGS).removesuffix(b"\0").replace(b"\0", b" ")
        process.args = told.decode("utf-8", "backslashreplace")
        process.name = name.rstrip(b"\n").decode("utf-8", "backslashreplace")
        process.known = (start + 1) * _TICK
    except (OSError, ValueError, IndexError):
        process.alive = False
        return process, ppid, start
    process.exe = link(f"{proc}/{pid}/exe")
    process.cwd = link(f"{proc}/{pid}/cwd")
    return process, ppid, start


def link(path: str) -> str:
    """Where a link of /proc leads; nothing where it cannot be read."""
    try:
        found = os.fsencode(os.readlink(path))
    except OSError:
        return ""
    return found.removesuffix(b" (deleted)").decode("utf-8", "backslashreplace")
