"""The tables of monitoring: sources, segments of the lake, checkpoints, alerts, what is normal,
and how much use is usual.

Times are BIGINT microseconds since 1970, UTC. Events are in the lake; a row here stands for many.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, Table, Text, text

from martello.store.tables import metadata

source = Table(
    "source",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("committed", BigInteger, nullable=False),  # the next position that is not in the lake
    Column("mark", Text, nullable=False),  # what its reader must know to go on there
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("taken", BigInteger, nullable=False),  # events in, and rows out
    Column("kept", BigInteger, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
)

segment = Table(
    "segment",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),  # empty: it was compacted from others
    Column("kind", Text, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("first", BigInteger, nullable=False),  # positions of the source: from, up to
    Column("last", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("first_at", BigInteger, nullable=False),  # of its events
    Column("last_at", BigInteger, nullable=False),
    Column("origins", Text, nullable=False),  # JSON: the segments that it was compacted from
    Column("shape", Text, nullable=False),  # of its columns: names and types, hashed
    Column("columns_root", Text, nullable=False),  # Merkle roots; empty: sealed as its origins
    Column("raw_root", Text, nullable=False),
    Column("leaves", Text, nullable=False),  # its leaves whatever their order, hashed
    Column("columns_file", Text, nullable=False),
    Column("columns_hash", Text, nullable=False),
    Column("columns_size", BigInteger, nullable=False),  # -1: the file is deleted
    Column("raw_file", Text, nullable=False),  # empty: nothing raw was kept
    Column("raw_hash", Text, nullable=False),
    Column("raw_size", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    # 0: it is there. The reason, and the numbers of the checkpoints that say so (0: not yet).
    Column("columns_ended_at", BigInteger, nullable=False),
    Column("raw_ended_at", BigInteger, nullable=False),
    Column("ended_why", Text, nullable=False),  # superseded, retired
    Column("added_n", BigInteger, nullable=False),
    Column("columns_ended_n", BigInteger, nullable=False),
    Column("raw_ended_n", BigInteger, nullable=False),
    Index("segment_seen", "columns_ended_at", "kind", "cluster", "last_at"),
    Index(
        "segment_once",
        *("source", "first", "kind", "cluster", "day"),
        unique=True,
        sqlite_where=text("source <> ''"),
        postgresql_where=text("source <> ''"),
    ),
    Index("segment_unsealed", "added_n"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("prev", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("segments", BigInteger, nullable=False),  # since the first checkpoint
    Column("peaks", Text, nullable=False),  # JSON: to go on with the tree
    Column("made_at", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),  # signed; empty once its file is written
)

witness = Table(
    "witness",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("told_at", BigInteger, nullable=False),
)

hold = Table(
    "hold",
    metadata,
    Column("run", Text, primary_key=True),
    Column("cluster", Text, nullable=False),  # empty: every one
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    Column("id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),  # JSON
    Index("alert_recent", "last_at"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("sink", Text, primary_key=True),
    Column("alert", Text, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),  # open, leased, done, dead
    Column("content", LargeBinary, nullable=False),  # JSON: the alert as it was then
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),  # not before; the end of the lease of a leased
    Column("put_at", BigInteger, nullable=False),
    Column("done_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Index("delivery_next", "sink", "state", "next_at"),
)

baseline = Table(
    "baseline",
    metadata,
    Column("template", Text, primary_key=True),
    Column("container", Text, primary_key=True),
    Column("class", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),
    Column("replicas", Integer, nullable=False),
    Column("state", Text, nullable=False),  # learned, waiting, forgotten
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
)

author = Table(
    "author",
    metadata,
    Column("uid", Text, primary_key=True),  # of the object
    Column("cluster", Text, nullable=False),
    Column("name", Text, nullable=False),  # kind/namespace/name
    Column("user", Text, nullable=False),  # the last human who wrote it
    Column("owner", Text, nullable=False),  # uid of its controller; empty: none
    Column("written_at", BigInteger, nullable=False),
    Index("author_name", "cluster", "name"),
)

usual = Table(
    "usual",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("namespace", Text, primary_key=True),
    Column("workload", Text, primary_key=True),
    Column("container", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("seconds", Integer, primary_key=True),  # over so many: a quarter of an hour, or a day
    Column("day", BigInteger, primary_key=True),  # since 1970
    Column("most", Float, nullable=False),  # of any pod
    Column("told", Integer, nullable=False),  # 1: that it is beyond what is usual
)

MONITOR: Final = (
    source,
    segment,
    checkpoint,
    witness,
    hold,
    alert,
    delivery,
    baseline,
    author,
)
