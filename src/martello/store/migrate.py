"""Brings the tables of a store up to date, forward only, one step after another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, select, text

from martello.core.errors import BadInput
from martello.store.monitor_tables import MONITOR, usual
from martello.store.state import State, translated
from martello.store.tables import meta, metadata
from martello.store.upsert import replaced

Step = Callable[[Connection], None]
_LOCK: Final = 0x6D617274  # of PostgreSQL's advisory locks


_FIRST: Final = (
    "meta",
    "work",
    "approval",
    "head",
    "ref",
    "inventory",
    "image",
    "other",
    "tag",
    "layer",
    "facts",
)


def _first(connection: Connection) -> None:
    metadata.create_all(connection, tables=[metadata.tables[name] for name in _FIRST])


def _monitor(connection: Connection) -> None:
    metadata.create_all(connection, tables=list(MONITOR))


def _usual(connection: Connection) -> None:
    metadata.create_all(connection, tables=[usual])


STEPS: Final[tuple[Step, ...]] = (
    _first,
    _monitor,
    _usual,
)  # the schema's number is how many have been done


def migrate(state: State, steps: Sequence[Step] = STEPS) -> int:
    """Does the steps that are missing, all or none, and returns the number of the schema. On
    SQLite the old file is kept beside it. Raises BadInput for a store of a newer program.
    """
    with state.reading() as connection:
        found = schema(connection)
    if found == len(steps):
        return found
    _refuse_newer(state, found, len(steps))
    if found:
        _back_up(state, found)
    with state.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        found = schema(connection)  # another process may have been faster
        _refuse_newer(state, found, len(steps))
        for step in steps[found:]:
            step(connection)
        row = {"name": "schema", "value": str(len(steps))}
        connection.execute(replaced(connection, meta, row))
    return len(steps)


def schema(connection: Connection) -> int:
    """The number of the schema; 0 for an empty store."""
    if not inspect(connection).has_table("meta"):
        return 0
    value = connection.execute(select(meta.c.value).where(meta.c.name == "schema")).scalar()
    return int(value) if value is not None and value.isdecimal() else 0


def _refuse_newer(state: State, found: int, known: int) -> None:
    if found > known:
        why = f"it is of schema {found}, and this program knows schema {known}"
        raise BadInput(
            f"cannot use {state.where}", why, "update martello, or name another: --state"
        )


def _back_up(state: State, found: int) -> None:
    """A copy of the file as it was, for the one who must go back."""
    file = state.engine.url.database
    if state.engine.dialect.name != "sqlite" or not file or file == ":memory:":
        return
    copy = Path(f"{file}.schema-{found}")
    aside = Path(f"{copy}.{os.getpid()}")
    with translated(state.where), state.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        try:
            driver.execute("VACUUM INTO ?", (str(aside),))
            aside.chmod(0o600)
            os.replace(aside, copy)
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()
