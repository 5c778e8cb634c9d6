"""The embedded sensor: bpftrace as a child process, its records as events, its failures as gaps.

It needs root, a kernel of 5.5 or later with BTF and tracepoints, and the process numbers and the
tracefs of the host (a pod: hostPID, privileged). What it cannot see is told: the time until it is
attached, buffers that were full, its death, and its silence, which a canary finds out: a process of
its own in a mount namespace of its own.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from martello.adapters.sensors.containers import Containers
from martello.adapters.sensors.decode import SOURCE, Decoder
from martello.adapters.sensors.probes import Program, program, tracefs
from martello.adapters.sensors.shape import LONGEST, SECOND, Event, Place, gap
from martello.adapters.sensors.tree import mount_namespace, running
from martello.core.errors import BadInput, NotPermitted

CANARY_EVERY: Final = 60 * SECOND
CANARY_WITHIN: Final = 10 * SECOND
ATTACH_WITHIN: Final = 90 * SECOND
_BUFFERS: Final = 128 << 20  # bytes of the kernel's buffers, all processors together
_MOST_PAGES: Final = 4096
_PIPE: Final = 1 << 20
_PART: Final = 1 << 20
_PAUSE: Final = 0.1  # seconds
_MOST_WAIT: Final = 60 * SECOND
_ATTACHED: Final = b'{"type": "attached_probes"'
_OFF: Final = SECOND // 10  # ns that a clock may be off by
_RUNS: Final = 1 << 63  # an end of a canary that has not come
_MOST_CANARIES: Final = 8  # that are known after their end
_KEYS: Final = 16_384  # of each map: threads that are in a call at once
_CANARY: Final = (
    "import ctypes, os, sys\n"
    "if ctypes.CDLL(None).unshare(0x20000): sys.exit(1)\n"
    "os.execv(sys.executable, [sys.executable, '--version'])\n"
)


def boot_id() -> str:
    """What tells the runs of this machine apart; empty where the kernel does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def usable(name: str = "bpftrace") -> Program:
    """The program for this kernel. Raises BadInput and NotPermitted that say what is missing."""
    if os.geteuid() != 0:
        raise NotPermitted("cannot watch this machine's containers", "bpftrace needs root")
    if shutil.which(name) is None:
        why, do = f"there is no {name}", "install the package bpftrace"
        raise BadInput("cannot watch this machine's containers", why, do)
    root = tracefs()
    if root is None:
        do = "mount -t tracefs tracefs /sys/kernel/tracing"
        raise BadInput("cannot watch this machine's containers", "no tracefs is mounted", do)
    if not Path("/sys/kernel/btf/vmlinux").exists():
        raise BadInput("cannot watch this machine's containers", "the kernel has no BTF")
    return program(root)


