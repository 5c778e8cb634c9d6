"""What the reports on resources show: plain words, made by the command line."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """One reason of a refusal in the server's words, where its cause stands, and which object
    refuses.
    """

    says: str
    where: str
    path: str
    guard: str = ""
    guard_where: str = ""


class Filled(msgspec.Struct, frozen=True):
    """A value that the server fills in, and whose doing it is (empty: its own defaults)."""

    path: str
    value: str
    by: str = ""
    by_where: str = ""


class Share(msgspec.Struct, frozen=True):
    """What an object takes of one key of a quota: the amounts before, after, and the bound."""

    quota: str
    where: str
    key: str
    before: str
    after: str
    hard: str


class Answer(msgspec.Struct, frozen=True):
    """What becomes of one object. `says` is the server's whole message, `step` where it stops."""

    object: str
    where: str
    verdict: str
    code: int
    step: str
    says: str = ""
    reasons: tuple[Reason, ...] = ()
    filled: tuple[Filled, ...] = ()
    shares: tuple[Share, ...] = ()
    qos: str = ""
    wanted: int | None = None  # of a workload: pods
    fitting: int | None = None
    later: tuple[str, ...] = ()  # who may still change it
    notes: tuple[str, ...] = ()
    unassessed: str = ""


class Answers(msgspec.Struct, frozen=True):
    """What becomes of several objects, in their order."""

    answers: tuple[Answer, ...]
    missing: tuple[str, ...] = ()
    exit: int = 0


class Bound(msgspec.Struct, frozen=True):
    """What bounds one thing in a namespace, or nothing; and what escapes it all the same."""

    resource: str
    value: str  # empty: no bound
    used: str
    guards: tuple[tuple[str, str], ...]  # the object that says so, and where
    escapes: tuple[str, ...] = ()
    open: bool = False  # nothing at all is said about it


class Space(msgspec.Struct, frozen=True):
    """The bounds of one namespace."""

    namespace: str
    bounds: tuple[Bound, ...]
    notes: tuple[str, ...] = ()
    unassessed: str = ""
    spent: tuple[str, ...] = ()  # what is nearly spent


class Bounds(msgspec.Struct, frozen=True):
    """The bounds of several namespaces. `written` are files that close the holes."""

    spaces: tuple[Space, ...]
    holes: int
    written: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    exit: int = 0
