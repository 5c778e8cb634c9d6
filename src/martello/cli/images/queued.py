"""The images that admission asked for: claimed one by one, judged, written into the ledger."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from martello.cli.images.gating import Court, Judged
from martello.cli.images.judgements import decisions, judge_targets
from martello.cli.images.keeping import pin, record
from martello.cli.images.settings import Places
from martello.cli.progress import Progress
from martello.core.errors import MartelloError
from martello.core.image import parse_image
from martello.gate.asking import JOB
from martello.practices.images.attest.keys import PrivateKey
from martello.store.claim import Claim, claim, fail, finish, release
from martello.store.state import State, open_state

_LEASE = 900.0  # seconds: longer than any image takes; a worker that died frees it then


def judge_queued(
    flags: dict[str, Any], court: Court, where: Places, progress: Progress, key: PrivateKey
) -> tuple[list[Judged], list[tuple[str, MartelloError]]]:
    """Judges and records every image that is asked for now, each on its own: what cannot be read is
    given back, and tried again by a later run.
    """
    judged: list[Judged] = []
    failed: list[tuple[str, MartelloError]] = []
    with _queue(where) as state:
        for one in _claims(state):
            try:
                found = judge_targets([f"registry:{one.item}"], flags, court, where, progress)
                decided = decisions(found, whole=not flags["platform"])
                record(where.state, decided, key)
                _pin(where, one.item, found)
            except MartelloError as error:
                fail(state, one, f"{error.what}: {error.why}")
                failed.append((one.item, error))
                continue
            finish(state, [(one, found[0].outcome)])
            judged += found
    return judged, failed


@contextmanager
def _queue(where: Places) -> Iterator[State]:
    with open_state(where.state) as state:
        yield state


def _claims(state: State) -> Iterator[Claim]:
    """Items until there are none; one that failed in this run is not taken twice."""
    holder = f"{socket.gethostname()}/{os.getpid()}"
    seen: set[str] = set()
    while True:
        taken = claim(state, JOB, len(seen) + 1, _LEASE, holder)
        fresh = next((one for one in taken if one.item not in seen), None)
        release(state, [one for one in taken if one is not fresh])
        if fresh is None:
            return
        seen.add(fresh.item)
        yield fresh


def _pin(where: Places, item: str, found: list[Judged]) -> None:
    """A tag that was asked for means what it meant when it was judged."""
    reference = parse_image(item)
    if reference is None or reference.digest or not found:
        return
    opened = found[0].opened
    digest = opened.index.digest if opened.index is not None else opened.manifest.digest
    pin(where.state, str(reference), digest, [j for one in found for j in one.judgements])
