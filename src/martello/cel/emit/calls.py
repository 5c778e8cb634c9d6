"""Code for operators and functions: literals specialised, overloads called directly where the
checker found exactly one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final

from martello.cel.check.literals import LITERALS
from martello.cel.emit.expressions import Emitter
from martello.cel.emit.optionals import BUILDERS, built, optional, value_or
from martello.cel.syntax.nodes import Call, Const, ListLiteral, Node
from martello.cel.types import STRING, Overload, Type
from martello.cel.values import EvalError, UInt

_COMPARISONS: Final[dict[str, tuple[type[ast.cmpop], str, bool]]] = {
    "_<_": (ast.Lt, "less", False),
    "_<=_": (ast.LtE, "less_equal", False),
    "_>_": (ast.Gt, "less", True),
    "_>=_": (ast.GtE, "less_equal", True),
}
_TEXT_TESTS: Final = {"startsWith": "startswith", "endsWith": "endswith", "contains": ""}
_DIRECT: Final = frozenset(("string", "int", "uint", "double", "bool", "bytes", "list", "map"))


def call(emit: Emitter, node: Call) -> ast.expr:
    """The value of any call."""
    special = _SPECIAL.get(node.function)
    if special is not None and node.target is None:
        return special(emit, node)
    if node.target is not None:
        if node.function == "orValue" and len(node.args) == 1:
            return value_or(emit, node)
        if node.function in _TEXT_TESTS and len(node.args) == 1:
            return text_test(emit, node)
        if node.function == "matches" and len(node.args) == 1:
            return pattern_test(emit, node)
    if node.function == "size" and len(node.args) + (node.target is not None) == 1:
        return sized(emit, node)
    if emit.checked.functions.get(node.id) in BUILDERS or (
        node.target is not None and node.function in ("or", "hasValue")
    ):
        return built(emit, node)
    return function(emit, node)


def logic(emit: Emitter, node: Call) -> ast.expr:
    """`&&` and `||`: an error of one operand is forgotten when another decides."""
    going = node.function == "_&&_"
    sure = all(emit.is_bool(arg) for arg in node.args)
    safe = sure and not any(emit.can_fail(arg) for arg in node.args[:-1])
    made = emit.new()
    emit.guarded(made, node.args[0])
    for index, arg in enumerate(node.args[1:], 1):
        last = index == len(node.args) - 1
        emit.branch(
            emit.differs(emit.name(made), not going),
            emit.block(lambda arg=arg, last=last: operand(emit, made, arg, last, safe, going)),  # type: ignore[misc]
        )
    result = emit.name(made)
    if not safe:
        wrong = [emit.throw(emit.invoke("not_bool", result))]
        inner = ast.If(emit.differs(result, not going), wrong, [], **emit.at)
        emit.branch(emit.differs(result, going), [inner])
    return result


def operand(emit: Emitter, made: str, arg: Node, last: bool, safe: bool, going: bool) -> None:
    """One operand after the first: it replaces the result unless it is neutral."""
    if safe:
        emit.assign(made, emit.value(arg))
        return
    value = emit.new()
    if last:
        emit.assign(value, emit.value(arg))
    else:
        emit.guarded(value, arg)
    keep = emit.block(lambda: emit.assign(made, emit.name(value)))
    emit.branch(emit.differs(emit.name(value), going), keep)


def negation(emit: Emitter, node: Call) -> ast.expr:
    """`!`."""
    (arg,) = node.args
    value = emit.value(arg)
    emit.charge(1)
    if emit.is_bool(arg):
        return ast.UnaryOp(ast.Not(), value, **emit.at)
    return emit.invoke("negated", value)


def ternary(emit: Emitter, node: Call) -> ast.expr:
    """`? :`: one branch is evaluated."""
    test, yes, no = node.args
    made = emit.new()
    condition = emit.value(test)
    if not emit.is_bool(test):
        condition = emit.store(condition)
        wrong = [emit.throw(emit.invoke("not_bool", condition))]
        inner = ast.If(emit.differs(condition, False), wrong, [], **emit.at)
        emit.branch(emit.differs(condition, True), [inner])
    else:
        condition = emit.store(condition)
    emit.flush()
    left = emit.block(lambda: emit.assign(made, emit.value(yes)))
    right = emit.block(lambda: emit.assign(made, emit.value(no)))
    if len(left) == len(right) == 1:
        one, other = left[0], right[0]
        if isinstance(one, ast.Assign) and isinstance(other, ast.Assign):
            return emit.choose(condition, one.value, other.value)
    emit.branch(condition, left, right)
    return emit.name(made)


def equality(emit: Emitter, node: Call) -> ast.expr:
    """`==` and `!=`, specialised for literals."""
    left, right = node.args
    negative = node.function == "_!=_"
    if isinstance(left, Const) and not isinstance(right, Const):
        left, right = right, left
    if isinstance(right, Const):
        special = literal(emit, left, right, negative)
        if special is not None:
            return special
    one, other = emit.value(left), emit.value(right)
    if emit.type(left) == emit.type(right) == STRING and not emit.counted:
        return emit.compare(one, ast.NotEq() if negative else ast.Eq(), other)
    if emit.counted:
        one, other = emit.store(one), emit.store(other)
        emit.spend(emit.invoke("short", one, other))
    test = emit.invoke("eq", one, other)
    return ast.UnaryOp(ast.Not(), test, **emit.at) if negative else test


def literal(emit: Emitter, left: Node, right: Const, negative: bool) -> ast.expr | None:
    """A comparison with a literal that Python's own `==` or `is` decides exactly."""
    value = right.value
    kind = type(value)
    if value is None or kind is bool:
        one = emit.value(left)
        emit.charge(1)
        return emit.differs(one, value) if negative else emit.same(one, value)
    exact = kind is str or (kind in (int, float, UInt) and value not in (0, 1))
    if not exact:
        return None
    one = emit.value(left)
    other = emit.constant(int(value) if kind is UInt else value)
    if emit.counted:
        one = emit.store(one)
        emit.spend(emit.invoke("short", one, other))
    return emit.compare(one, ast.NotEq() if negative else ast.Eq(), other)


