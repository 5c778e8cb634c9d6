"""What the gate judges by, from flags and settings: policies, keys that count, the ledger."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from martello.cli.config import Config, load_config
from martello.cli.images.settings import places
from martello.core.errors import BadInput

if TYPE_CHECKING:
    from martello.gate.judge import Snapshot
    from martello.gate.ledger import StoreLedger

F = TypeVar("F", bound=Callable[..., Any])
NAMESPACE: Final = "martello"


def _all(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


exempt_flags = _all(
    click.option(
        "--own-namespace",
        default=NAMESPACE,
        metavar="NAME",
        help=f"Where the gate itself runs: exempt [default: {NAMESPACE}].",
    ),
    click.option(
        "--exempt-namespace",
        multiple=True,
        metavar="NAME",
        help="Exempt besides kube-system and kube-node-lease. Repeatable.",
    ),
)

ledger_flags = _all(
    click.option(
        "--image-policy",
        "image_policy",
        multiple=True,
        metavar="FILE",
        help="Image policies: which registries and keys count. Repeatable.",
    ),
    click.option(
        "--state", metavar="URL", default="", help="Where facts, approvals and alerts are kept."
    ),
    click.option(
        "--approver",
        "approvers",
        multiple=True,
        metavar="FILE",
        help="A public key whose approvals in the ledger count. Repeatable.",
    ),
    exempt_flags,
)


def settings(flags: Mapping[str, Any]) -> Config:
    """The settings of the ledger. Raises BadInput."""
    names = {"state": "state", "image-policy": "image_policy", "approvers": "approvers"}
    typed = {setting: flags[name] for setting, name in names.items()}
    return load_config(typed, Path.cwd(), os.environ)


def exempt(flags: Mapping[str, Any]) -> tuple[str, ...]:
    """The namespaces that are not judged."""
    from martello.gate.images import BOOTSTRAP

    named = (*BOOTSTRAP, flags["own_namespace"], *flags["exempt_namespace"])
    return tuple(dict.fromkeys(filter(None, named)))


def open_ledger(
    flags: Mapping[str, Any], heads: Path | None
) -> tuple[StoreLedger, Snapshot, tuple[str, ...]]:
    """The ledger, the snapshot but for its approvals, and the names of the keys that count. Raises
    BadInput where no key does: nothing could ever be approved.
    """
    from martello.cli.images.keeping import issuer_of
    from martello.cli.images.policies import keys_of, load_policies
    from martello.cli.images.signing import verifying_keys
    from martello.gate.judge import Snapshot
    from martello.gate.ledger import StoreLedger
    from martello.store.seen import SeenHeads
    from martello.store.state import open_state

    config = settings(flags)
    policies = load_policies(tuple(config["image-policy"]))
    keys = [*verifying_keys(tuple(config["approvers"]))]
    keys += [key for some in keys_of(policies).values() for key in some]
    if not keys:
        raise BadInput(
            "no key's approvals count",
            "neither --approver nor an image policy names one",
            "martello image key NAME makes a pair; --approver NAME.pub",
        )
    trusted = {issuer_of(key): (key,) for key in keys}
    url = places("", config["state"]).state
    seen = SeenHeads(heads) if heads is not None else None
    ledger = StoreLedger(lambda: open_state(url), trusted, seen)
    rest = Snapshot(policies=policies, exempt=exempt(flags))
    return ledger, rest, tuple(sorted(trusted))


def data_directory(named: str) -> Path:
    """Where the gate keeps certificates, snapshot and key: as named, else beside the ledger of the
    user.
    """
    if named:
        return Path(named)
    return Path(places().state.removeprefix("sqlite:///")).parent / "gate"
