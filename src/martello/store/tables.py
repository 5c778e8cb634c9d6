"""The tables of the state store. Times are BIGINT microseconds since 1970, UTC; no table holds
events.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata: Final = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

work = Table(
    "work",
    metadata,
    Column("job", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("state", Text, nullable=False),  # open, leased, done, dead
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("result", Text, nullable=False),  # a reference, or a small answer
    Index("work_next", "job", "state", "until"),
)

approval = Table(
    "approval",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False, index=True),
    Column("children", Text, nullable=False),  # JSON
    Column("same", Text, nullable=False),  # JSON
    Column("policy", Text, nullable=False),
    Column("policy_hash", Text, nullable=False),
    Column("keys_hash", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reasons", Text, nullable=False),  # JSON
    Column("data", Text, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("prev", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("issuer", "prev"),  # the database itself lets no chain fork
)

head = Table(
    "head",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),
)

ref = Table(
    "ref",
    metadata,
    Column("name", Text, primary_key=True),  # canonical, with tag
    Column("digest", Text, nullable=False),
    Column("resolved_at", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
)

inventory = Table(
    "inventory",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("db_version", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),  # zstd JSON
    Column("made_at", BigInteger, nullable=False),
)

image = Table(
    "image",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),  # zstd JSON: what its last scan said
    Column("scanned_at", BigInteger, nullable=False),
)

other = Table(
    "other",
    metadata,
    Column("other", Text, primary_key=True),  # an index that lists the image, its configuration
    Column("digest", Text, primary_key=True),
)

tag = Table(
    "tag",
    metadata,
    Column("name", Text, primary_key=True),  # canonical, with tag
    Column("digest", Text, primary_key=True),  # one that it meant
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
)

layer = Table(
    "layer",
    metadata,
    Column("blob", Text, primary_key=True),  # digest of the compressed bytes, which we have read
    Column("diff_id", Text, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    Column("diff_id", Text, primary_key=True),
    Column("version", Text, primary_key=True),  # of the analyzer
    Column("content", LargeBinary, nullable=False),  # zstd JSON
    Column("made_at", BigInteger, nullable=False),
)
