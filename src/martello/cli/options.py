"""Flags that several commands share, spelled as kubectl spells them; one meaning each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from martello.cli import complete
from martello.cli.exits import FAIL_ON
from martello.core.finding import SEVERITIES

F = TypeVar("F", bound=Callable[..., Any])


def _all(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


debug = click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")

namespaces = click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="Only this namespace. Repeatable.",
)
everything = click.option(
    "--all", "everything", is_flag=True, help="Print everything, what is waived too."
)
kubeconfig = click.option("--kubeconfig", default=None, metavar="FILE", help="The kubeconfig file.")

context = click.option(
    "--context", default=None, metavar="NAME", help="The kubeconfig context of a live cluster."
)

cluster_flags = _all(
    namespaces,
    click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces (the default)."),
    click.option(
        "-l", "--selector", default="", metavar="LABELS", help="Only objects with these labels."
    ),
    context,
    kubeconfig,
)

output = click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help="table, json, jsonl, sarif, junit, markdown, html or github. Repeatable.",
)

selection = _all(
    click.option(
        "--profile", type=click.Choice(["default", "strict", "all"]), help="Which checks run."
    ),
    click.option(
        "--framework",
        "frameworks",
        multiple=True,
        metavar="NAME[@VERSION]",
        help="Only a framework's checks, such as pss-restricted@1.34.",
    ),
    click.option(
        "--check",
        "only",
        multiple=True,
        metavar="ID",
        shell_complete=complete.checks,
        help="Only these checks.",
    ),
    click.option(
        "--skip",
        multiple=True,
        metavar="ID",
        shell_complete=complete.checks,
        help="Not these checks.",
    ),
    click.option("--policies", multiple=True, metavar="DIR", help="Check files of your own."),
    click.option(
        "--kubernetes", metavar="VERSION", help="The version the manifests are meant for."
    ),
)

fail_on = click.option(
    "--fail-on", type=click.Choice(list(FAIL_ON)), help="What fails [default: high]."
)

verdict_flags = _all(
    fail_on,
    click.option(
        "--show", type=click.Choice(list(SEVERITIES)), help="What is printed [default: low]."
    ),
    everything,
    click.option(
        "--allow-incomplete/--no-allow-incomplete",
        default=None,
        help="Exit 0 although something could not be assessed.",
    ),
)

waiver_flags = _all(
    click.option(
        "--waivers", "waiver_files", multiple=True, metavar="FILE", help="Waivers to honour."
    ),
    click.option(
        "--foreign",
        type=click.Choice(["honour", "ignore"]),
        help="Other tools' skips and ignore files.",
    ),
    click.option("--baseline", metavar="FILE", help="Fail on new findings only."),
    click.option("--write-baseline", metavar="FILE", help="Accept today's findings."),
)

incomplete = click.option(
    "--allow-incomplete/--no-allow-incomplete",
    default=None,
    help="Exit 0 although something could not be assessed.",
)

files = click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="TARGET",
    help="What is read instead of the current cluster. Repeatable.",
)


def output_of(formats: tuple[str, ...]) -> Callable[[F], F]:
    """`-o`, with the formats that a command has."""
    return click.option(
        "-o",
        "--output",
        "outputs",
        multiple=True,
        metavar="FORMAT[=FILE]",
        help=f"{', '.join(formats[:-1])} or {formats[-1]}. Repeatable.",
    )
