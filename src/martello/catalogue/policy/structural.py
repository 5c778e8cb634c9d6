"""Custom resources as the API server stores them: pruned and defaulted by their structural schema,
and nothing else.

Source: Kubernetes' documentation of CustomResourceDefinitions: field pruning, defaulting, nullable.
"""

from __future__ import annotations

from typing import Any, Final

from martello.catalogue.policy.world import World
from martello.core.path import look_up
from martello.core.resource import Resource

_DEFINITIONS: Final = "CustomResourceDefinition.apiextensions.k8s.io"
_HEADER: Final = ("apiVersion", "kind", "metadata")
_DEEPEST: Final = 64


def schema_for(resource: Resource, world: World) -> dict[str, Any] | None:
    """The schema of a custom resource's version, where its definition is in view."""
    for definition in world.cluster.of_kind(_DEFINITIONS):
        spec = definition.spec
        if spec.get("group") != resource.ref.group:
            continue
        if look_up(spec, ("names", "kind")) != resource.ref.kind:
            continue
        versions = spec.get("versions")
        for version in versions if isinstance(versions, list) else ():
            if look_up(version, ("name",)) == resource.ref.version:
                schema = look_up(version, ("schema", "openAPIV3Schema"))
                return schema if isinstance(schema, dict) else None
    return None


def structured(raw: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The object without fields that its schema does not know, and with the schema's defaults."""
    body = {key: value for key, value in raw.items() if key not in _HEADER}
    shaped = _mapping(body, schema, 0)
    return {**{key: raw[key] for key in _HEADER if key in raw}, **shaped}


def _mapping(raw: dict[str, Any], schema: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    others = schema.get("additionalProperties")
    keep = schema.get("x-kubernetes-preserve-unknown-fields") is True or others is True
    embedded = schema.get("x-kubernetes-embedded-resource") is True
    shaped: dict[str, Any] = {}
    for key, value in raw.items():
        inner = properties.get(key)
        if embedded and key in _HEADER:
            shaped[key] = value
        elif isinstance(inner, dict):
            if value is not None or "default" not in inner or inner.get("nullable") is True:
                shaped[key] = _value(value, inner, depth + 1)
        elif isinstance(others, dict):
            shaped[key] = _value(value, others, depth + 1)
        elif keep:
            shaped[key] = value
    for key, inner in properties.items():
        if isinstance(inner, dict) and key not in shaped and "default" in inner:
            shaped[key] = _value(inner["default"], inner, depth + 1)
    return shaped


def _value(value: Any, schema: dict[str, Any], depth: int) -> Any:
    if depth > _DEEPEST:
        return value
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        return [_value(element, items, depth + 1) for element in value]
    if isinstance(value, dict):
        return _mapping(value, schema, depth)
    return value
