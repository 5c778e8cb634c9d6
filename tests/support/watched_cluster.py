"""A real cluster whose API server reports to a running `martello monitor run`, which watches the
nodes' containers too: what the tests of `make test-cluster` and `make test-noise` stand on.
"""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.certificates import Authority
from tests.support.containers import BUSYBOX, needed
from tests.support.monitoring import Alert, Monitor, monitor
from tests.support.ports import free_port
from tests.support.real_cluster import RealCluster, real_cluster, refused

# Bodies of writes only, and none of what machines write all the time.
POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  resources:
  - {group: "", resources: [secrets, configmaps, events, nodes, nodes/status, pods/status]}
- level: Metadata
  resources: [{group: coordination.k8s.io}, {group: discovery.k8s.io}, {group: events.k8s.io}]
- level: Metadata
  verbs: [get, list, watch]
- level: Request
"""


class Scene(NamedTuple):
    """The cluster, what watches it, and alice, an administrator."""

    cluster: RealCluster
    monitor: Monitor
    alice: Path

    @property
    def outside(self) -> str:
        """An address outside of the cluster, of this machine: 4444 and 8000 answer."""
        return f"{self.cluster.net}.0.2"

    @property
    def api(self) -> str:
        """The API server's address for pods."""
        return f"{self.cluster.net}.1.1"

    def kubectl(self, *words: str, text: str = "", who: Path | None = None) -> str:
        """Runs kubectl as alice, or as somebody else."""
        return self.cluster.kubectl(*words, text=text, config=who or self.alice)

    def exec(self, pod: str, *command: str) -> subprocess.CompletedProcess[str]:
        """What alice does in a pod `namespace/name`."""
        where, name = pod.split("/")
        call = ["kubectl", f"--kubeconfig={self.alice}", "exec", "-n", where, name, "--", *command]
        for _ in range(20):
            done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
            if not done.returncode or not refused(done.stderr):
                break
            time.sleep(1)
        return done

    def running(self, place: str, wanted: int) -> list[str]:
        """The pods `namespace/name` of a workload with the label app, once so many run alone."""
        where, app = place.split("/")
        asked = ("get", "pods", "-n", where, "-l", f"app={app}", "-o", "json")
        for _ in range(120):
            raw = json.loads(self.cluster.kubectl(*asked))["items"]
            ready = [one["metadata"]["name"] for one in raw if _ready(one)]
            if len(ready) == wanted == len(raw):
                return [f"{where}/{name}" for name in sorted(ready)]
            time.sleep(0.5)
        raise AssertionError(self.cluster.kubectl("get", "pods", "-A"))


def _ready(raw: Mapping[str, Any]) -> bool:
    states = raw.get("status", {}).get("containerStatuses") or [{}]
    return all(one.get("ready") for one in states) and "deletionTimestamp" not in raw["metadata"]


@contextmanager
def watched(
    place: Path,
    *,
    name: str,
    net: str,
    filled: Callable[[RealCluster], None],
    words: Sequence[str] = (),
) -> Iterator[Scene]:
    """Both, for the time of a test. `filled` puts into the cluster what was there before the
    monitor came.
    """
    needed()
    port = free_port()
    outside = f"{net}.0.2"
    kept = place / "monitor"
    kept.mkdir()
    authority = Authority(kept)
    certificate, key = authority.server("door", outside)
    webhook = kept / "webhook.json"
    webhook.write_text(json.dumps(_webhook(f"https://{outside}:{port}/audit", authority.file)))
    (place / "audit-policy.yaml").write_text(POLICY)
    arguments = [
        f"--audit-webhook-config-file={webhook}",
        "--audit-webhook-batch-max-wait=200ms",
        "--audit-webhook-initial-backoff=500ms",
    ]
    with real_cluster(place, nodes=2, name=name, net=net, arguments=arguments) as cluster:
        filled(cluster)
        alice = cluster.person("alice")
        door = ("--tls-cert", str(certificate), "--tls-key", str(key))
        sensor = ("--sensor", "bpftrace", "--kubeconfig", str(cluster.kubeconfig))
        named = ("--cluster", "real", *door, *sensor, *words)
        with _outside(outside), monitor(kept, *named, port=port, host=outside) as running:
            scene = Scene(cluster, running, alice)
            _sees(scene)
            yield scene


def _sees(scene: Scene) -> None:
    """Waits until the probes are attached and the API server reports: both tell of an exec."""
    raw = json.loads(scene.cluster.kubectl("get", "pods", "-A", "-o", "json"))["items"]
    first = next(one["metadata"] for one in raw if _ready(one))
    pod = f"{first['namespace']}/{first['name']}"
    for _ in range(30):
        scene.exec(pod, "/bin/sh", "-c", "true # seen")
        if scene.monitor.wait(lambda one: of_host(one) and "alice" in json.dumps(one), 1):
            return
    raise AssertionError("".join(scene.monitor.errors) or "it does not see the cluster")


def of_host(alert: Alert) -> bool:
    """Whether an alert stands on what the sensor saw."""
    return any(one["columns"].get("kind") != "audit" for one in alert["evidence"])


def _webhook(url: str, authority: Path) -> dict[str, Any]:
    server = {"server": url, "certificate-authority": str(authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": server}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "users": [{"name": "x", "user": {}}],
    }


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = BUSYBOX.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def _outside(address: str) -> Iterator[None]:
    """What pods talk to outside: 4444 takes connections and ends them, 8000 gives a program."""
    web = http.server.ThreadingHTTPServer((address, 8000), _Answers)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    taking = socket.create_server((address, 4444))

    def take() -> None:
        while True:
            try:
                taking.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=take, daemon=True).start()
    try:
        yield
    finally:
        web.shutdown()
        web.server_close()
        taking.shutdown(socket.SHUT_RDWR)
        taking.close()
