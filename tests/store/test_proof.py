"""Proofs of events: they hold offline, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.store.test_seal import Sealed
from tests.support.lake import audit_event, audit_events

from martello.core.errors import BadInput, MartelloError, Refused
from martello.store import retain
from martello.store.compact import compact
from martello.store.proof import Proof, check_proof, parse_proof, prove
from martello.store.sealkeys import make_key


@pytest.fixture
def store(tmp_path: Path) -> Sealed:
    return Sealed(tmp_path)


def test_a_proof_holds_offline_before_and_after_compaction(store: Sealed) -> None:
    for i in range(3):
        store.write(audit_events(33, start=33 * i))
    store.seal()
    keys = [store.key.public]
    first = [prove(store.files, keys, audit_event(n)["id"]) for n in (0, 32, 50, 98)]
    compact(store.state, store.lake, "me")
    store.seal()
    retain.sweep(store.state, store.files, grace=-1)
    assert [prove(store.files, keys, audit_event(n)["id"]) for n in (0, 32, 50, 98)] == first
    for n, proof in zip((0, 32, 50, 98), first, strict=True):
        sent = parse_proof(msgspec.json.encode(proof))
        told = check_proof(sent, keys)
        event = audit_event(n)
        assert told.n == 1
        for name in ("id", "actor_user", "time", "api_code", "k8s_ns", "actor_groups"):
            assert told.columns.get(name) == event.get(name)
        assert "raw" not in told.columns


def _changes(proof: Proof) -> list[dict[str, Any]]:
    row = bytearray.fromhex(proof.row)
    row[-1] ^= 1
    return [
        {"row": row.hex()},
        {"row": proof.row[:-2]},
        {"row": "zz"},
        {"index": proof.index + 1},
        {"count": proof.count - 1},
        {"names": (*proof.names[:-1], "other")},
        {"row_path": proof.row_path[:-1]},
        {"row_path": (*proof.row_path, proof.row_path[0])},
        {"names_path": proof.row_path},
        {"segment": "0" * 32},
        {"event": "other"},
    ]


def test_a_proof_that_was_changed_shows_nothing(store: Sealed, tmp_path: Path) -> None:
    store.write(audit_events(21))
    store.seal()
    keys = [store.key.public]
    proof = prove(store.files, keys, audit_event(7)["id"])
    assert check_proof(proof, keys).segment == proof.segment
    for change in _changes(proof):
        with pytest.raises(Refused, match="does not hold"):
            check_proof(msgspec.structs.replace(proof, **change), keys)
    signed = proof.checkpoint
    for other in (
        msgspec.structs.replace(signed, body=signed.body.replace('"n":1', '"n":2')),
        msgspec.structs.replace(signed, signatures={}),
    ):
        with pytest.raises(Refused):
            check_proof(msgspec.structs.replace(proof, checkpoint=other), keys)
    with pytest.raises(Refused):
        check_proof(proof, [make_key(tmp_path / "other.pem").public])


def test_what_is_not_sealed_has_no_proof(store: Sealed) -> None:
    written = store.write(audit_events(5))
    keys = [store.key.public]
    with pytest.raises(BadInput, match="no proof"):
        prove(store.files, keys, audit_event(1)["id"])
    store.seal()
    with pytest.raises(BadInput, match="no proof"):
        prove(store.files, keys, "nobody")
    store.path(written[0].columns_file).write_bytes(b"PAR1")
    with pytest.raises(MartelloError):
        prove(store.files, keys, audit_event(1)["id"])
    for content in (b"", b"{}", b"[1]", b"\xff"):
        with pytest.raises(BadInput, match="this is no proof"):
            parse_proof(content)
