"""Admission of objects that were written to hurt: bounded work, an answer, no traceback."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.resources.admitting import ask, deployment, limits, pod, quota, thing, world

from martello.practices.resources.admission.bounds import bounds
from martello.practices.resources.admission.server import Server
from martello.practices.resources.amounts import Malformed

_LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats()
_ANY: st.SearchStrategy[Any] = st.recursive(
    _LEAF,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    ("containers", "initContainers", "resources", "overhead", "affinity", "priorityClassName")
)
_SPEC = st.dictionaries(_KEYS | st.text(max_size=4), _ANY, max_size=4)
_WITH = st.builds(lambda resources: {"containers": [{"name": "c", "resources": resources}]}, _ANY)


@given(_SPEC | _WITH | _ANY, _ANY, _ANY)
def test_anything_gets_an_answer(spec: Any, item: Any, hard: Any) -> None:
    here = world(
        thing("LimitRange", "l", {"limits": item}), thing("ResourceQuota", "q", {"hard": hard})
    )
    server = Server(here)
    for kind in ("Pod", "Deployment", "Service", "PersistentVolumeClaim", "LimitRange"):
        raw = {"template": {"spec": spec}} if kind == "Deployment" else spec
        asked = thing(kind, "web", spec=None)
        asked.raw["spec"] = raw
        found = server.admit(asked)
        assert found.verdict in ("admitted", "refused", "unassessed")
        assert (found.verdict == "unassessed") == bool(found.reason)
        assert found.pod is None or isinstance(found.pod, dict)
        assert isinstance(found.changes, list)


@given(_ANY, _ANY, _ANY)
def test_any_guard_is_told_of(item: Any, hard: Any, scopes: Any) -> None:
    spec = {"hard": hard, "scopes": scopes, "scopeSelector": {"matchExpressions": scopes}}
    here = world(thing("LimitRange", "l", {"limits": item}), thing("ResourceQuota", "q", spec))
    with contextlib.suppress(Malformed):
        assert bounds(here, "shop")


_LONG = ("1" * 900, "9" * 30 + "Ei", "1e4999", "1e-4999", "0" * 999 + "1")


@pytest.mark.parametrize("written", _LONG, ids=["900 digits", "Ei", "e4999", "e-4999", "zeros"])
def test_long_amounts_cost_little(written: str) -> None:
    begun = time.process_time()
    found = ask(pod({"limits": {"memory": written}}), quota(hard={"limits.memory": "1Gi"}))
    assert found.verdict in ("admitted", "refused")
    assert found.pod is not None or found.messages
    assert time.process_time() - begun < 1


def test_many_limit_ranges_and_containers_cost_little() -> None:
    begun = time.process_time()
    many = [limits({"default": {"cpu": "1"}}, name=f"l{i}") for i in range(1000)]
    assert ask(pod({}), *many).verdict == "unassessed"
    wide = pod(*[{"limits": {"cpu": "1"}} for _ in range(800)])
    four = many[:4]
    assert ask(wide, *four, quota(hard={"cpu": "1"})).code == 403
    assert ask(deployment(2**31 - 1, {}), quota(hard={"pods": "3"})).fitting == 3
    expression = {
        "scopeName": "PriorityClass",
        "operator": "In",
        "values": [f"c{i}" for i in range(5000)],
    }
    held = quota(hard={"cpu": "1"}, scopeSelector={"matchExpressions": [expression]})
    with pytest.raises(Malformed, match="more than"):
        bounds(world(held), "shop")
    assert time.process_time() - begun < 20
