"""Answers of kubelets are cut down to what is read, whatever they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.adapters.kubelet.shape import FIELDS, Foreign, configuration, summary

DATA = Path(__file__).parent / "data"
KIND = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text())


def test_a_configuration_keeps_what_is_read_and_no_secret() -> None:
    found = configuration(load("configz.json"))
    assert found.keys() <= FIELDS
    assert found["evictionHard"]["memory.available"] == "200Mi"
    assert found["podPidsLimit"] == 1024
    assert "Bearer" not in str(found)


@pytest.mark.parametrize(
    "raw", [None, [], "text", {}, {"kind": "Pod"}, {"kubeletconfig": []}, {**KIND, "apiVersion": 1}]
)
def test_what_is_no_configuration_is_foreign(raw: Any) -> None:
    with pytest.raises(Foreign):
        configuration(raw)


def test_a_field_is_bounded() -> None:
    many = {f"k{i}": "1" for i in range(201)}
    with pytest.raises(Foreign, match="more than 200 entries"):
        configuration({**KIND, "evictionHard": many})
    deep: Any = {"a": {"b": {"c": 1}}}
    found = configuration({**KIND, "evictionHard": {"x" * 9_999: "y" * 9_999}, "memorySwap": deep})
    assert {len(text) for pair in found["evictionHard"].items() for text in pair} == {300}
    assert found["memorySwap"] == {"a": None}


def test_a_summary_keeps_what_is_read() -> None:
    found = summary(load("summary.json"))
    assert found["node"]["nodeName"] == "worker-1"
    assert found["node"]["rlimit"] == {"maxpid": 4194304, "curproc": 900}
    assert "network" not in found["node"]
    first = found["pods"][0]
    assert first["memory"] == {"workingSetBytes": 421527552}
    assert [one["name"] for one in first["containers"]] == ["app", "proxy"]
    assert "volume" not in first


def test_a_summary_of_too_many_pods_is_refused() -> None:
    with pytest.raises(Foreign, match="more than 5,000 pods"):
        summary({"node": {}, "pods": [{}] * 5_001})
    with pytest.raises(Foreign, match="no summary"):
        summary({"node": []})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["node", "pods", "containers", "podRef", "memory", "fs", "name"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_cut_or_refused(raw: Any) -> None:
    for read in (configuration, summary):
        try:
            assert isinstance(read(raw), dict)
        except Foreign:
            continue
