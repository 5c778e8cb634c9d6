"""The strings library as Kubernetes has it: no `reverse`, and another way to `format`."""

from __future__ import annotations

from typing import Any, Final

from martello.cel.lib.formatting import KUBERNETES, interpolate
from martello.cel.lib.strings import COMMON, format_overload, index_of, last_index_of, placed
from martello.cel.types import Library


def format_text(template: str, args: list[Any] | tuple[Any, ...]) -> str:
    """`format` with grouped digits, and with quotes inside lists and maps."""
    return interpolate(template, args, KUBERNETES)


LIBRARY: Final = Library(
    "strings_kubernetes",
    (*COMMON, *placed(index_of, last_index_of), format_overload(format_text)),
)
