"""Attacks on a real cluster with running pods, told by `martello monitor run`: `make test-cluster`.

Alice, an administrator, goes into pods by kubectl exec. What she does there is told within two
seconds of the act, with pod, container, workload and her name; its harmless twin in another pod is
not. What she does to the API server is told from its own audit webhook.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("pyarrow")

from tests.support.attacking import Behaviour, behaviours, image, target
from tests.support.monitoring import Alert
from tests.support.real_cluster import RealCluster
from tests.support.talking import namespace
from tests.support.watched_cluster import Scene, watched

from martello.practices.monitor import packs
from martello.practices.monitor.own import load as own

WITHIN = 2.0  # seconds from the act to the alert that names everybody
SETTLED = 4.0  # seconds after which nothing more is told of an act
NAMES = [one.name for one in behaviours("door", "api")]
BASELINE = "MON-50"
Twin = tuple[float, float, str]  # from when to when (wall clock), and in which pod


class Attacked:
    """The cluster and what was done in it: each attack once, with its twin."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.behaviours = {one.name: one for one in behaviours(scene.outside, scene.api)}
        self.latency: dict[str, float] = {}
        self._rules: dict[str, set[str]] = {}
        self._twins: dict[str, Twin] = {}
        names = ("web", "clerk", "root", "rooted")
        self.pods = {name: scene.running(f"shop/{name}", 1)[0] for name in names}
        scene.exec(self.pods["web"], "tool", "scan", scene.outside, "9001", "9121")
        scene.exec(self.pods["clerk"], "tool", "scan", scene.outside, "8000", "8010")
        self._where = {"web": ("web", "clerk"), "root": ("root", "rooted")}

    def rules(self, name: str) -> set[str]:
        """The rules that told of an attack, once it is done. Their alert names everybody."""
        if name not in self._rules:
            self._do(self.behaviours[name])
        return self._rules[name]

    def twin(self, name: str) -> Twin:
        """When and where its twin was done."""
        self.rules(name)
        return self._twins[name]

    def _do(self, behaviour: Behaviour) -> None:
        attacked, quiet = (self.pods[one] for one in self._where[behaviour.where])
        begun = time.time()
        done = self.scene.exec(attacked, *behaviour.attack)
        wanted = _telling(behaviour, attacked, begun)
        alert = self.scene.monitor.wait(lambda one: wanted(one) is not None, 8)
        found = self.scene.monitor.alerts
        self._rules[behaviour.name] = {one["rule"] for _, one in found if wanted(one)}
        if alert is not None:
            act = wanted(alert)
            assert act is not None
            self.latency[behaviour.name] = self.scene.monitor.told(alert) - act["time"] / 1e9
        begun = time.time()
        self.scene.exec(quiet, *behaviour.twin)
        self._twins[behaviour.name] = (begun, time.time(), quiet)
        assert alert is not None, (done.stdout, done.stderr, self.near(attacked, begun))

    def near(self, pod: str, since: float) -> list[tuple[str, str]]:
        """What was told of a pod, for whom looks at a failure."""
        found = [
            one for _, one in self.scene.monitor.alerts if pod.split("/")[1] in json.dumps(one)
        ]
        return [(one["rule"], one["says"][:200]) for one in found[-12:]]


def _evidence(alert: Alert, pod: str, since: float, until: float = 1e12) -> list[dict[str, Any]]:
    """What an alert stands on of the things that the sensor saw in a pod."""
    where, name = pod.split("/")
    return [
        one
        for one in alert["evidence"]
        if one["columns"].get("kind") != "audit"
        and (one["columns"].get("k8s_ns"), one["columns"].get("pod_name")) == (where, name)
        and since - 0.1 <= one["time"] / 1e9 <= until + 0.1
    ]


def _telling(
    behaviour: Behaviour, pod: str, since: float
) -> Callable[[Alert], dict[str, Any] | None]:
    """What tells of an act: the evidence with workload, container and alice, of a rule with one of
    its techniques, where its word stands.
    """
    workload = f"deploy/{pod.split('/')[1].rsplit('-', 2)[0]}"

    def told(alert: Alert) -> dict[str, Any] | None:
        if alert["rule"].startswith(BASELINE):
            return None
        if not any(one.startswith(behaviour.techniques) for one in alert["attack"]):
            return None
        for one in _evidence(alert, pod, since):
            columns = one["columns"]
            whole = (
                columns.get("pod_workload") == workload
                and columns.get("container_name") == "main"
                and columns.get("actor_origin") == "alice"
            )
            if whole and behaviour.word in json.dumps(one) + alert["says"] + alert["title"]:
                return one
        return None

    return told


