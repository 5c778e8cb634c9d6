"""Label selectors in canonical form, against the API server's own rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.core.selector import MalformedSelector, matches
from martello.practices.network.selectors import equals, selector, selects, show

_KEYS = st.sampled_from(("app", "tier", "a.b/c"))
_VALUES = st.sampled_from(("x", "y", ""))
_LABELS = st.dictionaries(_KEYS, _VALUES)
_EXPRESSIONS = st.one_of(
    st.fixed_dictionaries(
        {
            "key": _KEYS,
            "operator": st.sampled_from(("In", "NotIn")),
            "values": st.lists(_VALUES, min_size=1),
        }
    ),
    st.fixed_dictionaries({"key": _KEYS, "operator": st.sampled_from(("Exists", "DoesNotExist"))}),
)
_SELECTORS = st.fixed_dictionaries(
    {},
    optional={"matchLabels": _LABELS, "matchExpressions": st.lists(_EXPRESSIONS, max_size=4)},
)


@given(_SELECTORS, _LABELS)
def test_P6_a_selector_selects_what_the_core_evaluator_says(
    raw: dict[str, Any], labels: dict[str, str]
) -> None:
    assert selects(selector(raw), labels) == matches(raw, labels)


@pytest.mark.parametrize(
    ("operator", "values", "labels", "selected"),
    [
        ("In", ["a", "b"], {"k": "b"}, True),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {}, True),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("Exists", [], {"k": ""}, True),
        ("Exists", None, {}, False),
        ("DoesNotExist", None, {}, True),
        ("DoesNotExist", [], {"k": "v"}, False),
    ],
)
def test_P6_operators(
    operator: str, values: list[str] | None, labels: dict[str, str], selected: bool
) -> None:
    expression = {"key": "k", "operator": operator, "values": values}
    assert selects(selector({"matchExpressions": [expression]}), labels) is selected


@pytest.mark.parametrize("raw", [None, {}, {"matchLabels": {}}, {"matchExpressions": []}])
def test_P6_an_empty_selector_selects_everything(raw: Any) -> None:
    assert selects(selector(raw), {})
    assert show(selector(raw)) == "everything"


def test_equal_meaning_is_one_key() -> None:
    one = selector({"matchLabels": {"b": "2", "a": "1"}})
    other = selector(
        {
            "matchExpressions": [
                {"key": "a", "operator": "In", "values": ["1", "1"]},
                {"key": "b", "operator": "In", "values": ["2"]},
                {"key": "b", "operator": "In", "values": ["2"]},
            ]
        }
    )
    assert one == other == equals({"a": "1", "b": "2"})
    assert show(one) == "a=1,b=2"


@pytest.mark.parametrize(
    "raw",
    [
        [],
        "app=web",
        {"app": "web"},
        {"matchLabels": []},
        {"matchLabels": {"a": 1}},
        {"matchLabels": {"a": "b c"}},
        {"matchLabels": {"a": "x" * 64}},
        {"matchLabels": {"": "b"}},
        {"matchLabels": {"A_/b": "b"}},
        {"matchLabels": {"a/b/c": "b"}},
        {"matchExpressions": {}},
        {"matchExpressions": [3]},
        {"matchExpressions": [{"key": "a", "operator": "Is", "values": ["b"]}]},
        {"matchExpressions": [{"key": "a", "operator": ["In"], "values": ["b"]}]},
        {"matchExpressions": [{"key": "a", "operator": "In", "values": []}]},
        {"matchExpressions": [{"key": "a", "operator": "In", "values": "b"}]},
        {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
        {"matchExpressions": [{"operator": "Exists"}]},
    ],
)
def test_what_the_server_would_refuse(raw: Any) -> None:
    with pytest.raises(MalformedSelector):
        selector(raw)
