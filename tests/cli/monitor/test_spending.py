"""Quotas that are nearly spent: told once, as events that a rule reads, and again after a while."""

from __future__ import annotations

import pytest
from tests.support.monitor.kept import Kept
from tests.support.resources.guarded import thing

from martello.adapters.sensors.shape import Place
from martello.cli.monitor.spending import Spending
from martello.core.cluster import Cluster
from martello.core.errors import Unreachable
from martello.core.resource import Nowhere, resource_of


def cluster(used: str, pods: str = "1") -> Cluster:
    """A live namespace with one quota."""
    hard = {"requests.memory": "2Gi", "pods": "10"}
    status = {"hard": hard, "used": {"requests.memory": used, "pods": pods}}
    held = thing("ResourceQuota", "compute", "shop", {"hard": hard}, status=status)
    return Cluster([resource_of(held, Nowhere(), "live")], name="live")


def test_each_is_told_when_it_comes_to_be() -> None:
    kept = Kept()
    spending = Spending(kept, Place("live", "n1"), lambda: 7_000_000_000)
    for used in ("1Gi", "1900Mi", "1950Mi"):
        spending(cluster(used))
    (event,) = kept.events
    assert event["log_text"] == "requests.memory: 1.9Gi of 2Gi (93%)"
    assert (event["k8s_ns"], event["k8s_name"], event["cluster"]) == ("shop", "compute", "live")
    spending(cluster("1950Mi", pods="10"))
    assert kept.events[1]["log_text"] == "pods: 10 of 10 (100%)"
    spending(cluster("1Gi"))
    spending(cluster("2Gi"))
    assert len(kept.events) == 3


def test_what_was_not_kept_is_told_again() -> None:
    kept = Kept()
    spending = Spending(kept, Place("live"))
    kept.full = True
    with pytest.raises(Unreachable):
        spending(cluster("2Gi"))
    kept.full = False
    spending(cluster("2Gi"))
    assert len(kept.events) == 1


def test_of_very_many_none_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("martello.cli.monitor.spending._MOST", 1)
    kept = Kept()
    spending = Spending(kept, Place("live"))
    for _ in range(3):
        spending(cluster("2Gi", pods="10"))
    assert sorted(one["log_text"].split(":")[0] for one in kept.events) == [
        "pods",
        "requests.memory",
    ]
