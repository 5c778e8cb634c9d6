"""Which container a process is in: from its control group or its mount namespace to the container's
id, and from there to pod, namespace and workload.

The id stands in /proc/PID/cgroup (kubelet with runc, containerd, CRI-O, Docker) or in a runtime's
state directory, for processes that are gone too; names come from the pods that are handed in, else
from the annotations that the runtime keeps beside the container.
"""

from __future__ import annotations

import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import Json, part, text
from martello.adapters.sensors.tree import mount_namespace

# Where runtimes keep the state of containers: runc's roots, and containerd's bundles.
STATES: Final = (
    "/run/containerd/runc/k8s.io",
    "/run/runc",
    "/run/crio/runc",
    "/run/docker/runtime-runc/moby",
    "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
)
CGROUPS: Final = "/sys/fs/cgroup"
_ID: Final = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
_POD: Final = re.compile(
    r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})"
)
_MOST: Final = 16_384  # containers remembered
_MOST_STATES: Final = 4096  # directories looked at
_LARGEST_STATE: Final = 4 << 20
_AGAIN: Final = 0.1  # seconds until what was not found is looked for again
_MOST_WAIT: Final = 60.0
_NAMES: Final = {  # of annotations: containerd's, then CRI-O's
    "container_name": ("io.kubernetes.cri.container-name", "io.kubernetes.container.name"),
    "pod_name": ("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"),
    "k8s_ns": ("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"),
    "pod_uid": ("io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"),
    "image_ref": ("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"),
}


