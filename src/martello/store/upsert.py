"""INSERT … ON CONFLICT, which SQLite and PostgreSQL write alike and SQLAlchemy keeps apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def added(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Inserts rows; those whose key is there already stay as they are."""
    return _insert(connection, table).values(list(rows)).on_conflict_do_nothing()


def replaced(connection: Connection, table: Table, row: Mapping[str, Any]) -> Any:
    """Inserts a row, or writes its values over those of the row with the same primary key."""
    insert = _insert(connection, table).values(dict(row))
    keys = [column.name for column in table.primary_key]
    rest = {name: insert.excluded[name] for name in row if name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=rest)


def written(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Does what `replaced` does to many rows of the same columns."""
    if rows:
        insert = _insert(connection, table)
        keys = [column.name for column in table.primary_key]
        rest = {name: insert.excluded[name] for name in rows[0] if name not in keys}
        done = insert.on_conflict_do_update(index_elements=keys, set_=rest)
        connection.execute(done, [dict(row) for row in rows])


def _insert(connection: Connection, table: Table) -> Any:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
