"""`-o FORMAT[=FILE]` of what is no scan: at most one on stdout, files whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from typing import IO

from martello.cli.reports import Output, screen
from martello.core.errors import BadInput
from martello.report.model import Screen

Write = Callable[[str, Screen, IO[str]], None]


def write_each(outputs: Sequence[Output], write: Write) -> None:
    """Writes every output by its format; one that fails does not keep the others from being
    written. Raises BadInput.
    """
    failed: BadInput | None = None
    for output in outputs:
        try:
            if output.file:
                _file(output, write)
            else:
                _stdout(output, write)
        except OSError as error:
            where = output.file or "to stdout"
            failed = BadInput(
                f"cannot write {where}", error.strerror or str(error), "the others are written"
            )
    if failed is not None:
        raise failed


def _file(output: Output, write: Write) -> None:
    from martello.adapters.whole import whole

    with (
        whole(output.file) as raw,
        TextIOWrapper(raw, "utf-8", errors="backslashreplace", newline="\n") as out,
    ):
        write(output.format, Screen(), out)


def _stdout(output: Output, write: Write) -> None:
    """Whoever reads it may have seen enough: that is no error, and the exit code stays."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        write(output.format, screen(sys.stdout), sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        from martello.cli.errors import close_stdout

        close_stdout()
