"""Where room is scarce, reads by parts of the cluster go first, and nothing else does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.senders import event

from martello.adapters.intake.shed import shed


def told(number: int, user: str, verb: str = "get", **about: str) -> dict[str, Any]:
    one = event(number, user)
    one["verb"] = verb
    one["objectRef"] = {**one["objectRef"], **about}
    return one


NODE = "system:node:a"
KEPT = [
    told(1, "alice"),
    told(2, "system:anonymous"),
    told(3, "system:serviceaccount:shop:web"),
    told(4, NODE, "patch"),
    told(5, NODE, resource="secrets"),
    told(6, NODE, subresource="exec"),
]
GONE = [told(7, NODE), told(8, "system:kube-scheduler", "watch"), told(9, "system:apiserver")]


def test_lists_and_lines() -> None:
    events = [one for pair in zip(KEPT, GONE * 2, strict=True) for one in pair]
    head = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1"}
    body, count = shed(json.dumps({**head, "items": events}).encode())
    assert count == 6
    assert json.loads(body) == {**head, "items": KEPT}
    body, count = shed(b"".join(json.dumps(one).encode() + b"\n" for one in events))
    assert count == 6
    assert [json.loads(line) for line in body.splitlines()] == KEPT


@pytest.mark.parametrize("body", [b"", b"not json", b'{"items": 1}', b"[1, 2]", b"\xff\n{"])
def test_what_cannot_be_read_stays(body: bytes) -> None:
    assert shed(body) == (body, 0)
