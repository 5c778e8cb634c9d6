"""The blob of a layer as one stream: decompressed, and hashed on both sides, in one pass.

Large layers are hashed on a thread of their own: hashing and decompressing both let go of the
interpreter's lock, so that they and the walking of headers overlap.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Self

from martello.adapters import tar
from martello.adapters.tar import Entry, Limits, TarTrouble, TooMuch
from martello.adapters.unpack import LARGEST_PART, unpacked
from martello.core.artifact import Descriptor, parse_digest
from martello.core.body import Body
from martello.core.closing import Closing
from martello.core.errors import Refused

if TYPE_CHECKING:
    from hashlib import _Hash

_ALONE: Final = 4 << 20  # bytes of a layer from which a thread is worth its start
_AHEAD: Final = 12  # parts that wait to be hashed, at most
_TASKS = SimpleQueue["tuple[_Hash, bytes] | None"]


class Measured(NamedTuple):
    """What a layer turned out to be. Sizes in bytes."""

    blob: str  # digest of the bytes as they lie in the registry
    diff_id: str  # digest of the archive within
    compressed: int
    uncompressed: int


class LayerStream(Closing):
    """Reads a layer once. With `expected` and `diff_id`, `finish` holds it to them.

    Raises TarTrouble for what cannot be read, TooMuch (one of its kind) where a limit strikes,
    Refused where a digest or a size is not what was promised, and whatever `blob` raises.
    """

    def __init__(
        self,
        blob: Iterator[bytes],
        *,
        expected: Descriptor | None = None,
        diff_id: str = "",
        limits: Limits = tar.DEFAULT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._expected = expected
        self._diff_id = diff_id
        self._limits = limits
        self._clock = clock
        self._until = clock() + limits.seconds
        self._digest = _hash(expected.digest if expected else "")
        self._inner = _hash(diff_id)
        self._hashing = _Hashing()
        self._input = _Received(blob, self._digest, self._hashing, expected)
        self._uncompressed = 0
        self._output: Iterator[bytes] | None = None
        self._rest = b""
        self._same = False  # plain bytes: one digest is the other
        self._failed: Exception | None = None
        self._measured: Measured | None = None

    @property
    def compressed(self) -> int:
        """Bytes of the blob that were read so far."""
        return self._input.size

    def read(self, size: int) -> bytes:
        """The next bytes of the archive, at most `size`, none at the end."""
        if self._failed is not None:
            raise self._failed
        part = self._rest or self._next()
        if len(part) > size:
            self._rest = part[size:]
            return part[:size]
        self._rest = b""
        return part

    def walk(self) -> Iterator[tuple[Entry, Body]]:
        """The entries, as `tar.walk` has them, and the check of both digests after the last."""
        try:
            yield from tar.walk(self.read, self._limits, self._clock)
        except TooMuch:
            raise
        except TarTrouble:
            if self._failed is None:
                self.finish()  # bytes of another digest are refused, not merely malformed
            raise
        self.finish()

    def finish(self) -> Measured:
        """Reads the rest, padding included, and says what was read. Raises as the class says."""
        if self._measured is None:
            while self.read(LARGEST_PART):
                pass
            self._hashing.end()
            self._check_blob()
            diff_id = _written(self._digest if self._same else self._inner)
            if self._diff_id and diff_id != self._diff_id:
                why = f"the configuration promises {self._diff_id}, it holds {diff_id}"
                self._refuse("a layer is not the one that its image names", why)
            blob = _written(self._digest)
            self._measured = Measured(blob, diff_id, self._input.size, self._uncompressed)
        return self._measured

    def close(self) -> None:
        """Lets go of the blob and of the thread; nothing is checked."""
        self._hashing.end()
        self._input.close()

    def _next(self) -> bytes:
        try:
            if self._output is None:
                kind, self._output = unpacked(self._input)
                self._same = not kind and self._inner.name == self._digest.name
            part = b""
            for part in self._output:
                if self._clock() > self._until:
                    raise TooMuch("reading it takes longer than the limit")
                if part:
                    break
        except TooMuch as error:
            self._failed = error
            raise
        except TarTrouble as error:
            self._broken(error)
        except Exception as error:
            self._failed = error
            raise
        if part:
            self._count(part)
        return part

    def _count(self, part: bytes) -> None:
        self._uncompressed += len(part)
        if not self._same:
            self._hashing.feed(self._inner, part)
        size, limits = self._uncompressed, self._limits
        why = ""
        if size > limits.size:
            why = f"it unpacks to more than {limits.size >> 20:,} MiB"
        elif size > limits.lenient and size > limits.ratio * self._input.size:
            why = f"it unpacks to more than {limits.ratio:,} times its size"
        if why:
            self._failed = TooMuch(why)
            raise self._failed

    def _broken(self, error: TarTrouble) -> NoReturn:
        """A stream that cannot be decompressed: of a wrong digest, or only unreadable."""
        self._failed = error
        for _ in self._input:
            if self._clock() > self._until:
                raise TooMuch("reading it takes longer than the limit")
        self._hashing.end()
        self._check_blob()
        raise error

    def _check_blob(self) -> None:
        expected = self._expected
        if expected is None:
            return
        if self._input.size < expected.size:
            why = f"it ends after {self._input.size:,} of {expected.size:,} bytes"
            self._failed = TarTrouble(why)
            raise self._failed
        found = _written(self._digest)
        if found != expected.digest:
            why = f"{expected.digest} is really {found}"
            self._refuse("a layer does not hold what its digest promises", why)

    def _refuse(self, what: str, why: str) -> NoReturn:
        self._failed = Refused(what, why)
        raise self._failed


class _Received:
    """The bytes of a blob, counted and hashed as they come. Raises Refused where there are more
    than announced. It knows nothing of the stream above, so that both go when that is dropped.
    """

    def __init__(
        self, blob: Iterator[bytes], digest: _Hash, hashing: _Hashing, expected: Descriptor | None
    ) -> None:
        self._blob = blob
        self._digest = digest
        self._hashing = hashing
        self._most = expected.size if expected is not None else None
        self.size = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        part = next(self._blob)
        self.size += len(part)
        if self._most is not None and self.size > self._most:
            raise Refused("a layer is larger than promised", f"{self._most:,} bytes were announced")
        self._hashing.feed(self._digest, part)
        return part

    def close(self) -> None:
        """Lets go of the blob."""
        close = getattr(self._blob, "close", None)
        if close is not None:
            close()


class _Hashing:
    """Feeds bytes to hashes in their order: here for small layers, on a thread for large ones."""

    def __init__(self) -> None:
        self._fed = 0
        self._tasks: _TASKS | None = None
        self._free = threading.Semaphore(_AHEAD)
        self._thread: threading.Thread | None = None
        self._alone = (os.cpu_count() or 1) > 1

    def feed(self, digest: _Hash, part: bytes) -> None:
        """Hands over bytes; waits while too many wait already."""
        if self._tasks is None:
            digest.update(part)
            self._fed += len(part)
            if self._alone and self._fed > _ALONE:
                self._alone = _core_free()
                if self._alone:
                    self._start()
            return
        self._free.acquire()
        self._tasks.put((digest, part))

    def end(self) -> None:
        """Waits until all is hashed."""
        self._alone = False
        if self._tasks is not None and self._thread is not None:
            self._tasks.put(None)
            self._thread.join()
            self._tasks = self._thread = None

    def __del__(self) -> None:
        # Whoever drops a stream half read must not leave a thread waiting.
        if self._tasks is not None:
            self._tasks.put(None)

    def _start(self) -> None:
        self._tasks = SimpleQueue()
        work = (self._tasks, self._free)
        self._thread = threading.Thread(target=_hash_all, args=work, daemon=True, name="hashing")
        self._thread.start()


def _core_free() -> bool:
    """Whether a thread finds a core: on a busy machine waiting for it costs more than it saves."""
    try:
        return os.getloadavg()[0] < (os.cpu_count() or 1) - 0.5
    except OSError:
        return True


def _hash_all(tasks: _TASKS, free: threading.Semaphore) -> None:
    while (task := tasks.get()) is not None:
        digest, part = task
        digest.update(part)
        del task, part
        free.release()


def _hash(digest: str) -> _Hash:
    algorithm = parse_digest(digest).partition(":")[0] if digest else "sha256"
    return hashlib.new(algorithm, usedforsecurity=False)


def _written(digest: _Hash) -> str:
    return f"{digest.name}:{digest.hexdigest()}"
