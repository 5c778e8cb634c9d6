"""An exec as its records tell it: what runs, by the kernel's own names, and its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from martello.adapters.sensors.records import path
from martello.adapters.sensors.shape import text_of
from martello.adapters.sensors.tree import link

MOST_ARGUMENTS: Final = 3200  # bytes that the probe tells: 16 records of 200
_LARGEST_CMDLINE: Final = 1 << 17
_SOCKET: Final = 0o140000


class Exec:
    """An exec whose records are coming."""

    __slots__ = ("at", "fields", "got", "names", "pid", "raw", "seen", "size", "wanted")

    def __init__(self, fields: list[bytes], seen: int) -> None:
        self.fields = fields
        self.at = int(fields[1])
        self.pid = int(fields[2])
        self.size = int(fields[13])
        self.wanted = min(self.size, MOST_ARGUMENTS)
        self.seen = seen
        self.names: list[bytes] | None = None
        self.got: list[bytes] = []
        self.raw: list[bytes] = []

    @property
    def whole(self) -> bool:
        """Whether every record has come."""
        return self.names is not None and sum(map(len, self.got)) >= self.wanted


def arguments(pending: Exec, proc: str, flags: set[str]) -> list[str]:
    """The arguments; what the probe did not tell from /proc, if the process still has them."""
    told = b"".join(pending.got)
    if len(told) < pending.size:
        try:
            with Path(f"{proc}/{pending.pid}/cmdline").open("rb") as file:
                now = file.read(_LARGEST_CMDLINE)
        except OSError:
            now = b""
        if told and len(now) in (pending.size, _LARGEST_CMDLINE) and now.startswith(told):
            told = now  # of this exec still
        if len(told) < pending.size:
            flags.add("truncated")
    return [text_of(one, flags) for one in told.removesuffix(b"\0").split(b"\0")] if told else []


def in_memory(pending: Exec) -> bool:
    """Whether what runs is a memfd: a file of that name that no directory holds."""
    names = pending.names or [b""]
    return names[0].startswith(b"memfd:") and pending.fields[10] == b"0"


def marks(pending: Exec) -> list[str]:
    """What else is to be known of an exec, as `proc_flags` tell it."""
    fields = pending.fields
    found = {
        "memfd": in_memory(pending),
        "setuid": int(fields[6]) != int(fields[7]),
        "socket": int(fields[9], 8) & 0o170000 == _SOCKET,
        "escaped": fields[12] not in (b"0", b""),
    }
    return [mark for mark, there in found.items() if there]


def executable(pending: Exec, proc: str, flags: set[str]) -> str:
    """The path of what runs, as the kernel holds it; from /proc where that is on another mount or
    deeper than the probe tells.
    """
    names = pending.names or []
    if in_memory(pending):
        return text_of(names[0], flags)
    whole = path(names)
    if whole is not None and pending.fields[11] == b"1":
        return text_of(whole, flags)
    found = link(f"{proc}/{pending.pid}/exe")
    if found:
        return found
    flags.add("partial")
    return text_of(whole or (names[0] if names else b""), flags)
