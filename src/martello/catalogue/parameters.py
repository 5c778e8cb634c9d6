"""Parameters of checks: their small schemas, defaults, and values that a configuration gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from martello.core.errors import BadInput
from martello.core.resource import kind_of

_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
_KEYS: Final = frozenset(("type", "items", "default", "doc", "enum"))


def schema_problem(schema: Any) -> str:
    """What is wrong with the declaration of a parameter; empty where it is good."""
    if not isinstance(schema, dict):
        return "must be a mapping {type, default, doc}"
    unknown = sorted(schema.keys() - _KEYS)
    if unknown:
        return f"unknown key {unknown[0]}; known here: {', '.join(sorted(_KEYS))}"
    for key in ("type", "default", "doc"):
        if key not in schema:
            return f"the key {key} is missing"
    return value_problem(schema, schema["default"])


def value_problem(schema: Mapping[str, Any], value: Any) -> str:
    """Why a value does not fit its schema; empty where it does."""
    name = schema.get("type")
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        return f"type must be one of {', '.join(_TYPES)}"
    wrong = not isinstance(value, kind) or (isinstance(value, bool) and name != "boolean")
    if wrong:
        return f"must be {_article(str(name))}, is {_article(kind_of(value))}"
    if "enum" in schema and value not in schema["enum"]:
        return f"must be one of {', '.join(map(str, schema['enum']))}"
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        for item in value:
            problem = value_problem(items, item)
            if problem:
                return f"an item {problem}"
    return ""


def values(check: str, schemas: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults, overlaid with what was given. Raises BadInput for unknown names and wrong
    types.
    """
    result = {name: schema["default"] for name, schema in schemas.items()}
    for name, value in given.items():
        schema = schemas.get(name)
        if schema is None:
            known = ", ".join(schemas) or "none"
            raise BadInput(
                f"{check} has no parameter {name}",
                f"its parameters are: {known}",
                f"see martello explain {check}",
            )
        problem = value_problem(schema, value)
        if problem:
            raise BadInput(
                f"parameter {name} of {check} {problem}", "", f"martello explain {check}"
            )
        result[name] = value
    return result


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
