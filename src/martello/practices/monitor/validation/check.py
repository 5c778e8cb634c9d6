"""Judging rules before they run: which can fire on what is connected, and what is wrong with them.

Dead atoms name a field or value that no event has; missing columns are those that no connected
source fills; rules are compared with each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.core.event import COLUMNS
from martello.practices.monitor.engine.ir import (
    FALSE,
    At,
    Atom,
    Call,
    Column,
    Key,
    Node,
    Pointer,
    Term,
    atoms,
    either,
)
from martello.practices.monitor.engine.rule import Pack, Rule
from martello.practices.monitor.own.when import rowwise
from martello.practices.monitor.sources import FEEDS, Feed, feeds, values, would_fill
from martello.practices.monitor.validation import audit_paths, implied
from martello.practices.monitor.validation.fold import Fate, Folded, fold

FIRES: Final = "fires"
NEVER: Final = "never"
UNASSESSED: Final = "unassessed"
_DECISION: Final = "annotations.authorization.k8s.io/decision"
_NEAR: Final = 2  # signs by which a value may differ from the one that is proposed


class Note(msgspec.Struct, frozen=True):
    """One thing to know about a rule. `code` is path, column, value (one that cannot occur),
    missing, contradiction, upstream, rowwise or correlation; `means` is what was probably meant.
    """

    code: str
    text: str
    means: str = ""

    def __str__(self) -> str:
        return f"{self.text}; means {self.means}" if self.means else self.text


class Verdict(msgspec.Struct, frozen=True, eq=False):
    """Of one rule: `fires` (on the sources `on`), `never`, or `unassessed`, and why."""

    rule: Rule
    state: str
    on: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def why(self) -> str:
        """The notes in one line."""
        return "; ".join(map(str, self.notes))


class Judgement(msgspec.Struct, frozen=True, eq=False):
    """The verdicts in the order of the pack, which rules say the same, and of which that is not
    decided.
    """

    verdicts: tuple[Verdict, ...]
    pairs: tuple[implied.Same, ...] = ()
    undecided: tuple[str, ...] = ()

    def of(self, rule: str) -> Verdict:
        """The verdict of a rule by its id."""
        return next(one for one in self.verdicts if one.rule.id == rule)


def judge(
    pack: Pack, sources: Iterable[str | Feed] = ("audit",), *, pairs: bool = True
) -> Judgement:
    """Every rule of a pack against the connected sources; with `pairs` also against each other.
    Raises BadInput for an unknown source.
    """
    connected = feeds(sources)
    verdicts: dict[str, Verdict] = {}
    trees: list[tuple[str, frozenset[str], Node]] = []
    for rule in pack:
        if rule.correlate is None:
            verdicts[rule.id], tree = _single(rule, connected)
            if tree != FALSE:
                trees.append((rule.id, frozenset(rule.kinds), tree))
    for rule in pack:
        if rule.correlate is not None:
            verdicts[rule.id] = _correlated(rule, pack, verdicts, 0)
    compared = implied.compare(trees if pairs else ())
    ordered = tuple(verdicts[rule.id] for rule in pack)
    return Judgement(ordered, compared.pairs, compared.undecided)


def _single(rule: Rule, connected: Sequence[Feed]) -> tuple[Verdict, Node]:
    """The verdict of a rule with a tree, and the tree without what cannot be."""
    if rule.unassessed:
        return Verdict(rule, UNASSESSED, (), (Note("unassessed", rule.unassessed),)), FALSE
    whole = {kind: fold(rule.tree, kind) for kind in rule.kinds}
    tree = either(*(one.tree for one in whole.values()))
    notes = _notes(rule, whole)
    contradiction = tree != FALSE and _contradicts(tree)
    if contradiction:
        notes = (*notes, Note("contradiction", "its conditions contradict each other"))
    if tree == FALSE or contradiction:
        return Verdict(rule, NEVER, (), notes), FALSE
    here = [feed for feed in connected if any(kind in feed.columns for kind in rule.kinds)]
    if not here:
        return Verdict(rule, UNASSESSED, (), (*notes, _no_events(rule.kinds))), tree
    on, missing = [], []
    for feed in here:
        of_feed = {k: fold(rule.tree, k, feed) for k in rule.kinds if k in feed.columns}
        if any(one.tree != FALSE for one in of_feed.values()):
            on.append(feed.name)
        missing.extend(_missing(of_feed))
    if on:
        return Verdict(rule, FIRES, tuple(on), notes), tree
    lacking = tuple(_lacks(name, rule.kinds) for name in dict.fromkeys(missing))
    return Verdict(rule, UNASSESSED, (), (*notes, *lacking)), tree


def _contradicts(tree: Node) -> bool:
    try:
        return not implied.alternatives(tree)
    except implied.TooMany:
        return False


def _no_events(kinds: Sequence[str]) -> Note:
    named = " or ".join(kinds)
    able = [
        feed.name
        for feed in FEEDS.values()
        if not feed.general and any(kind in feed.columns for kind in kinds)
    ]
    hint = f"; {_listed(able)} would give them" if able else ""
    return Note("missing", f"needs {named} events, and no connected source gives them{hint}")


def _lacks(column: str, kinds: Sequence[str]) -> Note:
    able = would_fill(column, kinds)
    hint = f"; {_listed(able)} would" if able else "; none of the known ones does"
    return Note("missing", f"no connected source fills {column}{hint}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else names[0]


def _missing(folded: Mapping[str, Folded]) -> list[str]:
    return [
        name
        for one in folded.values()
        for _, fate in one.found
        if fate.why == "missing"
        for name in fate.columns
    ]


# -- what is said of atoms


def _notes(rule: Rule, folded: Mapping[str, Folded]) -> tuple[Note, ...]:
    notes: dict[Note, None] = {}
    for kind, one in folded.items():
        for atom, fate in one.found:
            for note in _of_atom(rule, kind, atom, fate):
                notes[note] = None
    for note in (*_blind(rule), *_upstream(rule)):
        notes[note] = None
    for text in rowwise(rule.tree):
        notes[Note("rowwise", f"evaluated event by event: {text}")] = None
    return tuple(notes)


def _of_atom(rule: Rule, kind: str, atom: Atom, fate: Fate) -> Iterable[Note]:
    name = named(atom.term, rule.source.language)
    if fate.why == "path":
        resources = _resources(rule.tree)
        path = _pointer(atom.term) or _pointer(atom.operand)
        meant = audit_paths.meant(path, resources) if path else ""
        shown = audit_paths.shown(path) if path else name
        yield Note("path", f"audit.k8s.io/v1 has no field {shown}", meant)
    elif fate.why == "column":
        if len(rule.kinds) == 1:
            yield Note("column", f"{kind} events have no {', '.join(fate.columns)}")
    elif fate.dead:
        yield from _dead(name, atom, kind, fate)
    elif fate.why == "value":
        yield Note("value", f"{name} never has such a value: {_domain(atom, kind)}")
    elif fate.true and not fate.false:
        yield Note("value", f"{name} always has such a value")


def _dead(name: str, atom: Atom, kind: str, fate: Fate) -> Iterable[Note]:
    for value in fate.dead[:20]:
        column = _column(atom.term)
        text = f"value {value!r} of {name} is dead: {_domain(atom, kind)}"
        yield Note("value", text, _other(value, column, kind))


def _domain(atom: Atom, kind: str) -> str:
    """Why a value cannot occur."""
    column = _column(atom.term)
    known = values(column, kind)
    if column in ("api_verb", "action"):
        return "the API server has no such verb"
    if isinstance(known, range):
        return f"it is a number from {known.start} to {known.stop - 1}"
    return f"it is one of {', '.join(known)}" if known else "it cannot occur"


def _other(value: Any, column: str, kind: str) -> str:
    """A value of the same column that differs by little, or the column that has this one."""
    if not isinstance(value, str):
        return ""
    known = values(column, kind)
    if known is not None and not isinstance(known, range):
        near = sorted((audit_paths.distance(value.lower(), one.lower()), one) for one in known)
        if near and near[0][0] <= min(_NEAR, len(value) // 3):
            return near[0][1]
    decisions = values("api_decision", kind)
    if column == "api_decision" or decisions is None or value.lower() not in decisions:
        return ""
    return f"{_DECISION}: {value.lower()}"


def named(term: Term, language: str) -> str:
    """A term as the rule's language names it."""
    if isinstance(term, Column):
        column = COLUMNS.get(term.name)
        names = {"sigma": column.sigma, "falco": column.falco} if column else {}
        return next(iter(names.get(language, ())), term.name)
    if isinstance(term, Pointer):
        return audit_paths.shown(term.path)
    if isinstance(term, Key):
        return f"{named(term.of, language)}.{term.key}"
    if isinstance(term, At):
        return f"{named(term.of, language)}[{term.index}]"
    if isinstance(term, Call) and term.of:
        return named(term.of[0], language)
    return "a constant"


