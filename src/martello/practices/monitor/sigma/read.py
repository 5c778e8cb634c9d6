"""Sigma rule files as rules of ours: pySigma reads them, the tree they become is ours.

A rule that cannot be evaluated is loaded all the same, as `unassessed` with the reason; it never
matches. The rules themselves stay the user's: none is shipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetection, SigmaDetections

from martello.practices.monitor.documents import Document, Unreadable, documents, text_of
from martello.practices.monitor.engine.ir import FALSE, Node, both, either
from martello.practices.monitor.engine.rule import Correlation, Pack, Rule
from martello.practices.monitor.problems import Loaded, Problem, shown
from martello.practices.monitor.sigma import condition, corrections, correlation, meta, old
from martello.practices.monitor.sigma.engine import POLICY
from martello.practices.monitor.sigma.filters import Filter
from martello.practices.monitor.sigma.logsource import KUBERNETES, SOURCES, LogSource, find
from martello.practices.monitor.sigma.lower import Unassessable, detection
from martello.practices.monitor.sigma.placeholders import filled

_RULES: Final = 20_000  # of one call
_EXPANDING: Final = re.compile(r"\|(?:windash|base64offset)\b")
_EXPANDABLE: Final = 2_000  # values whose modifiers make many of one


class Read(msgspec.Struct, frozen=True, eq=False):
    """A rule with what correlations and filters ask of it: its names, its log source as written
    and as it is here.
    """

    rule: Rule
    names: frozenset[str]
    written: tuple[str, str, str] = ("", "", "")
    source: LogSource | None = None


def load(
    texts: Mapping[str, str | bytes],
    *,
    correct: bool = False,
    placeholders: Mapping[str, Sequence[str]] | None = None,
    sources: Iterable[LogSource] = (),
) -> Loaded:
    """The rules of files, by name of the file. `correct` applies the shipped corrections of
    Kubernetes rules, `placeholders` are the values of `expand`, `sources` log sources besides the
    known ones. Raises nothing for what stands in a file.
    """
    reader = _Reader(correct, placeholders or {}, (*sources, *SOURCES))
    for file, data in texts.items():
        reader.file(file, data)
    return reader.finish()


class _Reader:
    def __init__(
        self,
        correct: bool,
        placeholders: Mapping[str, Sequence[str]],
        sources: Sequence[LogSource],
    ) -> None:
        self.correct = correct
        self.placeholders = placeholders
        self.sources = sources
        self.read: list[Read] = []
        self.correlations: list[tuple[str, Document, dict[str, Any]]] = []
        self.filters: list[Filter] = []
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []

    # -- files and documents

    def file(self, file: str, data: str | bytes) -> None:
        """Every document of a file; what is wrong in one leaves the others as they are."""
        common: dict[str, Any] = {}
        previous: dict[str, Any] = {}
        try:
            for document in documents(text_of(data)):
                if len(self.read) >= _RULES:
                    self.error(file, document.place(), f"more than {_RULES:,} rules")
                    return
                value = document.value
                if not isinstance(value, dict):
                    self.error(file, document.place(), "a rule is a mapping")
                    continue
                action = value.get("action")
                own = {key: each for key, each in value.items() if key != "action"}
                if action == "global":
                    common = previous = own
                elif action == "reset":
                    common = {}
                elif action == "repeat":
                    previous = meta.merged(previous, own)
                    self.rule(file, document, previous)
                elif action is not None:
                    self.error(file, document.place("action"), "global, reset or repeat")
                elif "correlation" in value:
                    self.correlations.append((file, document, value))
                elif "filter" in value:
                    self.filter(file, document, value)
                else:
                    previous = own
                    self.rule(file, document, meta.merged(own, common) if common else own)
        except Unreadable as error:
            self.error(file, (error.line, error.column), error.text)

    def error(self, file: str, place: tuple[int, int], text: str) -> None:
        self.errors.append(Problem(file, *place, text))

    def warn(self, file: str, place: tuple[int, int], text: str) -> None:
        self.warnings.append(Problem(file, *place, text))

    # -- rules

    def rule(self, file: str, document: Document, value: dict[str, Any]) -> None:
        """One rule, and what counts its hits where it is written in the old way."""
        rule = meta.rule(file, document, value)
        names = frozenset((rule.id, str(value.get("name") or rule.id)))
        written = meta.log_source(value)
        source = find(*written, self.sources)
        parsed, problems = _parsed(value, document)
        for place, text, fatal in problems:
            (self.error if fatal else self.warn)(file, place, text)
        reason = next((text for _, text, fatal in problems if fatal), "")
        if not reason and value.get("status") == "unsupported" and not _counts(value):
            reason = "the rule says of itself that it is unsupported"
        if not reason and source is None:
            name = "/".join(shown(part) for part in (written[1], written[0], written[2]) if part)
            reason = f"no source: there are no events of {name or 'this log source'} here"
        if reason or source is None or parsed is None:
            rule = msgspec.structs.replace(rule, unassessed=reason)
            self.read.append(Read(rule, names, written))
            return
        try:
            self.lowered(file, document, value, rule, names, source, parsed)
        except Unassessable as why:
            rule = msgspec.structs.replace(rule, unassessed=str(why), kinds=source.kinds)
            self.read.append(Read(rule, names, written, source))

    def lowered(
        self,
        file: str,
        document: Document,
        value: dict[str, Any],
        rule: Rule,
        names: frozenset[str],
        source: LogSource,
        parsed: SigmaRule,
    ) -> None:
        """The tree of a rule that pySigma took. Raises Unassessable."""
        detections = parsed.detection
        notes: tuple[str, ...] = ()
        if self.correct and source is KUBERNETES:
            changed, notes = corrections.kubernetes(value["detection"])
            if notes:
                detections = SigmaDetections.from_dict(_without_timeframe(changed), policy=POLICY)
        lazy = self.lazy(detections, source)
        counts: list[old.Count] = []
        trees: list[Node] = []
        for index, text in enumerate(detections.condition):
            steps = _steps(value, index)
            if not isinstance(text, str):
                raise self.wrong(file, document.place(*steps), "a condition is a text")
            proper, after = condition.parts_of(text)
            try:
                trees.append(condition.parse(proper, lazy))
                if after is not None:
                    frame = value["detection"].get("timeframe")
                    counts.append(old.read(after, frame))
            except condition.Wrong as error:
                place = document.inside(error.offset, *steps)
                raise self.wrong(file, place, error.text) from None
        rule = msgspec.structs.replace(
            rule,
            tree=either(*trees),
            kinds=source.kinds,
            warnings=(*rule.warnings, *notes),
        )
        if not counts:
            self.read.append(Read(rule, names, meta.log_source(value), source))
            return
        if len(trees) > 1:
            raise Unassessable("several conditions, and one of them counts")
        self.counted(rule, names, meta.log_source(value), source, counts[0])

    def counted(
        self,
        rule: Rule,
        names: frozenset[str],
        written: tuple[str, str, str],
        source: LogSource,
        count: old.Count,
    ) -> None:
        """A rule with `| count() by x > n`: its events, and the correlation that counts them."""
        events = msgspec.structs.replace(rule, id=f"{rule.id}/events")
        by = tuple(correlation.column_of(name, source) for name in count.by)
        field = correlation.column_of(count.field, source) if count.field else ""
        counting = Correlation(
            count.type, (events.id,), by, count.within, count.op, count.value, field
        )
        self.read.append(Read(events, frozenset((events.id,)), written, source))
        note = "its old way of counting is read as a correlation"
        rule = msgspec.structs.replace(
            rule, tree=FALSE, window=0, correlate=counting, warnings=(*rule.warnings, note)
        )
        self.read.append(Read(rule, names, written, source))

    def lazy(self, detections: SigmaDetections, source: LogSource) -> dict[str, Callable[[], Node]]:
        """The detections by name, each lowered when it is first asked for."""
        made: dict[str, Node] = {}

        def lowered(name: str, one: SigmaDetection) -> Node:
            if name not in made:
                made[name] = detection(filled(one, self.placeholders), source.lowering)
            return made[name]

        return {
            name: (lambda name=name, one=one: lowered(name, one))  # type: ignore[misc]
            for name, one in detections.detections.items()
        }

    def wrong(self, file: str, place: tuple[int, int], text: str) -> Unassessable:
        self.error(file, place, text)
        return Unassessable(f"its condition cannot be read: {text}")

    # -- what refers to rules

    def filter(self, file: str, document: Document, value: dict[str, Any]) -> None:
        try:
            self.filters.append(Filter(value))
        except (SigmaError, Unassessable, AttributeError, TypeError, ValueError) as error:
            self.error(file, document.place("filter"), shown(error, 200))

    def finish(self) -> Loaded:
        """Filters are applied, correlations are tied to the rules that they name."""
        read = [self.filtered(one) for one in self.read]
        tied = correlation.tie(self.correlations, read)
        for file, place, text in tied.errors:
            self.error(file, place, text)
        rules = [one.rule for one in read] + list(tied.rules)
        seen: set[str] = set()
        for rule in rules:
            if rule.id in seen:
                place = (rule.source.line, 1)
                self.warn(rule.source.file, place, f"a rule {shown(rule.id)} came before")
            seen.add(rule.id)
            for note in rule.warnings:
                self.warn(rule.source.file, (rule.source.line, 1), note)
        return Loaded(Pack(rules), tuple(self.errors), tuple(self.warnings))

    def filtered(self, one: Read) -> Read:
        for each in self.filters:
            if one.source is None or one.rule.unassessed or one.rule.correlate is not None:
                continue
            if not each.takes(one.names, one.written):
                continue
            try:
                node = each.node(self.lazy(each.detections, one.source))
                tree = both(one.rule.tree, node)
                rule = msgspec.structs.replace(one.rule, tree=tree)
            except (Unassessable, condition.Wrong) as why:
                reason = f"a filter of it cannot be evaluated: {why}"
                rule = msgspec.structs.replace(one.rule, unassessed=reason)
            one = Read(rule, one.names, one.written, one.source)
        return one


def _steps(value: dict[str, Any], index: int) -> tuple[str | int, ...]:
    listed = isinstance(value["detection"]["condition"], list)
    return ("detection", "condition", index) if listed else ("detection", "condition")


def _counts(value: dict[str, Any]) -> bool:
    """Whether a rule counts in the old way: what Sigma's tools no longer support, but we do."""
    given = value["detection"].get("condition")
    return isinstance(given, str) and "|" in given


