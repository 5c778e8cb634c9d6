"""What an unknown name may have meant, and since when Kubernetes knows it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from martello.cel.env import Env


OPERATORS: Final = {
    "_&&_": "&&",
    "_||_": "||",
    "_?_:_": "? :",
    "_==_": "==",
    "_!=_": "!=",
    "_<_": "<",
    "_<=_": "<=",
    "_>_": ">",
    "_>=_": ">=",
    "_+_": "+",
    "_-_": "-",
    "_*_": "*",
    "_/_": "/",
    "_%_": "%",
    "@in": "in",
    "!_": "!",
    "-_": "-",
    "_[_]": "[ ]",
    "_[?_]": "[? ]",
    "_?._": ".?",
}


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like a mistyped one, or the empty string."""
    if len(name) > 64:
        return ""
    close = get_close_matches(name, [item for item in known if item != name], 1, 0.7)
    return close[0] if close else ""


def about_function(env: Env, name: str, member: bool) -> tuple[str, str]:
    """Message and hint for a function that the environment does not have in this form."""
    if (name, not member) in env.functions:
        form = "a member function" if not member else "a global function"
        return f"'{name}' is {form}", ""
    since = env.later(name)
    if since:
        return (
            f"'{name}' may be written from Kubernetes 1.{since} on; --kubernetes is {env.version}",
            "",
        )
    close = nearest(name, [known for known, form in env.functions if form == member])
    hint = f"did you mean '{close}'?" if close else ""
    return f"undeclared function '{name}'", hint
