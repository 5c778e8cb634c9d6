"""The static types of the forms that bind names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from martello.cel.syntax.nodes import Comprehension
from martello.cel.types import BOOL, DYN, INT, Type, list_of, map_of, optional_of

if TYPE_CHECKING:
    from martello.cel.check.checker import Checker

_BOOLEAN_FOLDS: Final = frozenset(("all", "exists", "exists_one"))
_LIST_DYN: Final = list_of(DYN)


def fold(checker: Checker, node: Comprehension) -> Type:
    """The type of a comprehension; its variables are declared while its body is checked."""
    source = checker.visit(node.source)
    kinds = bindings(checker, node, source)
    outer = checker.scope
    checker.scope = dict(outer)
    for index, (name, kind) in enumerate(zip(node.variables, kinds, strict=True)):
        checker.scope[name] = (kind, node.id, index)
    if node.filter is not None and not checker.infer.accepts(BOOL, checker.visit(node.filter)):
        checker.fault(node.filter, f"the filter of {node.kind}() must be a bool")
    body = checker.visit(node.body)
    checker.scope = outer
    return folded(checker, node, source, body)


def bindings(checker: Checker, node: Comprehension, source: Type) -> tuple[Type, ...]:
    """The types of the variables that a comprehension declares."""
    kind = checker.infer.shallow(source)
    if node.kind == "bind":
        return (source,)
    if node.kind in ("optMap", "optFlatMap"):
        return (checker.opened(node.source, kind),)
    two = len(node.variables) == 2
    if kind.name == "list":
        return (INT, kind.params[0]) if two else kind.params
    if kind.name == "map":
        return kind.params if two else kind.params[:1]
    if kind.name != "dyn" and kind.name[0] != "%":
        checker.fault(
            node.source, f"{node.kind}() takes a list or a map, found {checker.show(kind)}"
        )
    return (DYN,) * len(node.variables)


def folded(checker: Checker, node: Comprehension, source: Type, body: Type) -> Type:
    """The type of the result, from the kind of comprehension and the type of its body."""
    kind = node.kind
    if kind in _BOOLEAN_FOLDS or kind == "filter":
        if not checker.infer.accepts(BOOL, body):
            checker.fault(node.body, f"{kind}() takes a bool, found {checker.show(body)}")
        if kind != "filter":
            return BOOL
        shallow = checker.infer.shallow(source)
        if shallow.name == "map":
            return list_of(shallow.params[0])
        return shallow if shallow.name == "list" else _LIST_DYN
    if kind in ("map", "transformList"):
        return list_of(body)
    if kind == "transformMap":
        shallow = checker.infer.shallow(source)
        key = {"map": shallow.params[:1], "list": (INT,)}.get(shallow.name, (DYN,))
        return map_of(key[0], body)
    if kind == "optMap":
        return optional_of(body)
    if kind == "optFlatMap":
        return optional_of(checker.opened(node.body, body))
    return body