def _without_timeframe(detection_: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in detection_.items() if name != "timeframe"}


_Problem = tuple[tuple[int, int], str, bool]


def _parsed(value: dict[str, Any], document: Document) -> tuple[SigmaRule | None, list[_Problem]]:
    """What pySigma makes of a rule, and its complaints; those about the detection are fatal."""
    detections = value.get("detection")
    if not isinstance(detections, dict):
        return None, [(document.place("detection"), "a rule has a mapping `detection`", True)]
    if _expanding(detections) > _EXPANDABLE:
        text = f"more than {_EXPANDABLE:,} values with windash or base64offset"
        return None, [(document.place("detection"), text, True)]
    given = {**value, "detection": _without_timeframe(detections)}
    if given.get("id") is not None:
        given["id"] = str(given["id"])
    try:
        rule = SigmaRule.from_dict(given, collect_errors=True, policy=POLICY)
    except Exception as error:
        return None, [(document.place(), _words(error), True)]
    return rule, [_judged(error, value, document) for error in rule.errors]


def _expanding(detections: Mapping[str, Any]) -> int:
    found = 0
    stack: list[Any] = list(detections.values())
    while stack:
        one = stack.pop()
        if isinstance(one, list):
            stack.extend(each for each in one if isinstance(each, dict | list))
        elif isinstance(one, dict):
            for key, each in one.items():
                if isinstance(each, dict | list):
                    stack.append(each)
                if _EXPANDING.search(key):
                    found += len(each) if isinstance(each, list) else 1
    return found


