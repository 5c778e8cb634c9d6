"""Audit log files read event by event: one a line, lists and arrays, compressed or rotated ones.

Whatever cannot be read is a gap with its place; everything around it is read. No file is held in
memory: one event, or one list of events that is written as a single value, is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from martello.adapters.audit.cloud import unwrapped
from martello.adapters.audit.event import NotAnEvent, event_of, typed
from martello.adapters.flows.lines import named, shown
from martello.adapters.tarheader import TarTrouble
from martello.adapters.unpack import unpacked
from martello.core.errors import BadInput, NotPermitted
from martello.core.event import AuditEvent, Gap

LONGEST: Final = 64 << 20  # bytes of one value: the body that an API server sends at most
STDIN: Final = "-"
_PART: Final = 1 << 18
_FREE: Final = 1 << 28  # unpacked bytes that no ratio is asked of
_LARGEST_RATIO: Final = 1000
_MOST_GAPS: Final = 1000
_MOST_TRIES: Final = 4  # at a value of several lines that looks finished and is not
_loose: Final = msgspec.json.Decoder().decode
_MARK: Final = b"\xef\xbb\xbf"  # that some editors put first
_WRONG: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class AuditReading:
    """The events of some files as they are read. The counts are right once it has been walked; to
    walk it again reads the files again.
    """

    def __init__(self, files: Sequence[str], stdin: BinaryIO | None = None) -> None:
        self._files = tuple(files)
        self._stdin = stdin
        self._begin()

    @property
    def files(self) -> tuple[str, ...]:
        """The files that are meant, in the order in which they are read."""
        return self._files

    def _begin(self) -> None:
        self.events = 0
        self.bytes = 0  # of text, unpacked
        self.gaps: tuple[Gap, ...] = ()  # the first thousand
        self.gap_count = 0

    def __iter__(self) -> Iterator[AuditEvent]:
        """Raises BadInput where a file is not there or holds no event but other text;
        NotPermitted.
        """
        self._begin()
        for path in self._files:
            for found in _Values(path, shown(path) if path != STDIN else "stdin", self.parts(path)):
                if isinstance(found, AuditEvent):
                    self.events += 1
                    yield found
                else:
                    self._gap(found)
        if not self.events and self.gaps:
            gap = self.gaps[0]
            what = f"{', '.join(map(shown, self._files[:3]))}: no audit event"
            raise BadInput(what, f"at byte {gap.offset} of {gap.where}: {gap.why}")

    def _gap(self, gap: Gap) -> None:
        self.gap_count += 1
        if len(self.gaps) < _MOST_GAPS:
            self.gaps += (gap,)

    def parts(self, path: str) -> Iterator[bytes]:
        """The unpacked bytes of one of the files. Raises BadInput, NotPermitted."""
        name = shown(path)
        try:
            if path == STDIN:
                yield from self._counted(_arriving(self._stdin or sys.stdin.buffer), name)
                return
            with open(path, "rb") as file:
                yield from self._counted(_arriving(file), name)
        except PermissionError as error:
            raise NotPermitted(f"cannot read {name}", "you may not read it") from error
        except OSError as error:
            raise BadInput(f"cannot read {name}", error.strerror or "it cannot be read") from error

    def _counted(self, parts: Iterator[bytes], name: str) -> Iterator[bytes]:
        """The unpacked bytes. Refuses a bomb."""
        packed = 0

        def counted() -> Iterator[bytes]:
            nonlocal packed
            for part in parts:
                packed += len(part)
                yield part

        kind, within = unpacked(counted())
        size = 0
        for part in within:
            size += len(part)
            self.bytes += len(part)
            if kind and size > _FREE and size > _LARGEST_RATIO * packed:
                why = f"it unpacks to more than {_LARGEST_RATIO} times its size"
                raise BadInput(f"cannot read {name}", why)
            yield part


def read_audit(paths: Sequence[str], *, stdin: BinaryIO | None = None) -> AuditReading:
    """The events of files, patterns of files, directories (every file in them) and standard input
    (`-`), gzip and zstd ones too. Raises BadInput.
    """
    wanted: list[str] = []
    for path in paths:
        if path != STDIN and Path(path).is_dir():
            try:
                inside = [one for one in Path(path).iterdir() if one.is_file()]
            except OSError as error:
                raise BadInput(f"cannot read {path}", error.strerror or str(error)) from None
            wanted += [str(one) for one in sorted(inside, key=_age)]
        else:
            wanted.append(path)
    return AuditReading(named(wanted), stdin)


def _age(path: Path) -> tuple[bool, str]:
    """Rotated files bear their time in their names and come before the one that is written."""
    return (not any(c.isdigit() for c in path.name), path.name)


def _arriving(file: BinaryIO) -> Iterator[bytes]:
    read = getattr(file, "read1", file.read)
    while part := read(_PART):
        yield part


class _Values:
    """The values of one text: a line each, or over several lines as programs indent them."""

    def __init__(self, path: str, name: str, parts: Iterator[bytes]) -> None:
        self._name = name
        self._parts = parts
        self._held: list[bytes] = []  # lines of a value that is not finished
        self._held_at = 0
        self._held_size = 0
        self._tries = 0

    def __iter__(self) -> Iterator[AuditEvent | Gap]:
        at = 0
        for line, size in _lines(self._parts):
            if line is None:
                yield from self._drop("it does not end")
                why = f"a value is longer than {LONGEST >> 20} MiB" if size else self._cut
                yield Gap(self._name, at, size, why)
            elif self._held:
                yield from self._more(line, at, size)
            elif line and not line.isspace():
                try:
                    yield event_of(typed(line))
                except (NotAnEvent, *_WRONG):
                    yield from self._other(line, at, size)
            at += size
        yield from self._drop("the last one is not finished")

    _cut = "the file is cut or damaged here"

    def _other(self, line: bytes, at: int, size: int) -> Iterator[AuditEvent | Gap]:
        """A line that is no plain event."""
        text = line.strip().removeprefix(_MARK)
        if text[-1:] == b",":
            text = text[:-1]  # of an array with an element a line
        if text[:1] == b"]" or not text:
            return
        try:
            raw = _loose(text)
        except _WRONG as error:
            if text[:1] in (b"{", b"[") and "truncated" in str(error):
                self._held, self._held_at = [text], at
                self._held_size, self._tries = size, 0
                return
            yield from self._damaged(text, at, size, _fault(error))
            return
        yield from self._events(raw, at, size)

    def _damaged(self, text: bytes, at: int, size: int, why: str) -> Iterator[AuditEvent | Gap]:
        """An event whose text is no UTF-8 is read with its wrong bytes replaced, and flagged."""
        if "utf" not in why.lower():
            yield Gap(self._name, at, size, why)
            return
        try:
            mended = text.decode("utf-8", "replace").encode()
            yield event_of(typed(mended), ("bad_utf8", "partial"))
        except (NotAnEvent, *_WRONG):
            yield Gap(self._name, at, size, why)

    def _events(self, raw: object, at: int, size: int) -> Iterator[AuditEvent | Gap]:
        for found in unwrapped(raw):
            yield found if isinstance(found, AuditEvent) else Gap(self._name, at, size, str(found))

    def _more(self, line: bytes, at: int, size: int) -> Iterator[AuditEvent | Gap]:
        """One more line behind one that was not finished."""
        if line[:1] == b"{":  # an event of its own: what was held is half of one
            try:
                found = event_of(typed(line.rstrip().removesuffix(b",")))
            except (NotAnEvent, *_WRONG):
                pass
            else:
                head = b"".join(self._held).rstrip()
                if head.endswith(b"["):  # of a list with an element a line
                    self._held = []
                yield from self._drop("it is not finished")
                yield found
                return
        self._held.append(line)
        self._held_size += size
        if self._held_size > LONGEST:
            yield from self._drop(f"a value is longer than {LONGEST >> 20} MiB")
        elif line[:1] in (b"}", b"]"):
            yield from self._try()

    def _try(self) -> Iterator[AuditEvent | Gap]:
        try:
            raw = _loose(b"\n".join(self._held))
        except _WRONG as error:
            self._tries += 1
            if "truncated" not in str(error) or self._tries >= _MOST_TRIES:
                yield from self._drop(_fault(error))
            return
        self._held = []
        yield from self._events(raw, self._held_at, self._held_size)

    def _drop(self, why: str) -> Iterator[Gap]:
        if self._held:
            yield Gap(self._name, self._held_at, self._held_size, why)
            self._held = []


def _fault(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else "it is no JSON"


def _lines(parts: Iterator[bytes]) -> Iterator[tuple[bytes | None, int]]:
    """Each line without its end, its size with it, and whether it has one. None for a line that is
    too long, and (with size 0) where the rest cannot be unpacked.
    """
    held: list[bytes] = []
    size = 0
    broken = False
    while not broken:
        try:
            part = next(parts, None)
        except TarTrouble:
            part, broken = None, True
        if part is None:
            break
        begun = part.split(b"\n")
        rest = begun.pop()
        if begun:
            size += len(begun[0])
            first = b"".join((*held, begun[0])) if held else begun[0]
            yield (first if size <= LONGEST else None), size + 1
            for line in begun[1:]:
                yield line, len(line) + 1
            held, size = [], 0
        size += len(rest)
        if size <= LONGEST:
            held.append(rest)
        else:
            held = []
    if size:
        yield (b"".join(held) if size <= LONGEST else None), size
    if broken:
        yield None, 0
