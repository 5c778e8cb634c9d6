"""Exceptions: what is known and wanted of a rule's hits, as plain data that a person can check.

    exceptions:
      - rule: MON-131
        match:
          k8s_ns: shop                         # equal
          pod_workload: [deploy/a, deploy/b]   # one of them
          proc_exe: {prefix: /opt/agent}       # a path below it, component by component
          net_dst_ip: {cidr: 10.0.0.0/8}
          pod_name: {glob: "billing-*"}        # * stays within one component
        reason: the payment agent opens shells
        owner: team-pay
        until: 2027-03-01
        proof: {rule: 9af31c…, silenced: 9, history: 214, fixtures: 0}

Of a column that is a list all values must fit: one that is known does not excuse another. A path
with `..` in it is below nothing.

A rule with `learn: never` takes none (X1). One whose rule has changed since it was proved is void
until it is proved again (X2). One that has not silenced anything for 30 days is stale (X3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from martello.core.event import COLUMNS
from martello.practices.monitor.documents import Document, Unreadable, documents
from martello.practices.monitor.engine.compare import Bad
from martello.practices.monitor.engine.ir import Atom, Column, Node, Not, Value, both
from martello.practices.monitor.engine.rule import Hit, Pack, Rule
from martello.practices.monitor.engine.scalar import holds, judge
from martello.practices.monitor.problems import Problem, shown

STALE_DAYS: Final = 30
_KEYS: Final = frozenset(("rule", "match", "reason", "owner", "until", "proof"))
_FORMS: Final = {"prefix": "pmatch", "cidr": "cidr", "glob": "fullmatch"}
_LONGEST: Final = 1_000  # characters of a value
_LISTS: Final = ("texts", "ints", "bools")
_UPWARD: Final = r"(^|/)\.\.(/|$)"  # what leads out of the directory that is named before it
_MOST: Final = 10_000
_VALUES: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(("text", "texts"), (str,)),
    **dict.fromkeys(("int", "ints"), (int,)),
    **dict.fromkeys(("bool", "bools"), (bool,)),
}
Match = Mapping[str, Any]


class Proof(msgspec.Struct, frozen=True):
    """What was found when it was proposed: the hash of its rule then, how many alerts like the
    chosen ones it silenced, how many hits of history, how many attack fixtures (never any).
    """

    rule: str
    silenced: int = 0
    history: int = 0
    fixtures: int = 0


class Silence(msgspec.Struct, frozen=True, eq=False):
    """One exception. `match` is by column; `place` where it is written."""

    rule: str
    match: Match
    reason: str = ""
    owner: str = ""
    until: str = ""
    proof: Proof | None = None
    place: str = ""

    @property
    def tree(self) -> Node:
        """What it matches."""
        return both(*(part for line in self.match.items() for part in parts(*line)))


class Read(msgspec.Struct, frozen=True, eq=False):
    """Exceptions of files, and what is wrong with them."""

    exceptions: tuple[Silence, ...]
    errors: tuple[Problem, ...] = ()


def parts(column: str, wanted: Any) -> tuple[Node, ...]:
    """One line of a match as what must all be true."""
    term, listed = Column(column), COLUMNS[column].type in _LISTS
    if not isinstance(wanted, Mapping):
        values: tuple[Value, ...] = tuple(wanted) if isinstance(wanted, list) else (wanted,)
        return (Atom(term, "subset" if listed else "in", values),)
    form, value = next(iter(wanted.items()))
    operand = segments(value) if form == "glob" else value
    fits: tuple[Node, ...] = (Atom(term, _FORMS[form], (operand,), "any"),)
    if listed:  # of a list without values all would fit
        fits += (Atom(term, _FORMS[form], (operand,), "all"),)
    return fits if form == "cidr" else (*fits, Not(Atom(term, "matches", (_UPWARD,), "any")))


def segments(glob: str) -> str:
    """A glob whose `*` and `?` stay within one component, as an expression."""
    special = frozenset("\\.+*?()|[]{}^$")
    signs = {"*": "[^/]*", "?": "[^/]"}
    return "".join(signs.get(c) or (f"\\{c}" if c in special else c) for c in glob)


def load(texts: Iterable[tuple[str, str]]) -> Read:
    """The exceptions of files (name and text)."""
    found: list[Silence] = []
    errors: list[Problem] = []
    for file, text in texts:
        try:
            for document in documents(text):
                _document(file, document, found, errors)
        except Unreadable as error:
            errors.append(Problem(file, error.line, error.column, error.text))
    return Read(tuple(found), tuple(errors))


def _document(file: str, document: Document, found: list[Silence], errors: list[Problem]) -> None:
    value = document.value
    listed = value.get("exceptions") if isinstance(value, dict) else value
    steps: tuple[str | int, ...] = ("exceptions",) if isinstance(value, dict) else ()
    if not isinstance(listed, list):
        errors.append(Problem(file, *document.place(*steps), "`exceptions` is a list"))
        return
    if len(listed) > _MOST:
        place = document.place(*steps, _MOST)
        errors.append(Problem(file, *place, f"more than {_MOST:,} exceptions: these are left out"))
    for number, one in enumerate(listed[:_MOST]):
        line, column = document.place(*steps, number)
        why = wrong(one)
        if why:
            errors.append(Problem(file, line, column, why))
            continue
        proof = one.get("proof")
        found.append(
            Silence(
                one["rule"],
                one["match"],
                str(one.get("reason") or ""),
                str(one.get("owner") or ""),
                str(one.get("until") or ""),
                msgspec.convert(proof, Proof) if proof else None,
                f"{file}:{line}",
            )
        )


def wrong(one: Any) -> str:
    """What is wrong with an exception as it is written; empty: nothing."""
    if not isinstance(one, dict) or not isinstance(one.get("rule"), str):
        return "an exception names its `rule`"
    unknown = sorted(set(map(str, one)) - _KEYS)
    if unknown:
        return f"unknown key {shown(unknown[0])}"
    match = one.get("match")
    if not isinstance(match, dict) or not match:
        return "`match` is a mapping of columns; one that matches everything is a rule switched off"
    for name, wanted in match.items():
        if name not in COLUMNS or name == "raw":
            return f"`match`: no column {shown(name)}"
        if not _fits(wanted):
            return f"`match.{name}`: a value, a list, or one of prefix, cidr and glob"
        why = _unread(name, wanted)
        if why:
            return f"`match.{name}`: {why}"
    until = one.get("until")
    if until is not None and _day(str(until)) is None:
        return "`until` is a day such as 2027-03-01"
    try:
        if one.get("proof"):
            msgspec.convert(one["proof"], Proof)
    except msgspec.ValidationError:
        return "`proof` is what the tool wrote there"
    return ""


def _fits(wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return len(wanted) == 1 and all(
            k in _FORMS and isinstance(v, str) and v for k, v in wanted.items()
        )
    values = wanted if isinstance(wanted, list) else [wanted]
    return bool(values) and all(isinstance(v, str | int | float | bool) for v in values)


def _unread(name: str, wanted: Any) -> str:
    """Why no value of a column could ever be compared with this; empty: one can."""
    values = wanted if isinstance(wanted, list) else [wanted]
    type_ = COLUMNS[name].type
    if isinstance(wanted, dict):
        form, value = next(iter(wanted.items()))
        if type_ not in ("text", "texts"):
            return f"it is no text, and has no {form}"
        if len(value) > _LONGEST:
            return f"longer than {_LONGEST:,} characters"
        if form == "prefix" and (not value.strip("/") or any(c in value for c in "*?[")):
            return "a prefix is a path such as /opt/agent, without * ? and ["
        if form == "glob" and not value.strip("*?/"):
            return "a glob that matches everything is a rule switched off"
    else:
        kinds = _VALUES.get(type_)
        if kinds is None or not all(type(value) in kinds for value in values):
            return f"a column of {type_} is never equal to this: mind the quotes"
    try:
        for part in parts(name, wanted):
            judge(part)
    except Bad as error:
        return str(error)
    return ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class Exceptions:
    """The exceptions that hold for a pack. `void` says of the others why they do not."""

    def __init__(self, given: Sequence[Silence], pack: Pack, today: date | None = None) -> None:
        now = today or datetime.now(UTC).date()
        self.silenced: dict[str, int] = {}  # by place: how many hits
        self.void: dict[str, str] = {}
        self._by_rule: dict[str, list[tuple[Silence, Node]]] = {}
        for one in given:
            why = refused(one, pack.rules.get(one.rule), now)
            if why:
                self.void[one.place] = why
            else:
                self._by_rule.setdefault(one.rule, []).append((one, one.tree))

    def silences(self, hit: Hit) -> Silence | None:
        """The first exception that a hit falls under; it is counted."""
        for one, tree in self._by_rule.get(hit.rule, ()):
            if holds(tree, hit.event) is True:
                self.silenced[one.place] = self.silenced.get(one.place, 0) + 1
                return one
        return None


def refused(one: Silence, rule: Rule | None, today: date) -> str:
    """Why an exception does not hold; empty: it does."""
    if rule is None:
        return f"there is no rule {one.rule}"
    if rule.learn == "never":
        return f"{one.rule} takes no exceptions: what it finds is never wanted"
    end = _day(one.until) if one.until else None
    if end is not None and end < today:
        return f"it ended on {one.until}"
    if one.proof is not None and one.proof.rule != rule.hash:
        return f"{one.rule} has changed since it was proved: propose it again"
    return ""


def stale(
    given: Sequence[Silence], last_used: Mapping[str, date], since: date, today: date
) -> tuple[Silence, ...]:
    """The exceptions that silenced nothing for 30 days; `since` is when counting began."""
    return tuple(
        one
        for one in given
        if (today - max(since, last_used.get(one.place, since))).days >= STALE_DAYS
    )
