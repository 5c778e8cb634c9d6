"""Audit log files read in batches of columns: what `files.py` reads event by event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from martello.adapters.audit import bulk
from martello.adapters.audit.columns import Origin
from martello.adapters.audit.files import STDIN, AuditReading
from martello.adapters.flows.lines import shown
from martello.adapters.tarheader import TarTrouble
from martello.core.errors import BadInput
from martello.core.event import Gap

ROWS: Final = 10_000  # events of a batch at most, about
_PIECE: Final = 8 << 20  # bytes of a batch
_WHOLE: Final = 256 << 20  # of a file that is one value over many lines
_LINE: Final = 64 << 20  # of a line: what is longer is a gap, no request is as large
_MOST_GAPS: Final = 1_000
_document: Final = msgspec.json.Decoder(msgspec.Raw).decode


class AuditBatches:
    """The events of some files as tables of kind audit. The counts are right once it has been
    walked. Every part that is no event is a gap.
    """

    def __init__(self, files: Sequence[str], origin: Origin, stdin: BinaryIO | None = None) -> None:
        self._files = tuple(files)
        self._origin = origin
        self._reading = AuditReading(files, stdin)
        self.events = 0
        self.bytes = 0
        self.gaps: tuple[Gap, ...] = ()  # the first thousand
        self.gap_count = 0

    def __iter__(self) -> Iterator[pa.Table]:
        """Raises BadInput where a file cannot be read or none holds an event; NotPermitted."""
        for path in self._files:
            name = "stdin" if path == STDIN else shown(path)
            at = 0
            for piece in self._pieces(path, name):
                found = bulk.read(piece, self._origin)
                for fault in found.faults:
                    self._gap(Gap(name, at, 0, fault.why))
                at += len(piece)
                self.bytes += len(piece)
                self.events += found.rows.num_rows
                for first in range(0, found.rows.num_rows, ROWS):
                    yield found.rows.slice(first, ROWS)
        if not self.events and self.gaps:
            gap = self.gaps[0]
            raise BadInput(f"{gap.where}: no audit event", f"near byte {gap.offset}: {gap.why}")

    def _gap(self, gap: Gap) -> None:
        self.gap_count += 1
        if len(self.gaps) < _MOST_GAPS:
            self.gaps += (gap,)

    def _pieces(self, path: str, name: str) -> Iterator[bytes]:
        """Whole lines, some MiB at a time; a file that is one value over many lines at once."""
        held: list[bytes] = []
        seen = size = open_ = 0  # bytes of the file, held, and of those without an end of line
        lines: bool | None = None  # whether every line is a document
        skips = False  # whether this is still a line that was too long
        for part in self._parts(path, name):
            seen += len(part)
            if skips:
                skips = b"\n" not in part
                part = part.partition(b"\n")[2]
            cut = part.rfind(b"\n") + 1
            held.append(part)
            size += len(part)
            open_ = len(part) - cut if cut else open_ + len(part)
            if lines is None and cut:
                lines = _by_line(b"".join(held))
            if lines and (size - open_ >= _PIECE or open_ > _LINE):
                text = b"".join(held)
                yield text[: size - open_]
                held, size = [text[size - open_ :]], open_
            if lines and open_ > _LINE:
                self._gap(Gap(name, seen - open_, 0, f"a line is over {_LINE >> 20} MiB"))
                held, size, open_, skips = [], 0, 0, True
            elif size > _WHOLE:
                raise BadInput(
                    f"cannot read {name}",
                    f"one value is over {_WHOLE >> 20} MiB",
                    "write one event a line",
                )
        if size:
            yield b"".join(held)

    def _parts(self, path: str, name: str) -> Iterator[bytes]:
        """The bytes of a file, until it is cut or damaged."""
        size = 0
        try:
            for part in self._reading.parts(path):
                size += len(part)
                yield part
        except TarTrouble as error:
            self._gap(Gap(name, size, 0, f"the file is cut or damaged here: {error}"))


def _by_line(text: bytes) -> bool:
    """Whether a text begins with a line that is a document of its own."""
    first = text.lstrip().partition(b"\n")[0]
    try:
        _document(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return first[:1] not in (b"{", b"[")  # not JSON at all: by lines, each a gap
    return True
