"""The parts of own rules that are no atoms: CEL, evaluated event by event.

Such a part is the term `Call("cel", columns, (text, params))`: `columns` are those it reads,
`params` the rule's parameters as JSON. It is true or false, and missing where CEL gives an error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from martello.cel.env import Env
from martello.cel.program import Program
from martello.cel.types import BOOL, DYN, STRING, map_of

BUDGET: Final = 1_000_000  # of one evaluation, in Kubernetes' units of cost
_KEPT: Final = 2_048


@functools.cache
def environment() -> Env:
    """What `when` may use: the columns `e` and `params`, with Kubernetes' libraries."""
    variables = {"e": map_of(STRING, DYN), "params": map_of(STRING, DYN)}
    return Env.kubernetes("1.34", variables, mode="stored")


@functools.lru_cache(_KEPT)
def _program(text: str) -> Program:
    return environment().compile(text, BOOL)


def value(text: str, params: str, columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Any]:
    """The function that gives the value of a text for an event: True, False, or None."""
    program = _program(text)
    given = msgspec.json.decode(params)

    def evaluated(event: Mapping[str, Any]) -> Any:
        found: dict[str, Any] = {}
        for name in columns:
            one = event.get(name)
            if isinstance(one, tuple | list):
                one = list(one) or None
            if one is not None:
                found[name] = dict(one) if isinstance(one, Mapping) else one
        outcome = program.run({"e": found, "params": given}, BUDGET)
        return outcome.value if isinstance(outcome.value, bool) else None

    return evaluated
