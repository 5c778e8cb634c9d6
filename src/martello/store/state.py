"""The state store: engines, transactions, and the clock of the database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, exc, text
from sqlalchemy.engine import URL, make_url

from martello.core.closing import Closing
from martello.core.errors import BadInput, MartelloError, Unreachable

_BUSY: Final = 5_000  # milliseconds that a writer waits for another
_CLOCK: Final = {
    "sqlite": "SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000000"
    " + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000",
    "postgresql": "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
}


class State(Closing):
    """An open state store. `with` closes it."""

    def __init__(self, engine: Engine, where: str) -> None:
        self.engine = engine
        self.where = where  # without password

    def close(self) -> None:
        """Lets go of every connection."""
        self.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: on SQLite it is the only one from its first statement on.
        Raises Unreachable or MartelloError with what the database says.
        """
        with self._connected() as connection:
            connection = connection.execution_options(martello_begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the database. Raises as above."""
        level = "REPEATABLE READ" if self.engine.dialect.name == "postgresql" else "SERIALIZABLE"
        with self._connected() as connection:
            if self.engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level=level)
            with connection.begin():
                yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with translated(self.where), self.engine.connect() as connection:
            yield connection


def open_state(url: str) -> State:
    """Opens the store of a URL, `sqlite:///FILE` or `postgresql://…`, and brings its tables up to
    date. Raises BadInput for a URL that cannot be used and for a newer store, Unreachable where
    there is no database.
    """
    from martello.store.migrate import migrate

    state = connect(url)
    try:
        migrate(state)
    except BaseException:
        state.close()
        raise
    return state


def connect(url: str) -> State:
    """A store as it is, without its tables. Raises as above."""
    parsed = _parsed(url)
    where = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() == "sqlite":
        _make_place(parsed, where)
        engine = create_engine(parsed, connect_args={"timeout": _BUSY / 1000})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return State(engine, where)
    try:
        engine = create_engine(parsed, pool_pre_ping=True)
    except ModuleNotFoundError:
        why = "the driver for PostgreSQL is not installed"
        raise BadInput(f"cannot open {where}", why, "pip install 'martello[fleet]'") from None
    return State(engine, where)


def now(connection: Connection) -> int:
    """What time it is for the database: microseconds since 1970. Leases use no other clock."""
    return int(connection.execute(text(_CLOCK[connection.dialect.name])).scalar_one())


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turns what a database raises into errors that say what to do."""
    try:
        yield
    except exc.DBAPIError as error:
        said = str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
        raise _error(where, said) from error
    except exc.TimeoutError as error:
        raise Unreachable(f"cannot use {where}", "all connections are busy") from error


def _error(where: str, said: str) -> MartelloError:
    what = f"cannot use {where}"
    if "not a database" in said or "malformed" in said:
        return BadInput(what, f"it is damaged, or no database: {said}", "move the file away")
    if "locked" in said:
        return Unreachable(what, "another process has kept it locked for 5 seconds", "try again")
    if "disk is full" in said:
        return MartelloError(what, "the disk is full", "free some space: writing it needs 64 MiB")
    if "readonly" in said or "unable to open" in said:
        return Unreachable(
            what, said, "check the directory and its rights, or name another: --state"
        )
    return Unreachable(what, said)


def _parsed(url: str) -> URL:
    next = "sqlite:///FILE or postgresql://HOST/DATABASE"
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise BadInput(
            "cannot use the URL of the state", "it is no URL of a database", next
        ) from None
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        why = f"{parsed.drivername} is neither SQLite nor PostgreSQL"
        raise BadInput("cannot use the URL of the state", why, next)
    return parsed


def _make_place(url: URL, where: str) -> None:
    """The directory, and the file for its owner alone."""
    file = url.database
    if not file or file == ":memory:":
        return
    path = Path(file)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file that is there is not opened: closing it would drop the locks of every connection of
        # this process (https://www.sqlite.org/howtocorrupt.html, 2.2), and another process would
        # take the log away from under them.
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        why = error.strerror or type(error).__name__
        next = "check the directory and its rights, or name another: --state"
        raise Unreachable(f"cannot open {where}", why, next) from error


def _prepare(connection: Any, _: object) -> None:
    """Of each SQLite connection: transactions are ours to begin, and survive a power cut."""
    connection.isolation_level = None
    cursor = connection.cursor()
    _patiently(lambda: cursor.execute("PRAGMA journal_mode = WAL"))
    for pragma in (f"busy_timeout = {_BUSY}", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _patiently(change: Callable[[], object], tries: int = 50) -> None:
    """SQLite does not wait for others while it changes to WAL: of two that open a new file at the
    same time one is told `locked`, or an I/O error where the other just took its log away.
    """
    import sqlite3
    import time

    for left in range(tries, 0, -1):
        try:
            change()
            return
        except sqlite3.OperationalError as error:
            passing = "locked" in str(error) or "disk I/O error" in str(error)
            if not passing or left == 1:
                raise
            time.sleep(0.05)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("martello_begin", "BEGIN"))