def _filled(cluster: RealCluster) -> None:
    image(cluster)
    cluster.apply(
        namespace("shop"),
        target("shop/web"),
        target("shop/clerk"),
        target("shop/root", root=True),
        target("shop/rooted", root=True),
    )
    cluster.pods(4)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A shop whose pods are attacked."""
    place = tmp_path_factory.mktemp("attacked")
    with watched(place, name="mrt", net="10.223", filled=_filled) as scene:
        yield Attacked(scene)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_done_in_a_pod_is_told(attacked: Attacked, name: str) -> None:
    """Within two seconds, with pod, container, workload and the human behind it."""
    assert attacked.rules(name)
    assert attacked.latency[name] < WITHIN


@pytest.mark.parametrize("name", NAMES)
def test_its_harmless_twin_is_not_told(attacked: Attacked, name: str) -> None:
    begun, ended, pod = attacked.twin(name)
    left = ended + SETTLED - time.time()
    if left > 0:
        time.sleep(left)
    rules = attacked.rules(name)
    wrong = [
        (alert["rule"], alert["says"])
        for _, alert in attacked.scene.monitor.alerts
        if alert["rule"] in rules and _evidence(alert, pod, begun, ended)
    ]
    assert not wrong


RBAC = "rbac.authorization.k8s.io"


def _api_exec(scene: Scene, pod: str) -> None:
    scene.exec(pod, "/bin/ls", "/")


def _api_secrets(scene: Scene, _: str) -> None:
    scene.kubectl("get", "secrets", "-A")


def _api_privileged(scene: Scene, _: str) -> None:
    spec = {"securityContext": {"privileged": True}}
    container = {"name": "main", "image": "none.example.com/none:1", **spec}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "priv", "namespace": "shop"},
        "spec": {"containers": [container], "nodeName": "none"},
    }
    scene.kubectl("create", "-f", "-", text=json.dumps(pod))


def _api_escalation(scene: Scene, _: str) -> None:
    words = ("--clusterrole=cluster-admin", "--serviceaccount=shop:default")
    scene.kubectl("create", "clusterrolebinding", "more", *words)


def _api_anonymous(scene: Scene, pod: str) -> None:
    """An administrator has opened the cluster to everybody, and somebody uses it."""
    words = ("--verb=list", "--resource=pods")
    scene.cluster.kubectl("create", "clusterrole", "for-all", *words)
    group = ("--clusterrole=for-all", "--group=system:unauthenticated")
    scene.cluster.kubectl("create", "clusterrolebinding", "for-all", *group)
    url = f"https://{scene.api}:6443/api/v1/pods"
    for _tried in range(50):
        plain = ("--header", "Accept: application/vnd.kubernetes.protobuf")
        asked = ("wget", "-q", "-O", "/dev/null", "--no-check-certificate", *plain, url)
        done = scene.exec(pod, *asked)
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(done.stderr)


def _api_token(scene: Scene, _: str) -> None:
    path = "/api/v1/namespaces/shop/serviceaccounts/default/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    scene.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(body))


# What is done to the API server, and the names that other rule sets have for it.
API = {
    "exec": (_api_exec, "falco:Attach/Exec Pod"),
    "secrets listed": (_api_secrets, "panther:Kubernetes.Secrets.DumpAllNamespaces"),
    "privileged pod": (_api_privileged, "panther:Kubernetes.Pod.Privileged.Created"),
    "role escalation": (_api_escalation, "panther:Kubernetes.ClusterRoleBinding.Privileged"),
    "anonymous access": (_api_anonymous, "panther:Kubernetes.API.AnonymousAccess"),
    "token created": (_api_token, "panther:Kubernetes.ServiceAccount.TokenCreated"),
}


@pytest.mark.parametrize("name", sorted(API))
def test_what_is_done_to_the_api_server_is_told(attacked: Attacked, name: str) -> None:
    """From the audit webhook of the real API server, in two seconds, with who did it."""
    scene = attacked.scene
    does, called = API[name]
    rules = own.aliases(packs.default()).get(called, ())
    assert rules, f"no rule of ours is called {called}"
    who = "system:anonymous" if name == "anonymous access" else "alice"
    begun = time.time()
    does(scene, attacked.pods["clerk"])
    done = time.time()

    def told(alert: Alert) -> bool:
        late = any(one["time"] / 1e9 >= begun - 0.1 for one in alert["evidence"])
        return (
            alert["rule"] in rules
            and who in json.dumps(alert)
            and (late or alert["last"] / 1e9 >= begun - 0.1)
        )

    alert = scene.monitor.wait(told, 8)
    assert alert is not None, [(one["rule"], one["says"]) for _, one in scene.monitor.alerts[-20:]]
    took = attacked.latency[f"API: {name}"] = scene.monitor.told(alert) - done
    assert took < WITHIN


def test_many_tried_ports_are_told_once_nothing_earlier_can_come(attacked: Attacked) -> None:
    """By pod and target, within the minute that a correlation waits for late events."""
    monitor = attacked.scene.monitor
    alert = monitor.wait(lambda one: one["attack"] == ["T1046"] and "ports" in one["says"], 75)
    assert alert is not None
    assert alert["entity"]["pod_name"] == attacked.pods["web"][5:]
    assert len(monitor.of(alert["rule"])) == 1 or all(
        one["entity"] == alert["entity"] for one in monitor.of(alert["rule"])
    )


def test_figures(attacked: Attacked, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints how many were told, and how fast."""
    host = {name: took for name, took in attacked.latency.items() if not name.startswith("API:")}
    assert len(host) >= 20
    slowest = max(attacked.latency, key=lambda one: attacked.latency[one])
    with capsys.disabled():
        print(
            f"\n{len(host)} of {len(NAMES)} behaviours told, "
            f"{len(attacked.latency) - len(host)} of {len(API)} of the API; slowest "
            f"{attacked.latency[slowest]:.2f} s ({slowest}), median "
            f"{sorted(host.values())[len(host) // 2]:.2f} s"
        )
