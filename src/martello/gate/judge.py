"""What judges are asked, what they say, and the one verdict that is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from martello.catalogue.policy.model import Request, User
from martello.core.approval import Approvals
from martello.core.path import Path, show
from martello.practices.images.policy import ImagePolicy

__all__ = ["Judge", "Moment", "Opinion", "Request", "Ruling", "Snapshot", "User", "Verdict", "fold"]

DENY: Final = "deny"
WARN: Final = "warn"
AUDIT: Final = "audit"
UNASSESSED: Final = "unassessed"
# What becomes of what a judge could not assess. One that is not named warns.
UNKNOWN: Final[Mapping[str, str]] = {"images": DENY}
_WARNING: Final = 256  # characters of one warning, and of all: the API server cuts there too
_WARNINGS: Final = 4096
_MESSAGE: Final = 4096
_CAUSES: Final = 50


class BreakGlass(msgspec.Struct, frozen=True):
    """Whose objects pass by the annotation of break-glass."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def holds(self, user: User) -> bool:
        """Whether the user is one of them."""
        return user.username in self.users or not self.groups.isdisjoint(user.groups)


class Snapshot(msgspec.Struct, frozen=True):
    """Everything that judges read. It never changes: a newer one takes its place."""

    approvals: Approvals = Approvals()
    policies: tuple[ImagePolicy, ...] = ()
    exempt: tuple[str, ...] = ()  # namespaces
    glass: BreakGlass = BreakGlass()


class Moment(msgspec.Struct, frozen=True):
    """When it is asked (microseconds since 1970), and whether the time for an answer is up."""

    at: int
    late: Callable[[], bool] = lambda: False


class Ruling(msgspec.Struct, frozen=True):
    """What one judge says of one place of an object. `action` is deny, warn, audit or unassessed;
    `source` the policy or check it rests on.
    """

    judge: str
    source: str
    action: str
    message: str
    path: Path = ()
    reason: str = "Forbidden"
    code: int = 403


class Opinion(msgspec.Struct, frozen=True):
    """All that one judge says: rulings, images to have scanned, a JSON patch, and what goes into
    the audit log.
    """

    rulings: tuple[Ruling, ...] = ()
    ask: tuple[str, ...] = ()
    patch: tuple[Mapping[str, Any], ...] = ()
    annotations: Mapping[str, str] = {}
    glass: bool = False  # it was let in by break-glass alone


Judge = Callable[[Request, Snapshot, Moment], Opinion]


class Verdict(msgspec.Struct, frozen=True):
    """What the API server is told. `patch` is for a mutating door only."""

    allowed: bool
    code: int = 200
    reason: str = ""
    message: str = ""
    warnings: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}
    patch: tuple[Mapping[str, Any], ...] = ()
    rulings: tuple[Ruling, ...] = ()

    @property
    def causes(self) -> tuple[tuple[str, str], ...]:
        """Every denial: the field, as text, and the message."""
        denied = [r for r in self.rulings if r.action == DENY][:_CAUSES]
        return tuple((show(r.path), _line(r.message, 1000)) for r in denied)


def fold(opinions: Iterable[Opinion], unknown: Mapping[str, str] = UNKNOWN) -> Verdict:
    """The verdict of all judges, in their order. One denial denies, and the first gives message and
    code; what is unassessed turns into what `unknown` says of its judge.
    """
    opinions = tuple(opinions)
    rulings = tuple(_settled(r, unknown) for opinion in opinions for r in opinion.rulings)
    annotations: dict[str, str] = {}
    for opinion in opinions:
        annotations.update({k: _line(v, 1000) for k, v in opinion.annotations.items()})
    told = warnings([r.message for r in rulings if r.action == WARN])
    denied = [r for r in rulings if r.action == DENY]
    if denied:
        first = denied[0]
        more = f" ({len(denied) - 1} more)" if len(denied) > 1 else ""
        message = f"{_line(first.message, _MESSAGE)}{more}"
        return Verdict(False, first.code, first.reason, message, told, annotations, rulings=rulings)
    patch = tuple(step for opinion in opinions for step in opinion.patch)
    return Verdict(True, 200, "", "", told, annotations, patch, rulings)


def warnings(messages: Iterable[str]) -> tuple[str, ...]:
    """Messages as warnings: once each, short, on one line, not too many, with a last line that
    counts the rest.
    """
    unique = tuple(dict.fromkeys(_line(message, _WARNING) for message in messages))
    kept: list[str] = []
    room = _WARNINGS - 40
    for number, text in enumerate(unique):
        room -= len(text)
        if room < 0:
            return (*kept, f"{len(unique) - number} more")
        kept.append(text)
    return tuple(kept)


def _settled(ruling: Ruling, unknown: Mapping[str, str]) -> Ruling:
    if ruling.action != UNASSESSED:
        return ruling
    action = {DENY: DENY, WARN: WARN}.get(unknown.get(ruling.judge, WARN), AUDIT)
    return msgspec.structs.replace(ruling, action=action)


def _line(text: str, most: int) -> str:
    """Text on one line, without what a terminal or a header would take for more than text."""
    plain = "".join(c if c.isprintable() else " " for c in text[: most * 2])
    words = " ".join(plain.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
