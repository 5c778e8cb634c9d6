"""Whatever can be written as YAML or JSON is read back equal, and every node is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.adapters.manifests import FileOrigin, Limits, parse_documents
from martello.core.path import Path

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
WORDS = st.sampled_from(
    ["on", "n", "0644", "1e3", "1:30", "~", "<<", "a#b", "a: b", "- x", "?", ""]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | WORDS
)
KEYS = TEXT | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
MAPPINGS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)


class Dumper(yaml.SafeDumper):
    """Quotes every string and writes no aliases: other writers know other plain scalars."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


Dumper.add_representer(str, lambda d, s: d.represent_scalar("tag:yaml.org,2002:str", s, style='"'))


def paths(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from paths(member, (*path, key))
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from paths(element, (*path, index))


def same(value: Any) -> Any:
    """The value with large numbers as floats: YAML makes integers of whole floats."""
    if isinstance(value, dict):
        return {key: same(member) for key, member in value.items()}
    if isinstance(value, list):
        return [same(element) for element in value]
    if isinstance(value, int) and abs(value) >= 2**53:
        return float(value)
    return value


@given(st.lists(MAPPINGS, min_size=1, max_size=3), st.booleans(), st.booleans())
@settings(deadline=None)
def test_yaml_round_trip(values: list[Any], flow: bool, unicode: bool) -> None:
    text = yaml.dump_all(
        values, Dumper=Dumper, default_flow_style=flow, allow_unicode=unicode, width=40
    )
    parsed = parse_documents(text.encode(), "a.yaml")
    assert parsed.broken == ()
    assert [same(d.value) for d in parsed.documents] == [same(v) for v in values]


@given(MAPPINGS)
@settings(deadline=None)
def test_json_round_trip(value: Any) -> None:
    for indent in (None, 2):
        parsed = parse_documents(json.dumps(value, indent=indent).encode(), "a.json")
        assert [d.value for d in parsed.documents] == [value]


@given(MAPPINGS)
@settings(deadline=None)
def test_every_node_of_json_is_found_where_it_begins(value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    _check_places(text, value)


@given(MAPPINGS)
@settings(deadline=None)
def test_every_node_of_yaml_is_found_where_it_begins(value: Any) -> None:
    """JSON is YAML with quoted keys: the same text, read by the other reader."""
    text = "--- # yaml\n" + json.dumps(value, indent=1, ensure_ascii=False)
    _check_places(text.replace("\x7f", "x"), json.loads(json.dumps(value).replace("\x7f", "x")))


def _check_places(text: str, value: Any) -> None:
    parsed = parse_documents(text.encode(), "a.yaml")
    assert parsed.broken == ()
    (document,) = parsed.documents
    lines = text.split("\n")
    for path, node in paths(value):
        where = FileOrigin(document).locate(path)
        rest = lines[where.line - 1][where.column - 1 :]
        if path and isinstance(path[-1], str):
            assert rest.startswith(json.dumps(path[-1], ensure_ascii=False) + ":")
        elif isinstance(node, dict | list):
            assert rest.startswith("{" if isinstance(node, dict) else "[")
        else:
            assert rest.startswith(json.dumps(node, ensure_ascii=False))


@given(st.binary(max_size=200) | st.text("ab:-[]{}&*!|>'\"#%@`,?<\n\t \r01", max_size=60))
@settings(deadline=None, max_examples=400)
def test_any_text_ends_in_documents_or_reasons(data: bytes | str) -> None:
    text = data.encode() if isinstance(data, str) else data
    parsed = parse_documents(text, "a.yaml", Limits(depth=20))
    for document in parsed.documents:
        origin = FileOrigin(document)
        json.dumps(document.value, allow_nan=False)
        for path, _ in paths(document.value):
            where = origin.locate(path)
            assert where.line >= 1
            assert where.column >= 1
        origin.comments()
        origin.duplicates()
    for broken in parsed.broken:
        assert broken.reason
        assert broken.location is not None
        assert broken.location.line >= 1
