"""YAML is read as the API server reads it; what it refuses is refused here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.yaml_snippets import REFUSED, SNIPPETS

from martello.adapters.manifests import FileOrigin, Limits, parse_documents


def read(text: str) -> Any:
    parsed = parse_documents(text.encode(), "a.yaml")
    if parsed.broken:
        assert not parsed.documents
        return REFUSED
    (document,) = parsed.documents
    return document.value


def exact(value: Any) -> str:
    """Text in which 1, 1.0 and true differ."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(("text", "value"), SNIPPETS, ids=[text for text, _ in SNIPPETS])
def test_snippet(text: str, value: Any) -> None:
    assert exact(read(text)) == exact(value)


def test_aliases_share_their_value() -> None:
    value = read("a: &x {b: 1}\nc: *x\n")
    assert value["c"] is value["a"]


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x]"]
    for level in range(1, levels):
        uses = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} [{uses}]")
    return "\n".join(lines)


def test_an_anchor_bomb_is_refused_by_what_it_expands_to() -> None:
    (broken,) = parse_documents(bomb(100, 10).encode(), "a.yaml").broken
    assert "aliases expand to more than 100000 nodes" in broken.reason
    assert broken.location is not None
    assert broken.location.line == 6


def test_a_merge_bomb_is_refused() -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(2000))
    uses = "\n".join(f"b{n}: {{<<: *a}}" for n in range(2000))
    (broken,) = parse_documents(f"a: &a {{{keys}}}\n{uses}\n".encode(), "a.yaml").broken
    assert "aliases expand to more than 100000 nodes" in broken.reason


def test_aliases_may_add_ten_times_the_nodes_of_the_document() -> None:
    block = "a: &a [" + "x, " * 300 + "]\n"
    few = block + "".join(f"b{n}: *a\n" for n in range(8))
    many = block + "".join(f"b{n}: *a\n" for n in range(40))
    assert read(few) != REFUSED
    assert read(many) == REFUSED


@pytest.mark.parametrize("text", ["[" * 300, "{a: " * 300, "- " * 300, "? " * 300])
def test_deep_nesting_is_refused(text: str) -> None:
    (broken,) = parse_documents(text.encode(), "a.yaml").broken
    assert "nested more than 200 levels deep" in broken.reason


def test_two_hundred_levels_are_read() -> None:
    assert read("a: " + "[" * 199 + "]" * 199) != REFUSED


def test_the_nodes_of_a_document_are_limited() -> None:
    text = b"a\n---\n" + b"- x\n" * 50 + b"---\nb\n"
    parsed = parse_documents(text, "a.yaml", Limits(nodes=40))
    assert [d.value for d in parsed.documents] == ["a", "b"]
    assert [b.reason for b in parsed.broken] == ["it has more than 40 nodes"]


def test_the_nodes_of_a_file_are_limited() -> None:
    parsed = parse_documents(b"---\n- x\n- x\n" * 50, "a.yaml", Limits(nodes=40))
    assert len(parsed.documents) == 11
    (broken,) = parsed.broken
    assert broken.reason == "the rest of the file: it has more than 40 nodes"


@pytest.mark.parametrize(
    "bad",
    ["a: [", "a: b: c", "\ta: 1", 'a: "x', "a: *nope", "? {a: 1}\n: 2", "- a\nb: c", "a: @b", "}"],
)
def test_a_broken_document_costs_itself_alone(bad: str) -> None:
    text = f"a: 1\n---\n{bad}\n---\nb: 2\n"
    parsed = parse_documents(text.encode(), "a.yaml")
    assert [d.value for d in parsed.documents] == [{"a": 1}, {"b": 2}]
    (broken,) = parsed.broken
    assert broken.asked
    assert broken.location is not None
    assert broken.location.file == "a.yaml"
    assert 3 <= broken.location.line <= 5


def test_invalid_utf8_costs_its_document_alone() -> None:
    parsed = parse_documents(b"a: 1\n---\nb: \xff\n---\nc: 3\n", "a.yaml")
    assert [d.value for d in parsed.documents] == [{"a": 1}, {"c": 3}]
    assert [b.location.line for b in parsed.broken if b.location] == [3]


def test_broken_documents_beyond_a_hundred_are_counted() -> None:
    parsed = parse_documents(b"---\n[\n" * 150, "a.yaml")
    assert len(parsed.broken) == 101
    assert parsed.broken[-1].reason == "50 more documents of this file cannot be read"


def test_reasons_repeat_no_values() -> None:
    texts = ["a: !!int hunter2", "a: {hunter2", "hunter2: [", "a: *hunter2", "? [hunter2]\n: 1"]
    for text in texts:
        (broken,) = parse_documents(text.encode(), "a.yaml").broken
        assert "hunter2" not in broken.reason


@pytest.mark.parametrize(
    "text", ["", "\n", "# only a comment\n", "---\n", "---\n---\n", "---\n# x\n---\n", "~"]
)
def test_empty_documents_are_left_out(text: str) -> None:
    parsed = parse_documents(text.encode(), "a.yaml")
    assert parsed.documents == ()
    assert parsed.broken == ()


def test_documents_are_split_where_yaml_splits_them() -> None:
    text = "a: |\n  ---\n  x\n--- # second\nb: ---\n---\tc: 3\n...\nd: 4\n---x: 5\n"
    parsed = parse_documents(text.encode(), "a.yaml")
    values = [d.value for d in parsed.documents]
    assert values[0] == {"a": "---\nx\n"}
    assert values[1] == {"b": "---"}
    tagged = "%TAG ! tag:yaml.org,2002:\n# note\n---\na: !str 1\n---\nb: 2\n"
    parsed = parse_documents(tagged.encode(), "a.yaml")
    assert [d.value for d in parsed.documents] == [{"a": "1"}, {"b": 2}]


def test_text_after_the_end_of_a_document_is_not_lost_in_silence() -> None:
    parsed = parse_documents(b"a: 1\n...\nb: 2\n---\nc: 3\n", "a.yaml")
    assert [d.value for d in parsed.documents] == [{"a": 1}, {"c": 3}]
    assert [b.location.line for b in parsed.broken if b.location] == [3]


def test_carriage_returns_alone_end_lines() -> None:
    parsed = parse_documents(b"a: 1\r---\rb: 2\rc: 3\r", "a.yaml")
    assert [d.value for d in parsed.documents] == [{"a": 1}, {"b": 2, "c": 3}]
    where = FileOrigin(parsed.documents[1]).locate(("c",))
    assert (where.line, where.column) == (4, 1)
