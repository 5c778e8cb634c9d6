"""Reads flows of any known format, one after the other, and tells afterwards what was not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import BinaryIO, Final

from martello.adapters.flows.detect import READERS, content, detect, of_containers
from martello.adapters.flows.ends import BadLine, Ends, One, Read
from martello.adapters.flows.lines import LONGEST, Batch, batches, named, shown
from martello.core.errors import BadInput
from martello.core.flow import Flow

MAX_BAD: Final = 0.01
_FEWEST: Final = 100  # lines that a share of bad ones is taken of, at least
_HOPELESS: Final = 1000  # bad lines after which a file that is mostly bad is not read on
_SHOWN: Final = 3
_LINES_TO_TELL: Final = 100
_BYTES_TO_TELL: Final = 1 << 20
_MARK: Final = b"\xef\xbb\xbf"  # that some editors put first


class FlowReading:
    """The flows of some files as they are read: memory does not grow with them. The counts are
    right once it has been walked; to walk it again reads the files again.
    """

    def __init__(
        self,
        files: Sequence[str],
        reader: str = "",
        stdin: BinaryIO | None = None,
        max_bad: float = MAX_BAD,
        follow: bool = False,
    ) -> None:
        self._begin()
        self._files = tuple(files)
        self._reader = reader
        self._stdin = stdin
        self._max_bad = max_bad
        self._follow = follow
        self._ends = Ends()

    def _begin(self) -> None:
        self.lines = 0  # that are not empty, or records where a line holds many
        self.flows = 0
        self.bad = 0
        self.first_bad: tuple[str, ...] = ()  # `file:line: why`
        self.skipped: Counter[str] = Counter()  # by reason: no faults, and no flows
        self.readers: dict[str, str] = {}  # file → format

    def __iter__(self) -> Iterator[Flow]:
        """Raises BadInput where a file cannot be read, its format is not known or too many of its
        lines are bad; NotPermitted.
        """
        self._begin()
        for path in self._files:
            yield from self._file(path)
        if self.bad > self._max_bad * max(self.lines, _FEWEST):
            raise self._too_bad()

    def _file(self, path: str) -> Iterator[Flow]:
        name = "stdin" if path == "-" else shown(path)
        number = 0
        with closing(self._batches(path, name)) as found:
            for read, batch in found:
                for line in batch:
                    number += 1
                    if line is not None and (not line or line.isspace()):
                        continue
                    self.lines += 1
                    witness = f"{name}:{number}"
                    try:
                        if line is None:
                            raise BadLine(f"it is longer than {LONGEST >> 20} MiB")
                        one = read(line, witness)
                    except BadLine as fault:
                        self._count(fault, witness)
                        continue
                    if isinstance(one, Flow):
                        self.flows += 1
                        yield one
                    elif isinstance(one, tuple):
                        self.lines += max(len(one) - 1, 0)
                        for part in one:
                            if isinstance(part, Flow):
                                self.flows += 1
                                yield part
                            else:
                                self._count(part, witness)
                    else:
                        self.skipped[one] += 1

    def _batches(self, path: str, name: str) -> Generator[tuple[Read, Batch], None, None]:
        """The lines of a file and what reads them, as soon as its first lines have told."""
        held: Batch = []
        read: Read | None = None
        for batch in batches(path, self._stdin, self._follow):
            if read is not None:
                yield read, batch
                continue
            if not held and batch and batch[0]:
                batch[0] = batch[0].removeprefix(_MARK)
            held += batch
            size = sum(len(line or b"") for line in held)
            final = len(held) >= _LINES_TO_TELL or size >= _BYTES_TO_TELL
            read = self._reads(held, name, final)
            if read is not None:
                yield read, held
                held = []
        if read is None and any(line is None or line.strip() for line in held):
            read = self._reads(held, name, True)
            if read is not None:
                yield read, held

    def _reads(self, lines: Batch, name: str, final: bool) -> Read | None:
        first = [line.strip() for line in lines[:_LINES_TO_TELL] if line]
        wrapped = any(content(line) != line for line in first)
        if wrapped:
            first = [content(line) for line in first]
        kind = self._reader or detect(first)
        if kind:
            self.readers[name] = kind
            read = READERS[kind](self._ends)
            return of_containers(read) if wrapped else read
        if final:
            raise BadInput(
                f"cannot tell what flows {name} holds",
                "its first lines are of no known format",
                f"name one of the readers: {', '.join(READERS)}",
            )
        return None

    def _count(self, one: One | BadLine, witness: str) -> None:
        if not isinstance(one, BadLine):
            self.skipped[str(one)] += 1
            return
        self.bad += 1
        if len(self.first_bad) < _SHOWN:
            self.first_bad += (f"{witness}: {one}",)
        if self.bad >= _HOPELESS and self.bad > max(0.5, self._max_bad) * self.lines:
            raise self._too_bad()

    def _too_bad(self) -> BadInput:
        what = f"{self.bad} of {self.lines} lines are no flows"
        next = "name their format as reader, or allow more bad lines (--max-bad)"
        return BadInput(what, "; ".join(self.first_bad), next)


def read_flows(
    paths: Sequence[str],
    *,
    reader: str = "",
    stdin: BinaryIO | None = None,
    max_bad: float = MAX_BAD,
    follow: bool = False,
) -> FlowReading:
    """The flows of files, of patterns of files (`hubble/*.jsonl`) and of standard input (`-`),
    compressed or not. The format is told by the first lines where `reader` names none. `follow`
    waits for lines that are written later, to one file. Raises BadInput.
    """
    if reader and reader not in READERS:
        next = f"the readers are {', '.join(READERS)}"
        raise BadInput(
            f"there is no reader {shown(reader)}", "flows of that format are not read", next
        )
    if not 0 <= max_bad <= 1:
        raise BadInput("cannot use that share of bad lines", "it is not between 0 and 1")
    files = named(paths)
    if follow and len(files) > 1:
        raise BadInput("cannot follow several files", "only one can be waited for", "name one")
    return FlowReading(files, reader, stdin, max_bad, follow)