class Containers:
    """From a key (P5: the control group's id, unless that is 1 as under cgroup v1; else the inode
    of the mount namespace) to the columns of its container and pod.
    """

    def __init__(
        self,
        pods: Pods | None = None,
        *,
        states: Sequence[str] = STATES,
        proc: str = "/proc",
        cgroups: str = CGROUPS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pods = pods or Pods()
        self._states = tuple(states)
        self._proc = proc
        self._cgroups = cgroups
        self._clock = clock
        self._known: OrderedDict[int, dict[str, str]] = OrderedDict()
        self._missed: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self._version = self.pods.version
        self._groups: OrderedDict[int, bool] = OrderedDict()

    def key(self, cgroup: int, mount: int, pid: int) -> int:
        """What tells containers apart (P5). A control group counts where its path names one:
        beside cgroup v1 a runtime's containers may all be in its own group of version 2.
        """
        if cgroup <= 1:
            return mount
        told = self._groups.get(cgroup)
        if told is None:
            try:
                paths = Path(f"{self._proc}/{pid}/cgroup").read_text("utf-8", "replace")
            except OSError:
                return cgroup
            line = next((one for one in paths.splitlines() if one.startswith("0::")), "")
            told = self._groups[cgroup] = bool(_ID.search(line))
            if len(self._groups) > _MOST:
                self._groups.popitem(last=False)
        return cgroup if told else mount

    def cgroup(self, pid: int) -> int:
        """The id of a process' control group of version 2, as the kernel tells it; 0: not known."""
        try:
            told = Path(f"{self._proc}/{pid}/cgroup").read_text("utf-8", "replace")
        except OSError:
            return 0
        line = next((one for one in told.splitlines() if one.startswith("0::/")), None)
        for root in (self._cgroups, f"{self._cgroups}/unified") if line else ():
            try:
                if line and Path(root, "cgroup.procs").exists():
                    return os.stat(f"{root}{line[3:]}").st_ino
            except OSError:
                continue
        return 0

    def forget(self, key: int) -> None:
        """The key is used again by another container."""
        self._known.pop(key, None)
        self._missed.pop(key, None)

    def columns(self, key: int, mount: int, pid: int) -> dict[str, str]:
        """The columns that are known; none for what is in no container. What is not found is looked
        for again later and later.
        """
        if self._version != self.pods.version:
            self._version = self.pods.version
            # Who is gone already cannot be asked again: what was found of it stands.
            for one, told in self._known.items():
                self._known[one] = self._whole(told["container_id"], kept=told)
        known = self._known.get(key)
        if known is not None:
            return known
        now = self._clock()
        until, wait = self._missed.get(key, (now, _AGAIN))
        if now < until:
            return {}
        found = self._from_process(pid) or self._from_states(mount) or self._from_cgroups(key)
        if not found:
            self._missed[key] = (now + wait, min(2 * wait, _MOST_WAIT))
            if len(self._missed) > _MOST:
                self._missed.popitem(last=False)
            return {}
        self._remember(key, found)
        return found

    def _remember(self, key: int, found: dict[str, str]) -> None:
        self._known[key] = found
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def _from_process(self, pid: int) -> dict[str, str]:
        try:
            told = Path(f"{self._proc}/{pid}/cgroup").read_text("utf-8", "replace")
        except OSError:
            return {}
        return self.of_cgroup(told)

    def of_cgroup(self, told: str) -> dict[str, str]:
        """The columns by what /proc/PID/cgroup or a path under /sys/fs/cgroup says. The container
        stands below its pod; what stands below the container is of the container's own making.
        """
        for line in told.splitlines():
            pod = _POD.search(line)
            if pod and (below := _ID.findall(line, pod.end())):
                return self._whole(below[0], pod[1].replace("_", "-"))
        ids = _ID.findall(told.replace("\n", "/"))
        pod = _POD.search(told)
        return self._whole(ids[-1], pod[1].replace("_", "-") if pod else "") if ids else {}

    def _whole(
        self, found: str, uid: str = "", kept: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        kept = kept if kept is not None else self._kept(found)
        by_id = self.pods.container(found)
        by_pod = by_id or self.pods.pod(uid or kept.get("pod_uid", ""))
        columns = {"container_id": found, **({"pod_uid": uid} if uid else {}), **kept, **by_pod}
        return {**columns, **by_id, "container_id": found}

    def _kept(self, found: str) -> dict[str, str]:
        """What a runtime's directory says of a container by its id."""
        for state in self._states:
            told = _told(Path(state) / found)
            if told:
                return told
        return {}

    def _from_states(self, mount: int) -> dict[str, str]:
        """Looks through the runtimes' directories for the container with this mount namespace."""
        for directory in self._directories():
            first = _first(directory)
            if first and mount == mount_namespace(first, self._proc):
                return self._from_process(first) or self._whole(
                    directory.name, kept=_told(directory)
                )
        return {}

    def _directories(self) -> list[Path]:
        found: list[Path] = []
        for state in self._states:
            try:
                with os.scandir(state) as entries:
                    found += (Path(one.path) for one in entries if one.is_dir())
            except OSError:
                continue
        return found[:_MOST_STATES]

    def _from_cgroups(self, key: int) -> dict[str, str]:
        """A control group of version 2 by its inode, for a process that is gone already."""
        looked = 0 if key < 1 << 31 else _MOST_STATES  # inodes of namespaces are larger
        for path, directories, _ in os.walk(self._cgroups):
            for name in directories:
                looked += 1
                if looked > _MOST_STATES:
                    return {}
                whole = os.path.join(path, name)
                try:
                    if _ID.search(whole) and os.stat(whole).st_ino == key:
                        return self.of_cgroup(whole)
                except OSError:
                    continue
        return {}


def _first(directory: Path) -> int:
    """The number of a container's first process, from runc's state or containerd's file."""
    state = _json(directory / "state.json")
    found = state.get("init_process_pid")
    if isinstance(found, int):
        return found
    try:
        return int((directory / "init.pid").read_text("ascii")[:12])
    except (OSError, ValueError):
        return 0


def _told(directory: Path) -> dict[str, str]:
    """The names that the annotations of a container give."""
    config = _json(directory / "config.json")
    if not config:
        labels = part(_json(directory / "state.json"), "config").get("labels")
        bundles = [
            one.removeprefix("bundle=")
            for one in (labels if isinstance(labels, list) else [])
            if isinstance(one, str) and one.startswith("bundle=")
        ]
        config = _json(Path(bundles[0]) / "config.json") if bundles else {}
    notes = part(config, "annotations")
    names = {column: text(notes, *keys) for column, keys in _NAMES.items()}
    return {column: value for column, value in names.items() if value}


def _json(path: Path) -> Json:
    try:
        with path.open("rb") as file:
            raw: Any = msgspec.json.decode(file.read(_LARGEST_STATE))
    except (OSError, ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}
