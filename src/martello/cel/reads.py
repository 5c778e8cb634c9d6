"""Which paths below its variables an expression reads."""

from __future__ import annotations

from martello.cel.check.checker import Checked
from martello.cel.syntax.nodes import Call, Comprehension, Const, Ident, Node, Select, children

Path = tuple[str, ...]


def reads(node: Node, checked: Checked) -> frozenset[Path]:
    """Paths such as `("object", "spec", "containers", "[]", "image")`, the longest known of each
    use.
    """
    walker = _Walker(checked)
    walker.use(walker.path(node))
    return frozenset(walker.found)


class _Walker:
    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        self.found: set[Path] = set()
        self.bound: dict[int, Path | None] = {}

    def use(self, path: Path | None) -> None:
        if path:
            self.found.add(path)

    def path(self, node: Node) -> Path | None:
        """The path that a node stands for; what it reads on the way is noted."""
        reference = self.checked.references.get(node.id)
        if reference is not None:
            if reference[0] == "var":
                return (reference[1],)
            return self.bound.get(reference[2]) if reference[0] == "local" else None
        if isinstance(node, Ident):
            return None
        if isinstance(node, Select):
            inner = self.path(node.operand)
            return None if inner is None else (*inner, node.field)
        if isinstance(node, Call):
            return self.call(node)
        if isinstance(node, Comprehension):
            return self.fold(node)
        for child in children(node):
            self.use(self.path(child))
        return None

    def call(self, node: Call) -> Path | None:
        if node.function in ("_?._", "_[_]", "_[?_]"):
            inner = self.path(node.args[0])
            key = node.args[1]
            if isinstance(key, Const) and type(key.value) is str:
                return None if inner is None else (*inner, key.value)
            self.use(self.path(key))
            return None if inner is None else (*inner, "[]")
        if node.function in ("orValue", "or", "value") and node.target is not None:
            inner = self.path(node.target)
            for arg in node.args:
                self.use(self.path(arg))
            return inner
        if node.function == "_?_:_":
            self.use(self.path(node.args[0]))
            left, right = self.path(node.args[1]), self.path(node.args[2])
            if right is None:
                return left
            self.use(left)
            return right
        for child in children(node):
            self.use(self.path(child))
        return None

    def fold(self, node: Comprehension) -> Path | None:
        source = self.path(node.source)
        item: Path | None
        if node.kind in ("bind", "optMap", "optFlatMap"):
            item = source
        else:
            self.use(source)
            item = None if source is None else (*source, "[]")
        two = len(node.variables) == 2
        self.bound[node.id * 2 + two] = item
        if node.filter is not None:
            self.use(self.path(node.filter))
        body = self.path(node.body)
        if node.kind in ("bind", "optMap", "optFlatMap"):
            return body
        self.use(body)
        return source if node.kind == "filter" else None
