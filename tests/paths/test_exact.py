"""Paths are exact: in random small worlds each can be executed step by step on a simulated API
server, and an exhaustive search on it finds nothing that they miss.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from tests.support.paths.exact import Compared

from martello.paths.edge import Clause, Edge, One, catalogue

BLOCKS, SIZE = 10, 25
BY_NAME = {edge.name: edge for edge in catalogue()}
# Edges that random worlds must have shown, by paths or by what only they lead to.
SHOWN = (
    *("pod-create", "pod-create-node", "pod-mounts-secrets", "workload-create", "workload-update"),
    *("pod-patch", "pod-debug", "pod-debug-node", "pod-exec", "pod-exec-get", "pod-attach"),
    *("secret-read-named", "secret-list", "secret-issue-token", "token-request"),
    *("impersonate-account", "impersonate-user", "impersonate-group", "impersonate-masters"),
    *("impersonate-phantom", "phantom-account", "clusterrole-bind", "role-bind-clusterrole"),
    *("role-bind-named", "clusterrole-bind-named", "role-escalate", "clusterrole-escalate"),
    *("role-create-bind", "csr-client-account", "csr-client-node", "csr-node-cert"),
    *("nodes-proxy", "namespace-psa", "privileged-mount", "node-to-pod", "node-identity"),
    *("node-authorizer", "token-mounted", "token-secret", "secret-mounted"),
)
FALSIFIED = (
    *("pod-create", "pod-exec", "pod-patch", "secret-read-named", "token-request"),
    *("secret-issue-token", "impersonate-group", "impersonate-masters", "secret-list"),
    *("role-bind-clusterrole", "role-escalate", "namespace-psa", "nodes-proxy", "pod-debug-node"),
)
LEFT_OUT = (
    *("pod-exec", "pod-attach", "pod-debug", "secret-read-named", "token-request", "nodes-proxy"),
    *("secret-issue-token", "role-bind-clusterrole", "namespace-psa"),
    *("clusterrole-escalate", "pod-mounts-secrets", "impersonate-account", "clusterrole-bind"),
)


@lru_cache(maxsize=BLOCKS * SIZE)
def world(number: int) -> Compared:
    return Compared(f"w{number}")


@pytest.mark.parametrize("block", range(BLOCKS))
def test_nothing_is_false_and_nothing_is_missed(block: int) -> None:
    for number in range(block * SIZE, (block + 1) * SIZE):
        assert list(world(number).differences()) == [], f"world {number}"


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_path_is_executed_step_by_step(block: int) -> None:
    for number in range(block * SIZE, (block + 1) * SIZE):
        wrong = [error for error, _ in world(number).replayed if error]
        assert wrong == [], f"world {number}"


def test_the_worlds_show_what_matters() -> None:
    seen: Counter[str] = Counter()
    for number in range(BLOCKS * SIZE):
        for _, edges in world(number).replayed:
            seen.update(edges)
    assert [edge for edge in SHOWN if not seen[edge]] == []


@pytest.mark.parametrize("name", FALSIFIED)
def test_an_edge_that_asks_for_too_little_is_found_out(name: str) -> None:
    """Its rights are replaced by one that many have."""
    assert any(
        one.startswith("false")
        for one in _differences(
            msgspec.structs.replace(
                BY_NAME[name], ways=tuple(tuple(map(_loosened, way)) for way in BY_NAME[name].ways)
            )
        )
    )


@pytest.mark.parametrize("name", LEFT_OUT)
def test_an_edge_that_is_left_out_is_missed(name: str) -> None:
    assert any(
        one.startswith("missed")
        for one in _differences(msgspec.structs.replace(BY_NAME[name], since=1000))
    )


def _differences(changed: Edge) -> Any:
    edges = [changed if edge.name == changed.name else edge for edge in catalogue()]
    for number in range(BLOCKS * SIZE):
        yield from world(number).differences(edges)


def _loosened(condition: Any) -> Any:
    if isinstance(condition, One):
        return condition.clauses[0]
    if isinstance(condition, Clause):
        return msgspec.structs.replace(
            condition, verbs=("get",), resources=("configmaps",), name=""
        )
    return condition
