"""Control groups of version 1, and what runs in them: the kernel itself as a judge.

All lie under one group of the test's own in each controller. Processes are moved in from outside: a
starved group cannot even start a program.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "memory", "pids")
BUSYBOX = next((p for p in ("/usr/bin/busybox", "/bin/busybox") if Path(p).is_file()), "")

# Holds and touches as many MiB more as each line says, and answers when it has.
_HOG = """
import sys
held = []
for line in sys.stdin:
    held.append(bytearray(b"x") * (int(line) << 20))
    print(len(held), flush=True)
"""


def needed() -> None:
    """Skips where the kernel cannot be asked."""
    if os.geteuid() != 0:
        pytest.skip("control groups need root")
    missing = [name for name in CONTROLLERS if not (ROOT / name / "cgroup.procs").exists()]
    if missing:
        pytest.skip(f"no control groups of version 1 for {', '.join(missing)}")
    if shutil.which("runc") is None or not BUSYBOX:
        pytest.skip("no runc or busybox: apt-get install runc busybox-static")
    try:
        trial = ROOT / "cpu" / f"martello-{os.getpid()}-trial"
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error.strerror}")


class Groups:
    """The test's own groups; paths are relative to them, `` is their root."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.name = f"martello-{os.getpid()}-{time.monotonic_ns()}"
        self.processes: list[subprocess.Popen[str]] = []
        self._containers: list[str] = []
        self.group("")

    def group(self, path: str, **settings: int) -> str:
        """Makes a group; settings are `cpu_shares=2` for the file cpu.shares."""
        for controller in CONTROLLERS:
            (ROOT / controller / self.name / path).mkdir(parents=True, exist_ok=True)
        for name, value in settings.items():
            controller, _, rest = name.partition("_")
            self._file(path, f"{controller}.{rest}").write_text(str(value))
        return path

    def read(self, path: str, file: str) -> int:
        """One number of a group."""
        return int(self._file(path, file).read_text())

    def table(self, path: str, file: str) -> dict[str, int]:
        """A file of names and numbers."""
        rows = (line.split() for line in self._file(path, file).read_text().splitlines())
        return {row[0]: int(row[1]) for row in rows}

    def enter(self, path: str, pid: int) -> None:
        """Moves a process in."""
        for controller in CONTROLLERS:
            (ROOT / controller / self.name / path / "cgroup.procs").write_text(str(pid))

    def spin(self, path: str, core: int) -> None:
        """A process that only burns time, on one core."""
        command = [BUSYBOX, "sh", "-c", "while :; do :; done"]
        begun = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True
        )
        self.processes.append(begun)
        os.sched_setaffinity(begun.pid, {core})
        self.enter(path, begun.pid)

    def hog(self, path: str, adjustment: int) -> Hog:
        """A process that holds as much memory as it is told to."""
        begun = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _HOG],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(begun)
        Path(f"/proc/{begun.pid}/oom_score_adj").write_text(str(adjustment))
        self.enter(path, begun.pid)
        return Hog(begun)

    def container(
        self, path: str, command: str, resources: Mapping[str, Any], adjustment: int = 0
    ) -> subprocess.Popen[str]:
        """A container of runc whose group is `path`; its shell runs `command`, and what it prints
        comes through a pipe.
        """
        bundle = self.root(path).parent
        (bundle / "rootfs" / "bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, bundle / "rootfs" / "bin" / "busybox")
        for link in ("sh", "dd", "sleep", "echo"):
            (bundle / "rootfs" / "bin" / link).symlink_to("busybox")
        for one in ("proc", "sys", "dev"):
            (bundle / "rootfs" / one).mkdir()
        subprocess.run(["runc", "spec", "--bundle", str(bundle)], check=True)
        spec = json.loads((bundle / "config.json").read_text())
        spec["process"] |= {"terminal": False, "args": ["/bin/sh", "-c", command]}
        spec["process"]["oomScoreAdj"] = adjustment
        spec["process"].pop("rlimits", None)
        spec["linux"]["cgroupsPath"] = f"/{self.name}/{path}"
        spec["linux"]["resources"] = dict(resources)
        (bundle / "config.json").write_text(json.dumps(spec))
        name = f"{self.name}-{len(self._containers)}"
        self._containers.append(name)
        begun = subprocess.Popen(
            ["runc", "--root", str(self.place / "state"), "run", "-b", str(bundle), name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(begun)
        return begun

    def root(self, path: str) -> Path:
        """The root directory of a container."""
        return self.place / path.replace("/", "-") / "rootfs"

    def _file(self, path: str, file: str) -> Path:
        return ROOT / file.partition(".")[0] / self.name / path / file

    def close(self) -> None:
        """Ends all that runs in the groups, and them."""
        for name in self._containers:
            words = ["runc", "--root", str(self.place / "state"), "delete", "--force", name]
            subprocess.run(words, capture_output=True, check=False, timeout=30)
        for one in self.processes:
            one.kill()
            one.wait(20)
            for stream in (one.stdin, one.stdout):
                if stream:
                    stream.close()
        for root in sorted({p.parent for p in ROOT.glob(f"*/{self.name}/cgroup.procs")}):
            for each in sorted(root.rglob("cgroup.procs"), key=lambda p: -len(p.parts)):
                _remove(each.parent)


class Hog:
    """A process that holds memory."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def dead(self) -> bool:
        """Whether the kernel killed it."""
        return self.process.poll() == -signal.SIGKILL

    def grow(self, mib: int) -> bool:
        """Holds so many MiB more; whether it lives."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(f"{mib}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        return bool(self.process.stdout.readline())


def _remove(group: Path) -> None:
    for child in group.iterdir():
        if child.is_dir():
            _remove(child)
    for _ in range(100):
        for pid in (group / "cgroup.procs").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"{group} does not go away")


def wait(until: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it comes true in that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if until():
            return True
        time.sleep(0.005)
    return until()


@contextmanager
def groups(place: Path) -> Iterator[Groups]:
    """Groups for the time of a test; skips where there are none."""
    needed()
    made = Groups(place)
    try:
        yield made
    finally:
        made.close()
