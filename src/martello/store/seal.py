"""K4: signed checkpoints of the lake: what was added, what was removed and why, each chained to the
one before and told to a witness outside.

`seals/000000000001.json` holds the body as text and the signatures over its bytes. The row in the
state decides; its file follows, again after a crash.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from martello.core.errors import BadInput, Refused
from martello.store import merkle
from martello.store.files import Files, disk_error
from martello.store.monitor_tables import checkpoint, segment, source, witness
from martello.store.sealkeys import SealKey
from martello.store.segments import of_row
from martello.store.state import State, now
from martello.store.upsert import added

SEALS: Final = "seals"
GENESIS: Final = "0" * 64
_LARGEST: Final = 64 << 20  # bytes of a checkpoint
_MOST: Final = 5_000  # segments that one tells of: about 5 MB


class File(msgspec.Struct, frozen=True):
    """A file of a segment."""

    path: str
    hash: str
    size: int


class Added(msgspec.Struct, frozen=True):
    """A segment that a checkpoint seals. One without a source was compacted from `origins`."""

    id: str
    source: str
    kind: str
    cluster: str
    day: str
    first: int
    last: int
    rows: int
    columns_root: str
    raw_root: str
    leaves: str
    columns: File
    raw: File | None = None
    origins: tuple[str, ...] = ()

    @property
    def leaf(self) -> bytes:
        """Its leaf in the tree over all segments."""
        return merkle.leaf(msgspec.json.encode(self))


class Removed(msgspec.Struct, frozen=True):
    """A file that is no more: `columns` or `raw` of a segment, superseded or retired."""

    id: str
    tier: str
    why: str


class Body(msgspec.Struct, frozen=True):
    """What a checkpoint says. `at` is microseconds since 1970; `next_key` takes over from here."""

    n: int
    prev: str
    at: int
    key: str
    segments: int
    root: str
    added: tuple[Added, ...]
    removed: tuple[Removed, ...]
    sources: dict[str, tuple[int, int, int]]  # committed, events in, rows out
    gaps: int  # rows of kind gap among what is added
    next_key: str = ""


class Signed(msgspec.Struct, frozen=True):
    """A body as text, and who signed it."""

    body: str
    signatures: dict[str, str]

    @property
    def hash(self) -> str:
        """What the next one is chained to."""
        return hashlib.sha256(self.body.encode()).hexdigest()


class Line(msgspec.Struct, frozen=True):
    """What a witness keeps of a checkpoint."""

    n: int
    hash: str
    root: str
    segments: int
    at: int
    added: tuple[str, ...]


class WitnessFile:
    """A witness: a file on other storage that is only ever appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.absolute().as_uri()

    def tell(self, lines: Sequence[Line]) -> None:
        """Appends what is new, durably. Raises MartelloError."""
        known = max((line.n for line in self.read()), default=0)
        text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines if line.n > known)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            with open(os.open(self.path, flags, 0o600), "r+b", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
                    text = b"\n" + text  # after a torn line
                file.write(text)
                os.fsync(file.fileno())
        except OSError as error:
            raise disk_error(f"cannot write {self.path}", error) from error

    def read(self) -> tuple[Line, ...]:
        """Every line; a torn one is none. Raises BadInput."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise BadInput(f"cannot read {self.path}", error.strerror or "") from error
        return tuple(filter(None, map(_line, content.splitlines())))


def seal(state: State, files: Files, key: SealKey, rotate: SealKey | None = None) -> Body | None:
    """Signs what changed since the last checkpoint, and returns the last of those that it took;
    None where nothing changed. `rotate` signs from the next one on: both keys sign this one.
    Raises Refused where the lake has later checkpoints than the state: that is an older copy.
    """
    flush(state, files)
    last = None
    while (body := _sealed(state, key)) is not None:
        flush(state, files)
        last = body
    if rotate is not None:
        last = _sealed(state, key, rotate)
        flush(state, files)
    return last


def _sealed(state: State, key: SealKey, rotate: SealKey | None = None) -> Body | None:
    """One checkpoint, in the state."""
    with state.writing() as connection:
        found = _body(connection, key, rotate)
        if found is None:
            return None
        body, peaks = found
        text = msgspec.json.encode(body).decode()
        keys = [key, *([rotate] if rotate is not None else [])]
        both = Signed(text, {one.public: one.sign(text.encode()) for one in keys})
        row = {
            "n": body.n,
            "hash": both.hash,
            "prev": body.prev,
            "root": body.root,
            "segments": body.segments,
            "peaks": json.dumps([[level, hashed.hex()] for level, hashed in peaks]),
            "made_at": body.at,
            "content": msgspec.json.encode(both),
        }
        connection.execute(insert(checkpoint).values(row))
        _mark(connection, body)
    return body


def flush(state: State, files: Files) -> None:
    """Writes the files of checkpoints that have none yet."""
    waiting = checkpoint.c.content != b""
    with state.reading() as connection:
        rows = connection.execute(select(checkpoint).where(waiting).order_by(checkpoint.c.n)).all()
    for row in rows:
        path = seal_path(row.n)
        if files.size(path) >= 0 and files.get(path) != row.content:
            why = f"the lake has another checkpoint {row.n}: the state is an older copy"
            raise Refused(f"cannot seal {files.where}", why, "martello store verify --witness FILE")
        files.put(path, row.content)
        with state.writing() as connection:
            change = update(checkpoint).where(checkpoint.c.n == row.n).values(content=b"")
            connection.execute(change)


def tell(state: State, files: Files, to: WitnessFile) -> int:
    """Tells a witness what it has not heard, and returns the number of the last checkpoint."""
    with state.reading() as connection:
        query = select(func.coalesce(func.max(witness.c.n), 0)).where(witness.c.name == to.name)
        told = int(connection.execute(query).scalar_one())
        newest = int(
            connection.execute(select(func.coalesce(func.max(checkpoint.c.n), 0))).scalar_one()
        )
    lines = [line_of(read(files, n)) for n in range(told + 1, newest + 1)]
    if lines:
        to.tell(lines)
        with state.writing() as connection:
            at = now(connection)
            row = {"n": newest, "name": to.name, "told_at": at}
            connection.execute(added(connection, witness, [row]))
    return newest


def seal_path(n: int) -> str:
    """The file of a checkpoint."""
    return f"{SEALS}/{n:012d}.json"


def read(files: Files, n: int) -> Signed:
    """A checkpoint as it is in the lake. Raises BadInput, Unreachable."""
    return parse(files.get(seal_path(n)), n)


def parse(content: bytes, n: int) -> Signed:
    """A checkpoint of these bytes. Raises BadInput."""
    try:
        if len(content) <= _LARGEST:
            return msgspec.json.decode(content, type=Signed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    raise BadInput(f"checkpoint {n} is damaged", "it is not what was written")


def body_of(signed: Signed) -> Body:
    """What it says. Raises BadInput."""
    try:
        return msgspec.json.decode(signed.body, type=Body)
    except msgspec.DecodeError:
        raise BadInput("a checkpoint is damaged", "its body is not what was written") from None


def line_of(signed: Signed) -> Line:
    """What a witness is told."""
    body = body_of(signed)
    ids = tuple(one.id for one in body.added)
    return Line(body.n, signed.hash, body.root, body.segments, body.at, ids)


def _body(
    connection: Connection, key: SealKey, rotate: SealKey | None
) -> tuple[Body, list[merkle.Peak]] | None:
    last = connection.execute(select(checkpoint).order_by(checkpoint.c.n.desc()).limit(1)).first()
    query = select(segment).where(segment.c.added_n == 0).order_by(segment.c.made_at, segment.c.id)
    new = tuple(_added(row) for row in connection.execute(query.limit(_MOST)))
    removed = _removed(connection)
    if not new and not removed and rotate is None:
        return None
    peaks = _peaks(last.peaks) if last is not None else []
    peaks = merkle.grown(peaks, [one.leaf for one in new])
    body = Body(
        n=last.n + 1 if last is not None else 1,
        prev=last.hash if last is not None else GENESIS,
        at=now(connection),
        key=key.public,
        segments=(last.segments if last is not None else 0) + len(new),
        root=merkle.root_of(peaks).hex(),
        added=new,
        removed=removed,
        sources=_sources(connection),
        gaps=sum(one.rows for one in new if one.kind == "gap" and one.source),
        next_key=rotate.public if rotate is not None else "",
    )
    return body, peaks


def _added(row: Any) -> Added:
    one = of_row(row)
    raw = File(one.raw_file, one.raw_hash, one.raw_size) if one.raw_file else None
    return Added(
        one.id,
        one.source,
        one.kind,
        one.cluster,
        one.day,
        one.first,
        one.last,
        one.rows,
        one.columns_root,
        one.raw_root,
        one.leaves,
        File(one.columns_file, one.columns_hash, one.columns_size),
        raw,
        one.origins,
    )


def _removed(connection: Connection) -> tuple[Removed, ...]:
    found: list[Removed] = []
    for tier in ("columns", "raw"):
        ended, told = segment.c[f"{tier}_ended_at"], segment.c[f"{tier}_ended_n"]
        # what nobody was told of cannot end
        query = select(segment).where(ended > 0, told == 0, segment.c.added_n > 0)
        for row in connection.execute(query.order_by(segment.c.id).limit(_MOST)):
            # raw goes alone when it is old, and with its columns when they are superseded
            alone = tier == "raw" and row.raw_ended_at != row.columns_ended_at
            found.append(Removed(row.id, tier, "retired" if alone else row.ended_why))
    return tuple(found)


def _mark(connection: Connection, body: Body) -> None:
    """Notes which checkpoint tells what."""
    _note(connection, "added_n", [one.id for one in body.added], body.n)
    for tier in ("columns", "raw"):
        ids = [one.id for one in body.removed if one.tier == tier]
        _note(connection, f"{tier}_ended_n", ids, body.n)


def _note(connection: Connection, column: str, ids: Sequence[str], n: int) -> None:
    for start in range(0, len(ids), 500):
        some = segment.c.id.in_(ids[start : start + 500])
        connection.execute(update(segment).where(some).values(**{column: n}))


def _sources(connection: Connection) -> dict[str, tuple[int, int, int]]:
    rows = connection.execute(select(source))
    keyed = ((f"{row.cluster}/{row.kind}/{row.origin}", row) for row in rows)
    return {key: (row.committed, row.taken, row.kept) for key, row in sorted(keyed)}


def _peaks(text: str) -> list[merkle.Peak]:
    return [(level, bytes.fromhex(hashed)) for level, hashed in json.loads(text)]


def _line(text: bytes) -> Line | None:
    try:
        return msgspec.json.decode(text, type=Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
