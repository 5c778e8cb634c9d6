"""How a Prometheus is spoken to, by the flags of every verb that asks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from martello.core.errors import BadInput

if TYPE_CHECKING:
    from martello.adapters.prometheus.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
_FLAGS: Final = (
    ("--prometheus-token", "FILE", "A file with a bearer token for Prometheus."),
    ("--prometheus-user", "FILE", "A file with USER:PASSWORD for Prometheus."),
    ("--ca", "FILE", "An authority to trust besides."),
    ("--cert", "FILE", "A certificate of ours."),
    ("--key", "FILE", "Its key."),
    ("--cluster-label", "NAME=VALUE", "Only this one of several clusters."),
)
_SAME: Final = ("ca", "cert", "key", "insecure", "cluster_label")


def prometheus_flags(function: F) -> F:
    """How a Prometheus is spoken to."""
    function = click.option(
        "--insecure", is_flag=True, help="Plain HTTP for credentials, TLS that nobody verifies."
    )(function)
    function = click.option(
        "--prometheus-header",
        multiple=True,
        metavar="TEXT",
        help='"NAME: VALUE" or "NAME: @FILE", such as X-Scope-OrgID. Repeatable.',
    )(function)
    for flag, metavar, text in reversed(_FLAGS):
        function = click.option(flag, default="", metavar=metavar, help=text)(function)
    return function


def spoken(flags: Mapping[str, Any]) -> Settings:
    """The settings that the flags say. Raises BadInput and NotPermitted."""
    from martello.adapters.prometheus.settings import settings

    return settings(
        flags["prometheus"],
        token_file=flags["prometheus_token"],
        user_file=flags["prometheus_user"],
        headers=flags["prometheus_header"],
        **{name: flags[name] for name in _SAME},
    )


def unspoken(flags: Mapping[str, Any]) -> None:
    """Raises BadInput for flags that speak of a Prometheus where none is named."""
    told = ("prometheus_token", "prometheus_user", "prometheus_header", *_SAME)
    for name in told:
        if flags[name]:
            flag = "--" + name.replace("_", "-")
            raise BadInput(f"{flag} speaks of a Prometheus", "none is named", "--prometheus URL")
