"""Errors that carry their own diagnosis: what happened, why, and what to do next."""

from __future__ import annotations

from typing import ClassVar


class MartelloError(Exception):
    """Something a person must know about. `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next = next

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"because {self.why}")
        if self.next:
            lines.append(f"next: {self.next}")
        return "\n".join(lines)


class BadInput(MartelloError):
    """The command line, the configuration or an input file is wrong."""

    exit_code = 2


class Unreachable(MartelloError):
    """The target did not answer."""

    exit_code = 4


class NotPermitted(MartelloError):
    """The target answered, and refused."""

    exit_code = 4


class Stale(MartelloError):
    """Data are missing or older than they may be: no verdict can rest on them."""

    exit_code = 3


class Refused(MartelloError):
    """Bytes are not what was promised: a wrong digest, a foreign signature, a forked ledger. There
    is no use in trying again.
    """

    exit_code = 1
