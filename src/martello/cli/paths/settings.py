"""Flags that the commands of paths share; one meaning each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from martello.cli import options
from martello.cli.access.settings import system_flag

__all__ = [
    "from_flag",
    "keep_flag",
    "state_flag",
    "system_flag",
    "to_flag",
    "world_flags",
]

F = TypeVar("F", bound=Callable[..., Any])

to_flag = click.option(
    "--to",
    "goals",
    multiple=True,
    metavar="GOAL",
    help="cluster-admin, admin:NS, namespace:NS, node[:NAME], secrets[:NS], secret:NS/NAME, "
    "sa:NS/NAME, starve:NS, or crown. Repeatable [default: cluster-admin, node, secrets and "
    "crown].",
)
from_flag = click.option(
    "--from",
    "footholds",
    multiple=True,
    metavar="WHO",
    help="internet, anonymous, pods:NS/WORKLOAD, sa:NS/NAME, user:NAME or group:NAME. "
    "Repeatable [default: all of them].",
)
state_flag = click.option(
    "--state", default="", metavar="URL", help="Where facts, approvals and alerts are kept."
)
keep_flag = click.option(
    "--keep",
    "keep",
    multiple=True,
    metavar="REF",
    help="What a cut must not touch, such as shop/RoleBinding/ci. Repeatable.",
)


def world_flags(function: F) -> F:
    """What is read; --allow-incomplete comes with the flags of the verdict."""
    return options.files(options.context(options.kubeconfig(function)))
