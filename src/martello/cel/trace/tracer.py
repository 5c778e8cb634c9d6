"""The interpreter that explains: evaluates a tree slowly and keeps what each part came to; also
the oracle for the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from martello.cel.dispatch import Dispatcher, class_names
from martello.cel.equality import equals, in_list, in_map, is_map
from martello.cel.lib.operators import item_at, optional_at, value_at
from martello.cel.syntax.nodes import (
    Call,
    Comprehension,
    Const,
    Ident,
    ListLiteral,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
    children,
)
from martello.cel.syntax.unparse import unparse
from martello.cel.trace.folds import Deferred, fold
from martello.cel.trace.steps import MISSING, Step
from martello.cel.values import (
    NONE,
    EvalError,
    KeyedMap,
    Optional,
    Struct,
    TypeValue,
    type_name,
)

if TYPE_CHECKING:
    from martello.cel.compiler import Unit

_KEPT: Final = 64


def trace(unit: Unit, bindings: Mapping[str, Any]) -> Step:
    """What each part of an expression evaluates to."""
    walker = Walker(unit, bindings)
    root = Step(unit.node, walker.text(unit.node))
    try:
        value = walker.visit(unit.node, {}, root)
        if unit.boolean and type(value) is not bool:
            root.error = EvalError(f"expected a bool, found {type_name(value)}", unit.node.id)
    except EvalError:
        pass
    return root


class Walker:
    """Evaluates node after node, each kept as a Step with its value or error."""

    def __init__(self, unit: Unit, bindings: Mapping[str, Any]) -> None:
        self.unit = unit
        self.bindings = bindings
        self.strict = unit.env.dialect == "spec"
        self.dispatchers: dict[tuple[str, bool], Dispatcher] = {}

    def text(self, node: Node) -> str:
        """The piece of source that a node was written as."""
        return unparse(node)

    def visit(self, node: Node, scope: dict[int, Any], step: Step) -> Any:
        """Evaluates a node into its step."""
        step.evaluated = True
        try:
            step.value = _VISITS[type(node)](self, node, scope, step)
        except EvalError as error:
            error.node = node.id if error.node is None else error.node
            step.error = error
            raise
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError):
            step.error = EvalError("a value of a type that this operation does not take", node.id)
            raise step.error from None
        return step.value

    def part(self, node: Node, scope: dict[int, Any], step: Step) -> Any:
        """Evaluates a part of a node and keeps its step."""
        inner = Step(node, self.text(node))
        if len(step.parts) < _KEPT:
            step.parts.append(inner)
        return self.visit(node, scope, inner)

    def skipped(self, nodes: Iterable[Node], step: Step) -> None:
        """Keeps parts that were not evaluated."""
        step.parts.extend(Step(node, self.text(node)) for node in nodes)

    def reference(self, node: Node, scope: dict[int, Any]) -> Any:
        kind, name, key = self.unit.checked.references[node.id]
        if kind == "type":
            return TypeValue(name)
        if kind == "local":
            value = scope[key]
            return value() if isinstance(value, Deferred) else value
        if name not in self.bindings:
            raise EvalError(f"no value for the variable {name}")
        return self.bindings[name]

    # -- kinds of node

    def const(self, node: Const, _scope: dict[int, Any], _step: Step) -> Any:
        return node.value

    def ident(self, node: Ident, scope: dict[int, Any], _step: Step) -> Any:
        if node.id not in self.unit.checked.references:
            raise EvalError("undeclared reference")
        return self.reference(node, scope)

    def select(self, node: Select, scope: dict[int, Any], step: Step) -> Any:
        if node.id in self.unit.checked.references:
            return self.reference(node, scope)
        operand = self.part(node.operand, scope, step)
        if node.test:
            return self.find(operand, node.field) is not MISSING
        if type(operand) is Optional:
            return self.wrapped(self.find(operand, node.field))
        if is_map(operand) or isinstance(operand, Struct):
            if node.field not in operand:
                raise EvalError("no such key")
            return operand[node.field]
        raise EvalError(f"{type_name(operand)} has no fields")

    def find(self, operand: Any, field: str) -> Any:
        """A field's value or MISSING."""
        if type(operand) is Optional:
            return self.find(operand.value, field) if operand.present else MISSING
        if is_map(operand) or isinstance(operand, Struct):
            return operand.get(field, MISSING)
        if self.strict or type(operand) in (list, tuple):
            raise EvalError(f"{type_name(operand)} has no fields")
        return MISSING

    def wrapped(self, value: Any) -> Optional:
        return NONE if value is MISSING else Optional(value)

    def list_literal(self, node: ListLiteral, scope: dict[int, Any], step: Step) -> Any:
        made = []
        for index, element in enumerate(node.elements):
            value = self.part(element, scope, step)
            if index not in node.optional:
                made.append(value)
            elif self.opened(value) is not MISSING:
                made.append(value.value)
        return made

    def opened(self, value: Any) -> Any:
        if type(value) is not Optional:
            raise EvalError(f"expected an optional, found {type_name(value)}")
        return value.value if value.present else MISSING

    def map_literal(self, node: MapLiteral, scope: dict[int, Any], step: Step) -> Any:
        entries = []
        for index, (key, item) in enumerate(node.entries):
            name, value = self.part(key, scope, step), self.part(item, scope, step)
            if index in node.optional:
                value = self.opened(value)
            if value is not MISSING:
                entries.append((name, value))
        return self.mapping(entries)

    def mapping(self, entries: list[tuple[Any, Any]]) -> Any:
        if any(type(key) is float for key, _ in entries):
            raise EvalError("a map has no keys of type double")
        made = KeyedMap(entries)
        if len(made) < len(entries):
            raise EvalError("a map literal repeats a key")
        plain = all(type(key) is str for key, _ in entries)
        return dict(entries) if plain else made

    def struct(self, node: StructLiteral, scope: dict[int, Any], step: Step) -> Any:
        fields = {}
        for index, (field, item) in enumerate(node.fields):
            value = self.part(item, scope, step)
            if index in node.optional:
                value = self.opened(value)
            if value is not MISSING:
                if field in fields:
                    raise EvalError("a map literal repeats a key")
                fields[field] = value
        return Struct(node.name, fields)

    def call(self, node: Call, scope: dict[int, Any], step: Step) -> Any:
        special = _SPECIAL.get(node.function) if node.target is None else None
        if special is not None:
            return special(self, node, scope, step)
        name = self.unit.checked.functions.get(node.id, node.function)
        qualified = node.target is not None and "." in name
        nodes = node.args if qualified else children(node)
        if name in ("or", "orValue") and node.target is not None and len(node.args) == 1:
            return self.fallback(node, node.target, scope, step)
        values = [self.part(each, scope, step) for each in nodes]
        return self.function(name, node.target is not None and not qualified)(*values)

    def function(self, name: str, member: bool) -> Dispatcher:
        """All overloads of a function."""
        made = self.dispatchers.get((name, member))
        if made is None:
            env = self.unit.env
            overloads = env.functions.get((name, member), [])
            made = Dispatcher(name, overloads, class_names(env.libraries))
            self.dispatchers[name, member] = made
        return made

    def fallback(self, node: Call, target: Node, scope: dict[int, Any], step: Step) -> Any:
        """`or` and `orValue`: the other side is evaluated only when there is no value."""
        value = self.part(target, scope, step)
        if type(value) is not Optional or value.present:
            self.skipped(node.args, step)
            inside = type(value) is Optional and node.function == "orValue"
            return value.value if inside else value
        return self.part(node.args[0], scope, step)

    def logic(self, node: Call, scope: dict[int, Any], step: Step) -> Any:
        deciding = node.function == "_||_"
        trouble: EvalError | None = None
        for index, arg in enumerate(node.args):
            try:
                value = self.part(arg, scope, step)
            except EvalError as error:
                trouble = error
                continue
            if value is deciding:
                self.skipped(node.args[index + 1 :], step)
                return deciding
            if type(value) is not bool:
                trouble = EvalError(f"expected a bool, found {type_name(value)}", arg.id)
        if trouble is not None:
            raise trouble
        return not deciding

    def ternary(self, node: Call, scope: dict[int, Any], step: Step) -> Any:
        test, yes, no = node.args
        value = self.boolean(self.part(test, scope, step))
        taken, left = (yes, no) if value else (no, yes)
        if value:
            result = self.part(taken, scope, step)
            self.skipped((left,), step)
            return result
        self.skipped((left,), step)
        return self.part(taken, scope, step)

    def boolean(self, value: Any) -> bool:
        if type(value) is not bool:
            raise EvalError(f"expected a bool, found {type_name(value)}")
        return value

    def equality(self, node: Call, scope: dict[int, Any], step: Step) -> Any:
        left, right = (self.part(arg, scope, step) for arg in node.args)
        return equals(left, right) is (node.function == "_==_")

    def membership(self, node: Call, scope: dict[int, Any], step: Step) -> Any:
        item, items = (self.part(arg, scope, step) for arg in node.args)
        if type(items) in (list, tuple):
            return in_list(item, items)
        if is_map(items) or isinstance(items, Struct):
            return in_map(item, items)
        raise EvalError(f"'in' looks into lists and maps, found {type_name(items)}")

    def optional_field(self, node: Call, scope: dict[int, Any], step: Step) -> Any:
        field = node.args[1]
        assert isinstance(field, Const)
        return self.wrapped(self.find(self.part(node.args[0], scope, step), field.value))

    def indexing(self, node: Call, scope: dict[int, Any], step: Step) -> Any:
        items, key = (self.part(arg, scope, step) for arg in node.args)
        optional = node.function == "_[?_]"
        if type(items) is Optional:
            if not items.present:
                return NONE
            items, optional = items.value, True
        if not (type(items) in (list, tuple) or is_map(items) or isinstance(items, Struct)):
            if not optional:
                raise EvalError(f"{type_name(items)} has no items")
            KeyedMap([(key, None)])
            return NONE
        if optional:
            return optional_at(items, key)
        return (item_at if type(items) in (list, tuple) else value_at)(items, key)

    def present(self, node: Call, scope: dict[int, Any], step: Step) -> Any:
        return self.part(node.args[0], scope, step)


_VISITS: Final[dict[type, Callable[..., Any]]] = {
    Const: Walker.const,
    Ident: Walker.ident,
    Select: Walker.select,
    Call: Walker.call,
    ListLiteral: Walker.list_literal,
    MapLiteral: Walker.map_literal,
    StructLiteral: Walker.struct,
    Comprehension: fold,
}
_SPECIAL: Final[dict[str, Callable[..., Any]]] = {
    "_&&_": Walker.logic,
    "_||_": Walker.logic,
    "_?_:_": Walker.ternary,
    "_==_": Walker.equality,
    "_!=_": Walker.equality,
    "@in": Walker.membership,
    "_?._": Walker.optional_field,
    "_[_]": Walker.indexing,
    "_[?_]": Walker.indexing,
    "@present": Walker.present,
}
