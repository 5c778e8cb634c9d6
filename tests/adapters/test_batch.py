"""Events as tables and back."""

from __future__ import annotations

from typing import Any

import pytest

from martello.adapters.batch import events, schema, table
from martello.core.event import COLUMNS, KINDS

EVENT: dict[str, Any] = {
    "id": "a",
    "kind": "audit",
    "time": 1_700_000_000_123_456_789,
    "flags": ["clock"],
    "api_code": 200,
    "api_annotations": {"a": "b", "é": ""},
    "spec_container": ["x", None],
    "spec_privileged": [True, None],
    "spec_uid": [None, 0],
    "spec_host_network": False,
    "actor_groups": [],
}


def test_a_table_gives_its_events_back() -> None:
    rows = [EVENT, {}, {"id": "b"}]
    assert events(table("audit", rows)) == rows


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_its_columns_alone(kind: str) -> None:
    """E3: a kind has no columns of another."""
    assert schema(kind).names == [n for n, one in COLUMNS.items() if kind in one.kinds]
    assert events(table(kind, [dict.fromkeys(COLUMNS)])) == [{}]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("api_code", 1 << 70, None),
        ("api_code", "200", None),
        ("actor_user", ["x"], None),
        ("actor_user", "a\ud800", "a?"),
        ("actor_groups", "x", None),
        ("actor_groups", ["a\udc00", "b"], ["a?", "b"]),
        ("api_annotations", ["x"], None),
        ("spec_host_network", "true", None),
    ],
)
def test_a_value_of_another_type_costs_itself_alone(name: str, value: Any, kept: Any) -> None:
    first, second = events(table("audit", [{"id": "a", name: value}, EVENT]))
    assert first == {"id": "a", "flags": ["partial"]} | ({} if kept is None else {name: kept})
    assert second == EVENT
