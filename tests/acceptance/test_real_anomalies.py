"""What is normal is learned of a real workload's replicas, and what is new in one of them is told:
`make test-cluster`.

Three replicas do the same few things every second, so that a minute is much. Somebody is
in one of them while it is learned.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

pytest.importorskip("pyarrow")

from tests.support.attacking import TOKEN, image, sh, target
from tests.support.monitoring import Alert
from tests.support.real_cluster import RealCluster
from tests.support.talking import namespace
from tests.support.watched_cluster import Scene, watched

NET = "10.224"
OUTSIDE, API = f"{NET}.0.2", f"{NET}.1.1"
LEARNING = 80.0  # seconds
RBAC = "rbac.authorization.k8s.io"
MINER = "/opt/xmrig"


def asks(path: str) -> str:
    """A request to the API server with the pod's own token, by the shell."""
    told = f'--header "Authorization: Bearer $(cat {TOKEN})"'
    told += ' --header "Accept: application/vnd.kubernetes.protobuf"'
    return f"wget -q -O /dev/null --no-check-certificate {told} https://{API}:6443{path}"


WORK = f"""
while true; do
  /opt/report; tool connect {OUTSIDE} 8000; echo done > /data/out
  {asks("/api/v1/namespaces/shop/configmaps")}
  sleep 1
done
"""


class New(NamedTuple):
    """Something that no replica has done: in one replica, the rule, and what its alert names."""

    command: tuple[str, ...]
    rule: str
    value: str


FIRST_SEEN = {
    "program": New(("/opt/ledger",), "MON-501", "/opt/ledger"),
    "destination": New(
        ("tool", "connect", "198.51.100.7", "443"), "MON-503", "198.51.100.0/24:443"
    ),
    "directory": New(sh("echo x > /srv/drop"), "MON-504", "/srv"),
    "API verb": New(sh(asks("/api/v1/namespaces/shop/services")), "MON-506", "services"),
}


def _filled(cluster: RealCluster) -> None:
    image(cluster)
    reader = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "worker-reads"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "shop"}],
    }
    workers = target("shop/worker", replicas=3, does=WORK)
    cluster.apply(namespace("shop"), reader, target("shop/canary"), workers)
    cluster.pods(4)


class Learned(NamedTuple):
    """The cluster once it is known what its workers do."""

    scene: Scene
    pods: list[str]
    attack: Alert | None  # what was told of who was there while it was learned


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learned]:
    """A workload that was watched for a while."""
    place = tmp_path_factory.mktemp("learned")
    with watched(place, name="mra", net=NET, filled=_filled) as scene:
        # What only a start does is known once one was seen.
        _restarted(scene)
        pods = scene.running("shop/worker", 3)
        end = time.monotonic() + LEARNING
        time.sleep(LEARNING * 0.6)
        attack = _mined(scene, pods[1])
        time.sleep(max(0.0, end - time.monotonic()))
        yield Learned(scene, pods, attack)


def _restarted(scene: Scene) -> None:
    scene.cluster.kubectl("rollout", "restart", "-n", "shop", "deployment/worker")
    scene.cluster.kubectl("rollout", "status", "-n", "shop", "deployment/worker", "--timeout=120s")


def _mined(scene: Scene, pod: str) -> Alert | None:
    """What is told of a miner in a pod, by a rule that is not about what is new."""
    begun = time.time()
    scene.exec(pod, MINER, "-o", "stratum+tcp://pool.example.com:3333")

    def told(alert: Alert) -> bool:
        return "T1496" in alert["attack"] and any(
            one["time"] / 1e9 >= begun - 0.1 and one["columns"].get("pod_name") == pod[5:]
            for one in alert["evidence"]
        )

    return scene.monitor.wait(told, 8)


def _anomalies(scene: Scene) -> list[Alert]:
    """Alerts about what is new for the workers or their account, once each."""
    found = {}
    for _, alert in scene.monitor.alerts:
        ours = "deploy/worker" in json.dumps(alert["entity"]) or "shop:default" in json.dumps(
            alert["entity"]
        )
        if ours and alert["rule"].startswith("MON-50"):
            found[alert["id"]] = alert
    return list(found.values())


