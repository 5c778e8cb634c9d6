"""How far each chain of the ledger was when it was last read: kept on disk, outside the database,
so that a database which was rolled back, cut or written anew is noticed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from martello.core.errors import BadInput, Refused, Unreachable


class Seen(msgspec.Struct, frozen=True):
    """The last row of a chain."""

    seq: int
    hash: str


class SeenHeads:
    """The file. What it says only ever grows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, issuer: str) -> Seen | None:
        """What was seen of an issuer. Raises Refused where the file cannot be understood, for then
        nobody knows what was seen.
        """
        return self._read().get(issuer)

    def keep(self, heads: Mapping[str, Seen]) -> None:
        """Remembers these ends, beside those of other issuers; an older one changes nothing.
        Written aside and renamed. Raises Unreachable.
        """
        if not _newer(heads, self._read()):
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                known = self._read()
                newer = _newer(heads, known)
                if newer:
                    self._write(msgspec.json.encode({**known, **newer}, order="sorted"))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise Unreachable(f"cannot write {self.path}", why, "check its directory") from error

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process changes the file meanwhile: what it has seen would be forgotten."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        with open(os.open(lock, flags, 0o600), "rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def _write(self, content: bytes) -> None:
        # a name that nobody can have laid a link at
        aside = self.path.with_name(f".{self.path.name}.{os.urandom(8).hex()}")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(aside, flags, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self.path)
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()

    def _read(self) -> dict[str, Seen]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise BadInput(f"cannot read {self.path}", error.strerror or "") from error
        try:
            return msgspec.json.decode(content, type=dict[str, Seen])
        except (msgspec.DecodeError, UnicodeDecodeError):
            why = "it is no longer what was written: what was seen of the ledger is not known"
            next = "verify the ledger by other means, then delete the file"
            raise Refused(f"cannot trust {self.path}", why, next) from None


def _newer(heads: Mapping[str, Seen], known: Mapping[str, Seen]) -> dict[str, Seen]:
    return {i: s for i, s in heads.items() if i not in known or s.seq > known[i].seq}
