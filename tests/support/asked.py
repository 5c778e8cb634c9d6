"""A command run in this process: many short questions cost no start of Python each."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import chdir, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from tests.support.command import NOWHERE, Done

from martello.cli.errors import run
from martello.cli.main import cli


def ask(
    *words: str,
    cwd: Path | None = None,
    columns: int = 80,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Runs `martello WORDS` on a screen of so many columns (0: none). An internal error fails the
    test.
    """
    out, err = io.StringIO(), io.StringIO()
    given = {**NOWHERE, "COLUMNS": str(columns or ""), "KUBECONFIG": "/dev/null/none"}
    with (
        patch.dict(os.environ, {**given, **(env or {})}),
        redirect_stdout(out),
        redirect_stderr(err),
        chdir(cwd) if cwd is not None else nullcontext(),
    ):
        code = run(cli, list(words))
    assert code != 70, err.getvalue()
    return Done(code, out.getvalue(), err.getvalue())
