"""Label selectors in canonical form: read once, compared as values, asked of labels.

Semantics and refusals as in Kubernetes' `labels` and `apimachinery/pkg/apis/meta/v1/validation`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from martello.core.selector import MalformedSelector
from martello.practices.network.model import EVERYTHING, Requirement, Selector

_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_PART: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PREFIX: Final = re.compile(rf"{_PART}(\.{_PART})*", re.ASCII)
_FIELDS: Final = frozenset(("matchLabels", "matchExpressions"))
_PREFIX_LENGTH: Final = 253


def selector(raw: Any, *, checked: bool = True) -> Selector:
    """The canonical form of a LabelSelector: order and repeats do not count. Null and {} select
    everything, so a caller for whom an absent selector means something else asks first.

    Raises MalformedSelector for what the API server would refuse. In objects of a CRD it does not
    check keys and values (`checked` false): those that no label can have are never found.
    """
    if raw is None:
        return EVERYTHING
    if not isinstance(raw, dict):
        raise MalformedSelector("a selector is a mapping")
    unknown = next((key for key in raw if key not in _FIELDS), None)
    if unknown is not None:
        raise MalformedSelector(f"a selector has no field {unknown!r}")
    wanted = _given(raw, "matchLabels", {})
    if not isinstance(wanted, dict):
        raise MalformedSelector("matchLabels is a mapping")
    found = {Requirement(_key(k, checked), "In", (_value(v, checked),)) for k, v in wanted.items()}
    expressions = _given(raw, "matchExpressions", [])
    if not isinstance(expressions, list):
        raise MalformedSelector("matchExpressions is a list")
    found.update(_requirement(one, checked) for one in expressions)
    return Selector(tuple(sorted(found)))


def equals(raw: Any) -> Selector:
    """The canonical form of a plain map of labels (Service, ReplicationController)."""
    return selector({"matchLabels": raw})


def selects(asked: Selector, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy every requirement. NotIn and DoesNotExist hold where the key is
    absent.
    """
    return all(_holds(requirement, labels) for requirement in asked.requirements)


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
    return value is None


def show(asked: Selector) -> str:
    """A selector as kubectl writes it: `app=web,tier in (a,b),!old`; `everything` where empty."""
    return ",".join(map(_show, asked.requirements)) or "everything"


def _show(requirement: Requirement) -> str:
    key, values = requirement.key, requirement.values
    match requirement.operator:
        case "In":
            return f"{key}={values[0]}" if len(values) == 1 else f"{key} in ({','.join(values)})"
        case "NotIn":
            return f"{key} not in ({','.join(values)})"
        case "Exists":
            return key
    return f"!{key}"


def _requirement(raw: Any, checked: bool) -> Requirement:
    if not isinstance(raw, dict):
        raise MalformedSelector("an element of matchExpressions is a mapping")
    key, operator = _key(raw.get("key"), checked), raw.get("operator")
    values = _given(raw, "values", [])
    if not isinstance(values, list):
        raise MalformedSelector(f"matchExpressions: values of {key} is a list")
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        raise MalformedSelector(f"matchExpressions: {operator!r} is no operator")
    if (operator in ("In", "NotIn")) != bool(values):
        raise MalformedSelector(
            f"matchExpressions: {operator} of {key} "
            + ("must have values" if not values else "may have no values")
        )
    return Requirement(key, operator, tuple(sorted({_value(v, checked) for v in values})))


def _given(raw: dict[str, Any], key: str, absent: Any) -> Any:
    value = raw.get(key)
    return absent if value is None else value


def _key(raw: Any, checked: bool) -> str:
    if not isinstance(raw, str) or (checked and not _is_key(raw)):
        raise MalformedSelector(f"{raw!r} is no key of a label")
    return raw


def _value(raw: Any, checked: bool) -> str:
    if not isinstance(raw, str) or (checked and not _is_value(raw)):
        raise MalformedSelector(f"{raw!r} is no value of a label")
    return raw


@lru_cache(maxsize=4096)
def _is_key(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    if slash and (len(prefix) > _PREFIX_LENGTH or not _PREFIX.fullmatch(prefix)):
        return False
    return _NAME.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _is_value(text: str) -> bool:
    return not text or _NAME.fullmatch(text) is not None
