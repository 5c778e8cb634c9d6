"""A pattern's tree as a program for the linear-time machine, or as the text of a Python pattern."""

from __future__ import annotations

from typing import Final

from martello.cel.re2.classes import ANY, Ranges
from martello.cel.re2.nodes import Node, in_order

# An instruction is (operation, operand, other operand); jumps are relative until `assemble` ends.
CLASS: Final = 0
SPLIT: Final = 1
JUMP: Final = 2
SAVE: Final = 3
ASSERT: Final = 4
MATCH: Final = 5

Code = list[tuple[int, int, int]]

_TO_PYTHON: Final = {"A": r"\A", "z": r"\Z", "^": "(?m:^)", "$": "(?m:$)", "b": r"(?a:\b)"}


class Program:
    """Instructions with absolute jumps, and the classes and assertions that they name by index."""

    __slots__ = ("asserts", "classes", "code")

    def __init__(self, code: Code, classes: list[Ranges], asserts: list[str]) -> None:
        self.code = code
        self.classes = classes
        self.asserts = asserts


def assemble(root: Node) -> Program:
    """Thompson's construction, with Go's treatment of loops over a body that can be empty."""
    classes: dict[Ranges, int] = {}
    asserts: dict[str, int] = {}
    made: dict[int, Code] = {}
    for node in in_order(root):
        if node.kind == "class":
            code: Code = [(CLASS, classes.setdefault(node.ranges, len(classes)), 0)]
        elif node.kind == "assert":
            code = [(ASSERT, asserts.setdefault(node.name, len(asserts)), 0)]
        elif node.kind == "empty":
            code = []
        elif node.kind == "cap":
            code = [(SAVE, 2 * node.number, 0), *made[id(node.children[0])]]
            code.append((SAVE, 2 * node.number + 1, 0))
        elif node.kind == "cat":
            code = [step for child in node.children for step in made[id(child)]]
        elif node.kind == "alt":
            code = _alternatives([made[id(child)] for child in node.children])
        else:
            code = _repetition(node, made[id(node.children[0])])
        made[id(node)] = code
    absolute: Code = []
    for at, (operation, one, other) in enumerate([*made[id(root)], (MATCH, 0, 0)]):
        if operation == SPLIT:
            absolute.append((SPLIT, at + one, at + other))
        elif operation == JUMP:
            absolute.append((JUMP, at + one, 0))
        else:
            absolute.append((operation, one, other))
    return Program(absolute, list(classes), list(asserts))


def _alternatives(bodies: list[Code]) -> Code:
    code = bodies[-1]
    for body in reversed(bodies[:-1]):
        code = [(SPLIT, 1, len(body) + 2), *body, (JUMP, len(code) + 1, 0), *code]
    return code


def _split(near: int, far: int, greedy: bool) -> tuple[int, int, int]:
    return (SPLIT, near, far) if greedy else (SPLIT, far, near)


def _repetition(node: Node, body: Code) -> Code:
    greedy = node.greedy
    if node.most is None:
        if node.least == 0:
            return _star(node, body)
        plus = [*body, _split(-len(body), 1, greedy)]
        return body * (node.least - 1) + plus
    code: Code = []
    for _ in range(node.most - node.least):
        code = [_split(1, len(body) + len(code) + 1, greedy), *body, *code]
    return body * node.least + code


def _star(node: Node, body: Code) -> Code:
    if node.children[0].nullable:
        plus = [*body, _split(-len(body), 1, node.greedy)]
        return [_split(1, len(plus) + 1, node.greedy), *plus]
    return [_split(1, len(body) + 2, node.greedy), *body, (JUMP, -len(body) - 1, 0)]


def to_python(root: Node) -> str:
    """The same pattern in Python's syntax, for patterns in which `re` cannot go astray."""
    made: dict[int, str] = {}
    for node in in_order(root):
        parts = [made[id(child)] for child in node.children]
        if node.kind == "class":
            text = _class_text(node.ranges)
        elif node.kind == "assert":
            text = _TO_PYTHON[node.name]
        elif node.kind == "cap":
            text = f"({parts[0]})"
        elif node.kind == "alt":
            text = f"(?:{'|'.join(parts)})"
        elif node.kind == "rep":
            most = "" if node.most is None else node.most
            text = f"(?:{parts[0]}){{{node.least},{most}}}{'' if node.greedy else '?'}"
        else:
            text = "".join(parts)
        made[id(node)] = text
    return made[id(root)]


def _class_text(ranges: Ranges) -> str:
    if not ranges:
        return "(?!)"
    if ranges == ANY:
        return "(?s:.)"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _char(ranges[0][0])
    return f"[{''.join(f'{_char(low)}-{_char(high)}' for low, high in ranges)}]"


def _char(point: int) -> str:
    char = chr(point)
    if char.isascii() and char.isalnum():
        return char
    return f"\\U{point:08x}"
