"""What a scan, a gate or a promotion leaves in the ledger: summaries, and what tags meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from martello.cli.images.gating import Court, Judged
from martello.core.approval import micros
from martello.core.artifact import Index, Manifest
from martello.core.errors import MartelloError
from martello.core.image import parse_image
from martello.practices.images.ledger import Vouched, summarise
from martello.report.images.model import Examined

if TYPE_CHECKING:
    from martello.adapters.registry.client import Registry
    from martello.store.state import State


class Remembered(msgspec.Struct, frozen=True):
    """One image that was read. `reference` is its name in a registry; empty: it came from nowhere
    that others could ask.
    """

    examined: Examined
    reference: str = ""
    index: str = ""  # digest of the index that the reference names
    end_of_life: str = ""
    vouched: tuple[Vouched, ...] = ()


def remember(url: str, found: Sequence[Remembered], now: datetime) -> None:
    """Keeps them. A scan does not depend on it: where nothing can be kept, a line says so."""
    from martello.store.state import open_state

    kept = [one for one in found if one.examined.inventory.digest]
    if not kept:
        return
    try:
        with open_state(url) as state:
            for one in kept:
                _remember(state, one, micros(now))
    except MartelloError as error:
        click.echo(f"nothing is kept of what was found: {error.what}: {error.why}", err=True)


def of_judged(judged: Iterable[Judged], database: Any) -> list[Remembered]:
    """What is to be remembered of judged images."""
    from martello.adapters.registry.client import Registry
    from martello.cli.images.flow import end_of_life

    found: list[Remembered] = []
    for one in judged:
        remote = isinstance(one.opened.place, Registry)
        index = one.opened.index.digest if one.opened.index is not None else ""
        ends = end_of_life(one.examined.inventory, database)
        name = one.opened.name if remote else ""
        found.append(Remembered(one.examined, name, index, ends, one.vouched))
    return found


def of_promoted(
    judged: Sequence[Judged],
    name: str,
    top: Manifest | Index,
    registry: Registry,
    court: Court,
) -> list[Remembered]:
    """What is to be remembered of images that have arrived in a registry, with what vouches for
    them there.
    """
    from martello.cli.images.flow import end_of_life
    from martello.cli.images.gating import missing

    index = top.digest if isinstance(top, Index) else ""
    found: list[Remembered] = []
    for one in judged:
        lacking = missing(registry, one.opened, court.policies, court.now)
        vouched = tuple(
            Vouched(policy.hash, policy.keys_hash, lacking[policy.name])
            for policy in court.policies
            if policy.name in lacking
        )
        ends = end_of_life(one.examined.inventory, court.database)
        found.append(Remembered(one.examined, name, index, ends, vouched))
    return found


def _remember(state: State, one: Remembered, at: int) -> None:
    from martello.store import inventories

    examined = one.examined
    inventory = examined.inventory
    summary = summarise(
        inventory,
        examined.ruled,
        examined.unread,
        examined.data,
        at=at,
        end_of_life=one.end_of_life,
        vouched=one.vouched,
    )
    others = [name for name in (inventory.config, inventory.index, one.index) if name]
    inventories.say(state, inventory.digest, summary, others)
    reference = parse_image(one.reference) if one.reference else None
    if reference is not None and not reference.digest:
        inventories.observe(state, str(reference), one.index or inventory.digest)
