"""Where commit-confirm keeps what it must not lose: a directory of ours alone, one file a change,
its name saying what became of it.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from martello.core.errors import NotPermitted, Refused

PENDING: Final = "pending"
ROLLING: Final = "rolling"
CONFIRMED: Final = "confirmed"
RESTORED: Final = "restored"
_NAME: Final = re.compile(r"(pending|rolling|confirmed|restored)-([0-9a-f]{16})\.json")
_LARGEST: Final = 256 << 20


class Change(msgspec.Struct, frozen=True):
    """One change of our table, and how to take it back. `guard` and `since` tell the process that
    watches it from a later one of the same number.
    """

    token: str
    before: str
    table: str
    enter: tuple[str, ...]
    seconds: float
    boot: str
    connection: str = ""
    guard: int = 0
    since: int = 0


class State:
    """The directory. Raises Refused where it is a symlink, another's, or open to others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with suppress(FileExistsError):
                os.mkdir(path, 0o700)
            opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except PermissionError as error:
            raise NotPermitted(f"{path} cannot be used", str(error), "run it as root") from None
        except OSError as error:
            raise Refused(f"{path} is no directory of ours", str(error)) from None
        found = os.fstat(opened)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            os.close(opened)
            raise Refused(
                f"{path} is not ours alone",
                "whoever writes there decides what the packet filter becomes",
                f"remove it, or chown it and chmod 700 {path}",
            )
        self._directory = opened

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):
            os.close(self._directory)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One operator at a time; Refused where another is at it."""
        file = self.open("lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Refused("another operator is changing the filter just now") from None
        finally:
            os.close(file)

    @contextmanager
    def waited(self, seconds: float) -> Iterator[None]:
        """One at a time as well, but who holds it for too long is not waited for: what is not
        taken back may have locked everybody out.
        """
        end = time.monotonic() + seconds
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(self.locked())
                except Refused:
                    if time.monotonic() < end:
                        time.sleep(0.05)
                        continue
                break
            yield

    def open(self, name: str, flags: int) -> int:
        """A file of the directory, never by way of a symlink."""
        try:
            return os.open(
                name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._directory
            )
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Refused(f"{self.path / name} cannot be opened", str(error)) from None

    def write(self, stage: str, change: Change) -> None:
        """Keep a change: whole, or not at all. Raises Refused where there is no room."""
        draft = f"draft-{change.token}"
        here = self._directory
        file = self.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            with os.fdopen(file, "wb") as out:
                out.write(msgspec.json.encode(change))
                out.flush()
                os.fsync(out.fileno())
            os.rename(draft, _file(stage, change.token), src_dir_fd=here, dst_dir_fd=here)
        except OSError as error:
            with suppress(OSError):
                os.unlink(draft, dir_fd=here)
            why = error.strerror or str(error)
            raise Refused(f"the change cannot be kept in {self.path}", why) from None

    def read(self, stage: str, token: str) -> Change | None:
        """A change at a stage; None where it is not there, or no change of ours."""
        try:
            file = self.open(_file(stage, token), os.O_RDONLY)
        except (FileNotFoundError, Refused):
            return None
        with os.fdopen(file, "rb") as text:
            try:
                return msgspec.json.decode(text.read(_LARGEST), type=Change)
            except msgspec.DecodeError:
                return None

    def has(self, stage: str, token: str) -> bool:
        """Whether a change is still at a stage."""
        try:
            os.stat(_file(stage, token), dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def changes(self, stage: str) -> list[Change]:
        """All changes at a stage that can be read."""
        names = [_NAME.fullmatch(name) for name in sorted(os.listdir(self._directory))]
        tokens = [found[2] for found in names if found and found[1] == stage]
        return [change for change in (self.read(stage, t) for t in tokens) if change is not None]

    def pending(self) -> Change | None:
        """The change that waits for its confirmation."""
        return next(iter(self.changes(PENDING)), None)

    def move(self, token: str, stage: str, to: str) -> bool:
        """Take a change to another stage; False where somebody did before."""
        if stage == to:
            return self.has(stage, token)
        here = self._directory
        try:
            os.rename(_file(stage, token), _file(to, token), src_dir_fd=here, dst_dir_fd=here)
        except FileNotFoundError:
            return False
        return True

    def remove(self, stage: str, token: str) -> None:
        """Forget one change."""
        with suppress(FileNotFoundError):
            os.unlink(_file(stage, token), dir_fd=self._directory)

    def forget(self, stage: str, but: str) -> None:
        """Forget all changes at a stage but one."""
        for name in os.listdir(self._directory):
            found = _NAME.fullmatch(name)
            if found and found[1] == stage and found[2] != but:
                self.remove(stage, found[2])


def boot() -> str:
    """What tells this run of the machine from every other."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def started(pid: int) -> int:
    """When a process began, in ticks since boot; 0 where there is none, or it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return 0 if fields[0] in "ZX" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return 0


def alive(pid: int, since: int) -> bool:
    """Whether a process is still the one that began then."""
    return pid > 0 and since > 0 and started(pid) == since


def _file(stage: str, token: str) -> str:
    return f"{stage}-{token}.json"