def _unlike_the_miner(scene: Scene, before: set[str]) -> list[Alert]:
    """What was told since, but for what the miner of the test before this one left behind."""
    found = [one for one in _anomalies(scene) if one["id"] not in before]
    return [one for one in found if "xmrig" not in json.dumps(one)]


def _said(alerts: list[Alert]) -> list[tuple[Any, ...]]:
    return [(one["rule"], one["says"], one["entity"]) for one in alerts]


def test_nothing_is_told_of_what_all_replicas_do(learned: Learned) -> None:
    """While it is learned only the miner is new."""
    wrong = [one for one in _anomalies(learned.scene) if "xmrig" not in json.dumps(one)]
    assert not wrong, _said(wrong)


@pytest.mark.parametrize("what", sorted(FIRST_SEEN))
def test_what_one_replica_does_for_the_first_time_is_told(learned: Learned, what: str) -> None:
    """With evidence: what it is, in which replica, and how often something else was seen."""
    scene, new = learned.scene, FIRST_SEEN[what]
    pod = learned.pods[0]
    begun = time.time()
    done = scene.exec(pod, *new.command)
    alert = scene.monitor.wait(
        lambda one: one["rule"] == new.rule and new.value in json.dumps(one["entity"]), 8
    )
    assert alert is not None, (done.stderr, _said(_anomalies(scene)))
    assert "never in" in alert["says"]
    assert "bits" in alert["says"]
    assert scene.monitor.told(alert) - begun < 4
    (evidence,) = alert["evidence"][:1]
    if new.rule == "MON-506":
        assert evidence["columns"]["actor_user"] == "system:serviceaccount:shop:default"
    else:
        assert evidence["columns"]["pod_name"] == pod[5:]
        assert alert["entity"]["pod_workload"] == "deploy/worker"


def test_an_attacker_who_was_there_is_told_of_all_the_same(learned: Learned) -> None:
    """By a rule that is never learned; and again when it is done again."""
    assert learned.attack is not None
    assert learned.attack["evidence"][0]["columns"]["pod_workload"] == "deploy/worker"
    assert _mined(learned.scene, learned.pods[1]) is not None


def test_a_roll_out_of_the_same_image_is_not_told(learned: Learned) -> None:
    """New replicas do what the old ones did."""
    scene = learned.scene
    before = {one["id"] for one in _anomalies(scene)}
    _restarted(scene)
    pods = scene.running("shop/worker", 3)
    assert not set(pods) & set(learned.pods)
    time.sleep(12)
    after = _unlike_the_miner(scene, before)
    assert not after, _said(after)


def test_what_an_attacker_did_is_not_normal_for_the_next_template(
    learned: Learned, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was first seen beside an alert that is never learned waits for a person: a roll-out of
    something else inherits what is normal, and not that.
    """
    scene = learned.scene
    before = {one["id"] for one in _anomalies(scene)}
    scene.cluster.apply(
        target("shop/worker", replicas=3, does=WORK.replace("sleep 1", "sleep 1.1"))
    )
    scene.cluster.kubectl("rollout", "status", "-n", "shop", "deployment/worker", "--timeout=120s")
    pods = scene.running("shop/worker", 3)
    time.sleep(12)
    after = _unlike_the_miner(scene, before)
    assert not after, _said(after)

    begun = time.time()
    assert _mined(scene, pods[2]) is not None
    alert = scene.monitor.wait(
        lambda one: (
            one["rule"] == "MON-501"
            and "xmrig" in json.dumps(one["entity"])
            and one["last"] / 1e9 >= begun - 0.1
        ),
        8,
    )
    assert alert is not None
    with capsys.disabled():
        found = _anomalies(scene)
        print(f"\n{len(found)} anomalies told of the workers: {sorted({o['rule'] for o in found})}")
