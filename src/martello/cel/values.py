"""The values of CEL that plain Python has no exact type for, and the one error that evaluation raises."""

from __future__ import annotations

from typing import Any


class EvalError(Exception):
    """An expression could not be evaluated: what went wrong and, once known, the node it happened at.

    The message names types, never contents, so that no secret leaves through it. `needs` is set when a function's provider was
    not handed in (`authorizer`, `resource.Get`): the caller reports such a verdict as unassessed.
    """

    def __init__(self, message: str, node: int | None = None, needs: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.needs = needs


class Optional:
    """An optional value: `NONE`, or `Optional(value)` where the value may be null."""

    __slots__ = ("present", "value")

    def __init__(self, value: Any, present: bool = True) -> None:
        self.value = value
        self.present = present

    def __repr__(self) -> str:
        return f"optional.of({self.value!r})" if self.present else "optional.none()"


NONE = Optional(None, present=False)
