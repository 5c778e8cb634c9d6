"""The approval ledger: rows chained by their hashes, heads signed, one snapshot for admission."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from sqlalchemy import Connection, Row, func, insert, select

from martello.core.approval import (
    APPROVE,
    DENY,
    GENESIS,
    NEVER,
    UNASSESSED,
    Approval,
    Approvals,
    Judgement,
    Key,
    Pin,
    Reason,
    Standing,
    chained,
)
from martello.core.errors import Refused
from martello.store.seen import Seen, SeenHeads
from martello.store.state import State, now
from martello.store.tables import approval, head, ref
from martello.store.upsert import replaced

_MESSAGE: Final = 500  # characters of a decision that admission tells
_NEXT: Final = "restore the ledger, or find out who wrote to the database"
_Fields = Row[Any]
_TYPES: Final = tuple(column.type.python_type for column in approval.columns)
_LAST: Final = 253_402_300_799_999_999  # the last microsecond of the year 9999


class _Kept(msgspec.Struct, frozen=True):
    """What a snapshot needs of one row."""

    standing: Standing
    same: str  # JSON
    children: str  # JSON, of approvals


class Verifier(Protocol):
    """A public key, as `attest.keys` has it."""

    @property
    def hint(self) -> str:
        """Its name in the ledger. Nothing is decided by it."""
        ...

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether it signed the message."""
        ...


class Signer(Protocol):
    """A private key, as `attest.keys` has it."""

    @property
    def public(self) -> Verifier:
        """The key that verifies."""
        ...

    def sign(self, message: bytes) -> bytes:
        """A signature over the message."""
        ...


def append(
    state: State,
    issuer: str,
    judgements: Sequence[Judgement],
    signer: Signer,
    seen: SeenHeads | None = None,
    earlier: Sequence[Verifier] = (),
) -> tuple[Approval, ...]:
    """Adds judgements to an issuer's chain with one signature for all of them, in one transaction.
    `earlier` are keys that may have signed the end of the chain so far. Raises Refused where that
    end is not what its head says, or not what was seen last: nothing is added to a broken chain.
    """
    if not judgements:
        return ()
    with state.writing() as connection:
        last = _last(connection, issuer)
        _check_end(connection, issuer, last, (signer.public, *earlier))
        if seen is not None:
            _check_seen_row(connection, issuer, seen.of(issuer))
        at, seq, prev = now(connection), last[0], last[1]
        rows: list[Approval] = []
        for judgement in judgements:
            seq += 1
            row = _row(judgement, issuer, seq, at, prev)
            rows.append(row)
            prev = row.hash
        connection.execute(insert(approval), [_stored(row) for row in rows])
        signature = signer.sign(head_message(issuer, seq, prev))
        values = {
            "issuer": issuer,
            "seq": seq,
            "hash": prev,
            "signature": signature,
            "key_id": signer.public.hint,
        }
        connection.execute(insert(head).values(values))
    if seen is not None:
        seen.keep({issuer: Seen(seq, prev)})
    return tuple(rows)


def resolved(state: State, name: str, digest: str, not_after: int) -> None:
    """Keeps what a tag means until a moment."""
    with state.writing() as connection:
        row = {
            "name": name,
            "digest": digest,
            "resolved_at": now(connection),
            "not_after": not_after,
        }
        connection.execute(replaced(connection, ref, row))


def snapshot(
    state: State,
    trusted: Mapping[str, Sequence[Verifier]],
    *,
    max_age: int = NEVER,
    seen: SeenHeads | None = None,
) -> Approvals:
    """Everything that the trusted issuers decided, as admission reads it, from one moment of the
    database. Every chain is verified: Raises Refused where one was edited, cut, forked, or signed
    by none of its issuer's keys. `seen` remembers how far each chain was, outside the database.
    """
    decided: dict[Key, dict[str, list[Standing]]] = {}
    heads: dict[str, Seen] = {}
    count = 0
    with state.reading() as connection:
        at = now(connection)
        for issuer, keys in sorted(trusted.items()):
            last, latest = _latest(connection, issuer, keys, seen)
            if last.seq:
                heads[issuer] = last
            count += last.seq
            for key, rows in latest.items():
                _spread(rows, decided.setdefault(key, {}))
        refs = dict(filter(None, map(_pin, connection.execute(select(ref)))))
    if seen is not None:
        seen.keep(heads)
    frozen = {key: {d: tuple(rows) for d, rows in by.items()} for key, by in decided.items()}
    return Approvals(at, max_age, count, frozen, refs)


