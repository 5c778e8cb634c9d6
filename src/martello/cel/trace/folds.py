"""The forms that bind names, as the explaining interpreter evaluates them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from martello.cel.equality import is_map
from martello.cel.syntax.nodes import Comprehension, Node
from martello.cel.trace.steps import MISSING, Step
from martello.cel.values import NONE, EvalError, Optional, Struct, type_name

if TYPE_CHECKING:
    from martello.cel.trace.tracer import Walker


def fold(walker: Walker, node: Comprehension, scope: dict[int, Any], step: Step) -> Any:
    """Walks a comprehension, one turn after the other."""
    if node.kind == "bind":
        value = Deferred(lambda: walker.part(node.source, scope, step))
        return walker.part(node.body, {**scope, node.id * 2: value}, step)
    source = walker.part(node.source, scope, step)
    if node.kind in ("optMap", "optFlatMap"):
        return mapped(walker, node, walker.opened(source), scope, step)
    turns = [
        {**scope, node.id * 2: left, node.id * 2 + 1: right}
        for left, right in turns_of(source, len(node.variables) == 2)
    ]
    return _FOLDS[node.kind](walker, node, turns, step)


def turns_of(source: Any, two: bool) -> list[tuple[Any, Any]]:
    """What the variables are bound to, turn by turn: elements and indexes, or keys and values."""
    if type(source) in (list, tuple):
        return list(enumerate(source)) if two else [(item, None) for item in source]
    if is_map(source) or isinstance(source, Struct):
        return list(source.items())
    raise EvalError(f"a macro walks over lists and maps, found {type_name(source)}")


def mapped(
    walker: Walker, node: Comprehension, value: Any, scope: dict[int, Any], step: Step
) -> Any:
    """`optMap` and `optFlatMap`: the body over the value, or none."""
    if value is MISSING:
        walker.skipped((node.body,), step)
        return NONE
    result = walker.part(node.body, {**scope, node.id * 2: value}, step)
    if node.kind == "optMap":
        return Optional(result)
    walker.opened(result)
    return result


def quantified(walker: Walker, node: Comprehension, turns: list[dict[int, Any]], step: Step) -> Any:
    """`all` and `exists`: an error counts only where no turn decides."""
    deciding = node.kind == "exists"
    trouble: EvalError | None = None
    for scope in turns:
        try:
            value = walker.part(node.body, scope, step)
        except EvalError as error:
            trouble = error
            continue
        if value is deciding:
            return deciding
        if type(value) is not bool:
            trouble = EvalError(f"expected a bool, found {type_name(value)}", node.body.id)
    if trouble is not None:
        raise trouble
    return not deciding


def one(walker: Walker, node: Comprehension, turns: list[dict[int, Any]], step: Step) -> Any:
    """`exists_one`: errors are not absorbed."""
    found = [walker.boolean(walker.part(node.body, scope, step)) for scope in turns]
    return found.count(True) == 1


def kept(walker: Walker, node: Node | None, scope: dict[int, Any], step: Step) -> bool:
    """Whether a turn passes the filter; without one every turn does."""
    return node is None or walker.boolean(walker.part(node, scope, step))


def listed(walker: Walker, node: Comprehension, turns: list[dict[int, Any]], step: Step) -> Any:
    """`map`, `filter` and `transformList`."""
    if node.kind == "filter":
        return [scope[node.id * 2] for scope in turns if kept(walker, node.body, scope, step)]
    return [
        walker.part(node.body, scope, step)
        for scope in turns
        if kept(walker, node.filter, scope, step)
    ]


def entries(walker: Walker, node: Comprehension, turns: list[dict[int, Any]], step: Step) -> Any:
    """`transformMap` and `transformMapEntry`."""
    made: list[tuple[Any, Any]] = []
    for scope in turns:
        if not kept(walker, node.filter, scope, step):
            continue
        value = walker.part(node.body, scope, step)
        if node.kind == "transformMap":
            made.append((scope[node.id * 2], value))
        elif is_map(value):
            made.extend(value.items())
        else:
            raise EvalError(f"transformMapEntry() takes maps, found {type_name(value)}")
    return walker.mapping(made)


class Deferred:
    """A value of `cel.bind`, evaluated when first used."""

    def __init__(self, evaluate: Callable[[], Any]) -> None:
        self.evaluate = evaluate
        self.done: list[Any] = []

    def __call__(self) -> Any:
        if not self.done:
            self.done.append(self.evaluate())
        return self.done[0]


_FOLDS: Final[dict[str, Callable[[Walker, Comprehension, list[dict[int, Any]], Step], Any]]] = {
    "all": quantified,
    "exists": quantified,
    "exists_one": one,
    "map": listed,
    "filter": listed,
    "transformList": listed,
    "transformMap": entries,
    "transformMapEntry": entries,
}
