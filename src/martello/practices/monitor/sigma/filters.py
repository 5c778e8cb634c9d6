"""Sigma's filters: what a user adds to rules to leave events of his own house out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sigma.filters import SigmaFilter

from martello.practices.monitor.engine.ir import Node
from martello.practices.monitor.sigma import condition, meta
from martello.practices.monitor.sigma.engine import POLICY


class Filter:
    """One filter; its condition must hold besides a rule's own. Raises what pySigma raises."""

    __slots__ = ("_condition", "_rules", "_written", "detections")

    def __init__(self, value: dict[str, Any]) -> None:
        parsed = SigmaFilter.from_dict(value, policy=POLICY)
        self.detections = parsed.filter
        self._condition = str(parsed.filter.condition[0])
        rules = parsed.filter.rules
        named = () if isinstance(rules, str) else (str(each.reference) for each in rules)
        self._rules = None if isinstance(rules, str) else frozenset(named)
        self._written = meta.log_source(value)

    def takes(self, names: frozenset[str], written: tuple[str, str, str]) -> bool:
        """Whether it is for a rule of these names and this log source."""
        of = all(mine in ("", theirs) for mine, theirs in zip(self._written, written, strict=True))
        return of and (self._rules is None or not names.isdisjoint(self._rules))

    def node(self, detections: Mapping[str, Callable[[], Node]]) -> Node:
        """Its tree over the fields of the rule's log source."""
        return condition.parse(self._condition, detections)
