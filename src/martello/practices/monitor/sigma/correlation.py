"""Sigma's correlations as ours: what several hits must be together.

`timespan` is the window; months and years have their mean length. Without `generate` the rules that
a correlation is made of do not alert by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sigma.correlations import (
    CorrelationConditionAND,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError

from martello.practices.monitor.alerts.windows import MOST_KEPT
from martello.practices.monitor.documents import Document
from martello.practices.monitor.engine.ir import Column
from martello.practices.monitor.engine.rule import Correlation, Rule
from martello.practices.monitor.problems import shown
from martello.practices.monitor.sigma import meta
from martello.practices.monitor.sigma.logsource import LogSource
from martello.practices.monitor.sigma.lower import Unassessable

if TYPE_CHECKING:
    from martello.practices.monitor.sigma.read import Read

TYPES: Final = {
    "EVENT_COUNT": "count",
    "VALUE_COUNT": "values",
    "TEMPORAL": "all",
    "TEMPORAL_ORDERED": "sequence",
    "VALUE_SUM": "sum",
    "VALUE_AVG": "avg",
    "VALUE_PERCENTILE": "percentile",
    "VALUE_MEDIAN": "median",
}
_OPS: Final = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "=", "NEQ": "!="}
_LONGEST: Final = 10 * 31_556_952  # seconds
_RULES: Final = 100
_Place = tuple[str, tuple[int, int], str]
Pending = tuple[str, Document, dict[str, Any]]


class Tied(msgspec.Struct, frozen=True, eq=False):
    """The correlations of a set of files, and what is wrong with them."""

    rules: tuple[Rule, ...]
    errors: tuple[_Place, ...]


class _Open(msgspec.Struct, eq=False):
    """A correlation on its way: what pySigma read, and the rule it will be."""

    rule: Rule
    parsed: SigmaCorrelationRule | None = None
    state: str = "new"  # then open, done
    leaves: frozenset[str] = frozenset()


def column_of(name: str, source: LogSource) -> str:
    """The column that a field is. Raises Unassessable where it is none or holds a list."""
    field = source.fields(name)
    if field.special is not None or field.many or not isinstance(field.term, Column):
        raise Unassessable(f"'{shown(name)}' is no column that hits can be grouped by")
    return field.term.name


def tie(pending: Iterable[Pending], read: Sequence[Read]) -> Tied:
    """Correlations tied to the rules that they name by id or name."""
    errors: list[_Place] = []
    opened: dict[str, _Open] = {}
    names: dict[str, str] = {name: one.rule.id for one in read for name in one.names}
    for file, document, value in pending:
        one = _opened(file, document, value, errors)
        opened[one.rule.id] = one
        names[one.rule.id] = one.rule.id
        if isinstance(value.get("name"), str):
            names[value["name"]] = one.rule.id
    tying = _Tying({each.rule.id: each for each in read}, opened, names)
    for one in opened.values():
        tying.tie(one)
    return Tied(tuple(one.rule for one in opened.values()), tuple(errors))


def _opened(file: str, document: Document, value: dict[str, Any], errors: list[_Place]) -> _Open:
    rule = meta.rule(file, document, value)
    given = dict(value)
    if given.get("id") is not None:
        given["id"] = str(given["id"])
    try:
        return _Open(rule, SigmaCorrelationRule.from_dict(given))
    except Exception as error:
        text = shown(error, 200) if isinstance(error, SigmaError) else type(error).__name__
        errors.append((file, document.place("correlation"), f"pySigma does not take it: {text}"))
        reason = f"pySigma does not take the correlation: {text}"
        return _Open(msgspec.structs.replace(rule, unassessed=reason), None, "done")


class _Tying:
    def __init__(
        self, rules: Mapping[str, Read], opened: Mapping[str, _Open], names: Mapping[str, str]
    ) -> None:
        self.rules = rules
        self.opened = opened
        self.names = names

    def tie(self, one: _Open, depth: int = 0) -> None:
        """Makes the rule of a correlation, those it is made of first."""
        if one.state == "done":
            return
        try:
            if one.state == "open":
                raise Unassessable("it is made of itself")
            if depth > 20:
                raise Unassessable("correlations of correlations, over 20 deep")
            one.state = "open"
            one.rule = self.tied(one, depth)
        except Unassessable as why:
            one.rule = msgspec.structs.replace(one.rule, unassessed=str(why))
        one.state = "done"

    def tied(self, one: _Open, depth: int) -> Rule:
        parsed = one.parsed
        assert parsed is not None
        of = self.members(parsed)
        leaves: dict[str, frozenset[str]] = {}
        for member in of:
            leaves[member] = self.leaves(member, depth)
        one.leaves = frozenset().union(*leaves.values())
        by, aliases = self.groups(parsed, leaves)
        figure = _figure(parsed, len(of))
        field, aliases = self.field(figure[2], leaves, aliases)
        if not 0 < parsed.timespan.seconds <= _LONGEST:
            raise Unassessable("its timespan is longer than ten years")
        kinds = sorted({kind for leaf in one.leaves for kind in self.rules[leaf].rule.kinds})
        counting = Correlation(
            type=TYPES[parsed.type.name],
            of=of,
            by=by,
            within=parsed.timespan.seconds,
            op=figure[0],
            value=figure[1],
            field=field,
            percentile=figure[3],
            aliases=aliases,
            alone=bool(parsed.generate),
        )
        return msgspec.structs.replace(one.rule, window=0, correlate=counting, kinds=tuple(kinds))

    def members(self, parsed: SigmaCorrelationRule) -> tuple[str, ...]:
        """The ids of the rules that it is made of."""
        extended = isinstance(parsed.condition, SigmaExtendedCorrelationCondition)
        named = _all_of(parsed.condition.parsed) if extended else parsed.rules  # type: ignore[union-attr]
        found = []
        for reference in named or ():
            id_ = self.names.get(str(reference.reference))
            if id_ is None:
                raise Unassessable(f"there is no rule {shown(reference.reference)} beside it")
            found.append(id_)
        if not found:
            raise Unassessable("it names no rule")
        if len(found) > _RULES:
            raise Unassessable(f"it is made of more than {_RULES} rules")
        return tuple(found)

    def leaves(self, member: str, depth: int) -> frozenset[str]:
        """The rules with trees below a member. Raises Unassessable where one cannot run."""
        nested = self.opened.get(member)
        if nested is not None:
            if nested.state == "open":
                raise Unassessable("it is made of itself")
            self.tie(nested, depth + 1)
            reason, leaves = nested.rule.unassessed, nested.leaves
        else:
            rule = self.rules[member].rule
            reason, leaves = rule.unassessed, frozenset((member,))
            if rule.correlate is not None:
                leaves = frozenset(rule.correlate.of)
        if reason:
            raise Unassessable(f"its rule {shown(member)} is unassessed: {reason}")
        return leaves

    def groups(
        self, parsed: SigmaCorrelationRule, leaves: Mapping[str, frozenset[str]]
    ) -> tuple[tuple[str, ...], dict[str, dict[str, str]]]:
        """`by`, and for each rule the columns that it has instead."""
        by: list[str] = []
        aliases: dict[str, dict[str, str]] = {}
        for name in parsed.group_by or ():
            alias = parsed.aliases.aliases.get(name)
            given = (
                {}
                if alias is None
                else {self.names.get(str(r.reference), ""): f for r, f in alias.mapping.items()}
            )
            by.append(self.shared(name, given, leaves, aliases))
        return tuple(by), aliases

    def shared(
        self,
        name: str,
        given: Mapping[str, str],
        leaves: Mapping[str, frozenset[str]],
        aliases: dict[str, dict[str, str]],
    ) -> str:
        """The one column that a field is for all members; else the field's name, and in
        `aliases` what it is for each.
        """
        columns: dict[str, str] = {}
        for member, below in leaves.items():
            for leaf in below:
                source = self.rules[leaf].source
                if source is None:
                    raise Unassessable(f"its rule {shown(leaf)} has no source")
                columns[leaf] = column_of(given.get(member, given.get(leaf, name)), source)
        if len(set(columns.values())) == 1:
            return next(iter(columns.values()))
        for member, below in leaves.items():
            found = {columns[leaf] for leaf in below}
            if len(found) > 1:
                text = f"'{shown(name)}' is another column in each rule of {shown(member)}"
                raise Unassessable(text)
            aliases.setdefault(member, {})[name] = found.pop()
        return name

    def field(
        self,
        name: str,
        leaves: Mapping[str, frozenset[str]],
        aliases: dict[str, dict[str, str]],
    ) -> tuple[str, dict[str, dict[str, str]]]:
        """The column of `field`, likewise."""
        return (self.shared(name, {}, leaves, aliases) if name else ""), aliases


def _figure(parsed: SigmaCorrelationRule, members: int) -> tuple[str, float, str, float]:
    """Operator, value, field and percentile of its condition."""
    condition = parsed.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        return ">=", float(members), "", 0.0
    field = condition.fieldref
    if isinstance(field, list):
        raise Unassessable("values of several fields together are not counted")
    percentile = float(condition.percentile or 0)
    if parsed.type.name == "VALUE_PERCENTILE" and not 0 < percentile < 100:
        raise Unassessable("its percentile is not between 0 and 100")
    counted = parsed.type.name in ("EVENT_COUNT", "VALUE_COUNT")
    if counted and not 0 <= condition.count <= MOST_KEPT:
        raise Unassessable(f"it asks for a count that is not from 0 to {MOST_KEPT:,}")
    return _OPS[condition.op.name], float(condition.count), field or "", percentile


def _all_of(node: Any) -> list[SigmaRuleReference]:
    """The rules of an extended condition that only says `and`. Raises Unassessable for others."""
    found: list[SigmaRuleReference] = []
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, SigmaRuleReference):
            found.append(one)
        elif isinstance(one, CorrelationConditionAND):
            stack.extend(reversed(one.args))
        else:
            raise Unassessable("a correlation of rules by `or` or `not` is not supported")
    return found