_FATAL: Final = ("Detection", "Condition", "Logsource", "Modifier", "Value", "Type", "Regular")
_KEYS: Final = {
    "Logsource": "logsource",
    "Identifier": "id",
    "Name": "name",
    "Level": "level",
    "Status": "status",
    "Tag": "tags",
    "Date": "date",
    "Title": "title",
    "Related": "related",
    "Author": "author",
    "References": "references",
    "FalsePositives": "falsepositives",
}


def _judged(error: SigmaError, value: dict[str, Any], document: Document) -> _Problem:
    """A complaint of pySigma's with its place, and whether the rule cannot run because of it."""
    name = type(error).__name__.removeprefix("Sigma").removesuffix("Error")
    text = _words(error)
    if name in _KEYS:
        return document.place(_KEYS[name]), text, name == "Logsource"
    if not any(name.startswith(each) for each in _FATAL):
        return document.place(), text, False
    steps = _blame(value["detection"])
    return document.place("detection", *steps), text, True


def _blame(detections: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Which part of the detections pySigma does not take."""
    for name, one in detections.items():
        if name in ("condition", "timeframe"):
            continue
        listed = one if isinstance(one, list) else [one]
        for index, each in enumerate(listed):
            here: tuple[str | int, ...] = (name, index) if isinstance(one, list) else (name,)
            for key, wanted in each.items() if isinstance(each, dict) else ():
                if not _takes({key: wanted}):
                    return (*here, key)
            if not _takes(each):
                return here
    return ("condition",) if "condition" in detections else ()


def _takes(definition: Any) -> bool:
    try:
        SigmaDetection.from_definition(definition, policy=POLICY)
    except Exception:
        return False
    return True


def _words(error: BaseException) -> str:
    text = shown(error, 200) if isinstance(error, SigmaError) else type(error).__name__
    return f"pySigma does not take the rule: {text}"
