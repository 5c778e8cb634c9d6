"""`variables.x` in expressions: each is bound in front of the expression, computed when read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

VARIABLES: Final = "variables"
_PREFIX: Final = "variables_of_check_"


def references(text: str) -> tuple[str, ...]:
    """The names of the variables that an expression reads."""
    return tuple(dict.fromkeys(name for name, _, _ in _places(text)))


def bound(text: str, variables: Sequence[Sequence[str]]) -> str:
    """The expression with the variables that it needs bound around it, the first outermost."""
    needed = set(references(text))
    for name, expression in reversed(variables):
        if name in needed:
            needed.update(references(expression))
    whole = _renamed(text)
    for name, expression in reversed(variables):
        if name in needed:
            whole = f"cel.bind({_PREFIX}{name}, {_renamed(expression)}\n, {whole}\n)"
    return whole


def _renamed(text: str) -> str:
    parts: list[str] = []
    position = 0
    for name, start, end in _places(text):
        parts += (text[position:start], _PREFIX, name)
        position = end
    return "".join(parts) + text[position:]


def _places(text: str) -> Iterable[tuple[str, int, int]]:
    """Each `variables.name`: the name, where the whole begins, where it ends."""
    from martello.cel.syntax.tokens import tokenize

    tokens = tokenize(text, [])
    for index in range(len(tokens) - 2):
        (kind, word, start, _), (dot, _, _, _), (after, name, _, end) = tokens[index : index + 3]
        if kind != "name" or word != VARIABLES or dot != "." or after != "name":
            continue
        if index == 0 or tokens[index - 1][0] not in (".", ".?"):
            yield name, start, end
