"""Every library by name, imported when first asked for, and since when Kubernetes has each
function.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from martello.cel.types import Library
from martello.cel.values import TYPE_NAMES

MODULES: Final = (
    "operators",
    "standard",
    "time",
    "optionals",
    "strings",
    "strings_kubernetes",
    "lists",
    "regex",
    "regex_extension",
    "sets",
    "math",
    "encoders",
    "format",
    "quantity",
    "ip",
    "ip_specification",
    "cidr",
    "url",
    "semver",
    "authorizer",
    "kyverno",
    "jsonpatch",
)
CORE: Final = ("operators", "standard", "time", "optionals")
FUNCTION_SINCE: Final = {
    "_[?_]": 28,
    "format": 29,
    "strings.quote": 29,
    "fieldSelector": 31,
    "labelSelector": 31,
    "jsonpatch.escapeKey": 32,
    "first": 34,
    "last": 34,
    "optional.unwrap": 34,
    "unwrapOpt": 34,
    "@sortByAssociatedKeys": 34,
    "distinct": 34,
    "flatten": 34,
    "reverse": 34,
    "slice": 34,
    "sort": 34,
    "lists.range": 34,
    "includes": 37,
}
_loaded: dict[str, Library] = {}


def library(name: str) -> Library | None:
    """The library of a name, or None when this build does not have it."""
    found = _loaded.get(name)
    if found is None and name in MODULES:
        try:
            module = import_module(f"martello.cel.lib.{name}")
        except ModuleNotFoundError:
            return None
        found = module.LIBRARY
        _loaded[name] = register(found)
    return found


def register(each: Library) -> Library:
    """Makes the classes of a library's values known by their CEL names."""
    for python, kind in each.classes.items():
        TYPE_NAMES.setdefault(python, kind.name)
    return each
