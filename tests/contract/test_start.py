"""Starting is cheap: what `--help` and one scan may import, counted by module, not by time."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "asyncio",
    "backports.zstd",
    "dataclasses",
    "httpx",
    "jinja2",
    "numpy",
    "polars",
    "rich",
    "sqlalchemy",
    "starlette",
    "yaml",
    "cryptography",
    "isal",
    "orjson",
    "sqlite3",
)


def imported(*args: str) -> set[str]:
    """The heavy modules that a command line has loaded when it ends."""
    program = (
        f"import atexit, sys; sys.argv = ['martello', *{args!r}]\n"
        f"atexit.register(lambda: print('LOADED', *(set(sys.modules) & set({HEAVY!r})),"
        " file=sys.stderr))\n"
        "from martello.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("LOADED"), done.stderr
    return set(last.split()[1:])


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("--version",),
        ("completion", "bash"),
        ("image", "--help"),
        ("image", "scan", "--help"),
        ("image", "sbom", "--help"),
        ("image", "gate", "--help"),
        ("db", "--help"),
        ("db", "update", "--help"),
        ("db", "pull", "--help"),
        ("compare", "--help"),
        ("gate", "--help"),
        ("gate", "serve", "--help"),
        ("gate", "images", "--help"),
        ("network", "--help"),
        ("network", "can", "--help"),
        ("network", "matrix", "--help"),
        ("network", "diff", "--help"),
        ("network", "lint", "--help"),
        ("network", "learn", "--help"),
        ("network", "firewall", "--help"),
    ],
    ids=" ".join,
)
def test_light_commands_load_nothing_heavy(args: tuple[str, ...]) -> None:
    assert imported(*args) == set()


def test_a_scan_of_files_loads_only_the_yaml_reader() -> None:
    assert imported("scan", "demo") <= {"yaml"}
