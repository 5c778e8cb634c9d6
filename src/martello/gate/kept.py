"""The snapshot on disk, for a start while the ledger cannot be reached.

It carries a message authentication code (HMAC-SHA-256) under a key of the gate's own. A signature
of the ledger would not do: the gate holds no key that could approve anything. Who may read the
gate's key may write snapshots; who may write the file only, may not.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from martello.core.approval import Approvals, Pin, Standing
from martello.core.errors import BadInput, Refused, Unreachable
from martello.core.secret import Secret

_HEAD: Final = b"martello.dev/gate-snapshot/v1\n"
_MAC: Final = hashlib.sha256().digest_size
_LARGEST: Final = 512 << 20
_KEY: Final = 32

_Row = tuple[str, int, str, str]


class _Content(msgspec.Struct, frozen=True, array_like=True):
    at: int
    version: int
    decided: list[tuple[str, str, dict[str, tuple[_Row, ...]]]]
    refs: dict[str, tuple[str, int]]


class Kept:
    """The file. It counts only for the trust it was written under: the names of the keys whose
    approvals count are part of the code.
    """

    def __init__(self, path: Path, key: Secret, trusted: Iterable[str]) -> None:
        self.path = path
        self._key = bytes.fromhex(key.reveal())
        self._trust = "\n".join(sorted(trusted)).encode()

    def save(self, approvals: Approvals) -> None:
        """Writes it aside and renames it. Raises Unreachable."""
        payload = msgspec.msgpack.encode(_content(approvals))
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(_HEAD + self._code(payload))
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink()
            why = error.strerror or type(error).__name__
            raise Unreachable(f"cannot write {self.path}", why, "check its directory") from error

    def load(self) -> Approvals | None:
        """What was kept; None where there is no file. Raises Refused where it is not what was
        written, or was written under another trust.
        """
        try:
            with open(self.path, "rb") as file:
                raw = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadInput(f"cannot read {self.path}", error.strerror or "") from error
        payload = raw[len(_HEAD) + _MAC :]
        code = raw[len(_HEAD) : len(_HEAD) + _MAC]
        what = f"cannot use {self.path}"
        if not raw.startswith(_HEAD) or not hmac.compare_digest(code, self._code(payload)):
            why = "it was not written by this gate, or for other keys"
            raise Refused(what, why, "delete it: it is made anew from the ledger")
        try:
            return _approvals(msgspec.msgpack.decode(payload, type=_Content))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Refused(what, "it is of another version", "delete it") from None

    def _code(self, payload: bytes) -> bytes:
        trust = hashlib.sha256(self._trust).digest()
        return hmac.new(self._key, _HEAD + trust + payload, hashlib.sha256).digest()


def gate_key(path: Path) -> Secret:
    """The gate's key of a file, 64 hex digits; made where there is none. Raises BadInput."""
    try:
        with contextlib.suppress(FileNotFoundError):
            return _read_key(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(os.urandom(_KEY).hex().encode() + b"\n")
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)  # another process may have been faster: its key holds
        aside.unlink()
        return _read_key(path)
    except OSError as error:
        raise BadInput(f"cannot use the key {path}", error.strerror or "") from error


def _read_key(path: Path) -> Secret:
    text = path.read_bytes()[:1024].strip()
    if len(text) != 2 * _KEY or not all(byte in b"0123456789abcdef" for byte in text):
        raise BadInput(f"cannot use the key {path}", "it is no 64 hex digits", "delete it")
    return Secret(text.decode())


def _content(approvals: Approvals) -> _Content:
    decided = [
        (policy, keys, {d: tuple(_row(one) for one in rows) for d, rows in by.items()})
        for (policy, keys), by in approvals.decided.items()
    ]
    refs = {name: (pin.digest, pin.not_after) for name, pin in approvals.refs.items()}
    return _Content(approvals.at, approvals.version, decided, refs)


def _row(one: Standing) -> _Row:
    return one.outcome, one.not_after, one.issuer, one.message


def _approvals(content: _Content) -> Approvals:
    decided: dict[tuple[str, str], Mapping[str, tuple[Standing, ...]]] = {}
    shared: dict[tuple[_Row, ...], tuple[Standing, ...]] = {}  # most digests have one of a few
    for policy, keys, by in content.decided:
        for rows in by.values():
            if rows not in shared:
                shared[rows] = tuple(Standing(*row) for row in rows)
        decided[policy, keys] = {digest: shared[rows] for digest, rows in by.items()}
    refs = {name: Pin(*pin) for name, pin in content.refs.items()}
    return Approvals(content.at, version=content.version, decided=decided, refs=refs)