def ordering(emit: Emitter, node: Call) -> ast.expr:
    """`<`, `<=`, `>`, `>=`."""
    operator, slow, swapped = _COMPARISONS[node.function]
    left, right = emit.atom(node.args[0]), emit.atom(node.args[1])
    if emit.counted:
        emit.spend(emit.invoke("short", left, right))
    arguments = (right, left) if swapped else (left, right)
    checked = emit.invoke(slow, *arguments)
    tests = [
        emit.typed(place, "int")
        for place, arg in ((left, node.args[0]), (right, node.args[1]))
        if not (isinstance(arg, Const) and type(arg.value) is int)
    ]
    if any(isinstance(arg, Const) and type(arg.value) is not int for arg in node.args) or not tests:
        return checked
    test = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests, **emit.at)
    return emit.choose(test, emit.compare(left, operator(), right), checked)


def membership(emit: Emitter, node: Call) -> ast.expr:
    """`in`: a frozenset test where the list is made of string literals."""
    item, items = node.args
    if isinstance(items, ListLiteral) and items.elements and not items.optional:
        values = [element.value for element in items.elements if isinstance(element, Const)]
        if len(values) == len(items.elements) and all(type(value) is str for value in values):
            emit.charge(10 + len(values))
            held = emit.constant(frozenset(values))
            if emit.type(item) == STRING:
                return emit.compare(emit.value(item), ast.In(), held)
            place = emit.atom(item)
            inside = emit.compare(place, ast.In(), held)
            return ast.BoolOp(ast.And(), [emit.typed(place, "str"), inside], **emit.at)
    one, other = emit.value(item), emit.value(items)
    if emit.counted:
        one, other = emit.store(one), emit.store(other)
        emit.spend(emit.invoke("wide", other))
    return emit.invoke("within", one, other)


def indexing(emit: Emitter, node: Call) -> ast.expr:
    """`items[key]`."""
    items, key = node.args
    if emit.type(items).name == "optional_type":
        return optional(emit, node)
    one, other = emit.value(items), emit.value(key)
    emit.charge(1)
    if isinstance(key, Const) and type(key.value) is str:
        return emit.item(one, other)
    return emit.invoke("index", one, other)


def addition(emit: Emitter, node: Call) -> ast.expr:
    """`+`."""
    left, right = emit.value(node.args[0]), emit.value(node.args[1])
    if emit.counted:
        left, right = emit.store(left), emit.store(right)
        emit.spend(emit.invoke("long", left, right))
    return emit.invoke("add", left, right, emit.name(dispatcher(emit, node)))


def text_test(emit: Emitter, node: Call) -> ast.expr:
    """`startsWith`, `endsWith` and `contains` with a literal: Python's own test where the receiver
    is a string.
    """
    (arg,) = node.args
    quick = isinstance(arg, Const) and type(arg.value) is str and not emit.counted
    if not quick or node.target is None or emit.checked.functions.get(node.id) != node.function:
        return function(emit, node)
    place, part = emit.atom(node.target), emit.value(arg)
    name = _TEXT_TESTS[node.function]
    test = emit.method(place, name, part) if name else emit.compare(part, ast.In(), place)
    slow = emit.invoke(dispatcher(emit, node), place, part)
    return emit.choose(emit.typed(place, "str"), test, slow)


