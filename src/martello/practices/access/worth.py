"""How much an edit closes: the severity of rights that were granted and never used."""

from __future__ import annotations

from typing import Final

from martello.core.resource import Resource
from martello.practices.access.cover import Single
from martello.practices.access.edits import GRANT, Edit
from martello.practices.access.powers import POWERS
from martello.practices.access.rules import Rule

_LEVELS: Final = ("low", "medium", "high")


def severity(edit: Edit, binding: Resource | None) -> str:
    """high where a wildcard is closed, or a right that a check of the practice names; else medium;
    one level lower where silence is little evidence. Empty for what is granted anew.
    """
    if edit.kind == GRANT or binding is None:
        return ""
    level = 2 if any(_powerful(single, binding) for single in edit.closed) else 1
    return _LEVELS[level - (edit.confidence.level == "low")]


def _powerful(single: Single, binding: Resource) -> bool:
    verb, group, resource, name, url = single
    if "*" in (verb, group, resource, url):
        return True
    names = () if name is None else (name,)
    rule = Rule((verb,), (group,), (resource,), names, (), binding, 0)
    return not url and any(power.held(rule) for powers in POWERS.values() for power in powers)
