"""A real Prometheus, the daemon, and a container that computes more than on any day before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from tests.support.monitoring import monitor
from tests.support.ports import free_port
from tests.support.resources import prometheus_server, series
from tests.support.resources.series import Truth, container

DAYS = 9
MINUTE = 60.0
CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"


def _truth(now: float) -> list[Truth]:
    """Two replicas; in the last hour one computes, and another workload only works as ever."""
    times = now - DAYS * 86_400 + MINUTE * np.arange(DAYS * 1440)
    daily = 0.2 + 0.15 * np.sin(times / 86_400 * 2 * np.pi)
    mined = np.where(times > now - 3600, 1.9, daily)
    used = np.full(len(times), 3e8)
    found = [series.of_set("shop", "web-1", "Deployment", "web", times[::5])]
    for pod, rate in (("web-1-bbbbb", daily), ("web-1-ccccc", mined)):
        busy = np.cumsum(rate * MINUTE)
        found += [
            container(CPU, times, busy, f"shop/{pod}/app", cpu="total"),
            container(MEMORY, times, used, f"shop/{pod}/app"),
            series.owner("shop", pod, "ReplicaSet", "web-1", times[::5]),
        ]
    found += [
        container(CPU, times, np.cumsum(daily * MINUTE), "shop/db-0/db", cpu="total"),
        container(MEMORY, times, used, "shop/db-0/db"),
        series.owner("shop", "db-0", "StatefulSet", "db", times[::5]),
    ]
    return found


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    prometheus_server.skip_without()
    with prometheus_server.running(_truth(float(int(time.time())))) as server:
        yield server.url


def test_one_replica_that_mines_is_told_and_nothing_else(url: str, tmp_path: Path) -> None:
    with monitor(tmp_path, "--prometheus", url, port=free_port()) as running:
        told = running.wait(lambda alert: alert["rule"] == "MON-328", 60)
        assert told is not None, running.errors
        time.sleep(2)
        (alert,) = running.of("MON-328")
    assert alert["severity"] == "medium"
    who, says = "pod shop/web-1-ccccc, container app of deploy/web", alert["says"]
    assert says.startswith(f"{who}: processor time: 1.9 cores over 15 minutes, at most 35")
    assert says.endswith("m in the 9 days before")
    with monitor(tmp_path, "--prometheus", url, port=free_port()) as again:
        assert again.wait(lambda alert: alert["rule"] == "MON-328", 5) is None
