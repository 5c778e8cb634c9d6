"""The static checker: resolves names and overloads, infers types, and says what is wrong and what
was meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from martello.cel.check.folds import fold
from martello.cel.check.hints import OPERATORS, about_function, nearest
from martello.cel.check.unify import Inference
from martello.cel.issues import Issue
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
)
from martello.cel.syntax.parse import type_name
from martello.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    UINT,
    Overload,
    Type,
    list_of,
    map_of,
    optional_of,
    type_of,
)
from martello.cel.values import UInt

if TYPE_CHECKING:
    from martello.cel.env import Env

Reference = tuple[
    str, str, int
]  # "var", name, 0 | "local", name, index with node | "type", name, 0
_CONSTANTS: Final = {
    bool: BOOL,
    int: INT,
    UInt: UINT,
    float: DOUBLE,
    str: STRING,
    bytes: BYTES,
    type(None): NULL,
}
_KEYS: Final = frozenset(("int", "uint", "bool", "string", "dyn"))


class Checked:
    """What the checker found out about each node, by its id."""

    __slots__ = ("functions", "overloads", "references", "types")

    def __init__(self) -> None:
        self.types: dict[int, Type] = {}
        self.references: dict[int, Reference] = {}
        self.overloads: dict[int, tuple[Overload, ...]] = {}
        self.functions: dict[int, str] = {}

    def type(self, node: Node) -> Type:
        """The type of a node."""
        return self.types.get(node.id, DYN)


class Checker:
    """One pass over a tree; `lenient` takes the place of an unchecked evaluation: unknown names
    and types pass.
    """

    def __init__(self, env: Env, issues: list[Issue], lenient: bool = False) -> None:
        self.env = env
        self.issues = issues
        self.lenient = lenient
        self.found = Checked()
        self.infer = Inference()
        self.writing = 0  # calls of format() around the node
        self.scope: dict[str, tuple[Type, int, int]] = {}

    def run(self, node: Node) -> Checked:
        """Checks a whole expression."""
        self.visit(node)
        deep = self.infer.deep
        if self.infer.bound or self.lenient:
            self.found.types = {id: deep(kind, DYN) for id, kind in self.found.types.items()}
        else:
            for id, kind in self.found.types.items():
                if kind.params or kind.name[0] == "%":
                    self.found.types[id] = deep(kind, DYN)
        return self.found

    def fault(self, node: Node, message: str, hint: str = "") -> Type:
        """Notes an error; the node then counts as dyn, so that one mistake is reported once."""
        if not self.lenient:
            self.issues.append(Issue("error", message, node.start, node.end, hint))
        return DYN

    def visit(self, node: Node) -> Type:
        """The type of a node, noted for it."""
        kind = _VISITS[type(node)](self, node)
        self.found.types[node.id] = kind
        return kind

    # -- names

    def constant(self, node: Const) -> Type:
        return _CONSTANTS[type(node.value)]

    def ident(self, node: Ident) -> Type:
        local = self.scope.get(node.name)
        if local is not None:
            self.found.references[node.id] = ("local", node.name, local[1] * 2 + local[2])
            return local[0]
        resolved = self.resolve(node, node.name)
        if resolved is not None:
            return resolved
        return DYN if self.lenient else self.undeclared(node)

    def undeclared(self, node: Ident) -> Type:
        names = [*self.scope, *self.env.variables, *self.env.types]
        close = nearest(node.name, names)
        hint = f"did you mean '{close}'?" if close else ""
        return self.fault(node, f"undeclared reference to '{node.name}'", hint)

    def resolve(self, node: Node, name: str) -> Type | None:
        """The type of a declared name, searched from the container outward."""
        for candidate in self.env.candidates(name):
            kind = self.env.variables.get(candidate)
            if kind is not None:
                self.found.references[node.id] = ("var", candidate, 0)
                return kind
            kind = self.env.types.get(candidate)
            if kind is not None:
                self.found.references[node.id] = ("type", kind.name, 0)
                return type_of(kind)
        return None

    def select(self, node: Select) -> Type:
        if not node.test and self.namespaced(node):
            resolved = self.resolve(node, type_name(node))
            if resolved is not None:
                return resolved
        operand = self.infer.shallow(self.visit(node.operand))
        return self.field(node, operand, BOOL if node.test else None)

    def namespaced(self, node: Node) -> bool:
        """True when a chain of selections may spell a dotted name."""
        while isinstance(node, Select) and not node.test:
            node = node.operand
        if not isinstance(node, Ident) or node.name in self.scope:
            return False
        return bool(self.env.container) or node.name.lstrip(".") in self.env.roots

    def field(self, node: Select, operand: Type, result: Type | None) -> Type:
        name = operand.name
        if name == "dyn" or name[0] == "%":
            return result or DYN
        if name == "map":
            if not self.infer.accepts(operand.params[0], STRING):
                self.fault(node, f"a map with keys of type {operand.params[0]!r} has no fields")
            return result or operand.params[1]
        if name == "optional_type":
            inner = self.field(node, self.infer.shallow(operand.params[0]), None)
            return result or (inner if inner.name == "optional_type" else optional_of(inner))
        if self.env.is_struct(name):
            return result or DYN
        kind = self.env.fields.get((name, node.field))
        if kind is not None:
            return result or kind
        return self.fault(node, f"type {self.show(operand)} has no field '{node.field}'")

    # -- literals

    def list_literal(self, node: ListLiteral) -> Type:
        kind: Type | None = None
        for index, element in enumerate(node.elements):
            item = self.visit(element)
            if index in node.optional:
                item = self.opened(element, item)
            kind = item if kind is None else self.common(element, kind, item)
        return list_of(kind if kind is not None else self.infer.fresh())

    def map_literal(self, node: MapLiteral) -> Type:
        key: Type | None = None
        value: Type | None = None
        for index, (name, part) in enumerate(node.entries):
            left, right = self.visit(name), self.visit(part)
            shallow = self.infer.shallow(left)
            if shallow.name not in _KEYS and shallow.name[0] != "%" and shallow.name != "wrapper":
                self.fault(name, f"a map has no keys of type {self.show(left)}")
            if index in node.optional:
                right = self.opened(part, right)
            key = left if key is None else self.common(name, key, left)
            value = right if value is None else self.common(part, value, right)
        if key is None or value is None:
            return map_of(self.infer.fresh(), self.infer.fresh())
        return map_of(key, value)

    def common(self, node: Node, before: Type, now: Type) -> Type:
        joined = self.infer.join(before, now)
        if joined is not None:
            return joined
        if self.env.homogeneous and not self.writing:
            return self.fault(node, f"expected {self.show(before)}, found {self.show(now)}")
        return DYN

    def opened(self, node: Node, kind: Type) -> Type:
        """What an optional element holds."""
        inner = self.infer.fresh()
        if not self.infer.accepts(optional_of(inner), kind):
            return self.fault(node, f"expected an optional, found {self.show(kind)}")
        return inner

    def struct(self, node: StructLiteral) -> Type:
        if not self.env.is_struct(node.name):
            self.fault(node, f"undeclared type '{node.name}'")
        known = self.env.struct_fields(node.name)
        for name, value in node.fields:
            kind = self.visit(value)
            if known is not None and name not in known:
                self.fault(value, f"{node.name} has no field '{name}'")
            elif known is not None and not self.infer.accepts(known[name], kind):
                self.fault(value, f"expected {known[name]!r}, found {self.show(kind)}")
            items = value.elements if isinstance(value, ListLiteral) else (value,)
            for item in items:
                wanted = f"{node.name}.{name}"
                if isinstance(item, StructLiteral) and known is None and item.name != wanted:
                    self.fault(item, f"a value of this field is written {wanted}{{…}}")
        return Type(node.name)

    # -- calls

    def call(self, node: Call) -> Type:
        function = node.function
        if node.target is None:
            special = _SPECIAL.get(function)
            args = [self.visit(arg) for arg in node.args]
            if special is not None:
                return special(self, node, args)
            for candidate in self.env.candidates(function):
                if (candidate, False) in self.env.functions:
                    return self.overload(node, candidate, False, args)
            return self.unknown(node, function)
        prefix = type_name(node.target)
        if prefix and prefix.partition(".")[0] not in self.scope:
            for candidate in self.env.candidates(f"{prefix}.{function}"):
                if (candidate, False) in self.env.functions:
                    args = [self.visit(arg) for arg in node.args]
                    return self.overload(node, candidate, False, args)
        # the server asks no homogeneous literals of what is only written out
        self.writing += function == "format"
        args = [self.visit(node.target), *[self.visit(arg) for arg in node.args]]
        self.writing -= function == "format"
        if (function, True) in self.env.functions:
            return self.overload(node, function, True, args)
        return self.unknown(node, function)

    def unknown(self, node: Call, function: str) -> Type:
        self.found.functions[node.id] = function
        if self.lenient:
            return DYN
        message, hint = about_function(self.env, function, node.target is not None)
        return self.fault(node, message, hint)

    def overload(self, node: Call, function: str, member: bool, args: list[Type]) -> Type:
        """Picks the overloads that the argument types allow."""
        self.found.functions[node.id] = function
        infer = self.infer
        kinds = tuple([infer.deep(arg) for arg in args])
        key = (function, member, kinds)
        known = self.env.resolved.get(key)
        if known is not None:
            self.found.overloads[node.id] = known[1]
            return known[0]
        candidates = self.env.functions[function, member]
        matched: list[Overload] = []
        results: list[Type] = []
        for overload in candidates:
            if len(overload.params) != len(args):
                continue
            saved = dict(infer.bound)
            names: dict[str, Type] = {}
            params = [infer.instance(kind, names) for kind in overload.params]
            if all(map(infer.accepts, params, args)):
                matched.append(overload)
                results.append(infer.deep(infer.instance(overload.result, names)))
                after = infer.bound
            infer.bound = saved
        if not matched:
            return self.mismatch(node, function, kinds)
        if len(matched) == 1:
            infer.bound = after
        result = results[0] if all(kind == results[0] for kind in results) else DYN
        self.found.overloads[node.id] = tuple(matched)
        if not any(map(_open, kinds)) and not _open(result):
            self.env.resolved[key] = (result, tuple(matched))
        return result

    def mismatch(self, node: Call, function: str, kinds: tuple[Type, ...]) -> Type:
        shown = OPERATORS.get(function, function)
        types = ", ".join(map(self.show, kinds))
        hint = ""
        if function in ("_==_", "_!=_") and len(kinds) == 2:
            hint = f"wrap one side in dyn() to compare {types.replace(', ', ' with ')}"
        return self.fault(node, f"'{shown}' does not take ({types})", hint)

    def logic(self, node: Call, args: list[Type]) -> Type:
        for arg, kind in zip(node.args, args, strict=True):
            if not self.infer.accepts(BOOL, kind):
                shown = OPERATORS[node.function]
                self.fault(arg, f"'{shown}' takes bool, found {self.show(kind)}")
        return BOOL

    def ternary(self, node: Call, args: list[Type]) -> Type:
        if not self.infer.accepts(BOOL, args[0]):
            self.fault(node.args[0], f"'?' takes bool, found {self.show(args[0])}")
        joined = self.infer.join(args[1], args[2])
        if joined is None:
            left, right = self.show(args[1]), self.show(args[2])
            return self.fault(node, f"'? :' has two types: {left} and {right}")
        return joined

    def equality(self, node: Call, args: list[Type]) -> Type:
        if not self.infer.accepts(args[0], args[1]) and not self.infer.accepts(args[1], args[0]):
            self.mismatch(node, node.function, tuple(map(self.infer.deep, args)))
        return BOOL

    def optional_field(self, node: Call, args: list[Type]) -> Type:
        operand, field = node.args
        assert isinstance(field, Const)
        if not self.env.allows(28):
            since = f"--kubernetes is {self.env.version}"
            return self.fault(node, f"'.?' may be written from Kubernetes 1.29 on; {since}")
        picked = Select(node.id, node.start, node.end, operand, field.value)
        kind = self.field(picked, self.infer.shallow(args[0]), None)
        return kind if kind.name == "optional_type" else optional_of(kind)

    def present(self, node: Call, args: list[Type]) -> Type:
        return args[0]

    def show(self, kind: Type) -> str:
        """A type as messages name it."""
        return repr(self.infer.deep(kind, DYN))


def _open(kind: Type) -> bool:
    return kind.name[0] == "%" or any(map(_open, kind.params))


_VISITS: Final[dict[type, Callable[[Checker, Any], Type]]] = {
    Const: Checker.constant,
    Ident: Checker.ident,
    Select: Checker.select,
    Call: Checker.call,
    ListLiteral: Checker.list_literal,
    MapLiteral: Checker.map_literal,
    StructLiteral: Checker.struct,
    Comprehension: fold,
}
_SPECIAL: Final[dict[str, Callable[[Checker, Call, list[Type]], Type]]] = {
    "_&&_": Checker.logic,
    "_||_": Checker.logic,
    "_?_:_": Checker.ternary,
    "_==_": Checker.equality,
    "_!=_": Checker.equality,
    "_?._": Checker.optional_field,
    "@present": Checker.present,
}
