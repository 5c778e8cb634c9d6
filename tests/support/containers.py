"""Real containers of runc, with busybox for everything in them, and what watches them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from martello.adapters.sensors import bpftrace
from martello.adapters.sensors.calls import CAPABILITIES
from martello.adapters.sensors.shape import Event

BUSYBOX = Path("/usr/bin/busybox")
LINKS = (
    *("sh", "cat", "ls", "mount", "umount", "unshare", "nsenter", "chmod", "mkdir", "rm", "ln"),
    *("mv", "cp", "nc", "id", "true", "sleep", "kill", "ps", "echo", "apk", "chroot", "env"),
    *("printf", "dd"),
)
# What Python needs, for calls that no shell makes.
PYTHON = [(sys.base_prefix, sys.base_prefix), ("/usr/lib", "/lib"), ("/usr/lib64", "/lib64")]
INTERPRETER = str(Path(sys.base_prefix) / "bin" / "python3")


def needed() -> None:
    """Skips where the machine cannot run containers or watch them."""
    if os.geteuid() != 0:
        pytest.skip("the sensor needs root")
    missing = [name for name in ("bpftrace", "runc", "busybox") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: apt-get install bpftrace runc busybox-static")
    if not Path("/sys/kernel/tracing/events/sched").is_dir():
        mounted = subprocess.run(
            ["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"], check=False
        )
        if mounted.returncode:
            pytest.skip("no tracefs: mount -t tracefs tracefs /sys/kernel/tracing")
    if not Path("/sys/kernel/btf/vmlinux").exists():
        pytest.skip("the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)")


class Container:
    """A container that sleeps until something is executed in it."""

    def __init__(self, directory: Path, name: str, **changes: Any) -> None:
        self.name, self.directory = name, directory / name
        self.root = self.directory / "rootfs"
        self._state = directory / "state"
        self._programs()
        self.fill()
        self._specified(changes)
        self._process = subprocess.Popen(
            [*self._runc, "run", "--bundle", str(self.directory), name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(200):
            if self._running() or self._process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            assert self._process.stderr is not None
            why = self._process.stderr.read().decode()
            self.close()
            raise AssertionError(why)

    @property
    def _runc(self) -> list[str]:
        return ["runc", "--root", str(self._state)]

    def _programs(self) -> None:
        (self.root / "bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, self.root / "bin/busybox")
        for link in LINKS:
            (self.root / "bin" / link).symlink_to("busybox")

    def fill(self) -> None:
        """Lays out the files that deeds inside read, change or take away."""
        for part in ("etc/cron.d", "tmp", "proc", "sys", "dev", "root/.ssh", "usr/bin"):
            (self.root / part).mkdir(parents=True, exist_ok=True)
        token = self.root / "var/run/secrets/kubernetes.io/serviceaccount"
        token.mkdir(parents=True, exist_ok=True)
        (token / "token").write_text("not a token")
        (self.root / "etc/shadow").write_text("root:*:1::::::\n")
        (self.root / "etc/passwd").write_text(
            "root:x:0:0::/root:/bin/sh\nnobody:x:99:99::/:/bin/sh\n"
        )
        (self.root / "root/.ash_history").write_text("ls\n")

    def _specified(self, changes: dict[str, Any]) -> None:
        subprocess.run(["runc", "spec", "--bundle", str(self.directory)], check=True)
        path = self.directory / "config.json"
        spec = json.loads(path.read_text())
        spec["process"]["terminal"] = False
        spec["process"]["args"] = ["/bin/sleep", "600"]
        spec["process"]["noNewPrivileges"] = False
        spec["root"]["readonly"] = False
        spec["annotations"] = changes.pop("annotations", {})
        if changes.pop("privileged", False):
            all_ = capabilities()
            kinds = ("bounding", "effective", "permitted")
            spec["process"]["capabilities"] = dict.fromkeys(kinds, all_)
            spec["linux"].pop("seccomp", None)
            spec["linux"]["maskedPaths"] = spec["linux"]["readonlyPaths"] = []
        spec["linux"]["namespaces"] = [
            one for one in spec["linux"]["namespaces"] if one["type"] != "network"
        ]  # loopback is the machine's
        spec["mounts"] += [
            {"type": "bind", "source": path, "destination": inside, "options": ["rbind", "ro"]}
            for path, inside in PYTHON
        ]
        spec["mounts"] += changes.pop("mounts", [])
        assert not changes
        path.write_text(json.dumps(spec))

    def _running(self) -> bool:
        told = subprocess.run([*self._runc, "state", self.name], capture_output=True, check=False)
        return told.returncode == 0 and json.loads(told.stdout)["status"] == "running"

    def execute(self, *command: str, **settings: Any) -> subprocess.CompletedProcess[bytes]:
        """As kubectl exec does."""
        return subprocess.run(
            [*self._runc, "exec", self.name, *command],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=20,
            **settings,
        )

    @property
    def states(self) -> str:
        """The directory of runc's state."""
        return str(self._state)

    def close(self) -> None:
        """Ends the container and all in it."""
        subprocess.run(
            [*self._runc, "delete", "--force", self.name], capture_output=True, check=False
        )
        self._process.wait(10)
        if self._process.stderr:
            self._process.stderr.close()


def capabilities() -> list[str]:
    """The capabilities that this process may hand on."""
    told = Path("/proc/self/status").read_text()
    bound = int(told.partition("CapBnd:")[2].split()[0], 16)
    return [f"CAP_{name}" for bit, name in enumerate(CAPABILITIES) if bound >> bit & 1]


class Watch:
    """A sensor that is walked by a thread of its own, and the events that came."""

    def __init__(self, sensor: bpftrace.Sensor) -> None:
        self.sensor = sensor
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._walk, daemon=True)
        self._thread.start()
        self.wait(lambda event: event["kind"] == "gap" and event["action"] == "attach", 60)

    def _walk(self) -> None:
        for event in self.sensor:
            self.events.append(event)

    def wait(
        self, wanted: Callable[[Event], bool], seconds: float = 10.0, since: int = 0
    ) -> Event | None:
        """The first event like this, as soon as it has come."""
        end = time.monotonic() + seconds
        looked = since
        while True:
            while looked < len(self.events):
                event = self.events[looked]
                looked += 1
                if wanted(event):
                    return event
            if time.monotonic() > end:
                return None
            time.sleep(0.02)

    def close(self) -> None:
        """Stops the sensor."""
        self.sensor.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()


def watched(sensor: bpftrace.Sensor) -> Iterator[Watch]:
    """For fixtures."""
    watch = Watch(sensor)
    try:
        yield watch
    finally:
        watch.close()
