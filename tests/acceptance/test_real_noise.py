"""How much is told of ordinary work: `make test-noise`, MINUTES=60 of it on a real cluster.

Roll-outs, scaling, logs, jobs, and a loop that applies what a repository says; whoever is told of
it that day must not be told more than twenty times.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

from tests.support.monitoring import Alert
from tests.support.real_cluster import RealCluster
from tests.support.talking import namespace, service, workload
from tests.support.watched_cluster import Scene, watched

BUDGET = 20  # alerts of a day
MINUTES = float(os.environ.get("MINUTES") or 0)
RBAC = "rbac.authorization.k8s.io"
HOST = ("process", "file", "network", "priv")
SPACES = ("shop", "data")
EVERY: dict[str, float] = {  # seconds between deeds of each kind
    "applied": 10,
    "scaled": 25,
    "rolled out": 45,
    "looked at": 7,
    "jobs": 30,
    "configured": 60,
}


def _filled(cluster: RealCluster) -> None:
    """A shop that talks to a store, its robot that applies changes, and a developer."""
    cluster.identities()
    cluster.apply(
        *(namespace(one) for one in (*SPACES, "gitops")),
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "robot", "namespace": "gitops"},
        },
        *(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "gitops", "namespace": one},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"},
                "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "gitops"}],
            }
            for one in SPACES
        ),
        workload("data/cache", port=6379),
        service("data/cache", 6379, 6379),
    )
    (cache,) = cluster.pods(1)
    cluster.apply(*_wanted(f"{cache.ip}:6379", 1))
    cluster.pods(4)


def _wanted(store: str, turn: int) -> list[dict[str, Any]]:
    """What the repository says."""
    web = workload("shop/web", replicas=2, port=8080, called="http", targets=[store])
    cart = workload("shop/cart", port=9000, targets=[store])
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {"turn": str(turn)},
    }
    return [web, cart, service("shop/web", 80, "http"), settings]


def _job(name: str) -> dict[str, Any]:
    container = {
        "name": "report",
        "image": "docker.io/library/busybox:demo",
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", "ls / > /tmp/report; cat /tmp/report; sleep 1"],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "data"},
        "spec": {
            "ttlSecondsAfterFinished": 20,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }


class Work:
    """People and robots at work, until `until` (monotonic)."""

    def __init__(self, scene: Scene, robot: Path, developer: Path, until: float) -> None:
        self.scene, self.robot, self.developer, self.until = scene, robot, developer, until
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        found = scene.cluster.kubectl("get", "pods", "-n", "data", "-o", "json", "-l", "app=cache")
        self.store = f"{json.loads(found)['items'][0]['status']['podIP']}:6379"

    def run(self) -> None:
        """All of it at once; returns at the end."""
        deeds: dict[str, Callable[[int], None]] = {
            "applied": self._apply,
            "scaled": self._scale,
            "rolled out": self._roll_out,
            "looked at": self._look,
            "jobs": self._run_job,
            "configured": self._configure,
        }
        threads = [
            threading.Thread(target=self._again, args=(name, does)) for name, does in deeds.items()
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    def _again(self, name: str, does: Callable[[int], None]) -> None:
        while time.monotonic() < self.until:
            try:
                does(self.done[name])
                self.done[name] += 1
            except AssertionError as error:
                self.failed.append(f"{name}: {error}")
            time.sleep(max(0.0, min(EVERY[name], self.until - time.monotonic())))

    def _as(self, who: Path, *words: str, text: str = "") -> str:
        return self.scene.cluster.kubectl(*words, text=text, config=who)

    def _apply(self, turn: int) -> None:
        """The loop of the robot: most of the time nothing has changed."""
        items = _wanted(self.store, turn // 6)
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self._as(self.robot, "apply", "-f", "-", text=text)

    def _scale(self, turn: int) -> None:
        replicas = 1 + turn % 3
        words = ("scale", "-n", "data", "deployment/cache", f"--replicas={replicas}")
        self._as(self.developer, *words)

    def _roll_out(self, turn: int) -> None:
        name = ("web", "cart")[turn % 2]
        self._as(self.developer, "rollout", "restart", "-n", "shop", f"deployment/{name}")
        words = ("rollout", "status", "-n", "shop", f"deployment/{name}", "--timeout=120s")
        self._as(self.developer, *words)

    def _look(self, turn: int) -> None:
        space = SPACES[turn % 2]
        self._as(self.developer, "get", "pods,deployments,services", "-n", space)
        if turn % 2:
            self._as(self.developer, "get", "events", "-n", space)
            self._as(self.developer, "describe", "deployments", "-n", space)
        else:
            self._as(self.developer, "logs", "-n", "shop", "deployment/cart", "--tail=20")

    def _run_job(self, turn: int) -> None:
        text = json.dumps(_job(f"report-{turn}"))
        self._as(self.robot, "apply", "-f", "-", text=text)
        wait = ("wait", "-n", "data", f"job/report-{turn}", "--for=condition=complete")
        self._as(self.developer, *wait, "--timeout=60s")
        self._as(self.robot, "delete", "-n", "data", f"job/report-{turn}")

    def _configure(self, turn: int) -> None:
        words = ("set", "env", "-n", "shop", "deployment/cart", f"LEVEL={turn % 2}")
        self._as(self.developer, *words)


def _robot(scene: Scene) -> Path:
    """The kubeconfig of the robot, by its token."""
    raw = json.loads(scene.cluster.kubectl("config", "view", "--raw", "-o", "json"))
    asked = ("get", "serviceaccount", "-n", "gitops", "robot", "-o", "json")
    (secret,) = json.loads(scene.cluster.kubectl(*asked))["secrets"]
    text = "{.data.token}"
    found = ("get", "secret", "-n", "gitops", secret["name"], "-o", f"jsonpath={text}")
    token = base64.b64decode(scene.cluster.kubectl(*found)).decode()
    raw["users"] = [{"name": "admin", "user": {"token": token}}]
    path = scene.cluster.place / "kubeconfig-robot"
    path.write_text(json.dumps(raw))
    return path


def _ours(alert: Alert, log: str) -> bool:
    """Whether it is of this cluster, whose log names every pod that it ever had: other tests'
    containers may be on the same machine.
    """
    return any(
        one["columns"].get("kind") not in HOST or str(one["columns"].get("pod_name", "\0")) in log
        for one in alert["evidence"]
    )


@pytest.mark.skipif(MINUTES <= 0, reason="make test-noise, with MINUTES=60")
def test_ordinary_work_is_not_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with watched(tmp_path, name="mrn", net="10.226", filled=_filled) as scene:
        robot, developer = _robot(scene), scene.cluster.person("dora", "edit")
        begun = time.time()
        work = Work(scene, robot, developer, time.monotonic() + 60 * MINUTES)
        work.run()
        time.sleep(5)
        told: dict[str, Any] = {
            alert["id"]: alert for _, alert in scene.monitor.alerts if alert["last"] / 1e9 >= begun
        }
        log = (scene.cluster.place / "audit.log").read_text("utf-8", "replace")
        foreign = [one for one in told if not _ours(told[one], log)]
        for one in foreign:
            del told[one]
        rules = Counter(f"{one['rule']} {one['title']}" for one in told.values())
        with capsys.disabled():
            print(f"\n{MINUTES:g} minutes of work, {dict(work.done)}: {len(told)} alerts")
            print(f"  and {len(foreign)} of containers on this machine that are of no pod here")
            for rule, count in rules.most_common():
                print(f"  {count}  {rule}")
            for one in told.values():
                print(f"     {one['rule']} {one['says'][:200]}")
        assert not work.failed, work.failed[:3]
        assert sum(work.done.values()) >= MINUTES * 10
        assert len(told) <= BUDGET
