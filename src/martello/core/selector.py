"""Label selectors as the API server evaluates them. An absent selector matches nothing, an empty
one everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MalformedSelector(ValueError):
    """The API server would refuse this selector."""


def matches(selector: Any, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector (`matchLabels`, `matchExpressions`) selects these labels; null
    selects nothing.

    Raises MalformedSelector where the selector is not one (unknown operator, values where none may
    be).
    """
    if selector is None:
        return False
    expressions = _expressions(selector)
    if not equal(selector.get("matchLabels"), labels):
        return False
    return all(_requirement(e, labels) for e in expressions)


def refuse(selector: Any) -> None:
    """Raises MalformedSelector where any part of a selector is one that the server refuses,
    whatever labels there are to select.
    """
    if selector is None:
        return
    for expression in _expressions(selector):
        _requirement(expression, {})
    equal(selector.get("matchLabels"), {})


def equal(wanted: Any, labels: Mapping[str, str]) -> bool:
    """Whether every label of a plain map selector (Service, ReplicationController) is there; null
    and {} are.
    """
    if wanted is None:
        return True
    if not isinstance(wanted, dict):
        raise MalformedSelector("matchLabels is a mapping")
    return all(labels.get(key) == value for key, value in wanted.items())


def _expressions(selector: Any) -> list[Any]:
    if not isinstance(selector, dict):
        raise MalformedSelector("a selector is a mapping")
    expressions = selector.get("matchExpressions")
    if expressions is None:
        return []
    if not isinstance(expressions, list):
        raise MalformedSelector("matchExpressions is a list")
    return expressions


def _requirement(expression: Any, labels: Mapping[str, str]) -> bool:
    if not isinstance(expression, dict):
        raise MalformedSelector("an element of matchExpressions is a mapping")
    key, operator = expression.get("key"), expression.get("operator")
    values = expression.get("values") or []
    if not isinstance(key, str) or not isinstance(values, list):
        raise MalformedSelector("matchExpressions: key is a string, values a list")
    match operator:
        case "In" if values:
            return labels.get(key) in values
        case "NotIn" if values:
            return key not in labels or labels[key] not in values
        case "Exists" if not values:
            return key in labels
        case "DoesNotExist" if not values:
            return key not in labels
    raise MalformedSelector(f"matchExpressions: operator {operator!r} with {len(values)} values")
