"""What is kept between runs: facts of layers, what was found in images, approvals."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from martello.cli.images.settings import places
from martello.core.errors import MartelloError

if TYPE_CHECKING:
    from martello.core.approval import Judgement
    from martello.practices.images.attest.keys import PrivateKey, PublicKey
    from martello.practices.images.facts import FactStore
    from martello.store.seen import SeenHeads


@contextlib.contextmanager
def open_facts(state: str) -> Iterator[FactStore | None]:
    """The store of facts. Where it cannot be opened, layers are read anew each time, and a line
    says so: a scan does not depend on it.
    """
    from martello.practices.images.facts import LayerFacts
    from martello.store.facts import LayerFactStore
    from martello.store.state import open_state

    try:
        opened = open_state(state)
    except MartelloError as error:
        click.echo(f"nothing is kept of what is read: {error.what}: {error.why}", err=True)
        yield None
        return
    with opened:
        yield LayerFactStore(opened, LayerFacts)


def issuer_of(key: PublicKey) -> str:
    """The name under which a key writes into the ledger: who trusts the key, trusts the rows."""
    return f"key-{base64.b64decode(key.hint).hex()[:16]}"


def seen_heads(state: str) -> SeenHeads:
    """How far the ledger was when it was last read, kept beside a local store."""
    from martello.store.seen import SeenHeads

    home = Path(places("", state).state.removeprefix("sqlite:///")).parent
    if not state.startswith("sqlite:///"):
        home = Path(places().state.removeprefix("sqlite:///")).parent
    return SeenHeads(home / "heads.json")


def record(state: str, judgements: Sequence[Judgement], key: PrivateKey) -> None:
    """Writes judgements into the ledger, signed. Raises what the store raises: what is not written
    down was not decided.
    """
    from martello.store.approvals import append
    from martello.store.state import open_state

    with open_state(state) as opened:
        append(opened, issuer_of(key.public), judgements, key, seen_heads(state))


def pin(state: str, reference: str, digest: str, judgements: Sequence[Judgement]) -> None:
    """Keeps what a tag means, for as long as the judgements hold. Raises what the store raises."""
    from martello.store.approvals import resolved
    from martello.store.state import open_state

    until = min((j.not_after for j in judgements if j.not_after), default=0)
    with open_state(state) as opened:
        resolved(opened, reference, digest, until)
