"""Code for the macros that walk over lists and maps, and for `cel.bind`: plain `for` loops, and
functions for lazy values.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final

from martello.cel.emit.expressions import Emitter
from martello.cel.emit.optionals import optional
from martello.cel.emit.writer import Turns
from martello.cel.syntax.nodes import Comprehension, Const, Ident, Node

_STORE: Final = ast.Store()


def fold(emit: Emitter, node: Comprehension) -> ast.expr:
    """The value of a form that binds names."""
    if node.kind == "bind":
        return bound(emit, node)
    if node.kind in ("optMap", "optFlatMap"):
        return optional(emit, node)
    if not emit.crowded:
        return _WRITERS[node.kind](emit, node)
    function = emit.nested(lambda: _WRITERS[node.kind](emit, node))
    return emit.invoke(function)


def bound(emit: Emitter, node: Comprehension) -> ast.expr:
    """`cel.bind`: the value is computed when it is first used."""
    key = node.id * 2
    if isinstance(node.source, Const | Ident) and not emit.can_fail(node.source):
        emit.locals[key] = emit.atom(node.source)
        return emit.value(node.body)
    function = emit.nested(lambda: emit.value(node.source))
    emit.locals[key] = emit.store(emit.invoke("Lazy", emit.name(function)))
    emit.lazy.add(key)
    return emit.value(node.body)


def loop(emit: Emitter, node: Comprehension, write: Callable[[], None]) -> None:
    """A `for` statement over the source, with the macro's variables bound in its body."""
    source = emit.value(node.source)
    names = [emit.new() for _ in node.variables]
    for index, name in enumerate(names):
        emit.locals[node.id * 2 + index] = emit.name(name)
    targets: list[ast.expr] = [ast.Name(name, _STORE, **emit.at) for name in names]
    place = emit.new()
    if len(names) == 2:
        walked = emit.invoke("pairs", source)
        emit.assign(place, emit.invoke("list", walked) if emit.counted else walked)
    else:
        emit.assign(place, source)
        walk = emit.block(lambda: emit.assign(place, emit.invoke("keys", emit.name(place))))
        kind = emit.invoke("type", emit.name(place))
        emit.branch(emit.compare(kind, ast.IsNot(), emit.name("list")), walk)
    turns = Turns(emit, place)
    emit.blocks += 1
    outer = emit.at

    def turn() -> None:
        turns.next()
        write()
        emit.flush()
        emit.limit()

    emit.turns.append(turns)
    body = emit.block(turn)
    emit.turns.pop()
    emit.blocks -= 1
    emit.at = outer
    target = targets[0] if len(targets) == 1 else ast.Tuple(targets, _STORE, **emit.at)
    emit.body.append(ast.For(target, emit.name(place), body, [], **emit.at))


def quantified(emit: Emitter, node: Comprehension) -> ast.expr:
    """`all` and `exists`: errors are forgotten when an element decides."""
    going = node.kind == "all"
    made = emit.new()
    emit.charge(1)
    emit.assign(made, emit.constant(going))
    sure = emit.is_bool(node.body) and not emit.can_fail(node.body)

    def write() -> None:
        value = emit.new()
        emit.charge(3 if going else 4)
        emit.guarded(value, node.body)
        emit.flush()

        def decided() -> None:
            emit.assign(made, emit.constant(not going))
            emit.turns[-1].rest(2 if going else 3)
            emit.body.append(ast.Break(**emit.at))

        stop = emit.block(decided)
        if sure:
            emit.branch(emit.differs(emit.name(value), going), stop)
            return
        keep = emit.block(lambda: emit.assign(made, emit.name(value)))
        inner = ast.If(emit.same(emit.name(value), not going), stop, keep, **emit.at)
        emit.branch(emit.differs(emit.name(value), going), [inner])

    loop(emit, node, write)
    result = emit.name(made)
    if not sure:
        wrong = [emit.throw(emit.invoke("not_bool", result))]
        inner = ast.If(emit.differs(result, not going), wrong, [], **emit.at)
        emit.branch(emit.differs(result, going), [inner])
    return result


def condition(emit: Emitter, node: Node, keep: Callable[[], None], skipped: int = 0) -> None:
    """`if node: keep()`, where anything but a bool is an error; `skipped` is what an element costs
    that is left out.
    """
    test = emit.store(emit.value(node))
    if not emit.is_bool(node):
        wrong = [emit.throw(emit.invoke("not_bool", test))]
        inner = ast.If(emit.differs(test, False), wrong, [], **emit.at)
        emit.branch(emit.differs(test, True), [inner])
    emit.flush()
    inside = emit.block(keep)
    otherwise = emit.block(lambda: emit.charge(skipped)) if emit.counted and skipped else None
    emit.branch(test, inside, otherwise)


def exactly_one(emit: Emitter, node: Comprehension) -> ast.expr:
    """`exists_one`."""
    made = emit.new()
    emit.charge(2)
    emit.assign(made, emit.constant(0))

    def count() -> None:
        emit.charge(2)
        target = ast.Name(made, _STORE, **emit.at)
        emit.body.append(ast.AugAssign(target, ast.Add(), emit.constant(1), **emit.at))

    loop(emit, node, lambda: condition(emit, node.body, count))
    return emit.compare(emit.name(made), ast.Eq(), emit.constant(1))


def listed(emit: Emitter, node: Comprehension) -> ast.expr:
    """`map` and `transformList`, filtered or not, and `filter`."""
    made = emit.new()
    emit.charge(11)
    emit.assign(made, ast.List([], ast.Load(), **emit.at))
    chosen = node.kind == "filter"

    def keep() -> None:
        emit.charge(13 if chosen else 12)
        item = emit.locals[node.id * 2] if chosen else emit.value(node.body)
        emit.append(made, item)
        if emit.counted:
            emit.body.append(ast.Expr(emit.invoke("limited", emit.name(made)), **emit.at))

    test = node.body if chosen else node.filter
    if test is None:
        loop(emit, node, keep)
    else:
        loop(emit, node, lambda: condition(emit, test, keep, 1))
    return emit.name(made)


def mapped(emit: Emitter, node: Comprehension) -> ast.expr:
    """`transformMap` and `transformMapEntry`."""
    made = emit.new()
    emit.charge(31)
    emit.assign(made, ast.List([], ast.Load(), **emit.at))
    entries = node.kind == "transformMapEntry"

    def keep() -> None:
        emit.charge(2 if entries else 3)
        value = emit.value(node.body)
        emit.append(made, value if entries else emit.pair(emit.locals[node.id * 2], value))

    test = node.filter
    if test is None:
        loop(emit, node, keep)
    else:
        loop(emit, node, lambda: condition(emit, test, keep, 1))
    return emit.invoke("merged" if entries else "mapping", emit.name(made))


_WRITERS: Final[dict[str, Callable[[Emitter, Comprehension], ast.expr]]] = {
    "all": quantified,
    "exists": quantified,
    "exists_one": exactly_one,
    "map": listed,
    "filter": listed,
    "transformList": listed,
    "transformMap": mapped,
    "transformMapEntry": mapped,
}
