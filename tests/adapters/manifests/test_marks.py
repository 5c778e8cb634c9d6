"""Positions kept while reading are those that a second pass over the text finds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from martello.adapters.manifests import parse_documents, yaml_places

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(categories=["Ll"]), max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def compare(text: bytes) -> int:
    """How many documents were read with marks, all of them placed as the second pass does."""
    compared = 0
    for document in parse_documents(text, "x.yaml").documents:
        if document.marks is None:
            continue
        compared += 1
        again = yaml_places.places(document.part, document.index, document.line)
        assert document.places == again
    return compared


@given(st.lists(VALUES, min_size=1, max_size=3), st.sampled_from([None, True, False]))
def test_any_document(values: list[object], flow: bool | None) -> None:
    compare(yaml.safe_dump_all(values, default_flow_style=flow, allow_unicode=True).encode())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"a: 1\nb: [x, {c: }]\n", 1),
        (b"# c\n---\n\n  a:\n    - - b\n---\nc: |\n  text\n", 2),
        (b"a: &x 1\nb: *x\n", 0),
        (b"a: {<<: {b: 1}, c: 2}\n", 0),
        (b"a: 1\na: 2\n", 0),
        (b"? a\n: b\n", 1),
    ],
)
def test_what_is_kept(text: bytes, kept: int) -> None:
    assert compare(text) == kept


@pytest.mark.corpus
def test_real_manifests(corpora: Path) -> None:
    files = sorted((corpora / "manifests").rglob("*.yaml"))
    assert sum(compare(file.read_bytes()) for file in files) > 300 or not files
