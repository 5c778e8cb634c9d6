"""A second, plain reading of Sigma rules over flat events: pySigma's own condition tree, evaluated
with Python's `re`. It shares nothing with the lowering that it judges.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SpecialChars,
)

_COMPARE = {
    "LT": lambda a, b: a < b,
    "LTE": lambda a, b: a <= b,
    "GT": lambda a, b: a > b,
    "GTE": lambda a, b: a >= b,
    "NEQ": lambda a, b: a != b,
}
_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: re.IGNORECASE,
    SigmaRegularExpressionFlag.MULTILINE: re.MULTILINE,
    SigmaRegularExpressionFlag.DOTALL: re.DOTALL,
}


def fires(rule_yaml: str, event: Mapping[str, Any]) -> bool:
    """Whether a rule's detection is true of a flat event."""
    rule = SigmaRule.from_yaml(rule_yaml)
    rule.detection.detections.pop("timeframe", None)
    return any(_true(one.parsed, event) for one in rule.detection.parsed_condition)


def _true(node: Any, event: Mapping[str, Any]) -> bool:
    if isinstance(node, ConditionAND):
        return all(_true(each, event) for each in node.args)
    if isinstance(node, ConditionOR):
        return any(_true(each, event) for each in node.args)
    if isinstance(node, ConditionNOT):
        return not _true(node.args[0], event)
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _equal(event.get(node.field), node.value, event)
    assert isinstance(node, ConditionValueExpression)
    return _keyword(node.value, event)


def _keyword(value: Any, event: Mapping[str, Any]) -> bool:
    whole = "\n".join(_text(each) for each in event.values())
    if isinstance(value, SigmaRegularExpression):
        return any(_equal(_text(each), value, event) for each in event.values())
    if isinstance(value, SigmaExpansion):
        return any(_keyword(each, event) for each in value.values)
    text = value if isinstance(value, SigmaString) else SigmaString(str(value))
    flags = 0 if isinstance(value, SigmaCasedString) else re.IGNORECASE | re.ASCII
    return re.search(_pattern(text), whole, flags | re.DOTALL) is not None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _pattern(value: SigmaString) -> str:
    signs = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
    return "".join(re.escape(p) if isinstance(p, str) else signs[p] for p in value.s)  # type: ignore[index]


def _equal(found: Any, value: Any, event: Mapping[str, Any]) -> bool:
    if isinstance(value, SigmaNull):
        return found is None
    if isinstance(value, SigmaExists):
        return (found is not None) is value.exists
    if isinstance(value, SigmaExpansion):
        return any(_equal(found, each, event) for each in value.values)
    if found is None:
        return False
    text = _text(found)
    if isinstance(value, SigmaString):
        flags = 0 if isinstance(value, SigmaCasedString) else re.IGNORECASE | re.ASCII
        return re.fullmatch(_pattern(value), text, flags | re.DOTALL) is not None
    if isinstance(value, SigmaBool):
        return text.lower() == str(value.boolean).lower()
    if isinstance(value, SigmaNumber):
        return text == str(value.number)
    if isinstance(value, SigmaCompareExpression):
        try:
            return bool(_COMPARE[value.op.name](float(text), value.number.number))
        except ValueError:
            return False
    if isinstance(value, SigmaCIDRExpression):
        try:
            return ipaddress.ip_address(text) in value.network
        except ValueError:
            return False
    if isinstance(value, SigmaRegularExpression):
        flags = 0
        for flag in value.flags:
            flags |= _FLAGS[flag]
        return re.search(str(value.regexp), text, flags) is not None
    assert isinstance(value, SigmaFieldReference), value
    other = event.get(value.field)
    if other is None:
        return False
    left, right = text.lower(), _text(other).lower()
    if value.starts_with and value.ends_with:
        return right in left
    if value.starts_with or value.ends_with:
        return left.startswith(right) if value.starts_with else left.endswith(right)
    return left == right
