"""The programs of checks: compiled once, or taken from what a check brings from the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from martello.cel.program import Program

_Key = tuple[str, tuple[tuple[str, ...], ...], str]
_programs: dict[_Key, Program] = {}


def program(element: str, variables: list[list[str]], text: str, boolean: bool) -> Program:
    """The program of an expression, its variables bound in front of it; compiled once."""
    key = _key(element, variables, text)
    found = _programs.get(key)
    if found is None:
        from martello.catalogue.environment import environment
        from martello.catalogue.variables import bound
        from martello.cel.types import BOOL, STRING

        whole = bound(text, variables) if variables else text
        result = BOOL if boolean else STRING
        found = _programs[key] = environment(element).compile(whole, result)
    return found


def _key(element: str, variables: list[list[str]], text: str) -> _Key:
    return (element, tuple(map(tuple, variables)), text)


def restore(rule: Mapping[str, Any]) -> None:
    """Takes over the programs that a check from the cache brings along."""
    packed = rule.get("programs")
    if packed is not None:
        from martello.cel.cache import load

        for text, one in zip(_texts(rule), load(packed), strict=True):
            _programs.setdefault(_key(rule["as"], rule["variables"], text), one)


def programs(rule: Mapping[str, Any]) -> list[Program]:
    """Every program of a check, whatever its version."""
    return [
        program(rule["as"], rule["variables"], text, boolean)
        for text, boolean in _texts(rule).items()
    ]


def _texts(rule: Mapping[str, Any]) -> dict[str, bool]:
    """The expressions of a check in a fixed order, and whether they are conditions or messages."""
    texts: dict[str, bool] = {}
    for entry in rule["versions"]:
        texts[entry["when"]] = True
        for item in entry["validations"]:
            texts[item["expression"]] = True
            texts[item["messageExpression"]] = False
    texts.pop("", None)
    return texts
