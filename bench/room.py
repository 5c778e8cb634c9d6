"""What very many distinct keys take in what monitor remembers, all of it in one process.

Each event has a workload, a user, an address, a program and a session of its own, so that nothing
is ever seen twice: alerts, correlations, who wrote what, sessions and baselines all fill up.
`python -m bench.room 1000000` for a million, which take little more.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from bench.material import BUILD
from bench.process import Usage, run
from martello.practices.monitor.alerts.acts import Acts
from martello.practices.monitor.alerts.attribute import Authors
from martello.practices.monitor.alerts.correlate import Correlator
from martello.practices.monitor.alerts.grouping import Grouping
from martello.practices.monitor.alerts.trail import Trail
from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.engine.ir import TRUE
from martello.practices.monitor.engine.rule import Correlation, Hit, Pack, Rule

KEYS: Final = 260_000  # past every bound; a million, by argument, take four times as long
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
        "api_id": f"{number:032x}",
        "api_stage": "ResponseStarted",
        "proc_exe": f"/opt/app-{number}/run",
        "raw": f"{number:01200}",
    }


def main(keys: int = KEYS) -> int:
    """Prints the peak of a process of its own beside one that has seen a thousand keys; 1 where the
    difference is more than it may be.
    """
    little, much = (_measured(number) for number in (_BATCH, keys))
    if little.code or much.code:
        print("memory of monitor: the process has failed")
        return 1
    taken = much.memory - little.memory
    print(f"memory of monitor, {keys:,} distinct keys")
    print(f"  peak {much.memory:,.0f} MiB, {taken:,.0f} MiB more than with {_BATCH:,} keys", end="")
    print(f" (limit {MEMORY}), {much.cpu - little.cpu:,.0f} s of CPU")
    print((BUILD / "room.txt").read_text(encoding="utf-8"))
    return int(taken > MEMORY)


def _measured(keys: int) -> Usage:
    program = "import sys, bench.room; bench.room.fill(int(sys.argv[1]))"
    return run((sys.executable, "-c", program, str(keys)), BUILD / "room.txt")


def fill(keys: int) -> None:
    """Remembers so many keys, and prints what was let go."""
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
    authors, trail, acts, baselines = Authors(), Trail(), Acts(), Baselines()
    for first in range(0, keys, _BATCH):
        events = [event(number) for number in range(first, min(keys, first + _BATCH))]
        hits = [hit for hit in (Hit("A", one) for one in events) if acts.first(hit)]
        grouping.add(hits)
        correlator.seen("audit", [one["time"] for one in events])
        correlator.add(hits)
        for one in events:
            authors.note(one)
            trail.note({**one, "k8s_subresource": "exec"})
        baselines.observe({**one, "kind": "process"} for one in events)
    print(f"  let go: {grouping.dropped:,} open alerts, {correlator.evicted:,} groups,", end="")
    print(f" {authors.forgotten:,} objects, {baselines.forgotten:,} entities")


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
