"""The part of what was read that is judged: kubectl's namespaces and label selectors."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.errors import BadInput
from martello.core.focus import Focus, selector
from martello.core.resource import Nowhere, resource_of
from martello.core.selector import matches


def _holds(focus: Focus, kind: str = "Service", **metadata: Any) -> bool:
    raw = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", **metadata}}
    return focus.holds(resource_of(raw, Nowhere()))


def test_namespaces_leave_what_lies_in_none() -> None:
    focus = Focus(("shop", "ci"))
    assert _holds(focus, namespace="ci")
    assert not _holds(focus, namespace="data")
    assert _holds(focus)
    assert _holds(focus, kind="Node")


def test_labels_are_asked_of_what_lies_in_namespaces() -> None:
    focus = Focus(labels="app=web")
    assert _holds(focus, labels={"app": "web"})
    assert not _holds(focus, labels={"app": "db"})
    assert not _holds(focus)
    assert _holds(focus, kind="Node")


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a!=b,c", {"c": ""}, True),
        ("a!=b,c", {"a": "b", "c": ""}, False),
        ("x.io/tier in (f, g), !old", {"x.io/tier": "g"}, True),
        ("x.io/tier in (f,g),!old", {"x.io/tier": "g", "old": ""}, False),
        ("tier notin (f)", {"tier": "f"}, False),
        ("a=", {"a": ""}, True),
    ],
)
def test_selectors_are_read_as_kubectl_reads_them(
    text: str, labels: dict[str, str], expected: bool
) -> None:
    assert matches(selector(text), labels) is expected


@pytest.mark.parametrize("text", ["=", "a=b c", "a in b", "a in (b", "-a", "a=b,,c", "!", "a b"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no label selector"):
        selector(text)
