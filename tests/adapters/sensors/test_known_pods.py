"""The pods that are handed in again and again: those that are gone are forgotten in the end."""

from __future__ import annotations

from typing import Any

import pytest

from martello.adapters.sensors import containers


def _pod(number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": f"u-{number}"},
        "status": {"containerStatuses": [{"containerID": f"containerd://{number:064x}"}]},
    }


def test_pods_that_come_and_go_take_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_MOST_PODS", 100)
    pods = containers.Pods()
    for number in range(1, 1_000):
        pods.add(_pod(0))  # one that stays is read each time
        pods.add(_pod(number))
    for at in (0, 950, 999):
        assert pods.container(f"{at:064x}").get("pod_name") == f"web-{at}"
        assert pods.pod(uid=f"u-{at}").get("pod_name") == f"web-{at}"
    assert pods.container(f"{5:064x}") == pods.pod(uid="u-5") == pods.pod("", "shop", "web-5") == {}
    known = (pods._containers, pods._uids, pods._names)
    assert [len(one) for one in known] == [100, 100, 100]
