"""What a rule says where columns are missing: a sentence remains."""

from __future__ import annotations

import re
from typing import Any

import pytest

from martello.practices.monitor import packs
from martello.practices.monitor.engine.say import columns_of, render

WHERE = "{proc_name}[ in {k8s_ns}/{pod_workload}] ({container_name}, node {node})"
SHELL = {"proc_name": "sh"}


@pytest.mark.parametrize(
    ("say", "event", "told"),
    [
        (WHERE, SHELL, "sh"),
        (WHERE, {**SHELL, "node": "n1"}, "sh (node n1)"),
        (WHERE, {**SHELL, "container_name": "app", "k8s_ns": "shop"}, "sh in shop (app)"),
        (
            WHERE,
            {**SHELL, "k8s_ns": "a", "pod_workload": "b", "container_name": "c", "node": "d"},
            "sh in a/b (c, node d)",
        ),
        ("list secrets[ {k8s_ns}/{k8s_name}]", {}, "list secrets"),
        ("list secrets[ {k8s_ns}/{k8s_name}]", {"k8s_ns": ""}, "list secrets"),
        ("list secrets[ {k8s_ns}/{k8s_name}]", {"k8s_name": "db"}, "list secrets db"),
        ("{actor_user} (pod {actor_pod}) came", {"actor_user": "a"}, "a came"),
        ("{k8s_ns}/{k8s_name} is gone", {}, "- is gone"),
        ("by hand[: {spec_image}]", {"spec_image": [None, None]}, "by hand"),
        ("by hand[: {spec_image}]", {"spec_image": [None, "web:1"]}, "by hand: -, web:1"),
        ("{proc_uid} ran", {"proc_uid": 0}, "0 ran"),
        ("it has {node} (hostPID) [sic] ()", {"node": "n"}, "it has n (hostPID) [sic] ()"),
        ("{k8s_name}", {"k8s_name": "[ in {node}] (x)\x1b"}, r"[ in {node}] (x)\x1b"),
    ],
)
def test_what_is_missing_is_left_out(say: str, event: dict[str, Any], told: str) -> None:
    assert render(say, event) == told


def test_rules_of_the_pack_say_a_sentence_without_names() -> None:
    """With nothing but who acted known, no rule says `-/-`, `(-`, or `in -`."""
    for rule in packs.named(()).pack:
        names = columns_of(rule.say)
        assert render(rule.say, dict.fromkeys(names, "x")).count("[") == 0, rule.id
        optional = ("k8s_ns", "k8s_name", "pod_name", "pod_workload", "container_name", "node")
        known = {name: "x" for name in names if name not in (*optional, "actor_pod", "raw")}
        told = render(rule.say, known)
        head = told.removeprefix("-")  # who or what a sentence begins with has no other word
        assert not re.search(r"(^|[\s(/])-([\s)/,:]|$)", head), (rule.id, told)
        assert not re.search(r"  |,,|\(\)| [,:]", told), (rule.id, told)