def _column(term: Term) -> str:
    while not isinstance(term, Column):
        if isinstance(term, Call) and term.of:
            term = term.of[0]
        elif isinstance(term, At | Key):
            term = term.of
        else:
            return ""
    return term.name


def _pointer(term: Any) -> tuple[str, ...] | None:
    while isinstance(term, Call) and term.of:
        term = term.of[0]
    return term.path if isinstance(term, Pointer) else None


def _resources(tree: Node) -> tuple[str, ...]:
    """The resources that a rule names."""
    return tuple(
        str(value).lower()
        for atom in atoms(tree)
        if atom.term == Column("k8s_resource") and isinstance(atom.operand, tuple)
        for value in atom.operand
    )[:8]


_STREAMS: Final = frozenset(("exec", "attach", "portforward"))


def _blind(rule: Rule) -> Iterable[Note]:
    """A rule that knows `create` only of what websocket clients ask for by GET."""
    asked = {
        column: {
            str(value).lower()
            for atom in atoms(rule.tree)
            if atom.term == Column(column) and isinstance(atom.operand, tuple)
            for value in atom.operand
        }
        for column in ("api_verb", "k8s_subresource")
    }
    if asked["k8s_subresource"] & _STREAMS and asked["api_verb"] == {"create"}:
        yield Note("blind", "kubectl over websockets sends GET, and is not seen", "create or get")


