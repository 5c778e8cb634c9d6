"""Which picture `network matrix` is asked for, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import IO, Any

from martello.cli.network.opening import Opened
from martello.cli.network.picturing import by_namespace, by_workload
from martello.cli.outputs import write_each
from martello.cli.reports import Output
from martello.core.errors import BadInput
from martello.report.model import Screen
from martello.report.network.model import Matrix


def show(opened: Opened, outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes what is asked for; exit 3 where something could not be read, or is not known."""
    if flags["begin"]:
        from martello.cli.network.spreading import show_spread

        doubtful = show_spread(opened, outputs, flags)
    elif flags["exposure"]:
        from martello.cli.network.exposing import show_exposure

        doubtful = show_exposure(opened, outputs, flags)
    else:
        by = flags["by"] or ("workload" if flags["namespaces"] else "namespace")
        made = by_workload if by == "workload" else by_namespace
        matrix = made(opened, flags["namespaces"])
        write_matrix(matrix, outputs)
        doubtful = bool(matrix.doubtful)
    return 3 if (opened.missing or doubtful) and not flags["allow_incomplete"] else 0


def write_matrix(matrix: Matrix, outputs: Sequence[Output]) -> None:
    """Writes a matrix in every format that is asked for."""

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "json":
            import_module("martello.report.network.json").write_matrix(matrix, out)
        elif format == "html":
            module = import_module("martello.report.network.html")
            module.write((matrix,), matrix.title, out)
        elif format == "table":
            import_module("martello.report.network.table").write(matrix, screen, out)
        elif format == "svg":
            import_module("martello.report.network.matrix_svg").write(matrix, out)
        else:
            import_module(f"martello.report.network.{format}").write(matrix, out)

    write_each(outputs, write)


def only(outputs: Sequence[Output], formats: Sequence[str], what: str) -> None:
    """Raises BadInput where a picture is asked for in a format that it has not."""
    for output in outputs:
        if output.format not in formats:
            raise BadInput(
                f"{what} is not written as {output.format}", "", f"one of: {', '.join(formats)}"
            )