def pattern_test(emit: Emitter, node: Call) -> ast.expr:
    """`matches` with a literal pattern: parsed once for the whole program."""
    (arg,) = node.args
    overloads = emit.checked.overloads.get(node.id, ())
    if emit.counted or node.target is None or not overloads or not isinstance(arg, Const):
        return function(emit, node)
    if type(arg.value) is not str or not folds(overloads[0], "", arg.value):
        return function(emit, node)
    place = emit.atom(node.target)
    test = emit.invoke(emit.link("r", ("pattern", arg.value)), place)
    slow = emit.invoke(dispatcher(emit, node), place, emit.value(arg))
    return emit.choose(emit.typed(place, "str"), test, slow)


def folds(overload: Overload, *args: object) -> bool:
    """True when a call with these constants succeeds."""
    try:
        overload.function(*args)
    except EvalError:
        return False
    return True


def sized(emit: Emitter, node: Call) -> ast.expr:
    """`size`: Python's own where the operand has one."""
    if emit.counted:
        return function(emit, node)
    place = emit.atom(node.target or node.args[0])
    quick = emit.invoke("len", place)
    slow = emit.invoke(dispatcher(emit, node), place)
    known = emit.compare(emit.invoke("type", place), ast.In(), emit.name("SIZED"))
    return emit.choose(known, quick, slow)


def present(emit: Emitter, node: Call) -> ast.expr:
    """An optional element of `cel.block`."""
    return emit.value(node.args[0])


def function(emit: Emitter, node: Call) -> ast.expr:
    """Any other function, through its one overload or through a dispatcher."""
    name = emit.checked.functions.get(node.id, node.function)
    qualified = "." in name
    arguments = node.args if node.target is None or qualified else (node.target, *node.args)
    overloads = emit.checked.overloads.get(node.id, ())
    constant = folded(emit, node, name, overloads)
    if constant is not None:
        return constant
    values = [emit.value(arg) for arg in arguments]
    if emit.counted:
        values = [emit.store(value) for value in values]
    one = overloads[0] if len(overloads) == 1 else None
    if one is not None and all(map(_exact, map(emit.type, arguments))):
        link = emit.link("f", ("overload", emit.libraries.by_overload[one.id], one.id))
        return paid(emit, link, one, values) if emit.counted else emit.invoke(link, *values)
    link = dispatcher(emit, node)
    return paid(emit, link, None, values) if emit.counted else emit.invoke(link, *values)


def folded(
    emit: Emitter, node: Call, name: str, overloads: tuple[Overload, ...]
) -> ast.expr | None:
    """A quantity, an address or a time of the source text, parsed when the program is loaded."""
    if emit.counted or name not in LITERALS or len(overloads) != 1 or len(node.args) != 1:
        return None
    (arg,), (one,) = node.args, overloads
    if not isinstance(arg, Const) or type(arg.value) is not str or not folds(one, arg.value):
        return None
    source = emit.libraries.by_overload[one.id]
    return emit.name(emit.link("k", ("folded", source, one.id, (arg.value,))))


def paid(emit: Emitter, link: str, overload: Overload | None, values: list[ast.expr]) -> ast.expr:
    """A call in the counted twin, with its price."""
    made = emit.store(emit.invoke(link, *values))
    if overload is None:
        price = emit.link("c", ("price", link, emit.by_link(link)))
        emit.spend(emit.invoke(price, *values, made))
    elif overload.cost is None:
        emit.charge(1)
    else:
        price = emit.link("p", ("cost", emit.libraries.by_overload[overload.id], overload.id))
        emit.spend(emit.invoke(price, *values, made))
    return made


def dispatcher(emit: Emitter, node: Call) -> str:
    """The global name of the dispatcher of a call's function."""
    name = emit.checked.functions.get(node.id, node.function)
    member = node.target is not None and "." not in name
    sources = emit.libraries.by_function.get((name, member), ())
    return emit.link("d", ("dispatch", name, member, sources))


def _exact(kind: Type) -> bool:
    return kind.name != "dyn" and kind.name != "wrapper" and all(map(_exact, kind.params[:0]))


def operator(emit: Emitter, node: Call) -> ast.expr:
    """Operators without a form of their own."""
    return function(emit, node)


_SPECIAL: Final[dict[str, Callable[[Emitter, Call], ast.expr]]] = {
    "_&&_": logic,
    "_||_": logic,
    "!_": negation,
    "_?_:_": ternary,
    "_==_": equality,
    "_!=_": equality,
    "_<_": ordering,
    "_<=_": ordering,
    "_>_": ordering,
    "_>=_": ordering,
    "@in": membership,
    "_[_]": indexing,
    "_[?_]": optional,
    "_?._": optional,
    "_+_": addition,
    "@present": present,
}
