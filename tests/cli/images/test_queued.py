"""`image gate --queued`: what admission asked for is judged and written down, each once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import shop
from tests.support.pipeline import good, inside, laid_out, signer
from tests.support.registry import Missing, RealRegistry, running, skopeo

from martello.core.approval import APPROVE, DENY
from martello.gate.asking import JOB
from martello.store.approvals import snapshot
from martello.store.claim import enqueue, progress
from martello.store.state import open_state

RECORD = ("--record", "--key", "release.pem")


@pytest.fixture(scope="module")
def registry() -> Iterator[RealRegistry]:
    """A real registry."""
    try:
        with running() as started:
            yield started
    except Missing as missing:
        pytest.skip(str(missing))


def test_what_admission_asked_for_is_judged_once(tmp_path: Path, registry: RealRegistry) -> None:
    place = laid_out(tmp_path)
    for name in ("good", "bad"):
        skopeo("copy", "--dest-tls-verify=false", f"oci:{place / name}:1",
               f"docker://{registry.url}/shop/{name}:1")  # fmt: skip
    names = [f"{registry.url}/shop/{name}:1" for name in ("bad", "good", "absent")]
    with open_state(f"sqlite:///{place / 'state.db'}") as state:
        enqueue(state, JOB, names)
    laid = {"good": good(), "bad": shop.shop()}
    done = inside(place, "gate", "--queued", *RECORD)
    assert done.code == 1, done.out
    assert "shop/absent:1" in done.err
    key = signer(place).public
    with open_state(f"sqlite:///{place / 'state.db'}") as state:
        from martello.cli.images.keeping import issuer_of

        now = snapshot(state, {issuer_of(key): (key,)})
        counts = progress(state, JOB)
    (decided,) = now.decided.values()
    outcomes = [decided[laid[name].digest][0].outcome for name in ("bad", "good")]
    assert outcomes == [DENY, APPROVE]
    assert now.pinned(names[1], now.at) == laid["good"].digest
    assert now.pinned(names[2], now.at) == ""
    assert counts.done == 2
    again = inside(place, "gate", "--queued", *RECORD)
    assert again.code == 4
    assert "shop/good" not in again.out, "only what failed is tried again"


@pytest.mark.parametrize(
    "words",
    [(), ("--queued",), ("--queued", "--record"), ("--queued", "oci:good", *RECORD)],
)
def test_it_says_what_it_needs(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert inside(tmp_path, "gate", *words).code == 2


def test_an_empty_queue_is_no_fault(tmp_path: Path) -> None:
    place = laid_out(tmp_path)
    done = inside(place, "gate", "--queued", *RECORD)
    assert (done.code, done.err) == (0, "nothing is asked for\n")
