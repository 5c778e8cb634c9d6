"""Martello's own rules: YAML whose `when` is CEL over the columns of an event.

A file holds documents, each a rule or a list of rules. Raises nothing for what stands in a file: a
rule that cannot be read is unassessed, with an error that has its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, Final

import msgspec

from martello.core.event import COLUMNS, KINDS
from martello.practices.monitor.alerts.correlate import ACCOUNT
from martello.practices.monitor.alerts.windows import MOST_KEPT
from martello.practices.monitor.documents import Document, Steps, Unreadable, documents, text_of
from martello.practices.monitor.engine.rule import SEVERITIES, Correlation, Pack, Rule, Source
from martello.practices.monitor.engine.say import columns_of
from martello.practices.monitor.own import when
from martello.practices.monitor.problems import Loaded, Problem, shown

_MEMBERS: Final = ("id", "title", "severity", "say", "why", "fix", "learn", "group", "window")
_KEYS: Final = frozenset(
    (*_MEMBERS, "kind", "when", "params", "correlate", "attack", "aliases", "tags", "tests")
) | {"enabled"}
_TEST_KEYS: Final = frozenset(("name", "from", "event", "events", "expect"))
_FIGURE: Final = ("field", "op", "value", "at_least", "percentile")
_CORRELATE_KEYS: Final = frozenset((*_FIGURE, "type", "of", "by", "within", "aliases", "alone"))
_PART_KEYS: Final = frozenset(("name", "kind", "when"))
_LEARN: Final = ("never", "baseline", "free")
_TYPES: Final = ("count", "values", "all", "sequence", "sum", "avg", "percentile", "median")
_OPS: Final = ("=", "!=", "<", "<=", ">", ">=")
_ID: Final = re.compile(r"[A-Z]{2,10}-[0-9]{3,6}|[a-z0-9][a-z0-9._/-]{0,99}")
_TECHNIQUE: Final = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")
_SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RULES: Final = 5_000


class _Wrong(Exception):
    """A part of a rule that cannot be read: why, and where in its document."""

    def __init__(self, text: str, *steps: str | int, offset: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.steps: Steps = steps
        self.offset = offset


def load(texts: Mapping[str, str | bytes]) -> Loaded:
    """The rules of files, by name of the file."""
    rules: list[Rule] = []
    errors: list[Problem] = []
    seen: set[str] = set()
    for file, data in texts.items():
        try:
            for document in documents(text_of(data)):
                for steps in _written(document):
                    if len(rules) >= _RULES:
                        raise Unreadable(f"more than {_RULES:,} rules", *document.place(*steps))
                    made = _rules(file, document, steps, errors)
                    if made and made[-1].id in seen:
                        text = f"a rule {made[-1].id} came before"
                        errors.append(Problem(file, *document.place(*steps, "id"), text))
                        continue
                    seen.update(rule.id for rule in made)
                    rules.extend(made)
        except Unreadable as error:
            errors.append(Problem(file, error.line, error.column, error.text))
    rules = [_tied(rule, seen, errors) for rule in rules]
    return Loaded(Pack(rules), tuple(errors))


def aliases(pack: Pack) -> dict[str, tuple[str, ...]]:
    """Names that other rule sets give (`falco:Terminal shell in container`) → rules of ours."""
    found: dict[str, tuple[str, ...]] = {}
    for rule in pack:
        if rule.correlate is None and "/" in rule.id and rule.id.partition("/")[0] in pack.rules:
            continue  # a part of a correlation; the whole one has the name
        for name in rule.aliases:
            found[name] = (*found.get(name, ()), rule.id)
    return found


def _written(document: Document) -> Iterator[Steps]:
    if isinstance(document.value, list):
        yield from ((index,) for index in range(len(document.value)))
    else:
        yield ()


def _rules(file: str, document: Document, steps: Steps, errors: list[Problem]) -> list[Rule]:
    """One rule as written: itself, and before it the parts that a correlation is made of."""
    value = document.value[steps[0]] if steps else document.value
    line, column = document.place(*steps)
    if not isinstance(value, dict):
        errors.append(Problem(file, line, column, "a rule is a mapping"))
        return []
    try:
        return list(_Reader(file, line, value).rules())
    except _Wrong as wrong:
        whole = (*steps, *wrong.steps)
        place = (
            document.place(*whole)
            if wrong.offset is None
            else document.inside(wrong.offset, *whole)
        )
        errors.append(Problem(file, *place, wrong.text))
        id_ = value.get("id")
        if not isinstance(id_, str) or not _ID.fullmatch(id_):
            return []
        title = value.get("title")
        reason = f"{wrong.text} ({'.'.join(map(str, wrong.steps)) or 'rule'})"
        title = shown(title, 200) if isinstance(title, str) else id_
        return [Rule(id_, title, source=Source("martello", file, line), unassessed=reason)]


def _tied(rule: Rule, known: set[str], errors: list[Problem]) -> Rule:
    """A correlation is unassessed where a rule that it names is not there."""
    missing = [one for one in rule.correlate.of if one not in known] if rule.correlate else []
    if not missing or rule.unassessed:
        return rule
    text = f"there is no rule {shown(missing[0])} to correlate"
    errors.append(Problem(rule.source.file, rule.source.line, 1, text))
    return msgspec.structs.replace(rule, unassessed=text)


class _Reader:
    """One rule's mapping, read key by key."""

    def __init__(self, file: str, line: int, value: dict[str, Any]) -> None:
        self.file = file
        self.line = line
        self.value = value

    def rules(self) -> Iterator[Rule]:
        _known(self.value, _KEYS)
        rule = self.rule()
        written = self.value.get("when")
        if "correlate" not in self.value:
            if not isinstance(written, str):
                raise _Wrong("`when` is one text where nothing is correlated", "when")
            kinds = self.kinds(self.value.get("kind"), "kind")
            yield msgspec.structs.replace(rule, kinds=kinds, tree=self.tree(written, "when"))
            return
        parts = list(self.parts(rule, written))
        yield from parts
        yield self.correlation(rule, parts)

    def rule(self) -> Rule:
        """All but kinds and trees."""
        identity = self.text("id", required=True)
        if not _ID.fullmatch(identity):
            raise _Wrong("an id is like MON-131", "id")
        severity = self.text("severity", required=True)
        if severity not in SEVERITIES:
            raise _Wrong(f"a severity is one of {', '.join(SEVERITIES)}", "severity")
        learn = self.text("learn") or "free"
        if learn not in _LEARN:
            raise _Wrong(f"`learn` is one of {', '.join(_LEARN)}", "learn")
        attack = self.texts("attack")
        for index, one in enumerate(attack):
            if not _TECHNIQUE.fullmatch(one):
                raise _Wrong("a technique is like T1609 or T1552.007", "attack", index)
        window = "1h" if "correlate" not in self.value else "1s"
        return Rule(
            id=identity,
            title=self.text("title", required=True),
            severity=severity,
            say=self.say(),
            why=self.text("why"),
            fix=self.text("fix"),
            group=self.columns("group"),
            window=_span(self.value.get("window", window), "window"),
            learn=learn,
            attack=attack,
            tags=self.texts("tags"),
            aliases=self.texts("aliases"),
            enabled=self.flag("enabled", True),
            source=Source("martello", self.file, self.line),
            tests=self.tests(),
        )

    # -- what is looked for

    def kinds(self, written: Any, *steps: str | int) -> tuple[str, ...]:
        kinds = tuple(written) if isinstance(written, list) else (written,)
        for one in kinds:
            if one not in KINDS:
                raise _Wrong(f"a kind is one of {', '.join(KINDS)}", *steps)
        return kinds

    def tree(self, text: str, *steps: str | int) -> Any:
        try:
            return when.lower(text, self.params())
        except when.Wrong as wrong:
            raise _Wrong(wrong.text, *steps, offset=wrong.offset) from None

    def params(self) -> dict[str, Any]:
        params = self.value.get("params", {})
        if not isinstance(params, dict):
            raise _Wrong("`params` is a mapping", "params")
        try:
            msgspec.json.encode(params)
        except (TypeError, OverflowError, RecursionError):
            raise _Wrong("parameters are texts, numbers, lists and mappings", "params") from None
        for name, one in params.items():
            if not _is_parameter(one):
                raise _Wrong("parameters are texts, numbers and lists of them", "params", name)
        return params

    def parts(self, rule: Rule, written: Any) -> Iterator[Rule]:
        """The rules that a correlation is made of: one for each part of `when`."""
        listed = written if isinstance(written, list) else [] if written is None else [written]
        for index, one in enumerate(listed):
            steps: Steps = ("when", index) if isinstance(written, list) else ("when",)
            name, kind, text = str(index + 1), self.value.get("kind"), one
            where: Steps = ("kind",)
            if isinstance(one, dict):
                _known(one, _PART_KEYS, *steps)
                name, kind = str(one.get("name", name)), one.get("kind", kind)
                where = (*steps, "kind") if "kind" in one else where
                text, steps = one.get("when"), (*steps, "when")
            if not isinstance(text, str):
                raise _Wrong("a part of `when` is CEL", *steps)
            yield msgspec.structs.replace(
                rule,
                id=f"{rule.id}/{shown(name, 40)}",
                kinds=self.kinds(kind, *where),
                tree=self.tree(text, *steps),
                tests=(),
            )

    def correlation(self, rule: Rule, parts: list[Rule]) -> Rule:
        given = self.value["correlate"]
        if not isinstance(given, dict):
            raise _Wrong("`correlate` is a mapping", "correlate")
        _known(given, _CORRELATE_KEYS, "correlate")
        type_ = given.get("type")
        if type_ not in _TYPES:
            raise _Wrong(f"a type is one of {', '.join(_TYPES)}", "correlate", "type")
        named = _texts(given.get("of", []), "correlate", "of")
        ids = {part.id.rpartition("/")[2]: part.id for part in parts}
        of = tuple(ids.get(name, name) for name in named) or tuple(part.id for part in parts)
        if not of:
            raise _Wrong("it is made of nothing: `when` or `of` says of what", "correlate")
        field = self.field(given, type_)
        default = len(of) if type_ in ("all", "sequence") else None
        value = given.get("at_least", given.get("value", default))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Wrong("`at_least` is a number", "correlate", "at_least")
        if not isfinite(value) or (type_ in ("count", "values") and not 0 <= value <= MOST_KEPT):
            text = f"`at_least` is a number, of what is counted one from 0 to {MOST_KEPT:,}"
            raise _Wrong(text, "correlate", "at_least")
        op = given.get("op", ">=")
        if op not in _OPS:
            raise _Wrong(f"`op` is one of {' '.join(_OPS)}", "correlate", "op")
        counting = Correlation(
            type=type_,
            of=of,
            by=_columns(given.get("by", []), "correlate", "by", also=(ACCOUNT,)),
            within=_span(given.get("within"), "correlate", "within"),
            op=op,
            value=float(value),
            field=field,
            percentile=_percentile(given, type_),
            aliases=_aliases(given.get("aliases", {}), ids),
            alone=given.get("alone") is True,
        )
        kinds = tuple(dict.fromkeys(kind for part in parts for kind in part.kinds))
        return msgspec.structs.replace(rule, kinds=kinds, correlate=counting)

    def field(self, given: Mapping[str, Any], type_: str) -> str:
        field = given.get("field", "")
        if type_ in ("count", "all", "sequence"):
            return ""
        if not isinstance(field, str) or field not in COLUMNS:
            raise _Wrong(f"`field` is the column of {type_}", "correlate", "field")
        return field

    # -- plain members

    def text(self, key: str, required: bool = False) -> str:
        found = self.value.get(key, "")
        if not isinstance(found, str) or (required and not found.strip()):
            raise _Wrong(f"`{key}` is a text" + (", and needed" if required else ""), key)
        return found.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        return _texts(self.value.get(key, []), key)

    def columns(self, key: str) -> tuple[str, ...]:
        return _columns(self.value.get(key, []), key)

    def flag(self, key: str, default: bool) -> bool:
        found = self.value.get(key, default)
        if not isinstance(found, bool):
            raise _Wrong(f"`{key}` is true or false", key)
        return found

    def say(self) -> str:
        text = self.text("say")
        for name in columns_of(text):
            if name not in COLUMNS:
                near = when.nearest(name, COLUMNS)
                hint = f"; is {near} meant?" if near else ""
                raise _Wrong(f"there is no column {shown(name)}{hint}", "say")
        return text

    def tests(self) -> tuple[Mapping[str, Any], ...]:
        found = self.value.get("tests", [])
        if not isinstance(found, list):
            raise _Wrong("`tests` is a list", "tests")
        for index, one in enumerate(found):
            steps: Steps = ("tests", index)
            if not isinstance(one, dict):
                raise _Wrong("a test is a mapping", *steps)
            _known(one, _TEST_KEYS, *steps)
            if one.get("expect") not in ("fire", "quiet"):
                raise _Wrong("`expect` is fire or quiet", *steps, "expect")
            if "event" not in one and not isinstance(one.get("events"), list):
                raise _Wrong("a test has an `event`, or a list of `events`", *steps)
            if not isinstance(one.get("from", "audit"), str):
                raise _Wrong("`from` names a source", *steps, "from")
        return tuple(found)


