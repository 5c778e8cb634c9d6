"""What a million distinct groups take in what monitor remembers, all of it in one process."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path
from resource import getpagesize
from typing import Any, Final

from martello.practices.monitor.alerts.attribute import Authors
from martello.practices.monitor.alerts.correlate import Correlator
from martello.practices.monitor.alerts.grouping import Grouping
from martello.practices.monitor.alerts.trail import Trail
from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.engine.ir import TRUE
from martello.practices.monitor.engine.rule import Correlation, Hit, Pack, Rule

GROUPS: Final = 1_000_000
MEMORY: Final = 512  # MiB that all of them may take
_BATCH: Final = 1_000
_BEGIN: Final = 1_800_000_000_000_000_000


def event(number: int) -> dict[str, Any]:
    """One event of a workload, a user and an address of its own."""
    return {
        "kind": "audit",
        "id": f"{number:032x}",
        "time": _BEGIN + number * 1_000_000,
        "source": "audit",
        "k8s_ns": f"ns-{number}",
        "k8s_resource": "pods",
        "k8s_name": f"web-{number}-x2x4q",
        "k8s_obj_name": f"web-{number}-x2x4q",
        "pod_name": f"web-{number}-x2x4q",
        "pod_workload": f"deploy/web-{number}",
        "pod_template": "t1",
        "container_name": "app",
        "actor_user": f"system:serviceaccount:ns-{number}:runner",
        "actor_agent": "kubectl/v1.31 (linux/amd64)",
        "actor_ips": [f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"],
        "api_verb": "create",
        "api_uri": f"/api/v1/namespaces/ns-{number}/pods",
        "api_code": 201,
        "proc_exe": f"/opt/app-{number}/run",
        "raw": f"{number:01200}",
    }


def main(groups: int = GROUPS) -> int:
    """Prints what is kept and what it takes; 1 where that is more than it may be."""
    rules = [
        Rule("A", "a", TRUE, ("audit",), say="{actor_user} in {pod_name}", why="w", fix="f"),
        Rule("C", "c", correlate=Correlation("count", ("A",), ("actor_user",), 86_400, ">=", 3)),
        Rule(
            "V",
            "v",
            correlate=Correlation("values", ("A",), ("k8s_ns",), 86_400, ">=", 3, field="pod_name"),
        ),
    ]
    grouping, correlator = Grouping(Pack(rules)), Correlator(Pack(rules))
    authors, trail, baselines = Authors(), Trail(), Baselines()
    before, begun = _resident(), time.process_time()
    for first in range(0, groups, _BATCH):
        events = [event(number) for number in range(first, min(groups, first + _BATCH))]
        hits = [Hit("A", one) for one in events]
        grouping.add(hits)
        correlator.seen("audit", [one["time"] for one in events])
        correlator.add(hits)
        for one in events:
            authors.note(one)
            trail.note({**one, "k8s_subresource": "exec"})
        baselines.observe({**one, "kind": "process"} for one in events)
    gc.collect()
    taken = _resident() - before
    print(f"{groups:,} groups: {taken:,.0f} MiB, {time.process_time() - begun:,.0f} s of CPU")
    print(f"  open alerts {grouping.dropped:,} let go; groups {correlator.evicted:,} let go")
    print(f"  authors {authors.forgotten:,}, entities {baselines.forgotten:,} let go\n")
    return int(taken > MEMORY)


def _resident() -> float:
    """MiB that the process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() / (1 << 20)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
