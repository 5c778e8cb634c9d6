"""How a command ends: errors in three lines on stderr, no trace, and the documented exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Final

import click

from martello.core.errors import MartelloError

# What heavy engines import → the extra of the package that brings it.
EXTRAS: Final[Mapping[str, str]] = {
    "pyarrow": "monitor",
    "polars": "monitor",
    "duckdb": "monitor",
    "sigma": "monitor",
    "scipy": "paths",
    "sigstore": "keyless",
    "ray": "fleet",
    "psycopg": "fleet",
}


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like this one."""
    from difflib import SequenceMatcher

    return max(known, key=lambda name: SequenceMatcher(None, word.lower(), name.lower()).ratio())


def run(command: click.Command, args: list[str] | None = None) -> int:
    """Runs a command and returns its exit code. `--debug` anywhere in the line shows the traceback
    of internal
    errors.
    """
    words = sys.argv[1:] if args is None else args
    _opened()
    debug = "--debug" in words or os.environ.get("MARTELLO_DEBUG") == "1"
    try:
        code = command.main(
            args=list(words),
            prog_name="martello",
            standalone_mode=False,
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except MartelloError as error:
        rest = "" if error.next else f"\nnext: {_help(words)}"
        return _say(f"{error}{rest}", error.exit_code)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        return _say(error.format_message(), 2)
    except click.ClickException as error:
        return _say(f"{_usage(error)}\nnext: {_help(words)}", 2)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted: the result is incomplete", 130)
    except BrokenPipeError:
        close_stdout()  # whoever read our output has seen enough
        return 0
    except Exception as error:
        if debug:
            raise
        return _unforeseen(error)


def _opened() -> None:
    """Where whoever started us closed stdout or stderr, what is written there goes to nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def close_stdout() -> None:
    """Sends what is left to nowhere, and keeps Python from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: click.ClickException) -> str:
    """What click says, in the form of our own errors: a line that says what, one that says why."""
    what = " ".join(error.format_message().split()).removesuffix(".")
    what = what[:1].lower() + what[1:]
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return what
    usage = " ".join(context.command.collect_usage_pieces(context))
    return f"{what}\nbecause the usage is: {context.command_path} {usage}"


def _help(words: list[str]) -> str:
    """The page that explains the command that was typed, below its group where it has one."""
    from martello.cli.lazy import LazyGroup
    from martello.cli.main import cli

    told: click.Command = cli
    path = ["martello"]
    for word in words:
        if not isinstance(told, LazyGroup):
            break
        if word not in told.table:
            continue
        found = told.get_command(click.Context(told), word)
        if found is None:
            break
        told = found
        path.append(word)
    return f"{' '.join(path)} --help"


def _unforeseen(error: Exception) -> int:
    """A heavy engine that is not installed, or a bug."""
    missing = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    extra = EXTRAS.get(missing.partition(".")[0])
    if extra is not None:
        what = f"this needs the extra '{extra}' of martello"
        why = f"because {missing} is not installed"
        return _say(f"{what}\n{why}\nnext: pip install 'martello[{extra}]'", 2)
    what = f"internal error: {type(error).__name__}"
    return _say(f"{what}\nbecause of a bug in Martello\nnext: run it again with --debug", 70)


def _say(text: str, code: int) -> int:
    # control characters of hostile input never reach the terminal
    safe = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    with contextlib.suppress(OSError):
        print(safe, file=sys.stderr)
    return code
