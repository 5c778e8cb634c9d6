"""Where the data of the image commands lie, and the flags that they share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

F = TypeVar("F", bound=Callable[..., Any])


class Places(msgspec.Struct, frozen=True):
    """The advisory database (a file) and the ledger (a URL)."""

    database: str
    state: str


def places(database: str = "", state: str = "") -> Places:
    """What was typed, else MARTELLO_DATABASE and MARTELLO_STATE, else the user's directories."""
    environ = os.environ
    home = Path.home() if "HOME" in environ else Path("/var/lib")
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "martello"
    kept = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "martello"
    return Places(
        database or environ.get("MARTELLO_DATABASE") or str(cache / "advisories.db"),
        state or environ.get("MARTELLO_STATE") or f"sqlite:///{kept / 'state.db'}",
    )


def _all(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


data_flags = _all(
    click.option("--db", "database", default="", metavar="FILE", help="The advisory database."),
    click.option("--state", default="", metavar="URL", help="Where facts and approvals are kept."),
)

policy_flag = click.option(
    "-p",
    "--policy",
    "policies",
    multiple=True,
    metavar="FILE",
    help="Image policies. Repeatable [default: MARTELLO_IMAGE_POLICY, else the built-in one].",
)

registry_flags = _all(
    click.option(
        "--insecure", is_flag=True, help="Plain HTTP, or TLS without trust, for this registry."
    ),
    click.option("--ca", default="", metavar="FILE", help="A certificate authority to trust."),
    click.option(
        "--mirrors", default="", metavar="FILE", help="A registries.conf with mirrors to ask first."
    ),
)

target_flags = _all(
    click.option(
        "--platform",
        default="",
        metavar="OS/ARCH",
        help="Of an index only this platform [default: all of them].",
    ),
    registry_flags,
)


def _judging(foreign: str) -> Callable[[F], F]:
    return _all(
        click.option(
            "--vex", multiple=True, metavar="FILE", help="OpenVEX, CycloneDX or CSAF. Repeatable."
        ),
        click.option(
            "--ignore",
            multiple=True,
            metavar="FILE",
            help="Waivers, .trivyignore, .grype.yaml or osv-scanner.toml. Repeatable.",
        ),
        click.option(
            "--foreign",
            type=click.Choice(["honour", "ignore"]),
            default=foreign,
            help="Other tools' ignore files that lie here [default: honour; at a gate: ignore].",
        ),
        click.option("--dev", is_flag=True, help="Development dependencies of lock files too."),
        click.option(
            "--informational", is_flag=True, help="Records that inform too: unmaintained, unsound."
        ),
    )


judging_flags = _judging("honour")

# What merely lies in the directory may come with the change that is to be judged.
gating_flags = _judging("ignore")