def _known(value: Mapping[str, Any], keys: frozenset[str], *steps: str | int) -> None:
    for key in value:
        if key not in keys:
            near = when.nearest(key, keys)
            hint = f"; is `{near}` meant?" if near else ""
            raise _Wrong(f"there is no `{shown(key)}` here{hint}", *steps, key)


def _is_parameter(value: Any) -> bool:
    plain: Callable[[Any], bool] = lambda one: isinstance(one, str | bool | int | float)  # noqa: E731
    return plain(value) or (isinstance(value, list) and all(map(plain, value)))


def _texts(value: Any, *steps: str | int) -> tuple[str, ...]:
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in found):
        raise _Wrong(f"`{steps[-1]}` is a list of texts", *steps)
    return tuple(found)


def _columns(value: Any, *steps: str | int, also: tuple[str, ...] = ()) -> tuple[str, ...]:
    for name in _texts(value, *steps):
        if name not in COLUMNS and name not in also:
            near = when.nearest(name, COLUMNS)
            hint = f"; is {near} meant?" if near else ""
            raise _Wrong(f"there is no column {shown(name)}{hint}", *steps)
    return _texts(value, *steps)


def _span(value: Any, *steps: str | int) -> int:
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _Wrong("a time is like 90s, 5m, 1h or 7d", *steps)
    return int(match[1]) * _SECONDS[match[2]]


def _percentile(given: Mapping[str, Any], type_: str) -> float:
    found = given.get("percentile", 0)
    number = isinstance(found, int | float) and not isinstance(found, bool)
    if not number or (type_ == "percentile" and not 0 < found < 100):
        raise _Wrong("`percentile` lies between 0 and 100", "correlate", "percentile")
    return float(found)


def _aliases(value: Any, ids: Mapping[str, str]) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict):
        raise _Wrong("`aliases` is a mapping by rule", "correlate", "aliases")
    found: dict[str, dict[str, str]] = {}
    for name, columns in value.items():
        if not isinstance(columns, dict) or not all(
            isinstance(c, str) and c in COLUMNS for c in columns.values()
        ):
            text = "an alias maps a column of `by` to a column"
            raise _Wrong(text, "correlate", "aliases", name)
        found[ids.get(name, name)] = {str(key): str(column) for key, column in columns.items()}
    return found
