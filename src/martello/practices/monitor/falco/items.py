"""The items of a file: lists, macros, rules, required versions, each checked as Falco checks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from martello.practices.monitor.falco.document import Node, boolean
from martello.practices.monitor.falco.problems import YAML, Place, refuse

PRIORITIES: Final[Mapping[str, str]] = {
    "emergency": "critical",
    "alert": "critical",
    "critical": "critical",
    "error": "high",
    "warning": "medium",
    "notice": "low",
    "informational": "info",
    "debug": "info",
}
APPENDED: Final = ("condition", "output", "desc", "tags", "exceptions")
REPLACED: Final = (
    *APPENDED,
    "priority",
    "capture",
    "capture_duration",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
)
_RULE_KEYS: Final = frozenset((*REPLACED, "rule", "source", "override", "append"))

Warn = Callable[[str, str, Place], None]


class Exempt(msgspec.Struct):
    """One exception of a rule. Fields, operators and values are texts or lists; None: not given."""

    name: str
    place: Place
    fields: Any = None
    comps: Any = None
    values: list[Any] = []


class Written(msgspec.Struct):
    """What an item says: only the keys that it has, by name."""

    kind: str
    name: str
    place: Place
    says: dict[str, Any]
    append: frozenset[str] = frozenset()
    replace: frozenset[str] = frozenset()
    appended: bool = False
    where: Mapping[str, Place] = {}


def place_of(node: Node, parent: Place, kind: str, name: str = "") -> Place:
    """The place of a node inside of another."""
    return parent.within(kind, name, node.line, node.column)


def text(node: Node, key: str, place: Place, *, empty: bool = False) -> str:
    """The scalar of a key that must be there. Raises Fault."""
    value = node.get(key)
    refuse(value is None, f"Item has no mapping for key '{key}'", place, YAML)
    assert value is not None
    if empty and (value.kind == "null" or (value.kind == "scalar" and not value.text)):
        return ""
    refuse(value.kind == "null", f"Mapping for key '{key}' is empty", place, YAML)
    inner = place_of(value, place, "value for", key)
    refuse(value.kind != "scalar", "Value is not a scalar value", inner, YAML)
    refuse(not value.text, "Value must be non-empty", inner, YAML)
    return value.text


def flag(node: Node, key: str, place: Place) -> bool:
    """A boolean. Raises Fault."""
    found = boolean(text(node, key, place))
    refuse(found is None, "Can't decode YAML scalar value", place, YAML)
    return bool(found)


def sequence(node: Node, key: str, place: Place) -> list[str]:
    """A list of scalars. Raises Fault."""
    value = node.get(key)
    refuse(value is None, f"Item has no mapping for key '{key}'", place, YAML)
    assert value is not None
    inner = place_of(value, place, "value for", key)
    refuse(value.kind != "list", "Value is not a sequence", inner, YAML)
    for one in value.items:
        refuse(one.kind != "scalar", "sequence value is not scalar", inner, YAML)
    return [one.text for one in value.items]


def unknown_keys(node: Node, known: Iterable[str], place: Place, warn: Warn) -> None:
    """Warns of keys that mean nothing."""
    for key in node.pairs:
        if key not in known:
            warn("LOAD_UNKNOWN_KEY", f"Unknown key '{key}'. The key will be ignored.", place)


APPEND: Final = (
    "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under "
    "'override' instead."
)
_ENABLED: Final = (
    "The standalone 'enabled' key usage is deprecated. The correct approach requires also a "
    "'replace' entry under the 'override' key (i.e. 'enabled: replace')."
)
_TOGETHER: Final = (
    "Keys 'override' and 'append: true' cannot be used together. Add an 'append' entry (e.g. "
    "'condition: append') under 'override' instead."
)


def _overrides(
    node: Node, place: Place, append: tuple[str, ...], replace: tuple[str, ...]
) -> tuple[frozenset[str], frozenset[str]]:
    value = node.get("override")
    added, changed = set(), set()
    for key, one in value.pairs.items() if value is not None else ():
        inner = place_of(one, place, "overrides", key)
        if one.text == "append":
            why = f"Key '{key}' cannot be appended to, use 'replace' instead"
            refuse(key not in append, why, inner, YAML)
            added.add(key)
        elif one.text == "replace":
            refuse(key not in replace, f"Key '{key}' cannot be replaced", inner, YAML)
            changed.add(key)
        else:
            why = f"Invalid override operation for key '{key}': '{one.text}'"
            refuse(True, why, inner, YAML)
    return frozenset(added), frozenset(changed)


def _appended(node: Node, place: Place, warn: Warn) -> bool:
    found = node.get("append") is not None and flag(node, "append", place)
    if found:
        warn("LOAD_DEPRECATED_ITEM", APPEND, place)
    return found


def simple(node: Node, kind: str, key: str, parent: Place, warn: Warn) -> Written:
    """A list (`items`) or a macro (`condition`). Raises Fault."""
    name = text(node, kind, place_of(node, parent, kind))
    place = place_of(node, parent, kind, name)
    says: dict[str, Any] = {
        key: sequence(node, key, place) if kind == "list" else text(node, key, place)
    }
    appended = _appended(node, place, warn)
    added, changed = _overrides(node, place, (key,), (key,))
    refuse(appended and (added or changed), _TOGETHER, place, YAML)
    unknown_keys(node, (kind, key, "append", "override"), place, warn)
    written = node.get(key)
    where = {key: place_of(written, place, f"{kind} {key}")} if written is not None else {}
    return Written(kind, name, place, says, appended=appended or bool(added), where=where)


def rule(node: Node, parent: Place, warn: Warn) -> Written:
    """A rule, or what changes one. Raises Fault."""
    name = text(node, "rule", place_of(node, parent, "rule"))
    place = place_of(node, parent, "rule", name)
    says: dict[str, Any] = {}
    if node.get("source") is not None:
        says["source"] = text(node, "source", place, empty=True)
    appended = _appended(node, place, warn)
    added, changed = _overrides(node, place, APPENDED, REPLACED)
    refuse(appended and (added or changed), _TOGETHER, place, YAML)
    where = {
        key: place_of(value, place, f"rule {key}")
        for key in ("condition", "output", "priority")
        if (value := node.get(key)) is not None
    }
    made = Written("rule", name, place, says, added, changed, appended, where)
    if added or changed:
        _overriding(node, made, warn)
    elif appended:
        for key in ("condition", "exceptions"):
            if node.get(key) is not None:
                says[key] = _value(node, key, made, warn, append=True)
    elif not any(node.get(key) for key in ("condition", "output", "desc", "priority")):
        says["enabled"] = flag(node, "enabled", place)
        warn("LOAD_DEPRECATED_ITEM", _ENABLED, place)
        made.kind = "enabled"
    else:
        _whole(node, made, warn)
    unknown_keys(node, _RULE_KEYS, place, warn)
    return made


def _whole(node: Node, made: Written, warn: Warn) -> None:
    for key in ("condition", "output", "desc", "priority"):
        made.says[key] = _value(node, key, made, warn)
    if node.get("source") is not None:
        made.says["source"] = text(node, "source", made.place)
    for key in REPLACED:
        if node.get(key) is not None and key not in made.says:
            made.says[key] = _value(node, key, made, warn)


def _overriding(node: Node, made: Written, warn: Warn) -> None:
    expected = {key for key in REPLACED if node.get(key) is not None}
    for how, keys in (("append", made.append), ("replace", made.replace)):
        for key in sorted(keys):
            why = f"An {how} override for '{key}' was specified but '{key}' is not defined"
            refuse(key not in expected, why, made.place, YAML)
            made.says[key] = _value(node, key, made, warn, append=how == "append")
            expected.discard(key)


def unexpected(node: Node, made: Written) -> None:
    """Refuses keys that no override names, as Falco does after the others took effect."""
    if made.kind != "rule" or not (made.append or made.replace):
        return
    for key in REPLACED:
        value = node.get(key)
        if value is not None and key not in made.append and key not in made.replace:
            place = place_of(value, made.place, "overrides", key)
            why = f"Unexpected key '{key}': no corresponding entry under 'override' is defined."
            refuse(True, why, place, YAML)


def _value(node: Node, key: str, made: Written, warn: Warn, *, append: bool = False) -> Any:
    if key in ("capture", "enabled", "warn_evttypes", "skip-if-unknown-filter"):
        return flag(node, key, made.place)
    if key == "tags":
        return sequence(node, key, made.place)
    if key == "exceptions":
        return _exceptions(node, made, warn, append=append)
    found = text(node, key, made.place)
    if key == "capture_duration":
        refuse(not found.isdigit(), "Can't decode YAML scalar value", made.place, YAML)
        return int(found[:18])
    if key == "priority":
        level = "informational" if found.lower() == "info" else found.lower()
        refuse(level not in PRIORITIES, "Invalid priority", made.where["priority"], YAML)
        return level
    return found.strip(" \t\n\r\v\f") if key == "output" else found


def _exceptions(node: Node, made: Written, warn: Warn, *, append: bool) -> list[Exempt]:
    value = node.get("exceptions")
    if value is None or value.kind == "null":
        return []
    outer = place_of(value, made.place, "exceptions")
    refuse(value.kind != "list", "Rule exceptions must be a sequence", outer, YAML)
    found: list[Exempt] = []
    for one in value.items:
        unnamed = place_of(one, outer, "exception")
        refuse(one.kind != "map", "Rule exception must be a mapping", unnamed, YAML)
        name = text(one, "name", unnamed)
        place = place_of(one, made.place, "exception", name)
        if any(other.name == name for other in found):
            why = f"Multiple definitions of exception '{name}' in the same rule"
            warn("LOAD_EXCEPTION_NAME_NOT_UNIQUE", why, place)
        found.append(_exempt(one, name, place, warn, append=append))
    return found


def _exempt(one: Node, name: str, place: Place, warn: Warn, *, append: bool) -> Exempt:
    fields, comps, values = (one.get(key) for key in ("fields", "comps", "values"))
    refuse(fields is None and not append, "Item has no mapping for key 'fields'", place, YAML)
    made = Exempt(name, place, values=[])
    made.fields = _entry(fields, place) if fields is not None else None
    made.comps = _entry(comps, place) if comps is not None else None
    if values is not None:
        inner = place_of(values, place, "exception values")
        refuse(values.kind != "list", "Rule exception values must be a sequence", inner, YAML)
        made.values = [_entry(value, inner) for value in values.items]
    elif append:
        warn("LOAD_APPEND_NO_VALUES", "Overriding/appending exception with no values", place)
    return made


def _entry(node: Node, place: Place) -> Any:
    """A text, a list of entries, or None of something else."""
    if node.kind == "scalar":
        refuse(not node.text, "Value must be non-empty", place, YAML)
        return node.text
    return [_entry(one, place) for one in node.items] if node.kind == "list" else None
