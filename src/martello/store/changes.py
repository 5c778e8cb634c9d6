"""A cheap sign of whether the ledger may have changed, so that it need not be read again."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, func, select

from martello.store.state import State, translated
from martello.store.tables import approval, ref


class Sign(msgspec.Struct, frozen=True):
    """Two that differ stand for a change. `file` differs after any write of another connection, to
    whatever table; it is -1 where the database does not tell.
    """

    rows: int
    refs: int
    resolved: int
    file: int


class Watch:
    """Looks at a store again and again, over one connection that it keeps. For one thread."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._connection: Connection | None = None

    def sign(self) -> Sign:
        """The sign of now. Raises Unreachable; the next call connects anew."""
        try:
            with translated(self._state.where):
                if self._connection is None:
                    self._connection = self._state.engine.connect()
                with self._connection.begin():
                    return _sign(self._connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def _sign(connection: Connection) -> Sign:
    rows = connection.execute(select(func.count()).select_from(approval)).scalar_one()
    found = select(func.count(), func.coalesce(func.max(ref.c.resolved_at), 0))
    refs, resolved = connection.execute(found.select_from(ref)).one()
    file = -1
    if connection.dialect.name == "sqlite":
        file = int(connection.exec_driver_sql("PRAGMA data_version").scalar_one())
    return Sign(int(rows), int(refs), int(resolved), file)
