"""Flags that the access commands share; one meaning each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from martello.cli import options

F = TypeVar("F", bound=Callable[..., Any])

WHOSE: Final = "Whose rights: NS/ACCOUNT, a user name, node/NAME or group:NAME."

__all__ = [
    "WHOSE",
    "asking_flags",
    "events_flag",
    "namespaces_flag",
    "system_flag",
    "who_flags",
    "world_flags",
]


def _all(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


as_flag = click.option("--as", "who", default="", metavar="WHO", help=WHOSE)

who_flags = _all(
    as_flag,
    click.option(
        "--as-group",
        "groups",
        multiple=True,
        metavar="GROUP",
        help="A group that WHO is in, instead of those known. Repeatable.",
    ),
)

namespaces_flag = click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="The namespace that is asked about [default: all of them].",
)

asking_flags = _all(
    namespaces_flag,
    click.option(
        "--subresource", default="", metavar="NAME", help="A part of the resource, such as exec."
    ),
    click.option(
        "--field-selector",
        "fields",
        default="",
        metavar="FIELDS",
        help="What a list or watch selects: metadata.name=NAME may be granted by name.",
    ),
)

world_flags = _all(options.files, options.context, options.kubeconfig, options.incomplete)

system_flag = click.option(
    "--system", is_flag=True, help="The control plane's own users, groups and accounts too."
)


def events_flag(required: bool = False) -> Callable[[F], F]:
    """`--events`, the audit logs."""
    return click.option(
        "--events",
        "events",
        multiple=True,
        required=required,
        metavar="FILE",
        help="Audit log: files, patterns, directories, - for stdin, or demo. Repeatable.",
    )
