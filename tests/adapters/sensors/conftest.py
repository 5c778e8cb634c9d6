"""One container and one sensor for the tests of a worker here: to attach takes seconds, and what is
attached afterwards would cost all other tests time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.support.containers import Container, Watch, needed, watched

from martello.adapters.sensors.bpftrace import Sensor, boot_id
from martello.adapters.sensors.containers import STATES, Containers
from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import SECOND, Place

UID = "0a1b2c3d-0000-4000-8000-0123456789ab"
NOTES = {
    "io.kubernetes.cri.container-name": "web",
    "io.kubernetes.cri.sandbox-name": "web-5d7f9c-abcde",
    "io.kubernetes.cri.sandbox-namespace": "shop",
    "io.kubernetes.cri.sandbox-uid": UID,
    "io.kubernetes.cri.image-name": "registry.example/web:1",
}
POD = {
    "metadata": {
        "name": "web-5d7f9c-abcde",
        "namespace": "shop",
        "uid": UID,
        "labels": {"pod-template-hash": "5d7f9c"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d7f9c", "controller": True}],
    },
    "spec": {"serviceAccountName": "shopper", "containers": [{"name": "web", "image": "web:1"}]},
}


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    needed()
    made = Container(
        tmp_path_factory.mktemp("web"),
        f"martello-{os.getpid()}",
        privileged=True,
        annotations=dict(NOTES),
    )
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def container(running: Container) -> Container:
    """The container, with all files that an earlier test took away."""
    running.fill()
    return running


@pytest.fixture(scope="package")
def watch(running: Container) -> Iterator[Watch]:
    known = Containers(Pods([POD]), states=(running.states, *STATES))
    yield from watched(
        Sensor(
            Place("test", "node-1", boot_id()),
            known,
            canary_every=SECOND,
            canary_within=3 * SECOND,
        )
    )
