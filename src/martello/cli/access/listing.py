"""Everything that somebody may do, as a list."""

from __future__ import annotations

from typing import Any

from martello.cli.access.asking import namespace, principal
from martello.cli.access.opening import Opened
from martello.cli.access.telling import called, place, rule_words, who_words
from martello.practices.access.defaults import is_default
from martello.practices.access.model import MASTERS
from martello.practices.access.principals import NODES, keys
from martello.practices.access.rules import Rule
from martello.report.access.model import Right, Rights

_MOST = 20  # verbs or resources of a line


def rights(opened: Opened, flags: dict[str, Any]) -> Rights:
    """The rules that somebody holds, everywhere and by namespace. Raises BadInput."""
    who = principal(opened, flags)
    access, wanted = opened.access, namespace(flags)
    index = access.index
    folded = 0
    rows: dict[tuple[str, int], tuple[str, Rule, list[str]]] = {}
    for scope in ("", wanted) if wanted else access.scopes(who):
        for key, at, cell in index.cells_of(keys(who), scope):
            if at != scope:
                continue
            for binding in cell.bindings:
                resource = index.bindings[binding].resource
                if is_default(resource) and not flags["system"] and key.startswith("gsystem:"):
                    folded += len(index.roles[index.role_of[binding]].rules)
                    continue
                by = called(resource)
                for rule in index.roles[index.role_of[binding]].rules:
                    if scope and rule.urls and not rule.resources:
                        continue
                    row = rows.setdefault((scope, id(rule)), (scope, rule, []))
                    row[2].append(by)
    found = [_right(scope, rule, by) for scope, rule, by in rows.values()]
    notes = []
    if MASTERS in who.groups:
        notes.append(f"group {MASTERS} passes every authorizer: everything is allowed")
    if NODES in who.groups:
        notes.append("the Node authorizer gives a node more: what its pods need")
    if not who.groups_known:
        notes.append("the groups of this user are not known: name them by --as-group")
    return Rights(who_words(who), who.groups, tuple(found), folded, tuple(notes), opened.missing)


def _right(scope: str, rule: Rule, by: list[str]) -> Right:
    groups = [group for group in rule.groups if group]
    suffix = f" ({', '.join(groups)})" if groups else ""
    what = [*rule.resources]
    if what and suffix:
        what[-1] += suffix
    return Right(
        scope=scope,
        verbs=rule.verbs,
        resources=tuple(what or rule.urls),
        names=rule.names,
        by=tuple(dict.fromkeys(by)),
        where=place(rule.role, ("rules", rule.index)),
        says=rule_words(rule, _MOST),
    )