def verify(
    state: State, issuer: str, keys: Sequence[Verifier], seen: SeenHeads | None = None
) -> int:
    """Verifies one chain, and returns how many rows it has. Raises Refused."""
    with state.reading() as connection:
        last, _ = _latest(connection, issuer, keys, seen)
    return last.seq


def issuers(state: State) -> tuple[str, ...]:
    """Whoever has written to the ledger."""
    query = select(approval.c.issuer).distinct().order_by(approval.c.issuer)
    with state.reading() as connection:
        return tuple(connection.execute(query).scalars())


def count(state: State) -> int:
    """How many rows there are: a cheap sign that a snapshot is out of date."""
    with state.reading() as connection:
        rows = connection.execute(select(func.count()).select_from(approval)).scalar_one()
        return int(rows)


def history(state: State, digest: str, most: int = 100) -> tuple[Approval, ...]:
    """The last decisions on a digest, newest first. They are not verified; what cannot be
    understood is no decision.
    """
    query = select(approval).where(approval.c.digest == digest)
    query = query.order_by(approval.c.issued_at.desc(), approval.c.seq.desc()).limit(most)
    with state.reading() as connection:
        return tuple(filter(None, map(_approval, connection.execute(query))))


def head_message(issuer: str, seq: int, hash: str) -> bytes:
    """The bytes that a head's signature is over."""
    return msgspec.json.encode(["martello.dev/ledger-head/v1", issuer, seq, hash])


def _latest(
    connection: Connection, issuer: str, keys: Sequence[Verifier], seen: SeenHeads | None
) -> tuple[Seen, dict[Key, dict[str, _Kept]]]:
    """The end of a verified chain, and its latest row for each policy and digest."""
    latest: dict[Key, dict[str, _Kept]] = {}
    known = seen.of(issuer) if seen is not None else None
    last = Seen(0, GENESIS)
    for row in _walk(connection, issuer):
        last = Seen(row.seq, row.hash)
        if known is not None and known.seq == row.seq and known.hash != row.hash:
            raise _refused(issuer, f"row {row.seq} is another than the one seen before: a fork")
        latest.setdefault((row.policy_hash, row.keys_hash), {})[row.digest] = _kept(row, issuer)
    if known is not None and known.seq > last.seq:
        raise _refused(issuer, f"it ends with row {last.seq}, and row {known.seq} was seen before")
    _check_end(connection, issuer, (last.seq, last.hash), keys)
    return last, latest


def _walk(connection: Connection, issuer: str) -> Iterator[_Fields]:
    """The rows of a chain in order, each checked against the one before it."""
    query = select(approval).where(approval.c.issuer == issuer).order_by(approval.c.seq)
    prev = GENESIS
    rows = connection.execution_options(yield_per=2_000).execute(query)
    for seq, row in enumerate(rows, 1):
        if row.seq != seq:
            raise _refused(issuer, f"row {seq} is missing")
        if row.prev != prev:
            raise _refused(issuer, f"row {seq} does not follow the row before it")
        if not _typed(row) or _hash(row) != row.hash:
            raise _refused(issuer, f"row {seq} was edited")
        prev = row.hash
        yield row


def _hash(row: _Fields) -> str:
    """`chained` of the row, from the JSON as it is stored: it need not be understood for that."""
    plain = Approval(
        row.issuer,
        row.seq,
        row.digest,
        msgspec.Raw(row.children.encode()),  # type: ignore[arg-type]
        msgspec.Raw(row.same.encode()),  # type: ignore[arg-type]
        row.policy,
        row.policy_hash,
        row.keys_hash,
        row.outcome,
        msgspec.Raw(row.reasons.encode()),  # type: ignore[arg-type]
        row.data,
        row.issued_at,
        row.not_after,
        row.prev,
    )
    return chained(plain)


def _typed(row: _Fields) -> bool:
    """Whether each field is of its column's type: SQLite keeps there what anybody puts there."""
    return tuple(map(type, row)) == _TYPES


def _last(connection: Connection, issuer: str) -> tuple[int, str]:
    query = select(approval).where(approval.c.issuer == issuer)
    found = connection.execute(query.order_by(approval.c.seq.desc()).limit(1)).first()
    if found is not None and not (_typed(found) and _hash(found) == found.hash):
        raise _refused(issuer, "its last row was edited")
    return (found.seq, found.hash) if found else (0, GENESIS)


