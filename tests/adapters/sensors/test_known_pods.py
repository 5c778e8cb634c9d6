"""The pods that are handed in again and again: those that are gone are forgotten in the end."""

from __future__ import annotations

import hashlib
import sys
import threading
from typing import Any

import pytest

from martello.adapters.sensors import pods as handed


def _pod(number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": f"u-{number}"},
        "status": {"containerStatuses": [{"containerID": f"containerd://{number:064x}"}]},
    }


def test_pods_that_come_and_go_take_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed, "_MOST_PODS", 100)
    pods = handed.Pods()
    for number in range(1, 1_000):
        pods.add(_pod(0))  # one that stays is read each time
        pods.add(_pod(number))
    for at in (0, 950, 999):
        assert pods.container(f"{at:064x}").get("pod_name") == f"web-{at}"
        assert pods.pod(uid=f"u-{at}").get("pod_name") == f"web-{at}"
    assert pods.container(f"{5:064x}") == pods.pod(uid="u-5") == pods.pod("", "shop", "web-5") == {}
    known = (pods._containers, pods._uids, pods._names)
    assert [len(one) for one in known] == [100, 100, 100]


def _named(number: int, id_: str) -> dict[str, Any]:
    status = {"containerStatuses": [{"containerID": f"containerd://{id_}"}]}
    return {**_pod(number), "status": status}


def test_who_asks_is_answered_while_pods_are_read_again() -> None:
    """Tetragon tells the first 31 characters of a container's id."""
    ids = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(2_000)]
    found = [_named(number, id_) for number, id_ in enumerate(ids)]
    pods = handed.Pods(found)
    ended = threading.Event()

    def again() -> None:
        while not ended.is_set():
            for one in found:
                pods.add(one)

    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    thread = threading.Thread(target=again)
    thread.start()
    try:
        for _ in range(3):
            for number, id_ in enumerate(ids):
                assert pods.container(id_[:31])["pod_name"] == f"web-{number}"
                assert pods.container(id_)["pod_name"] == f"web-{number}"
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(before)


def test_a_short_id_of_several_containers_is_of_none() -> None:
    ids = ["a" * 12 + end * 52 for end in "bc"]
    pods = handed.Pods(_named(number, one) for number, one in enumerate(ids))
    assert pods.container("a" * 12) == {}
    assert pods.container(ids[0])["pod_name"] == "web-0"


def test_a_pod_cannot_take_the_name_of_another_by_an_annotation() -> None:
    victim, liar = _pod(1), _pod(2)
    liar["metadata"]["annotations"] = {"kubernetes.io/config.hash": "u-1"}
    pods = handed.Pods([victim, liar])
    assert pods.pod("u-1")["pod_name"] == "web-1"
