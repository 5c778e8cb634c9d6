"""The ledger: what it decides, and that edits, cuts and forks are refused."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, delete, select, text, update

from martello.core.approval import (
    APPROVE,
    DENY,
    GENESIS,
    NEVER,
    UNASSESSED,
    Approvals,
    Judgement,
    Reason,
    chained,
)
from martello.core.errors import Refused
from martello.core.finding import Waived
from martello.core.vulnerability import Data
from martello.practices.images.admit import admit
from martello.practices.images.attest.keys import PrivateKey, new_key, private_key
from martello.practices.images.policy import ImagePolicy, Spec
from martello.store import approvals
from martello.store.seen import Seen, SeenHeads
from martello.store.state import State, open_state
from martello.store.tables import approval, head

PEM = new_key()[0]
KEY = private_key(PEM, "release.pem")
OTHER = private_key(new_key()[0], "other.pem")
POLICY = ImagePolicy("shop", Spec(repositories=("reg.local",)))
WHICH = (POLICY.hash, POLICY.keys_hash)
A, B, C, D = (f"sha256:{c * 64}" for c in "abcd")
LATER = 4_000_000_000_000_000


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as opened:
        yield opened


@pytest.fixture
def seen(tmp_path: Path) -> SeenHeads:
    return SeenHeads(tmp_path / "seen" / "heads.json")


def _judgement(digest: str, outcome: str = APPROVE, **parts: Any) -> Judgement:
    reasons: tuple[Reason, ...] = ()
    if outcome != APPROVE:
        waived = Waived("ana", "fine", "", "w")
        reasons = (
            Reason("IMG-001", "x", "CVE-2031-1 in x", effect=outcome),
            Reason("IMG-001", "y", "accepted", effect="warn", waived=waived),
        )
    plain: dict[str, Any] = {
        "image": "reg.local/a",
        "digest": digest,
        "policy": "shop",
        "policy_hash": POLICY.hash,
        "outcome": outcome,
        "reasons": reasons,
        "at": 1,
        "not_after": NEVER if outcome == DENY else LATER,
        "data": Data("d" * 64),
    }
    return Judgement(**{**plain, **parts})


def _add(state: State, *judgements: Judgement, issuer: str = "ci", key: PrivateKey = KEY) -> None:
    approvals.append(state, issuer, judgements, key)


def _read(state: State, *issuers: str, seen: SeenHeads | None = None) -> Approvals:
    trusted = dict.fromkeys(issuers or ("ci",), (KEY.public,))
    return approvals.snapshot(state, trusted, seen=seen)


def _outcome(snapshot: Approvals, digest: str, at: int = 1) -> str:
    standing = snapshot.ruled(WHICH, digest, at)
    return standing.outcome if standing else ""


def test_rows_are_chained_and_come_back(state: State) -> None:
    rows = approvals.append(state, "ci", [_judgement(A), _judgement(B, DENY)], KEY)
    more = approvals.append(state, "ci", [_judgement(C, UNASSESSED)], KEY)
    assert [row.seq for row in (*rows, *more)] == [1, 2, 3]
    assert [row.prev for row in (*rows, *more)] == [GENESIS, rows[0].hash, rows[1].hash]
    assert all(row.hash == chained(row) for row in (*rows, *more))
    assert approvals.history(state, B) == (rows[1],)
    assert approvals.verify(state, "ci", (KEY.public,)) == 3
    assert (approvals.issuers(state), approvals.count(state)) == (("ci",), 3)
    with state.reading() as connection:
        assert len(connection.execute(select(head)).all()) == 2  # one signature a batch
    assert approvals.append(state, "ci", [], KEY) == ()


def test_a2_the_latest_row_of_an_issuer_wins_and_a_denial_across_issuers(state: State) -> None:
    _add(state, _judgement(A, DENY), _judgement(B))
    _add(state, _judgement(A))
    _add(state, _judgement(B, DENY), _judgement(C), issuer="security")
    _add(state, _judgement(C, UNASSESSED))
    _add(state, _judgement(D, DENY), issuer="stranger")
    snapshot = _read(state, "ci", "security")
    assert [_outcome(snapshot, d) for d in (A, B, C, D)] == [APPROVE, DENY, APPROVE, ""]
    assert _outcome(_read(state), B) == APPROVE
    standing = snapshot.ruled(WHICH, B, 1)
    assert standing is not None
    assert (standing.message, standing.issuer) == ("CVE-2031-1 in x", "security")


def test_a2_approvals_run_out_and_an_older_one_does_not_come_back(state: State) -> None:
    _add(state, _judgement(A), _judgement(A, not_after=5), _judgement(B, DENY))
    snapshot = _read(state)
    assert [_outcome(snapshot, A, at) for at in (4, 5)] == [APPROVE, ""]
    assert _outcome(snapshot, B, LATER * 2) == DENY


def test_a2_another_policy_or_key_has_rows_of_its_own(state: State) -> None:
    _add(state, _judgement(A), _judgement(B, keys_hash="k"), _judgement(C, policy_hash="p"))
    snapshot = _read(state)
    assert [_outcome(snapshot, d) for d in (A, B, C)] == [APPROVE, "", ""]


def test_a9_index_child_and_configuration_are_found(state: State) -> None:
    child, config, index = B, "sha256:" + "1" * 64, A
    _add(state, _judgement(index, children=(child, C)), _judgement(D, DENY, same=(config,)))
    snapshot = _read(state)
    assert [_outcome(snapshot, d) for d in (index, child, C, D, config)] == [
        *(APPROVE, APPROVE, APPROVE, DENY, DENY)
    ]
    _add(state, _judgement(child, UNASSESSED))  # its own decision is nearer
    assert _outcome(_read(state), child) == UNASSESSED
    _add(state, _judgement(index, DENY, children=(child, C)))  # an index denied for one child
    assert _outcome(_read(state), C) == ""


def test_tags_are_resolved_for_a_while(state: State) -> None:
    _add(state, _judgement(A))
    approvals.resolved(state, "reg.local/a:1", B, LATER)
    approvals.resolved(state, "reg.local/a:1", A, LATER)
    snapshot = _read(state)
    assert snapshot.pinned("reg.local/a:1", 1) == A
    assert snapshot.pinned("reg.local/a:1", LATER) == ""
    decision = admit(["reg.local/a:1"], snapshot, (POLICY,), snapshot.at)
    assert (decision.outcome, decision.pins) == ("allow", {"reg.local/a:1": A})


def _sql(statement: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text(statement))


def _rehash(connection: Connection) -> None:
    """What an attacker without the key can do at best: edit, and compute the chain anew."""
    connection.execute(update(approval).where(approval.c.seq == 2).values(outcome=APPROVE))
    prev = GENESIS
    for row in connection.execute(select(approval).order_by(approval.c.seq)).all():
        plain = approvals._approval(row)
        assert plain is not None
        plain = msgspec.structs.replace(plain, prev=prev)
        prev = chained(plain)
        where = update(approval).where(approval.c.seq == row.seq)
        connection.execute(where.values(prev=plain.prev, hash=prev))
    connection.execute(update(head).where(head.c.seq == 3).values(hash=prev))


FIELDS = {
    "digest": C,
    "children": '["x"]',
    "same": '["x"]',
    "policy": "other",
    "policy_hash": "0",
    "keys_hash": "0",
    "outcome": APPROVE,
    "reasons": "[]",
    "data": "0",
    "issued_at": 7,
    "not_after": 7,
    "prev": "0",
    "hash": "0",
}


@pytest.mark.parametrize("field", FIELDS)
def test_a1_an_edited_row_is_refused(state: State, field: str) -> None:
    _add(state, _judgement(A), _judgement(B, DENY), _judgement(C))
    with state.writing() as connection:
        where = update(approval).where(approval.c.seq == 2)
        connection.execute(where.values({field: FIELDS[field]}))
    with pytest.raises(Refused, match="the ledger of ci cannot be trusted"):
        _read(state)


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (_rehash, "signed by none of the keys"),
        (_sql("DELETE FROM approval WHERE seq = 2"), "row 2 is missing"),
        (_sql("DELETE FROM approval WHERE seq = 1"), "row 1 is missing"),
        (_sql("DELETE FROM approval WHERE seq = 3"), "it was cut"),
        (_sql("DELETE FROM head"), "no signed head"),
        (_sql("UPDATE head SET signature = x'00'"), "signed by none of the keys"),
        (_sql("UPDATE head SET hash = 'x' WHERE seq = 3"), "another row 3"),
        (_sql("DELETE FROM head WHERE seq = 3"), "nobody signed what follows row 2"),
        (_sql("UPDATE approval SET reasons = reasons || ' ' WHERE seq = 2"), "row 2 was edited"),
        (_sql("UPDATE approval SET seq = 9 WHERE seq = 3"), "row 3 is missing"),
        (_sql("UPDATE approval SET issuer = 'cx' WHERE seq = 3"), "it was cut"),
    ],
)
def test_a1_a_broken_chain_is_refused(
    state: State, tamper: Callable[[Connection], object], why: str
) -> None:
    _add(state, _judgement(A), _judgement(B, DENY))
    _add(state, _judgement(C))
    with state.writing() as connection:
        tamper(connection)
    with pytest.raises(Refused) as caught:
        _read(state)
    assert why in caught.value.why


def test_a1_a_key_that_is_not_the_issuers_is_refused(state: State) -> None:
    _add(state, _judgement(A), key=OTHER)
    with pytest.raises(Refused) as caught:
        _read(state)
    assert "none of the keys" in caught.value.why
    with pytest.raises(Refused):
        _add(state, _judgement(B))  # nothing is added behind a head that is not ours
    approvals.append(state, "ci", [_judgement(B)], KEY, earlier=(OTHER.public,))  # a new key
    assert _outcome(_read(state), B) == APPROVE


def test_a1_a_ledger_that_was_rolled_back_is_refused(state: State, seen: SeenHeads) -> None:
    _add(state, _judgement(A))
    _add(state, _judgement(A, DENY))
    assert _outcome(_read(state, seen=seen), A) == DENY
    with state.writing() as connection:  # all of it, head too: by itself it is a good chain
        connection.execute(delete(approval).where(approval.c.seq == 2))
        connection.execute(delete(head).where(head.c.seq == 2))
    assert _outcome(_read(state), A) == APPROVE
    with pytest.raises(Refused) as caught:
        _read(state, seen=seen)
    assert "row 2 was seen before" in caught.value.why
    _add(state, _judgement(B), _judgement(C))  # longer again, on another branch
    with pytest.raises(Refused) as caught:
        _read(state, seen=seen)
    assert "a fork" in caught.value.why
    with pytest.raises(Refused):
        approvals.append(state, "ci", [_judgement(D)], KEY, seen)


def test_a1_a_ledger_that_was_emptied_is_refused(state: State, seen: SeenHeads) -> None:
    approvals.append(state, "ci", [_judgement(A)], KEY, seen)
    assert seen.of("ci") == Seen(1, approvals.history(state, A)[0].hash)
    with state.writing() as connection:
        connection.execute(delete(approval))
        connection.execute(delete(head))
    with pytest.raises(Refused):
        _read(state, seen=seen)


def test_what_was_seen_only_grows(seen: SeenHeads) -> None:
    assert seen.of("ci") is None
    seen.keep({"ci": Seen(5, "x")})
    seen.keep({"ci": Seen(4, "y"), "security": Seen(1, "z")})
    assert (seen.of("ci"), seen.of("security")) == (Seen(5, "x"), Seen(1, "z"))
    names = sorted(path.name for path in seen.path.parent.iterdir())
    assert names == [".heads.json.lock", "heads.json"]
    seen.path.write_text("{")
    with pytest.raises(Refused):
        seen.of("ci")


def test_a_chain_cannot_fork_inside_the_database(state: State) -> None:
    from martello.core.errors import MartelloError

    _add(state, _judgement(A), _judgement(B))
    with pytest.raises(MartelloError), state.writing() as connection:
        connection.execute(text("UPDATE approval SET prev = (SELECT prev FROM approval LIMIT 1)"))


def _appender(url: str, pem: bytes, digit: str) -> None:
    key = private_key(pem, "release.pem")
    with open_state(url) as state:
        for n in range(20):
            approvals.append(state, "ci", [_judgement(f"sha256:{digit * 60}{n:04d}")], key)


def test_several_processes_append_to_one_chain(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_appender, args=(url, PEM, digit)) for digit in "123"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with open_state(url) as state:
        assert approvals.verify(state, "ci", (KEY.public,)) == 60


def test_nothing_of_a_failed_append_stays(state: State) -> None:
    class Broken:
        public = KEY.public

        def sign(self, message: bytes) -> bytes:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        approvals.append(state, "ci", [_judgement(A)], Broken())
    assert approvals.count(state) == 0


@pytest.mark.parametrize("value", ["x", "[", b"\xff\0", 1.5, 1 << 62, -1])
@pytest.mark.parametrize("column", [column.name for column in approval.columns])
def test_values_of_another_type_are_an_edit(state: State, column: str, value: object) -> None:
    _add(state, _judgement(A), _judgement(B, DENY))
    with state.writing() as connection:
        change = f"UPDATE OR IGNORE approval SET {column} = :value WHERE seq = 2"
        connection.execute(text(change), {"value": value})
    for found in approvals.history(state, B):
        assert msgspec.json.encode(found)
    with pytest.raises(Refused):
        _read(state, "ci")
    with pytest.raises(Refused):
        _add(state, _judgement(C))


@pytest.mark.parametrize("value", ["x", b"\xff\0", 1.5])
@pytest.mark.parametrize("column", ["seq", "hash", "signature", "key_id"])
def test_a_head_of_another_type_is_refused(state: State, column: str, value: object) -> None:
    _add(state, _judgement(A))
    with state.writing() as connection:
        connection.execute(text(f"UPDATE head SET {column} = :value"), {"value": value})
    if column == "key_id":  # a hint, of which nothing hangs
        assert _outcome(_read(state, "ci"), A) == APPROVE
        return
    with pytest.raises(Refused):
        _read(state, "ci")
    with pytest.raises(Refused):
        _add(state, _judgement(C))


def test_a_pin_of_another_type_is_none(state: State) -> None:
    approvals.resolved(state, "reg.local/a:1", A, LATER)
    approvals.resolved(state, "reg.local/a:2", A, LATER)
    with state.writing() as connection:
        connection.execute(text("UPDATE ref SET not_after = 'x' WHERE name LIKE '%1'"))
    assert list(_read(state).refs) == ["reg.local/a:2"]


def _watcher(path: Path, issuer: str) -> None:
    for seq in range(1, 40):
        SeenHeads(path).keep({issuer: Seen(seq, "h")})


def test_several_processes_remember_what_each_has_seen(seen: SeenHeads) -> None:
    context = multiprocessing.get_context("spawn")
    names = [f"ci-{number}" for number in range(4)]
    workers = [context.Process(target=_watcher, args=(seen.path, name)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [seen.of(name) for name in names] == [Seen(39, "h")] * 4
    assert [path.name for path in seen.path.parent.iterdir() if ".lock" not in path.name] == [
        "heads.json"
    ]
