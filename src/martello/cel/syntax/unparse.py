"""Canonical text of a syntax tree: parsing it again gives the same tree."""

from __future__ import annotations

import re
from typing import Any, Final

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
from martello.cel.values import UInt

_BINARY: Final = {
    "_||_": (1, "||"),
    "_&&_": (2, "&&"),
    "_==_": (3, "=="),
    "_!=_": (3, "!="),
    "_<_": (3, "<"),
    "_<=_": (3, "<="),
    "_>_": (3, ">"),
    "_>=_": (3, ">="),
    "@in": (3, "in"),
    "_+_": (4, "+"),
    "_-_": (4, "-"),
    "_*_": (5, "*"),
    "_/_": (5, "/"),
    "_%_": (5, "%"),
}
_UNARY: Final = 6
_MEMBER: Final = 7
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSAFE: Final = re.compile(r"[\\'\x00-\x1f\x7f]")
_ESCAPES: Final = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WORDS: Final = frozenset(("true", "false", "null", "in"))
_MACRO: Final = {"@index": "index", "@iterVar": "iterVar", "@accuVar": "accuVar"}


def unparse(node: Node) -> str:
    """The text of a tree."""
    return _text(node, 0)


def _text(node: Node, least: int) -> str:
    text, strength = _TEXTS[type(node)](node)
    return f"({text})" if strength < least else text


def _const(node: Const) -> tuple[str, int]:
    value = node.value
    text = literal(value)
    return text, _UNARY if text.startswith("-") else _MEMBER


def literal(value: Any) -> str:
    """A scalar as CEL writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) is UInt:
        return f"{int(value)}u"
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text or "e" in text else text + ".0"
    if isinstance(value, str):
        return "'" + _UNSAFE.sub(_escape, value) + "'"
    if isinstance(value, bytes):
        return "b'" + "".join(map(_octet, value)) + "'"
    return str(value)


def _escape(match: re.Match[str]) -> str:
    letter = match.group()
    return _ESCAPES.get(letter) or f"\\u{ord(letter):04x}"


def _octet(value: int) -> str:
    letter = chr(value)
    return letter if 32 <= value < 127 and letter not in "\\'" else f"\\x{value:02x}"


def _ident(node: Ident) -> tuple[str, int]:
    return _name(node.name), _MEMBER


def _name(name: str) -> str:
    if not name.startswith("@"):
        return name
    kind, *numbers = name.split(":")
    if kind not in _MACRO:
        return kind
    return f"cel.{_MACRO[kind]}({', '.join(numbers)})"


def _field(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name not in _WORDS else f"`{name}`"


def _select(node: Select) -> tuple[str, int]:
    text = f"{_text(node.operand, _MEMBER)}.{_field(node.field)}"
    return (f"has({text})" if node.test else text), _MEMBER


def _call(node: Call) -> tuple[str, int]:
    function, args = node.function, node.args
    if node.target is not None:
        listed = ", ".join(unparse(arg) for arg in args)
        return f"{_text(node.target, _MEMBER)}.{function}({listed})", _MEMBER
    if function in _BINARY:
        strength, sign = _BINARY[function]
        flat = strength <= 2
        first = _text(args[0], strength + flat)
        return f" {sign} ".join([first, *[_text(a, strength + 1) for a in args[1:]]]), strength
    if function in ("!_", "-_"):
        inner = _text(args[0], _UNARY)
        if function == "-_" and (isinstance(args[0], Const) or inner.startswith("-")):
            inner = f"({inner})"
        return function[0] + inner, _UNARY
    if function == "_?_:_":
        test, yes, no = args
        return f"{_text(test, 1)} ? {_text(yes, 1)} : {_text(no, 0)}", 0
    if function == "_?._" and isinstance(args[1], Const):
        return f"{_text(args[0], _MEMBER)}.?{_field(args[1].value)}", _MEMBER
    if function in ("_[_]", "_[?_]"):
        mark = "?" if function == "_[?_]" else ""
        return f"{_text(args[0], _MEMBER)}[{mark}{unparse(args[1])}]", _MEMBER
    if function == "@present":
        return unparse(args[0]), _MEMBER
    return f"{function}({', '.join(unparse(arg) for arg in args)})", _MEMBER


def _marked(mark: bool, text: str) -> str:
    return f"?{text}" if mark else text


def _list(node: ListLiteral) -> tuple[str, int]:
    items = [_marked(n in node.optional, unparse(item)) for n, item in enumerate(node.elements)]
    return f"[{', '.join(items)}]", _MEMBER


def _map(node: MapLiteral) -> tuple[str, int]:
    items = [
        _marked(n in node.optional, f"{unparse(key)}: {unparse(value)}")
        for n, (key, value) in enumerate(node.entries)
    ]
    return f"{{{', '.join(items)}}}", _MEMBER


def _struct(node: StructLiteral) -> tuple[str, int]:
    items = [
        _marked(n in node.optional, f"{_field(name)}: {unparse(value)}")
        for n, (name, value) in enumerate(node.fields)
    ]
    return f"{node.name}{{{', '.join(items)}}}", _MEMBER


def _fold(node: Comprehension) -> tuple[str, int]:
    if node.spelling == "sortBy" and isinstance(node.body, Call):
        keys = node.body.args[0]
        assert isinstance(keys, Comprehension)
        source = _text(node.source, _MEMBER)
        return f"{source}.sortBy({keys.variables[0]}, {unparse(keys.body)})", _MEMBER
    names = [_name(name) for name in node.variables]
    if node.kind == "bind":
        return f"cel.bind({names[0]}, {unparse(node.source)}, {unparse(node.body)})", _MEMBER
    keep = [] if node.filter is None else [unparse(node.filter)]
    listed = ", ".join([*names, *keep, unparse(node.body)])
    return f"{_text(node.source, _MEMBER)}.{node.kind}({listed})", _MEMBER


_TEXTS: Final[dict[type, Any]] = {
    Const: _const,
    Ident: _ident,
    Select: _select,
    Call: _call,
    ListLiteral: _list,
    MapLiteral: _map,
    StructLiteral: _struct,
    Comprehension: _fold,
}
