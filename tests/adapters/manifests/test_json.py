"""JSON, JSON Lines and flow YAML, with positions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from martello.adapters.manifests import FileOrigin, Limits, parse_documents
from martello.core.path import parse


def where(text: str, path: str, index: int = 0) -> tuple[int, int]:
    document = parse_documents(text.encode(), "a.json").documents[index]
    location = FileOrigin(document).locate(parse(path))
    return location.line, location.column


def values(text: str) -> list[object]:
    parsed = parse_documents(text.encode(), "a.json")
    assert parsed.broken == ()
    return [d.value for d in parsed.documents]


def test_positions() -> None:
    value: Any = {"a": {"b": [1, {"c": ']}{,:\n"'}, "é"]}, 'd"\\é': [[], {}, None]}
    text = json.dumps(value, indent=2, ensure_ascii=False)
    assert values(text) == [value]
    assert where(text, "") == (1, 1)
    assert where(text, "a") == (2, 3)
    assert where(text, "a.b") == (3, 5)
    assert where(text, "a.b[0]") == (4, 7)
    assert where(text, "a.b[1]") == (5, 7)
    assert where(text, "a.b[1].c") == (6, 9)
    assert where(text, "a.b[2]") == (8, 7)
    assert where(text, '["d\\"\\\\é"]') == (11, 3)
    assert where(text, '["d\\"\\\\é"][1]') == (13, 5)
    assert where(text, '["d\\"\\\\é"][2]') == (14, 5)
    assert where(text, "a.b[1].x.y") == (5, 7)


def test_the_last_of_repeated_keys_wins_and_both_are_reported() -> None:
    document = parse_documents(b'{"a": 1,\n "b": {"c": 1, "c": 2},\n "a": 3}', "a.json").documents[
        0
    ]
    assert document.value == {"a": 3, "b": {"c": 2}}
    found = [(d.path, d.first.line, d.last.line) for d in FileOrigin(document).duplicates()]
    assert found == [(("b", "c"), 2, 2), (("a",), 1, 3)]
    assert FileOrigin(document).locate(("a",)).line == 3
    assert FileOrigin(document).comments() == ()


@pytest.mark.parametrize("gap", ["", " ", "\n", "\n\n", "\r\n"])
def test_values_that_follow_each_other(gap: str) -> None:
    text = gap.join(['{"a": "}{"}', '{"b": [1]}', '{"c": "\\""}'])
    assert values(text) == [{"a": "}{"}, {"b": [1]}, {"c": '"'}]


def test_values_over_several_lines_that_follow_each_other() -> None:
    text = '{\n "a": 1\n}\n\n{\n "b": 2\n}\n'
    assert values(text) == [{"a": 1}, {"b": 2}]
    assert where(text, "b", 1) == (6, 2)


def test_a_broken_line_of_json_lines_costs_itself_alone() -> None:
    parsed = parse_documents(b'{"a": 1}\n{"b": \n{"c": 3}\n', "a.json")
    assert [d.value for d in parsed.documents] == [{"a": 1}, {"c": 3}]
    (broken,) = parsed.broken
    assert broken.reason.startswith("not valid JSON")
    assert broken.location is not None
    assert broken.location.line == 2


def test_flow_yaml_is_yaml() -> None:
    assert values("{apiVersion: v1, on: yes} # c\n") == [{"apiVersion": "v1", "true": True}]
    assert values('{"a": 1}\n---\n{"b": 2}\n') == [{"a": 1}, {"b": 2}]
    assert values('{\n\t"a": 0644,\n}') == [{"a": 420}]


def test_limits() -> None:
    deep = "[" * 300 + "]" * 300
    (broken,) = parse_documents(deep.encode(), "a.json").broken
    assert broken.reason == "it is nested more than 200 levels deep"
    (broken,) = parse_documents(b"[1,1,1,1,1,1]", "a.json", Limits(nodes=4)).broken
    assert broken.reason == "it has more than 4 nodes"
    assert parse_documents(b"[" * 100_000, "a.json").broken


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": Infinity}', '{"a": 1', '{"a": "\\q"}', "{'"])
def test_what_is_no_json_is_no_value(text: str) -> None:
    parsed = parse_documents(text.encode(), "a.json")
    assert parsed.broken or parsed.documents[0].value in ({"a": "NaN"}, {"a": "Infinity"})
