"""What is known of images: contents by digest and data, the last scan, what tags meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, insert, select, update

from martello.core.approval import Observed
from martello.store.facts import packed, unpacked
from martello.store.state import State, now
from martello.store.tables import image, inventory, other, tag
from martello.store.upsert import added, replaced

T = TypeVar("T")
_BATCH: Final = 500


def keep(state: State, digest: str, version: str, found: Any) -> None:
    """Keeps all that was found in an image with data of one version. Twice changes nothing."""
    content = packed(found)
    with state.writing() as connection:
        keep_in(connection, digest, version, content)


def keep_in(connection: Connection, digest: str, version: str, content: bytes) -> None:
    """The same inside of a transaction, for content of `facts.packed`."""
    made = now(connection)
    row = {"digest": digest, "db_version": version, "content": content, "made_at": made}
    connection.execute(replaced(connection, inventory, row))


def kept(state: State, digest: str, version: str, type: type[T]) -> T | None:
    """What was kept of an image. What cannot be read any more is as good as nothing."""
    query = select(inventory.c.content).where(
        inventory.c.digest == digest, inventory.c.db_version == version
    )
    with state.reading() as connection:
        content = connection.execute(query).scalar()
    return None if content is None else unpacked(content, type)


def has(state: State, digest: str, version: str) -> bool:
    """Whether something was kept."""
    query = select(inventory.c.digest).where(
        inventory.c.digest == digest, inventory.c.db_version == version
    )
    with state.reading() as connection:
        return connection.execute(query).first() is not None


def say(state: State, digest: str, summary: Any, others: Iterable[str] = ()) -> None:
    """Keeps what the last scan said of an image; `others` are the digests of indexes that list it
    and of its configuration: nodes may name it by either.
    """
    content = packed(summary)
    with state.writing() as connection:
        row = {"digest": digest, "content": content, "scanned_at": now(connection)}
        connection.execute(replaced(connection, image, row))
        rows = [{"other": name, "digest": digest} for name in dict.fromkeys(filter(None, others))]
        if rows:
            connection.execute(added(connection, other, rows))


def said(state: State, digests: Collection[str], type: type[T]) -> dict[str, tuple[T, ...]]:
    """What the last scans said, by the digests that were asked for: of an index, of each of its
    images that was scanned. What nobody scanned is missing.
    """
    means: dict[str, list[str]] = {digest: [digest] for digest in digests}
    with state.reading() as connection:
        for part in _parts(digests):
            query = select(other.c.other, other.c.digest).where(other.c.other.in_(part))
            for row in connection.execute(query.order_by(other.c.digest)):
                means[row.other].append(row.digest)
        wanted = tuple(dict.fromkeys(digest for some in means.values() for digest in some))
        found: dict[str, T] = {}
        for part in _parts(wanted):
            query = select(image.c.digest, image.c.content).where(image.c.digest.in_(part))
            for row in connection.execute(query):
                value = unpacked(row.content, type)
                if value is not None:
                    found[row.digest] = value
    told = {name: tuple(found[d] for d in some if d in found) for name, some in means.items()}
    return {name: values for name, values in told.items() if values}


def observe(state: State, name: str, digest: str) -> None:
    """Notes what a tag means now. Nothing is forgotten of what it meant before."""
    with state.writing() as connection:
        at = now(connection)
        row = (tag.c.name == name) & (tag.c.digest == digest)
        if not connection.execute(update(tag).where(row).values(last_at=at)).rowcount:
            values = {"name": name, "digest": digest, "first_at": at, "last_at": at}
            connection.execute(insert(tag).values(values))


def observed(state: State, names: Collection[str]) -> dict[str, tuple[Observed, ...]]:
    """What tags meant, the oldest observation first; the last one is what they mean as far as we
    know.
    """
    found: dict[str, list[Observed]] = {}
    with state.reading() as connection:
        for part in _parts(names):
            query = select(tag).where(tag.c.name.in_(part)).order_by(tag.c.last_at, tag.c.first_at)
            for row in connection.execute(query):
                if (type(row.digest), type(row.first_at), type(row.last_at)) == (str, int, int):
                    one = Observed(row.digest, row.first_at, row.last_at)
                    found.setdefault(row.name, []).append(one)
    return {name: tuple(some) for name, some in found.items()}


def _parts(values: Collection[str]) -> Iterator[Sequence[str]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]
