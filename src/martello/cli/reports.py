"""Where reports go: `-o FORMAT[=FILE]`, at most one on stdout, files whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import IO, Final

import msgspec

from martello.core.errors import BadInput
from martello.report.model import FORMATS, Report, Screen

Writer = Callable[[Report, IO[str]], None]


class Output(msgspec.Struct, frozen=True):
    """One report: its format, and the file it goes to (empty: stdout)."""

    format: str
    file: str = ""


# What goes to the screen is a table or a text: either word is understood for it.
_SCREEN: Final = {"text": "table", "table": "text"}


def parse_outputs(words: Iterable[str], formats: Sequence[str] = FORMATS) -> tuple[Output, ...]:
    """Reads `-o` words; without any, the table goes to stdout. Raises BadInput."""
    outputs: list[Output] = []
    for word in words or ("table",):
        name, given, file = word.partition("=")
        if name not in formats and _SCREEN.get(name) in formats:
            name = _SCREEN[name]
        if name not in formats:
            from martello.cli.errors import nearest

            hint = f"the nearest is '{nearest(name, formats)}'"
            raise BadInput(f"no such report format: {name}", hint, f"one of: {', '.join(formats)}")
        if given and not file:
            raise BadInput(
                f"-o {word} names no file", "", f"-o {name}=FILE, or -o {name} for stdout"
            )
        outputs.append(Output(name, "" if file == "-" else file))
    files = [o.file for o in outputs if o.file]
    twice = next((file for file in files if files.count(file) > 1), "")
    if twice:
        raise BadInput(f"two reports cannot both go to {twice}", "", "give each a file of its own")
    on_stdout = [o.format for o in outputs if not o.file]
    if len(on_stdout) > 1:
        both = " and ".join(on_stdout)
        raise BadInput(
            f"{both} cannot both go to stdout", "", f"give a file: -o {on_stdout[1]}=FILE"
        )
    return tuple(outputs)


def _module(output: Output) -> Writer:
    writer: Writer = import_module(f"martello.report.{output.format}").write
    return writer


def write_all(
    report: Report, outputs: tuple[Output, ...], writer_of: Callable[[Output], Writer] = _module
) -> None:
    """Writes every report; one that cannot be written does not keep the others from being so."""
    failed: BadInput | None = None
    for output in outputs:
        writer = writer_of(output)
        try:
            if output.file:
                _write_file(output.file, writer, report)
            else:
                _write_stdout(writer, report)
        except OSError as error:
            why = error.strerror or str(error)
            where = output.file or "to stdout"
            failed = BadInput(f"cannot write {where}", why, "the other reports are written")
    if failed is not None:
        raise failed


def _write_stdout(writer: Writer, report: Report) -> None:
    """Whoever reads it may have seen enough: that is no error, and the exit code stays."""
    if isinstance(sys.stdout, TextIOWrapper):  # a file's name may hold bytes of no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        writer(msgspec.structs.replace(report, screen=screen(sys.stdout)), sys.stdout)
        sys.stdout.flush()
    except OSError as error:
        from martello.cli.errors import close_stdout

        close_stdout()
        if not isinstance(error, BrokenPipeError):
            raise


def _write_file(file: str, writer: Writer, report: Report) -> None:
    from martello.adapters.whole import whole

    with (
        whole(file) as raw,
        TextIOWrapper(raw, "utf-8", errors="backslashreplace", newline="\n") as out,
    ):
        writer(report, out)


def screen(stream: IO[str]) -> Screen:
    """Width and colour of a stream: a pipe has neither, unless the environment insists."""
    environ = os.environ
    terminal = stream.isatty()
    forced = environ.get("FORCE_COLOR", "0") not in ("", "0")
    forced = forced or environ.get("CLICOLOR_FORCE", "0") not in ("", "0")
    colour = forced or (terminal and environ.get("TERM") != "dumb")
    if environ.get("NO_COLOR"):
        colour = False
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal():
        return Screen(int(columns), colour)
    if not terminal:
        return Screen(0, colour)
    try:
        return Screen(os.get_terminal_size(stream.fileno()).columns, colour)
    except OSError:
        return Screen(80, colour)
