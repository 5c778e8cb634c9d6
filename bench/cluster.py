"""How much CPU time and memory it takes to list and judge the Pods of a live cluster.

    PYTHONPATH=src:. python bench/cluster.py [PODS]

Starts a real kube-apiserver (KUBEBUILDER_ASSETS), creates the Pods, and measures one process.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from typing import Any

import httpx
from tests.support.apiserver import ApiServer, run

NAMESPACES = 20
AT_ONCE = 32


def pod(number: int) -> dict[str, Any]:
    """A Pod of the usual size: two containers with probes, limits, mounts and environment."""
    containers = [
        {
            "name": f"c{which}",
            "image": f"registry.example/app-{number % 50}:{which}",
            "env": [{"name": f"E{n}", "value": f"value-{n}"} for n in range(8)],
            "resources": {"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "w", "mountPath": "/w"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
            "livenessProbe": {"httpGet": {"path": "/", "port": 8080}},
            "securityContext": {"runAsNonRoot": True},
        }
        for which in range(2)
    ]
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "w", "configMap": {"name": "m"}}]
    metadata = {
        "name": f"pod-{number}",
        "labels": {"app": f"app-{number % 200}", "number": str(number)},
        "annotations": {"about": "b" * 50},
    }
    return {"metadata": metadata, "spec": {"containers": containers, "volumes": volumes}}


async def fill(server: ApiServer, count: int) -> None:
    """Creates the Pods, many at a time."""
    trust = ssl.create_default_context(cafile=str(server.ca))
    headers = {"Authorization": f"Bearer {server.tokens['admin']}"}
    turns = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(
        base_url=server.url, headers=headers, verify=trust, trust_env=False, timeout=60
    ) as client:
        for number in range(NAMESPACES):
            body = {"metadata": {"name": f"n{number}"}}
            (await client.post("/api/v1/namespaces", json=body)).raise_for_status()

        async def create(number: int) -> None:
            async with turns:
                path = f"/api/v1/namespaces/n{number % NAMESPACES}/pods"
                (await client.post(path, json=pod(number))).raise_for_status()

        for start in range(0, count, 1000):
            await asyncio.gather(*map(create, range(start, min(count, start + 1000))))


def measure(kubeconfig: str) -> None:
    """Reads and judges in this process; prints what each step had cost when it was done."""
    import resource
    import time
    from datetime import date

    def done(what: str) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{what:<40} {time.process_time():6.2f} s CPU {peak:6.0f} MB peak", flush=True)

    from martello.adapters.cluster.read import read_cluster

    done("imported")
    reading = read_cluster(kubeconfig=kubeconfig)
    done(f"listed {len(reading.resources)} objects")
    from martello.catalogue.load import load
    from martello.catalogue.scan import scan

    result = scan(reading, load(), today=date(2026, 1, 1))
    done(f"judged: {len(result.findings)} findings")


def main() -> None:
    """One run."""
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2])
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with run() as server:
        asyncio.run(fill(server, count))
        command = [sys.executable, os.path.abspath(__file__), "--measure"]
        subprocess.run([*command, str(server.kubeconfig())], check=True)


if __name__ == "__main__":
    main()
