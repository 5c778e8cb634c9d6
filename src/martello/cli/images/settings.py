"""Where the data of the image commands lie, and the flags that they share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from martello.core.errors import BadInput

F = TypeVar("F", bound=Callable[..., Any])
_VULNERABILITY: Final = re.compile(
    r"(?:CVE-[0-9]{4}-[0-9]{4,}|GHSA(?:-[0-9a-z]{4}){3}|(?:PYSEC|RUSTSEC|GO)-[0-9]{4}-[0-9]+)"
)


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


def vulnerability_named(word: str) -> bool:
    """Whether a word is the name of a vulnerability, and so no image and no check."""
    return _VULNERABILITY.fullmatch(word) is not None


def image_is_named(verb: str, id: str, target: str) -> None:
    """Raises BadInput where a vulnerability stands in the place of the image."""
    if vulnerability_named(target) and not Path(target).exists():
        swapped = bool(id) and not vulnerability_named(id)
        what = "the image comes last" if swapped else "no image is named"
        right = f"{target} {id}" if swapped else f"{target} TARGET"
        why = f"{target} is the name of a vulnerability"
        raise BadInput(what, why, f"martello image {verb} {right}")


database_flag = click.option(
    "--db",
    "database",
    default="",
    metavar="FILE",
    help="The advisory database [default: MARTELLO_DATABASE, else in the cache directory].",
)

data_flags = _all(
    database_flag,
    click.option(
        "--state", default="", metavar="URL", help="Where facts, approvals and alerts are kept."
    ),
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