class Sensor:
    """Events of this machine's containers, for as long as it is walked; `stop` ends that.

    The kernel buffers what comes while nobody asks for the next event, and counts what it drops.
    """

    def __init__(
        self,
        place: Place,
        containers: Containers | None = None,
        *,
        command: str = "bpftrace",
        host: int | None = None,
        canary_every: int = CANARY_EVERY,
        canary_within: int = CANARY_WITHIN,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.place = place
        self.absent: tuple[str, ...] = ()  # tracepoints that this kernel lacks (P7)
        self.attached = False
        self._command = command
        self._program = usable(command)
        self.absent = self._program.absent
        # Where the first process may not be looked at, this one is taken to be of the host.
        self._host = host or mount_namespace(1) or mount_namespace(os.getpid())
        self._every, self._within = canary_every, canary_within
        self._clock = clock
        self.decoder = Decoder(
            place,
            containers or Containers(),
            host=self._host,
            boot=clock() - time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        )
        self._stopped = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._canary: subprocess.Popen[bytes] | None = None
        self._errors = b""
        self._blind_since = clock()  # 0 while it sees
        self._blind_why = ("attach", "the probes were not attached yet")
        self._begun = self._sent = self._last = 0

    @property
    def process(self) -> int:
        """The number of bpftrace's process; 0 while there is none."""
        return self._child.pid if self._child else 0

    def stop(self) -> None:
        """The iteration ends soon."""
        self._stopped.set()

    def __iter__(self) -> Iterator[Event]:
        """Raises BadInput where bpftrace does not come up at all."""
        wait, came_up = SECOND, False
        with tempfile.TemporaryDirectory(prefix="martello-sensor-") as directory:
            path = Path(directory) / "probes.bt"
            path.write_text(self._program.text, encoding="utf-8")
            while not self._stopped.is_set():
                try:
                    self._start(path)
                    yield from self._watched()
                except OSError as error:  # no process, no memory: later again
                    self._errors = f"Error: {error.strerror}".encode()
                    self._blind(self._clock(), "died", f"bpftrace cannot run: {error.strerror}")
                finally:
                    self._end()
                if self._stopped.is_set():
                    return
                if self.attached:
                    came_up, wait = True, SECOND
                elif not came_up:
                    raise BadInput("bpftrace does not start", self._why())
                self.attached = False
                self._stopped.wait(wait / SECOND)
                wait = min(wait * 2, _MOST_WAIT)

    def _start(self, path: Path) -> None:
        pages = _MOST_PAGES
        while pages > 64 and pages * 4096 * (os.cpu_count() or 1) > _BUFFERS:
            pages //= 2
        settings = {
            "BPFTRACE_STRLEN": "200",
            "BPFTRACE_MAP_KEYS_MAX": str(_KEYS),
            "BPFTRACE_PERF_RB_PAGES": str(pages),
        }
        told = [self._command, "-f", "json", "-B", "line", str(path), str(self._host)]
        self._errors = b""
        self._child = subprocess.Popen(  # noqa: S603
            told,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **settings},
        )
        self.decoder.own = {os.getpid(), self._child.pid}
        assert self._child.stdout is not None
        fcntl.fcntl(self._child.stdout, fcntl.F_SETPIPE_SZ, _PIPE)
        for process, ppid in running(self._host):
            self.decoder.begin(process, ppid, mount_namespace(process.pid))

    def _watched(self) -> Iterator[Event]:
        """Until bpftrace ends or the sensor is stopped."""
        child = self._child
        assert child is not None
        assert child.stdout is not None
        assert child.stderr is not None
        out, err = child.stdout.fileno(), child.stderr.fileno()
        self._begun, held = self._clock(), b""
        open_ = {out, err}
        while not self._stopped.is_set() and out in open_:
            ready, _, _ = select.select(list(open_), [], [], _PAUSE)
            now = self._clock()
            self._set_right(now)
            if err in ready and not self._heard(err):
                open_.discard(err)
            if out in ready:
                piece = os.read(out, _PART)
                if not piece:
                    open_.discard(out)
                    break
                self._last = now
                *lines, held = (held + piece).split(b"\n")
                for line in lines:
                    if line.startswith(_ATTACHED):
                        self.attached = True
                    elif line:
                        yield from self._sure(self.decoder.feed(line, now))
                if len(held) > LONGEST:
                    held = b""
                    yield gap(self.place, SOURCE, "unread", now, now, "a record has no end", 1)
            yield from self.decoder.late(now)
            yield from self._listen(now)
            if not self.attached and now > self._begun + ATTACH_WITHIN:
                return
        if not self._stopped.is_set():
            self._blind(self._last or self._begun, "died", f"bpftrace ended: {self._why()}")

    def _set_right(self, now: int) -> None:
        """The machine's clock may be set while it runs, and times are told since it booted."""
        boot = now - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        by = boot - self.decoder.boot
        if abs(by) > _OFF:
            self.decoder.boot = boot
            self._begun, self._sent, self._last = self._begun + by, self._sent + by, self._last + by
            self._blind_since += by if self._blind_since else 0

    def _sure(self, events: list[Event]) -> list[Event]:
        """Without calls during an attachment: they may be a runtime's that was on its way into a
        container before that was watched. The gap says that this time is not known.
        """
        if not self._blind_since or self._blind_why[0] == "silent":
            return events
        return [event for event in events if event["kind"] != "priv"]

    def _heard(self, err: int) -> bool:
        piece = os.read(err, _PART)
        self._errors = (self._errors + piece)[-65_536:]
        return bool(piece)

    def _why(self) -> str:
        """The last line of bpftrace's complaints that is one."""
        harmless = (b"RLIMIT_MEMLOCK", b"Addrspace mismatch")
        told = [
            line.strip()
            for line in self._errors.splitlines()
            if b"rror" in line and not any(one in line for one in harmless)
        ]
        if told:
            return told[-1].decode("utf-8", "replace")[:300]
        code = self._child.poll() if self._child else None
        return "it was not attached in time" if code is None else f"exit status {code}"

    # The canary (P6).

    def _listen(self, now: int) -> Iterator[Event]:
        """Sends canaries, and tells of the time in which none is heard."""
        if not self.attached:
            return
        decoder = self.decoder
        canary = self._canary
        if canary is None:
            if now >= self._sent + (SECOND if self._blind_since else self._every):
                self._send(now)
            return
        if canary.pid in decoder.heard:
            if self._blind_since:
                what, why = self._blind_why
                yield gap(self.place, SOURCE, what, self._blind_since, now, why)
                self._blind_since = 0
            self._reap()
        elif now > self._sent + (SECOND if self._blind_since else self._within):
            # bpftrace says that it has attached before it has: until it is heard, ask often.
            self._blind(self._sent, "silent", "attached, but an exec of its own was not seen")
            self._reap()

    def _blind(self, since: int, what: str, why: str) -> None:
        if not self._blind_since:
            self._blind_since = since
        elif what != "died":
            return  # a dying bpftrace falls silent first
        self._blind_why = (what, why)

    def _send(self, now: int) -> None:
        self._sent = now
        try:
            self._canary = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", "-c", _CANARY],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:  # no process, no descriptor: whether it sees is not known
            self._blind(now, "silent", f"an exec of its own could not be tried: {error.strerror}")
            return
        self.decoder.canaries[self._canary.pid] = _RUNS

    def _reap(self) -> None:
        canary, self._canary = self._canary, None
        if canary is not None:
            canary.kill()
            canary.wait()
            self.decoder.heard.discard(canary.pid)
            # Its last records may still come; what comes later of its number is another's.
            before = self.decoder.canaries
            before[canary.pid] = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            for old in list(before)[:-_MOST_CANARIES]:
                del before[old]

    def _end(self) -> None:
        self._reap()
        child, self._child = self._child, self._child
        if child is not None and child.poll() is None:
            child.kill()
            child.wait()
        for stream in (child.stdout, child.stderr) if child else ():
            if stream is not None:
                stream.close()


def watch(place: Place, **settings: Any) -> Iterator[Event]:
    """The events of this machine until the process ends. Raises BadInput, NotPermitted."""
    return iter(Sensor(place, **settings))
