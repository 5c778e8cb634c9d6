"""Files of samples as a source: CSV (also gzipped) and Parquet, told apart by how they begin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from martello.adapters.usage import csv_file
from martello.adapters.usage.owners import Owners
from martello.adapters.usage.spill import BLOCK, Spill
from martello.core.errors import BadInput
from martello.core.usage import Chunk, Counts, Gap

_PARQUET: Final = b"PAR1"


class Files:
    """A Source over files of samples, see `columns`. `owners` knows whose pods are where a file
    does not say it.
    """

    def __init__(
        self, files: Sequence[str | Path], *, owners: Owners | None = None, block: int = BLOCK
    ) -> None:
        self.counts = Counts()
        self._files = [Path(file).expanduser() for file in files]
        self._owners = owners
        self._block = block

    def chunks(self, since: float, until: float) -> Iterator[Chunk | Gap]:
        """The samples of a time window, see core.usage.Source. Raises BadInput for a file that
        holds none, ModuleNotFoundError of pyarrow for Parquet without the extra `monitor`.
        """
        with Spill(block=self._block) as spill:
            for file in self._files:
                self.counts.queries += 1
                if _head(file) == _PARQUET:
                    from martello.adapters.usage import parquet_file

                    yield from parquet_file.read(file, since, until, spill, self.counts)
                else:
                    yield from csv_file.read(file, since, until, spill, self.counts)
            yield from spill.chunks(self._owners, self.counts)


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_PARQUET))
    except OSError as error:
        why = error.strerror or str(error)
        raise BadInput(f"cannot read {file}", why, "name a file of samples") from None
