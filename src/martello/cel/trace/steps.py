"""What one part of an expression came to."""

from __future__ import annotations

from typing import Any, Final

from martello.cel.syntax.nodes import Node
from martello.cel.values import EvalError

MISSING: Final = object()


class Step:
    """One part of an expression: its text, and its value or its error, or neither when it was not
    evaluated.
    """

    __slots__ = ("end", "error", "evaluated", "parts", "start", "text", "value")

    def __init__(self, node: Node, text: str) -> None:
        self.text = text
        self.start = node.start
        self.end = node.end
        self.value: Any = None
        self.error: EvalError | None = None
        self.evaluated = False
        self.parts: list[Step] = []

    @property
    def outcome(self) -> str:
        """`not evaluated`, `error: …`, or the kind of the value and, for scalars of the
        expression's own, the value.
        """
        if not self.evaluated:
            return "not evaluated"
        return f"error: {self.error.message}" if self.error else repr(self.value)

    def __repr__(self) -> str:
        return f"Step({self.text!r}: {self.outcome})"
