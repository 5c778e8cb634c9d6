"""What `martello scan cluster` costs on many Pods of a real kube-apiserver, as a whole process."""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import Any, Final

import httpx
from tests.support.apiserver import ApiServer, Missing, run

from bench.material import BUILD
from bench.process import Usage
from bench.process import run as measured

PODS: Final = 10_000
NAMESPACES: Final = 20
AT_ONCE: Final = 32
# What a large cluster may cost: CPU seconds and MiB.
CPU, MEMORY = 12, 300


def pod(number: int) -> dict[str, Any]:
    """A Pod as controllers make them: most of it like its siblings, names and volumes its own."""
    token = f"kube-api-access-{number:05x}"
    containers = [
        {
            "name": f"c{which}",
            "image": f"registry.example/app-{number % 200}:{which}.{number % 7}",
            "env": [{"name": f"E{n}", "value": f"value-{n}"} for n in range(8)]
            + [{"name": "INSTANCE", "value": f"pod-{number}"}],
            "resources": {"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": token, "mountPath": "/t"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
            "livenessProbe": {"httpGet": {"path": "/", "port": 8080}},
            "securityContext": {"runAsNonRoot": True} if number % 2 else {},
        }
        for which in range(2)
    ]
    mounted = {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}
    volumes = [{"name": "v", "emptyDir": {}}, {"name": token, "projected": mounted}]
    metadata = {
        "name": f"pod-{number}",
        "labels": {"app": f"app-{number % 200}", "pod-template-hash": f"{number:x}"},
        "annotations": {"checksum/config": f"{number * 7919:064x}"},
    }
    spec = {"containers": containers, "volumes": volumes, "nodeName": f"node-{number % 100}"}
    return {"metadata": metadata, "spec": spec}


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


def scan(server: ApiServer, output: str) -> Usage:
    """One scan of the whole cluster by the command line."""
    command = (sys.executable, "-m", "martello.cli.main", "scan", "cluster", "-o", output)
    words = ("--kubeconfig", str(server.kubeconfig()), "--fail-on", "never")
    BUILD.mkdir(parents=True, exist_ok=True)
    return measured((*command, *words), BUILD / f"live.{output}")


def main(count: int = PODS) -> int:
    """Fills a cluster and measures; 1 where a scan costs more than it may."""
    try:
        with run() as server:
            asyncio.run(fill(server, count))
            used = {output: scan(server, output) for output in ("table", "json")}
    except Missing as missing:
        print(f"  the live cluster is left out: {missing}")
        return 0
    print("  a live cluster")
    for output, usage in used.items():
        told = f"{usage.cpu:8.3f} s CPU {usage.wall:8.3f} s {usage.memory:7.0f} MiB"
        print(f"  {f'{count} Pods, -o {output}':<28} {told}")
    kept = all(u.code == 0 and u.cpu <= CPU and u.memory <= MEMORY for u in used.values())
    print(f"    may cost {CPU} s CPU and {MEMORY} MiB: {'kept' if kept else 'missed'}\n")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
