"""The state store: URLs, files, transactions, the clock, migrations, and what tables may hold."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Connection, DateTime, insert, inspect, select, text

from martello.core.errors import BadInput, MartelloError, Unreachable
from martello.store.migrate import STEPS, migrate, schema
from martello.store.state import State, connect, now, open_state
from martello.store.tables import meta, metadata


def _url(path: Path) -> str:
    return f"sqlite:///{path / 'state' / 'state.db'}"


def test_a_store_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with open_state(_url(tmp_path)) as state, state.reading() as connection:
        assert schema(connection) == len(STEPS)
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 5000
    file = tmp_path / "state" / "state.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "url", ["", "x", "state.db", "mysql://h/d", "sqlite+aiosqlite:///x", "postgresql+asyncpg://h/d"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(BadInput, match="cannot use the URL of the state"):
        connect(url)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(MartelloError) as caught:  # no driver, or nobody listens
        open_state("postgresql://me:hunter2@127.0.0.1:1/db")
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1" in caught.value.what


def test_a_directory_that_cannot_be_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(Unreachable, match="cannot open"):
        open_state(_url(tmp_path))


def test_a_second_state_of_a_process_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Whoever opens and closes the file itself drops them: another process, the last one as far as
    it can see, then takes away the log.
    """
    look = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM meta')"
    with open_state(_url(tmp_path)) as first, first.reading() as connection:
        assert schema(connection) == len(STEPS)
        with connect(_url(tmp_path)):
            pass
        file = tmp_path / "state" / "state.db"
        subprocess.run([sys.executable, "-c", f"{look}; c.close()", str(file)], check=True)
        assert Path(f"{file}-wal").exists()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"no database at all, " * 100)
    with pytest.raises(BadInput) as caught:
        open_state(f"sqlite:///{file}")
    assert "damaged" in caught.value.why


def test_t3_now_is_the_databases(tmp_path: Path) -> None:
    with open_state(_url(tmp_path)) as state, state.reading() as connection:
        assert abs(now(connection) / 1e6 - time.time()) < 5


def _write_and_fail(state: State) -> None:
    with state.writing() as connection:
        connection.execute(insert(meta).values(name="x", value="y"))
        raise ZeroDivisionError


def _fill(state: State) -> None:
    with state.writing() as connection:
        connection.execute(text("PRAGMA max_page_count = 1"))
        connection.execute(text("CREATE TABLE big AS SELECT zeroblob(1000000) AS z"))


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    with open_state(_url(tmp_path)) as state:
        with pytest.raises(ZeroDivisionError):
            _write_and_fail(state)
        with state.reading() as connection:
            assert connection.execute(select(meta.c.name)).scalars().all() == ["schema"]


def test_a_reader_sees_one_moment(tmp_path: Path) -> None:
    with open_state(_url(tmp_path)) as state, state.reading() as reader:
        assert len(reader.execute(select(meta)).all()) == 1
        with state.writing() as writer:
            writer.execute(insert(meta).values(name="x", value="y"))
        assert len(reader.execute(select(meta)).all()) == 1


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with open_state(_url(tmp_path)) as state:
        with pytest.raises(MartelloError, match="cannot use") as caught:
            _fill(state)
        assert caught.value.why == "the disk is full"
        with state.reading() as connection:
            assert schema(connection) == len(STEPS)


def _open(url: str, ready: object) -> None:
    with open_state(url) as state, state.writing() as connection:
        connection.execute(text("SELECT 1"))


def test_several_processes_may_open_a_new_store(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open, args=(_url(tmp_path), None)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]


def _second(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE added (x INTEGER)"))


def _broken(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE half (x INTEGER)"))
    connection.execute(text("CREATE TABLE half (x INTEGER)"))


def test_t7_an_older_store_is_migrated_after_a_copy(tmp_path: Path) -> None:
    url = _url(tmp_path)
    with open_state(url) as state:
        assert migrate(state, (*STEPS, _second)) == len(STEPS) + 1
        with state.writing() as connection:
            connection.execute(text("INSERT INTO added VALUES (1)"))
        assert migrate(state, (*STEPS, _second)) == len(STEPS) + 1
    copy = tmp_path / "state" / f"state.db.schema-{len(STEPS)}"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with connect(f"sqlite:///{copy}") as old, old.reading() as connection:
        assert schema(connection) == len(STEPS)
    with pytest.raises(BadInput) as caught:  # now it is newer than this program
        open_state(url)
    assert f"schema {len(STEPS) + 1}" in caught.value.why


def test_t7_a_migration_that_breaks_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    with open_state(_url(tmp_path)) as state:
        with pytest.raises(MartelloError):
            migrate(state, (*STEPS, _second, _broken))
        with state.reading() as connection:
            assert schema(connection) == len(STEPS)
            names = connection.execute(text("SELECT name FROM sqlite_master")).scalars().all()
        assert not {"half", "added"}.intersection(names)
        assert migrate(state, (*STEPS, _second)) == len(STEPS) + 1


def test_t7_a_store_of_every_earlier_schema_is_migrated(tmp_path: Path) -> None:
    for number in range(1, len(STEPS)):
        with connect(f"sqlite:///{tmp_path / f'{number}.db'}") as state:
            assert migrate(state, STEPS[:number]) == number
            with state.writing() as connection:
                row = {"name": "kept", "digest": "d", "resolved_at": 1, "not_after": 2}
                connection.execute(insert(metadata.tables["ref"]).values(row))
            assert migrate(state) == len(STEPS)
            with state.reading() as connection:
                assert connection.execute(select(metadata.tables["ref"])).all()
                found = set(inspect(connection).get_table_names())
        assert found == set(metadata.tables)


def test_t5_no_table_holds_events() -> None:
    """No table may become a log: the lake holds events."""
    for table in metadata.tables.values():
        assert not {"raw", "payload", "event", "events"}.intersection(table.columns.keys())


def test_t2_times_are_integers() -> None:
    for table in metadata.tables.values():
        for column in table.columns:
            assert not isinstance(column.type, DateTime)
            if column.name.endswith("_at") or column.name in ("until", "not_after"):
                assert isinstance(column.type, BigInteger), f"{table.name}.{column.name}"


def test_the_tables_and_upserts_are_postgresqls_too() -> None:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateTable

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        ddl = str(CreateTable(table).compile(dialect=dialect))
        assert "SERIAL" not in ddl
    assert "BYTEA" in str(CreateTable(metadata.tables["facts"]).compile(dialect=dialect))


def test_no_connection_is_left_open(tmp_path: Path) -> None:
    state: State = open_state(_url(tmp_path))
    state.close()
    plain = sqlite3.connect(tmp_path / "state" / "state.db")
    plain.execute("BEGIN EXCLUSIVE")
    plain.close()
