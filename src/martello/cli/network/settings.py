"""Flags that the network commands share; one meaning each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from martello.cli import options

F = TypeVar("F", bound=Callable[..., Any])


def _all(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


profile_flags = _all(
    click.option(
        "--cni",
        default="",
        metavar="NAME",
        help="The network plugin, where answers depend on it: calico, cilium, antrea, ovn, "
        "kindnet, aws-vpc, flannel, martello or in-tree [default: as the cluster's objects say].",
    ),
    click.option(
        "--pod-cidr", "pod_ranges", multiple=True, metavar="CIDR", help="Where pods have addresses."
    ),
    click.option(
        "--service-cidr",
        "service_ranges",
        multiple=True,
        metavar="CIDR",
        help="Where Services have addresses.",
    ),
)

world_flags = _all(
    options.files,
    options.context,
    options.kubeconfig,
    profile_flags,
    options.incomplete,
)

intents_flag = click.option(
    "--intents",
    default="",
    metavar="FILE",
    help="Promises that must hold: never, only, must.",
)

fleet_flag = click.option(
    "--fleet", default="", metavar="FILE", help="Several clusters: names become CLUSTER/NS/NAME."
)