def _check_end(
    connection: Connection, issuer: str, last: tuple[int, str], keys: Sequence[Verifier]
) -> None:
    """The newest head must be of the last row, and signed by one of the keys."""
    query = select(head).where(head.c.issuer == issuer).order_by(head.c.seq.desc()).limit(1)
    newest = connection.execute(query).first()
    if newest is None:
        if last[0]:
            raise _refused(issuer, "it has rows, and no signed head")
        return
    if type(newest.seq) is not int or type(newest.signature) is not bytes:
        raise _refused(issuer, "its head was edited")
    if newest.seq > last[0]:
        why = f"it ends with row {last[0]}, and its head is of row {newest.seq}: it was cut"
        raise _refused(issuer, why)
    if newest.seq < last[0]:
        raise _refused(issuer, f"nobody signed what follows row {newest.seq}")
    if newest.hash != last[1]:
        raise _refused(issuer, f"its head is of another row {newest.seq}")
    message = head_message(issuer, newest.seq, newest.hash)
    if not any(key.verifies(newest.signature, message) for key in keys):
        raise _refused(issuer, "its head is signed by none of the keys of this issuer")


def _check_seen_row(connection: Connection, issuer: str, known: Seen | None) -> None:
    if known is None:
        return
    query = select(approval.c.hash).where(approval.c.issuer == issuer, approval.c.seq == known.seq)
    found = connection.execute(query).scalar()
    if found != known.hash:
        what = "is missing" if found is None else "is another"
        raise _refused(issuer, f"row {known.seq}, which was seen before, {what}")


def _refused(issuer: str, why: str) -> Refused:
    return Refused(f"the ledger of {issuer} cannot be trusted", why, _NEXT)


def _spread(rows: Mapping[str, _Kept], decided: dict[str, list[Standing]]) -> None:
    """Files each decision under the digests that it speaks of: the image's, its configuration's,
    and, of an approved index, those of its images that have no decision of their own.
    """
    for digest, row in rows.items():
        decided.setdefault(digest, []).append(row.standing)
        for other in (*_texts(row.same), *_texts(row.children)):
            if other not in rows:
                decided.setdefault(other, []).append(row.standing)


def _kept(row: _Fields, issuer: str) -> _Kept:
    children = row.children if row.outcome == APPROVE else "[]"
    return _Kept(_standing(row, issuer), row.same, children)


def _standing(row: _Fields, issuer: str) -> Standing:
    message = ""
    if row.outcome != APPROVE:
        effect = {DENY: DENY}.get(row.outcome, UNASSESSED)
        reasons = msgspec.json.decode(row.reasons, type=tuple[Reason, ...])
        against = [reason.message for reason in reasons if reason.effect == effect]
        message = "; ".join(against[:3])[:_MESSAGE]
        if len(against) > 3:
            message += f"; {len(against) - 3} more"
    return Standing(row.outcome, row.not_after, issuer, message)


def _row(judgement: Judgement, issuer: str, seq: int, at: int, prev: str) -> Approval:
    row = Approval(
        issuer=issuer,
        seq=seq,
        digest=judgement.digest,
        children=judgement.children,
        same=judgement.same,
        policy=judgement.policy,
        policy_hash=judgement.policy_hash,
        keys_hash=judgement.keys_hash,
        outcome=judgement.outcome,
        reasons=judgement.reasons,
        data=judgement.data.digest,
        issued_at=at,
        not_after=judgement.not_after,
        prev=prev,
    )
    return msgspec.structs.replace(row, hash=chained(row))


def _stored(row: Approval) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    for name in ("children", "same", "reasons"):
        values[name] = msgspec.json.encode(values[name]).decode()
    return values


def _approval(row: _Fields) -> Approval | None:
    values = dict(row._mapping)
    if not _typed(row) or not (0 <= row.issued_at <= _LAST and 0 <= row.not_after <= _LAST):
        return None
    try:
        values["children"] = tuple(_texts(row.children))
        values["same"] = tuple(_texts(row.same))
        values["reasons"] = msgspec.json.decode(row.reasons, type=tuple[Reason, ...])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return Approval(**values)


def _pin(row: _Fields) -> tuple[str, Pin] | None:
    """What a tag means. Nobody signs that: it chooses between digests, and approves none."""
    name, digest, until = row.name, row.digest, row.not_after
    typed = (type(name), type(digest), type(until)) == (str, str, int)
    return (name, Pin(digest, until)) if typed else None


def _texts(text: str) -> list[str]:
    return [] if text == "[]" else msgspec.json.decode(text, type=list[str])
