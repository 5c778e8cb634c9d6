"""The kernel's log (/dev/kmsg: `priority,sequence,microseconds,flags;text`).

Actions: oom_kill, seccomp, apparmor, segfault, else message. A jump of the sequence is a gap with
the number of lost messages. Columns: log_text, log_stream (the level), and where the text tells
them proc_pid, proc_name, proc_exe, proc_uid, sys_call, sys_res, and the container of an OOM kill.
"""

from __future__ import annotations

import errno
import os
import re
import select
import signal
from collections.abc import Callable, Iterator
from typing import Final

from martello.adapters.sensors.auditd import Fields, call_name, values
from martello.adapters.sensors.containers import Containers
from martello.adapters.sensors.shape import (
    NOWHERE,
    Event,
    NotRead,
    Place,
    finished,
    gap,
    identity,
    named,
    text_of,
)

SOURCE: Final = "kmsg"
_RECORD: Final = re.compile(rb"(\d{1,6}),(\d{1,20}),(\d{1,20}),[^;\n]{0,64};(.*)", re.S)
_LEVELS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_LONGEST: Final = 8192  # bytes that one read of /dev/kmsg gives at most
_OOM: Final = re.compile(
    r"oom-kill:.*?oom_memcg=(?P<group>[^,]*),task_memcg=(?P<own>[^,]*),task=(?P<name>.*),"
    r"pid=(?P<pid>\d{1,9}),uid=(?P<uid>\d{1,10})$"
)
_KILLED: Final = re.compile(r"Killed process (?P<pid>\d{1,9}) \((?P<name>.{0,64}?)\)[ ,]")
_FAULT: Final = re.compile(
    r"(?:traps: )?(?P<name>.{0,64}?)\[(?P<pid>\d{1,9})\]:? (?:segfault at|general protection|"
    r"trap (?:invalid opcode|divide error|int3)|unhandled)"
)


class Reader:
    """Reads records; remembers the last sequence number. `boot`: when the machine booted (ns)."""

    def __init__(
        self, place: Place = NOWHERE, *, boot: int = 0, containers: Containers | None = None
    ) -> None:
        self._place, self._boot = place, boot
        self._containers = containers or Containers()
        self._last: int | None = None

    def record(self, told: bytes, seen: int) -> list[Event]:
        """The event of one record, after a gap where messages were lost. Raises NotRead."""
        found = _RECORD.match(told)
        if found is None:
            raise NotRead("it is no record of the kernel's log")
        priority, sequence, micros = (int(one) for one in found.groups()[:3])
        at = self._boot + micros * 1000
        flags: set[str] = set()
        if not 0 < at < 1 << 62:
            at = seen
            flags.add("clock")
        events: list[Event] = []
        last, self._last = self._last, sequence
        if last is not None and sequence > last + 1:
            why = "the kernel overwrote messages before they were read"
            lost = sequence - last - 1
            events.append(gap(self._place, SOURCE, "lost", at, at, why, lost))
        # Behind the first line stand fields of the device; the text escapes its own controls.
        text = text_of(_plain(found[4].partition(b"\n")[0]), flags)
        event: Event = {
            "id": identity(self._place, SOURCE, sequence),
            "kind": "kernel",
            "source": SOURCE,
            "time": at,
            "seen": seen,
            "seq": sequence if sequence < 1 << 63 else None,
            "log_stream": _LEVELS[priority & 7],
            "log_text": text,
            **self._what(text, flags),
            "raw": told.decode("utf-8", "backslashreplace"),
        }
        return [*events, finished(named(event, self._place), flags)]

    def _what(self, text: str, flags: set[str]) -> Event:
        if found := _OOM.search(text):
            return {
                "action": "oom_kill",
                "proc_name": found["name"],
                "proc_pid": int(found["pid"]),
                "proc_uid": int(found["uid"]),
                **self._containers.of_cgroup(found["own"] or found["group"]),
            }
        if found := _KILLED.search(text):
            return {
                "action": "oom_kill",
                "proc_name": found["name"],
                "proc_pid": int(found["pid"]),
            }
        if "type=1326 " in text:
            fields = values(text.encode("utf-8", "replace"))
            return {"action": "seccomp", **_process(fields, flags), **_signal(fields)}
        if 'apparmor="' in text:
            fields = values(text.encode("utf-8", "replace"))
            return {
                "action": "apparmor",
                **_process(fields, flags),
                "sys_call": _text(fields, "operation", flags),
                "sys_res": _text(fields, "apparmor", flags),
            }
        if found := _FAULT.match(text):
            pid = int(found["pid"])
            return {"action": "segfault", "proc_name": found["name"], "proc_pid": pid}
        return {"action": "message"}


def watch(
    reader: Reader, clock: Callable[[], int], path: str = "/dev/kmsg", *, from_start: bool = False
) -> Iterator[Event | None]:
    """The kernel's messages as they come, without end; None when none came for a while. `clock`
    gives ns. Raises OSError where the log may not be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not from_start:
            os.lseek(file, 0, os.SEEK_END)
        while True:
            try:
                told = os.read(file, _LONGEST)
            except BlockingIOError:
                select.select([file], [], [], 0.2)
                yield None
                continue
            except OSError as error:
                if error.errno == errno.EPIPE:  # overwritten: the next sequence number tells
                    continue
                raise
            if told:
                yield from reader.record(told, clock())
    finally:
        os.close(file)


def _plain(text: bytes) -> bytes:
    """The text with the `\\xNN` that the kernel writes for controls and bytes above 0x7e undone."""
    if b"\\x" not in text:
        return text
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes((int(found[1], 16),)), text)


def _process(fields: Fields, flags: set[str]) -> Event:
    pid, uid = (fields.get(key, b"") for key in ("pid", "uid"))
    return {
        "proc_pid": int(pid) if pid.isdigit() and len(pid) < 10 else None,
        "proc_uid": int(uid) if uid.isdigit() and len(uid) < 10 else None,
        "proc_name": _text(fields, "comm", flags),
        "proc_exe": _text(fields, "exe", flags) or _text(fields, "profile", flags),
    }


def _signal(fields: Fields) -> Event:
    number = fields.get("sig", b"")
    try:
        name = signal.Signals(int(number)).name if number.isdigit() and int(number[:4]) else None
    except ValueError:
        name = None
    return {"sys_call": call_name(fields), "sys_res": name}


def _text(fields: Fields, key: str, flags: set[str]) -> str | None:
    value = fields.get(key)
    return text_of(value, flags) if value else None
