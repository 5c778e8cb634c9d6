"""Literals that a function parses: a bad pattern, quantity, address or time in the text is found
at compile time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from martello.cel.check.checker import Checked
from martello.cel.issues import Issue
from martello.cel.syntax.nodes import Call, Const, Node, walk
from martello.cel.values import EvalError

if TYPE_CHECKING:
    from martello.cel.env import Env

LITERALS: Final = frozenset(("duration", "timestamp", "quantity", "ip", "cidr", "url", "semver"))
_PATTERNS: Final = frozenset(("matches", "find", "findAll"))


def check_literals(env: Env, node: Node, checked: Checked, issues: list[Issue]) -> None:
    """Tries every call whose literal argument must parse; a failure is an error at that place."""
    if not env.literal_checks:
        return
    for each in walk(node):
        if not isinstance(each, Call) or not each.args:
            continue
        literal: Node | None = None
        text = ""
        if each.function in LITERALS and each.target is None and len(each.args) == 1:
            literal = each.args[0]
        elif each.function in _PATTERNS:
            literal = each.args[0 if each.target is not None else -1]
        if not isinstance(literal, Const) or type(literal.value) is not str:
            continue
        args = (literal.value,) if each.function in LITERALS else (text, literal.value)
        found = [one for one in checked.overloads.get(each.id, ()) if len(one.params) == len(args)]
        if not found:
            continue
        try:
            found[0].function(*args)
        except EvalError as error:
            issues.append(Issue("error", error.message, literal.start, literal.end))
