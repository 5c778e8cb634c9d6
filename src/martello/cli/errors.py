"""How a command ends: errors in three lines on stderr, no trace, and the documented exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

import click

from martello.core.errors import MartelloError


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
        return _say(str(error), error.exit_code)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.UsageError as error:
        where = f"{error.ctx.command_path} --help" if error.ctx else "martello --help"
        return _say(f"{error.format_message()}\nnext: {where}", 2)
    except click.ClickException as error:
        return _say(error.format_message(), 2)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted: the result is incomplete", 130)
    except BrokenPipeError:
        # whoever read our output has seen enough; keep Python from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        what = f"internal error: {type(error).__name__}"
        return _say(f"{what}\nbecause of a bug in Martello\nnext: run it again with --debug", 70)


def _say(text: str, code: int) -> int:
    # control characters of hostile input never reach the terminal
    safe = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    with contextlib.suppress(OSError):
        print(safe, file=sys.stderr)
    return code
