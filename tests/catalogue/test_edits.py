"""The edits of a fix, made to plain data."""

from __future__ import annotations

from typing import Any

import pytest

from martello.catalogue.edits import edited
from martello.core.path import parse


@pytest.mark.parametrize(
    ("base", "edit", "result"),
    [
        ("c[0]", {"set": "s.x", "value": True}, {"c": [{"n": 1, "s": {"x": True}}, {"n": 2}]}),
        ("c[1]", {"set": "n", "value": 3}, {"c": [{"n": 1}, {"n": 3}]}),
        ("", {"set": "d", "value": {}}, {"c": [{"n": 1}, {"n": 2}], "d": {}}),
        ("c[0]", {"remove": "n"}, {"c": [{}, {"n": 2}]}),
        ("", {"remove": "c[0]"}, {"c": [{"n": 2}]}),
        ("", {"remove": "x.y"}, {"c": [{"n": 1}, {"n": 2}]}),
        ("c[0]", {"add": "l", "value": "A"}, {"c": [{"n": 1, "l": ["A"]}, {"n": 2}]}),
        ("c[7]", {"set": "n", "value": 3}, {"c": [{"n": 1}, {"n": 2}]}),
    ],
)
def test_edits(base: str, edit: dict[str, Any], result: Any) -> None:
    raw = {"c": [{"n": 1}, {"n": 2}]}
    assert edited(raw, parse(base), [edit]) == result
    assert raw == {"c": [{"n": 1}, {"n": 2}]}


def test_adding_twice_adds_once() -> None:
    edit = {"add": "l", "value": "A"}
    assert edited({}, (), [edit, edit]) == {"l": ["A"]}
