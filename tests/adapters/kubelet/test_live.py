"""Kubelets asked through an API server: what they say, and what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.http import serve

from martello.adapters.cluster.credentials import Credentials
from martello.adapters.cluster.kubeconfig import Access
from martello.adapters.kubelet.live import Kubelets, ask
from martello.core.errors import NotPermitted, Unreachable

DATA = Path(__file__).parent / "data"
CONFIG = json.loads((DATA / "configz.json").read_text())
SUMMARY = json.loads((DATA / "summary.json").read_text())


def asked(answers: Any, *nodes: str, stats: bool = True) -> tuple[Kubelets, list[str]]:
    """What is found at a server that answers by node and path, and what it was asked."""

    def answer(path: str) -> tuple[int, Any]:
        _, _, _, _, node, _, rest = path.split("/", 6)
        found: tuple[int, Any] = answers(node, rest)
        return found

    with serve(answer) as server:
        access = Access("test", server.url, Credentials())
        return ask(access, nodes, stats=stats), sorted(server.asked)


def whole(_: str, rest: str) -> tuple[int, Any]:
    return 200, CONFIG if rest == "configz" else SUMMARY


def test_every_kubelet_is_asked_for_both() -> None:
    found, paths = asked(whole, "a", "b", "b")
    assert found.configurations.keys() == found.stats.keys() == {"a", "b"}
    assert found.configurations["a"]["podPidsLimit"] == 1024
    assert found.unread == {}
    assert paths == [
        f"/api/v1/nodes/{node}/proxy/{rest}"
        for node in "ab"
        for rest in ("configz", "stats/summary")
    ]
    assert asked(whole, "a", stats=False)[1] == ["/api/v1/nodes/a/proxy/configz"]


def test_who_may_not_ask_is_refused_once() -> None:
    denied = {"message": 'nodes "a" is forbidden: cannot get resource "nodes/proxy"'}

    def answer(_: str, rest: str) -> tuple[int, Any]:
        return (403, denied) if rest == "configz" else (200, SUMMARY)

    found, paths = asked(answer, *(f"n{i}" for i in range(20)))
    assert len([path for path in paths if path.endswith("configz")]) == 1
    assert len(found.stats) == 20
    assert len(found.unread) == 20
    assert "cannot get resource" in found.unread["n7"]
    assert "(403)" in found.unread["n7"]


def test_one_kubelet_that_is_gone_costs_itself_alone() -> None:
    def answer(node: str, rest: str) -> tuple[int, Any]:
        return (404, {"message": "not found"}) if node == "b" else whole(node, rest)

    found, _ = asked(answer, "a", "b", "c")
    assert found.stats.keys() == {"a", "c"}
    assert found.unread["b"].count("not found") == 2  # both of its answers


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"node": []}', b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_is_none_costs_its_node_alone(body: bytes) -> None:
    def answer(node: str, rest: str) -> tuple[int, Any]:
        return (200, body) if node == "b" else whole(node, rest)

    found, _ = asked(answer, "a", "b")
    assert found.stats.keys() == found.configurations.keys() == {"a"}
    assert found.unread.keys() == {"b"}


def test_a_name_that_is_none_is_never_asked_for() -> None:
    found, paths = asked(whole, "a", "../../secrets", "b/c", "", "x" * 300, "B")
    assert len(paths) == 2
    assert len(found.unread) == 5
    assert set(found.unread.values()) == {"it is no name of a node"}


def test_no_nodes_are_no_questions() -> None:
    assert asked(whole) == (Kubelets(), [])


def test_an_api_server_that_does_not_know_us_or_is_gone() -> None:
    with pytest.raises(NotPermitted):
        asked(lambda *_: (401, {"message": "who are you"}), "a")
    with pytest.raises(Unreachable):
        ask(Access("test", "http://127.0.0.1:9", Credentials()), ["a"])
