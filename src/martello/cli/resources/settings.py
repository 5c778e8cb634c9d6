"""Flags that the resources commands share; one meaning each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from martello.cli import options

F = TypeVar("F", bound=Callable[..., Any])


def _all(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


_NAMESPACE: Final = "The namespace that is asked about."
namespace_flag = click.option(
    "-n",
    "--namespace",
    "namespace",
    default="",
    metavar="NAME",
    help=_NAMESPACE,
)

namespaces_flags = _all(
    click.option("-n", "--namespace", "namespaces", multiple=True, metavar="NAME", help=_NAMESPACE),
    click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces (the default)."),
)

write_flag = click.option(
    "--write", "folder", default="", metavar="DIR", help="Write what is proposed there."
)
kubelet_flag = click.option(
    "--kubelet",
    "kubelets",
    multiple=True,
    metavar="FILE|DIR",
    help="KubeletConfiguration of all nodes, or a directory with one file a node. Repeatable.",
)

world_flags = _all(options.files, options.context, options.kubeconfig, options.incomplete)
