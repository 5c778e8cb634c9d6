"""Where state, lake, spool and the key of the seals are, and the flags that say so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

F = TypeVar("F", bound=Callable[..., Any])


class Places(msgspec.Struct, frozen=True):
    """URLs of state and lake; the directory of the intake log; the private key of the seals, and
    its public half beside it.
    """

    state: str
    lake: str
    spool: Path
    key: Path

    @property
    def public(self) -> Path:
        """The public half of the key."""
        return self.key.with_suffix(".pub")


def flags(function: F) -> F:
    """`--state` and `--lake`."""
    for name, meaning in (
        ("lake", "Where events are kept: file:///DIRECTORY [default: the user's own]."),
        ("state", "Where facts, approvals and alerts are kept."),
    ):
        function = click.option(f"--{name}", default="", metavar="URL", help=meaning)(function)
    return function


def places(state: str = "", lake: str = "") -> Places:
    """What was typed, else MARTELLO_STATE and MARTELLO_LAKE, else martello.toml, else the user's
    directory. Raises BadInput.
    """
    from martello.cli.config import load_config

    typed = {"state": state or None, "lake": lake or None}
    config = load_config(typed, Path.cwd(), os.environ)
    home = Path.home() if "HOME" in os.environ else Path("/var/lib")
    kept = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "martello"
    return Places(
        config["state"] or f"sqlite:///{kept / 'state.db'}",
        config["lake"] or (kept / "lake").absolute().as_uri(),
        kept / "spool",
        kept / "seal.pem",
    )
