"""Rows taken from the engine all at once are those of its answers one by one."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.network.objects import cluster
from tests.support.network.random_cluster import ANY, random_cluster

from martello.core.reach import Reachability
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.firewall.judged import Options
from martello.practices.network.firewall.pods import pod_rules
from martello.practices.network.model import Place
from martello.practices.network.profiles import profile


class OneByOne:
    """A model that has no rows to look into."""

    def __init__(self, found: Reach) -> None:
        self._found = found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)

    def verdict(self, source: Place, destination: Place, family: int = 0) -> Reachability:
        """The engine's answer."""
        return self._found.verdict(source, destination, family)


@pytest.mark.parametrize("seed", range(12))
def test_rows_at_once_are_the_answers_one_by_one(seed: int) -> None:
    found = reach(cluster(random_cluster(seed, ANY)), profile("martello"))
    options = Options(unknown=("allow", "deny")[seed % 2])
    plain: Any = OneByOne(found)
    for node in (None, "node-1"):
        assert (
            pod_rules(found, node, options=options).text
            == pod_rules(plain, node, options=options).text
        )
