"""The sensor on a real cluster: what kubectl exec does in a pod is told with pod and workload."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.containers import Watch, needed
from tests.support.real_cluster import real_cluster

from martello.adapters.sensors.bpftrace import Sensor, boot_id
from martello.adapters.sensors.containers import STATES, Containers
from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import Place

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "box",
                        "image": "docker.io/library/busybox:demo",
                        "imagePullPolicy": "Never",
                        "command": ["sleep", "3600"],
                    }
                ]
            },
        },
    },
}
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


@pytest.mark.slow
def test_an_exec_into_a_pod_is_told_with_its_workload(tmp_path: Path) -> None:
    needed()
    with real_cluster(tmp_path, nodes=1, name="msen", net="10.215") as cluster:
        cluster.apply(DEPLOYMENT)
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
        pods = json.loads(cluster.kubectl("get", "pods", "-o", "json"))["items"]
        state = "/run/msen-n1/io.containerd.runtime.v2.task/k8s.io"
        known = Containers(Pods(pods), states=(state, *STATES))
        watch = Watch(Sensor(Place("real", "node1", boot_id()), known))
        try:
            begun = len(watch.events)
            name = pods[0]["metadata"]["name"]
            cluster.kubectl("exec", name, "--", "cat", TOKEN)
            event = watch.wait(lambda one: one.get("file_path") == TOKEN, 5, begun)
        finally:
            watch.close()
    assert event is not None
    assert (event["k8s_ns"], event["pod_name"], event["pod_workload"]) == (
        "default",
        name,
        "deploy/web",
    )
    assert (event["container_name"], event["pod_sa"]) == ("box", "default")
    assert event["proc_flags"] == ["entered"]
