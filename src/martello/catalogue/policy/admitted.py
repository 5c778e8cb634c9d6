"""The object as the API server presents it to policies, and the request that creating it makes.

Defaults are applied, unknown fields are gone; the zero value of a plain optional field is gone too
(`hostNetwork: false`), that of a pointer stays (`privileged: false`); structs are always there
(`resources: {}`, `status: {}`); quantities are canonical. Custom kinds are pruned and defaulted
where their definition is in view, and stay as they are otherwise.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from martello.catalogue.policy.defaulted import defaulted
from martello.catalogue.policy.model import Request, User
from martello.catalogue.policy.structural import schema_for, structured
from martello.catalogue.policy.world import World
from martello.cel.lib.quantity import canonical, parse
from martello.core.kinds import built_in, plural, table
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.core.schema import unreadable

# Marks before a field's code (tools/go_types.py).
_DROPPED: Final = "?"
_ALWAYS: Final = "+"
_ZERO: Final = "="
_ZEROS: Final[dict[str, Any]] = {"s": "", "o": False, "i": 0, "l": 0, "n": 0}

# field → (dropped when zero, code); structs that are always there; scalars that are.
_Fields = dict[str, tuple[bool, str]]
_Shape = tuple[_Fields, tuple[tuple[str, int], ...], tuple[tuple[str, Any], ...]]


def admitted(resource: Resource, world: World | None = None) -> dict[str, Any]:
    """The object as policies see it on creation; as it is where no server would read it."""
    raw = resource.raw
    facts = built_in(resource.ref.api_version, resource.ref.kind)
    if facts is None:
        schema = schema_for(resource, world) if world is not None else None
        return raw if schema is None else structured(raw, schema)
    if next(unreadable(raw), None) is not None:
        return raw
    status = {k: v for k, v in raw.items() if k != "status"}
    shaped: dict[str, Any] = _mapping(defaulted(status, resource.ref.group_kind), facts.type)
    return shaped


@functools.cache
def _shape(number: int) -> _Shape:
    fields: _Fields = {}
    always: list[tuple[str, int]] = []
    zero: list[tuple[str, Any]] = []
    for name, text in table().types[number].items():
        code = text.lstrip("!?+=")
        marks = text[: len(text) - len(code)]
        fields[name] = (_DROPPED in marks, code)
        if _ALWAYS in marks and code.isdigit():
            always.append((name, int(code)))
        elif _ZERO in marks and code in _ZEROS:
            zero.append((name, _ZEROS[code]))
    return fields, tuple(always), tuple(zero)


def _mapping(raw: dict[str, Any], number: int) -> dict[str, Any]:
    fields, always, zero = _shape(number)
    shaped: dict[str, Any] = {}
    for key, value in raw.items():
        known = fields.get(key)
        if known is None or value is None:
            continue
        dropped, code = known
        value = _value(value, code)
        if not dropped or value not in (False, 0, "", [], {}):
            shaped[key] = value
    for key, inner in always:
        if key not in shaped:
            shaped[key] = _mapping({}, inner)
    for key, value in zero:
        shaped.setdefault(key, value)
    return shaped


def _value(value: Any, code: str) -> Any:
    first = code[0]
    if first == "[" and isinstance(value, list):
        return [_value(element, code[1:]) for element in value]
    if first == "{" and isinstance(value, dict):
        return {key: _value(element, code[1:]) for key, element in value.items()}
    if first.isdigit() and isinstance(value, dict):
        return _mapping(value, int(code))
    if first == "q":
        return canonical(parse(_decimal(value)))
    if first in "ilx" and isinstance(value, float):
        return int(value)
    return value


def _decimal(value: Any) -> str:
    """The text of a quantity; JSON numbers as the server sees them."""
    return value if isinstance(value, str) else format(value, "f" if value == int(value) else "")


def request_for(
    resource: Resource,
    world: World,
    *,
    operation: str = "CREATE",
    old: dict[str, Any] | None = None,
    user: User | None = None,
    as_written: bool = False,
) -> Request:
    """The request for one object, presented as the server would, or `as_written`. A namespaced
    object that names no namespace lands in `default`, as with kubectl; a kind that nothing tells
    about counts as namespaced.
    """
    ref = resource.ref
    group = ref.api_version.rpartition("/")[0]
    namespace = ref.namespace
    if ref.kind == "Namespace" and not group:
        namespace = ref.name
    elif not namespace and world.namespaced(ref.api_version, ref.kind) is not False:
        namespace = "default"
    name = look_up(resource.raw, ("metadata", "name"))
    shown = resource.raw if as_written else _placed(admitted(resource, world), namespace, resource)
    return Request(
        operation,
        group,
        ref.version,
        plural(ref.kind),
        ref.kind,
        name if isinstance(name, str) else "",
        namespace,
        None if operation == "DELETE" else shown,
        shown if operation == "DELETE" and old is None else old,
        user=user or User(),
    )


def _placed(raw: dict[str, Any], namespace: str, resource: Resource) -> dict[str, Any]:
    """The object with the namespace it lands in."""
    if not namespace or resource.ref.kind == "Namespace" or resource.ref.namespace:
        return raw
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return {**raw, "metadata": {**metadata, "namespace": namespace}}
