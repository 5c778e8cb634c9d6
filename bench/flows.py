"""Hubble lines into flows, beside `orjson.loads` and a walk of what it gives, in the same run."""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import orjson

from bench.material import BUILD
from martello.adapters.flows.edges import edges
from martello.adapters.flows.read import read_flows

LINES = 100_000
FLOOR = 50_000  # lines a second of CPU
ROUNDS = 3
_APPS = 60


def main() -> int:
    """Prints lines per second of CPU; 1 where flows are read more slowly than FLOOR."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / "hubble.jsonl"
    path.write_bytes(b"\n".join(_line(random.Random(at)) for at in range(LINES)))
    size = path.stat().st_size / LINES
    ours = max(LINES / _read(str(path), False) for _ in range(ROUNDS))
    counted = max(LINES / _read(str(path), True) for _ in range(ROUNDS))
    plain = max(LINES / _plain(str(path)) for _ in range(ROUNDS))
    path.unlink()
    print(f"  {LINES} Hubble lines of {size:.0f} bytes, a second of CPU")
    print(f"    read into flows        {ours:10,.0f}")
    print(f"    counted into edges     {counted:10,.0f}")
    print(f"    orjson and a walk      {plain:10,.0f}   ours: {ours / plain:.2f} x")
    print(f"    at least {FLOOR:,}: {'kept' if ours >= FLOOR else 'missed'}\n")
    return int(ours < FLOOR)


def _read(path: str, count: bool) -> float:
    begun = time.process_time()
    found = read_flows([path])
    number = sum(one.count for one in edges(found)) if count else sum(1 for _ in found)
    spent = time.process_time() - begun
    assert number == LINES
    return spent


def _plain(path: str) -> float:
    """What a script would do: no address is checked, no time is read, no peer is shared."""
    begun = time.process_time()
    found: dict[tuple[Any, ...], int] = {}
    with open(path, "rb") as file:
        for line in file:
            raw = orjson.loads(line)
            flow = raw.get("flow", raw)
            source, target = flow.get("source", {}), flow.get("destination", {})
            ((protocol, ports),) = flow["l4"].items()
            key = (
                source.get("namespace"),
                source.get("pod_name"),
                flow["IP"]["source"],
                target.get("namespace"),
                target.get("pod_name"),
                flow["IP"]["destination"],
                protocol,
                ports.get("destination_port"),
                flow.get("verdict"),
                flow.get("is_reply"),
            )
            found[key] = found.get(key, 0) + 1
    return time.process_time() - begun


def _line(pick: random.Random) -> bytes:
    """A line as Cilium 1.16 exports it, with labels, flags and the summary."""
    sides = [pick.randrange(_APPS), pick.randrange(_APPS)]
    stamp = (
        f"2026-03-01T10:{pick.randrange(60):02}:{pick.randrange(60):02}.{pick.randrange(10**9):09}Z"
    )
    source, target = (_side(app, pick.randrange(5)) for app in sides)
    flow = {
        "time": stamp,
        "uuid": "cd75b2ac-8dd3-486b-beca-3d17d9d56cff",
        "verdict": "FORWARDED",
        "ethernet": {"source": "62:6b:d0:a4:c5:63", "destination": "6e:d0:ea:78:fc:0a"},
        "IP": {"source": source[1], "destination": target[1], "ipVersion": "IPv4"},
        "l4": {
            "TCP": {
                "source_port": pick.randrange(32768, 61000),
                "destination_port": 8000 + sides[1],
                "flags": {"SYN": True},
            }
        },
        "source": source[0],
        "destination": target[0],
        "Type": "L3_L4",
        "node_name": "prod/worker-1",
        "event_type": {"type": 4, "sub_type": 3},
        "traffic_direction": "EGRESS",
        "trace_observation_point": "TO_STACK",
        "is_reply": False,
        "Summary": "TCP Flags: SYN",
    }
    return orjson.dumps({"flow": flow, "node_name": "prod/worker-1", "time": stamp})


def _side(app: int, pod: int) -> tuple[dict[str, Any], str]:
    namespace, name = f"team-{app % 12}", f"service-{app}"
    side = {
        "ID": 100 + app,
        "identity": 20_000 + app,
        "cluster_name": "prod",
        "namespace": namespace,
        "labels": [
            f"k8s:app={name}",
            "k8s:io.cilium.k8s.policy.cluster=prod",
            "k8s:io.cilium.k8s.policy.serviceaccount=default",
            f"k8s:io.kubernetes.pod.namespace={namespace}",
        ],
        "pod_name": f"{name}-9b649846d-{pod:05}",
        "workloads": [{"name": name, "kind": "Deployment"}],
    }
    return side, f"10.0.{app}.{pod + 1}"


if __name__ == "__main__":
    sys.exit(main())
