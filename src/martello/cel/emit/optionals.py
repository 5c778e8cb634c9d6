"""Code for optionals: inside one expression they travel as a value or ABSENT, and become objects
only where they leave it.
"""

from __future__ import annotations

import ast
from typing import Final

from martello.cel.emit.expressions import Emitter
from martello.cel.syntax.nodes import Call, Comprehension, Const, Node, Select

BUILDERS: Final = frozenset(("optional.of", "optional.none", "optional.ofNonZeroValue"))


def optional(emit: Emitter, node: Node) -> ast.expr:
    """An optional as an object."""
    return emit.invoke("closed", opened(emit, node))


def built(emit: Emitter, node: Call) -> ast.expr:
    """`optional.of(x)` and its kin, `or` and `hasValue`."""
    if node.function == "hasValue":
        assert node.target is not None
        emit.charge(1)
        return emit.differs(opened(emit, node.target, strictly=True), "ABSENT")
    if node.function == "or":
        assert node.target is not None
        if not _sure(emit, node):
            return either(emit, node.target, node.args[0])
    return optional(emit, node)


def _sure(emit: Emitter, node: Call) -> bool:
    """True when both sides of an `or` are optionals by their static types."""
    sides = (node.target, *node.args)
    return all(side is not None and emit.type(side).name == "optional_type" for side in sides)


def either(emit: Emitter, target: Node, other: Node) -> ast.expr:
    """`or` where a side may be no optional: such a value stands for itself."""
    made = emit.new()
    emit.assign(made, emit.value(target))
    emit.charge(1)
    inside = emit.block(lambda: emit.assign(made, emit.value(other)))
    emit.branch(emit.invoke("is_none", emit.name(made)), inside)
    return emit.name(made)


def opened(emit: Emitter, node: Node, strictly: bool = False) -> ast.expr:
    """The value of an optional, or ABSENT; a plain value stands for itself unless `strictly`."""
    outer, emit.at = emit.at, {"lineno": node.id + 1, "col_offset": 0}
    made = _opened(emit, node)
    if made is None:
        made = emit.invoke("opened_strictly" if strictly else "opened", emit.value(node))
    emit.at = outer
    return made


def _opened(emit: Emitter, node: Node) -> ast.expr | None:
    if node.id in emit.checked.references:
        return None
    if isinstance(node, Select):
        if node.test or emit.type(node.operand).name != "optional_type":
            return None
        return field(emit, node.operand, node.field)
    if isinstance(node, Comprehension) and node.kind in ("optMap", "optFlatMap"):
        return mapped(emit, node)
    if not isinstance(node, Call):
        return None
    if node.function == "_?._":
        name = node.args[1]
        assert isinstance(name, Const)
        return field(emit, node.args[0], name.value)
    if node.function == "_[?_]" or (
        node.function == "_[_]" and emit.type(node.args[0]).name == "optional_type"
    ):
        items = holder(emit, node.args[0])
        emit.charge(1)
        return emit.invoke("find_item", items, emit.value(node.args[1]))
    return chained(emit, node)


def chained(emit: Emitter, node: Call) -> ast.expr | None:
    """`optional.of(x)`, `optional.none()`, `optional.ofNonZeroValue(x)` and `a.or(b)`."""
    name = emit.checked.functions.get(node.id)
    if name == "optional.of" and len(node.args) == 1:
        emit.charge(1)
        return emit.value(node.args[0])
    if name == "optional.none" and not node.args:
        emit.charge(1)
        return emit.name("ABSENT")
    if name == "optional.ofNonZeroValue" and len(node.args) == 1:
        emit.charge(1)
        return emit.invoke("non_zero", emit.value(node.args[0]))
    if name == "or" and node.target is not None and len(node.args) == 1 and _sure(emit, node):
        return replaced(emit, node.target, node.args[0], plain=False)
    return None


def holder(emit: Emitter, node: Node) -> ast.expr:
    """What a selection looks into: the inside of an optional, or any other value."""
    if emit.type(node).name == "optional_type":
        return opened(emit, node)
    return emit.value(node)


def field(emit: Emitter, operand: Node, name: str) -> ast.expr:
    """`operand.?name`."""
    place = emit.store(holder(emit, operand))
    emit.charge(1)
    key = emit.constant(name)
    quick = emit.method(place, "get", key, emit.name("ABSENT"))
    find = "find_field_strictly" if emit.libraries.strict else "find_field"
    slow = emit.invoke(find, place, key)
    return emit.choose(emit.typed(place, "dict"), quick, slow)


def value_or(emit: Emitter, node: Call) -> ast.expr:
    """`optional.orValue(default)`."""
    assert node.target is not None
    return replaced(emit, node.target, node.args[0], plain=True)


def replaced(emit: Emitter, target: Node, other: Node, plain: bool) -> ast.expr:
    """The inside of an optional, or what stands in for it; `plain` when that is a value, no
    optional.
    """
    made = emit.new()
    emit.assign(made, opened(emit, target))
    emit.charge(1)
    emit.flush()
    inside = emit.block(
        lambda: emit.assign(made, emit.value(other) if plain else opened(emit, other))
    )
    emit.branch(emit.same(emit.name(made), "ABSENT"), inside)
    return emit.name(made)


def mapped(emit: Emitter, node: Comprehension) -> ast.expr:
    """`optMap` and `optFlatMap`."""
    made = emit.new()
    emit.assign(made, opened(emit, node.source, strictly=True))

    def inside() -> None:
        held = emit.new()
        emit.assign(held, emit.name(made))
        emit.locals[node.id * 2] = emit.name(held)
        flat = node.kind == "optFlatMap"
        emit.assign(made, opened(emit, node.body, strictly=True) if flat else emit.value(node.body))

    emit.branch(emit.differs(emit.name(made), "ABSENT"), emit.block(inside))
    return emit.name(made)