_UPSTREAM: Final = {
    "actor_ips": "ka.sourceips never has a value in Falco; here it has",
    "spec_uid": "Falco ignores the pod's securityContext here; Martello does not",
}


def _upstream(rule: Rule) -> Iterable[Note]:
    """Defects of Falco's fields that are not copied: the rule fires differently here."""
    if rule.source.language != "falco":
        return
    for atom in atoms(rule.tree):
        for column, text in _UPSTREAM.items():
            if atom.term == Column(column):
                yield Note("upstream", text)
        if isinstance(atom.term, Call) and atom.term.name == "repository":
            text = "Falco cuts an image at its first colon, also that of a registry's port"
            yield Note("upstream", text)


# -- correlations


def _correlated(rule: Rule, pack: Pack, verdicts: Mapping[str, Verdict], depth: int) -> Verdict:
    """A correlation can fire where its rules can: all of them for `all` and `sequence`."""
    assert rule.correlate is not None
    if rule.unassessed:
        return Verdict(rule, UNASSESSED, (), (Note("unassessed", rule.unassessed),))
    found: list[Verdict] = []
    for id_ in rule.correlate.of:
        part = verdicts.get(id_)
        if part is None and id_ in pack.rules and depth < 20:
            part = _correlated(pack.rules[id_], pack, verdicts, depth + 1)
        if part is None:
            return Verdict(rule, UNASSESSED, (), (Note("correlation", f"there is no rule {id_}"),))
        found.append(part)
    every = rule.correlate.type in ("all", "sequence")
    on = tuple(dict.fromkeys(name for part in found for name in part.on))
    for state in (NEVER, UNASSESSED):
        bad = [part for part in found if part.state == state]
        if bad and (every or len(bad) == len(found)):
            text = f"its rule {bad[0].rule.id} is {state}"
            means = bad[0].notes[0].means if bad[0].notes else ""
            why = f"{text}: {bad[0].notes[0].text}" if bad[0].notes else text
            return Verdict(rule, state, (), (Note("correlation", why, means),))
    if all(part.state != FIRES for part in found):
        return Verdict(rule, UNASSESSED, (), (Note("correlation", "none of its rules can fire"),))
    return Verdict(rule, FIRES, on)
