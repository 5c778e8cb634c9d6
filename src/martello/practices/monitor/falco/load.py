"""Files of Falco's rules become a pack.

Whatever is wrong is told with its place. A rule that cannot run stays in the pack as unassessed
with the reason, and the rest loads; with `strict` the first error ends the load, as it does for
Falco, and the verdict is Falco's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from martello.practices.monitor.engine.ir import Atom, Column, both, columns
from martello.practices.monitor.engine.ir import Node as Tree
from martello.practices.monitor.engine.rule import Pack, Rule
from martello.practices.monitor.engine.rule import Source as Written
from martello.practices.monitor.falco.build import Builder, at, excepting, unused
from martello.practices.monitor.falco.collect import Collector, RuleText
from martello.practices.monitor.falco.document import LARGEST, Node, documents
from martello.practices.monitor.falco.events import too_many
from martello.practices.monitor.falco.expression import Check as Comparison
from martello.practices.monitor.falco.expression import Expression, Field, checks, told
from martello.practices.monitor.falco.fields import Source, sources
from martello.practices.monitor.falco.filter import CannotRun, Lowering
from martello.practices.monitor.falco.items import (
    PRIORITIES,
    place_of,
    rule,
    simple,
    text,
    unexpected,
    unknown_keys,
)
from martello.practices.monitor.falco.notes import notes
from martello.practices.monitor.falco.output import Output, read
from martello.practices.monitor.falco.problems import (
    CONDITION,
    OUTPUT,
    YAML,
    Fault,
    Place,
    Problem,
    refuse,
    short,
)
from martello.practices.monitor.falco.syntax import BARE, IDENTIFIER, Malformed

PREFIX: Final = "falco:"
_DEPRECATED: Final = frozenset(
    (
        "evt.dir",
        "evt.latency",
        "evt.latency.s",
        "evt.latency.ns",
        "evt.latency.human",
        "evt.wait_latency",
    )
)
_UNKNOWN: Final = (
    "nonexistent field",
    "invalid formatting token",
    "unknown event type",
    "unknown filter:",
)
_MANY: Final = "Rule matches too many evt.type values. This has a significant performance penalty."


class Loaded(msgspec.Struct):
    """What files say: the pack, what is wrong, and by the name of a rule what it says (with its
    condition as Falco prints it) and its message.
    """

    pack: Pack
    errors: list[Problem]
    warnings: list[Problem]
    described: dict[str, Mapping[str, Any]] = {}
    outputs: dict[str, Output] = {}


def load(files: Iterable[tuple[str, str]], *, strict: bool = False) -> Loaded:
    """Reads files (name and text) in their order."""
    made = _Load(strict)
    for name, content in files:
        made.file(name, content)
        if strict and not made.errors:
            made.compile()
        if strict and made.errors:
            break
    if not strict:
        made.compile()
    return Loaded(
        Pack(made.rules.values()), made.errors, made.warnings, made.described, made.outputs
    )


class _Load:
    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self.rules: dict[str, Rule] = {}
        self.described: dict[str, Mapping[str, Any]] = {}
        self.outputs: dict[str, Output] = {}
        self.collector = Collector(sources())
        self.broken: dict[str, tuple[str, Place]] = {}

    def warn(self, code: str, why: str, place: Place) -> None:
        found = Problem(code, short(why), place)
        if found not in self.warnings[-1000:]:
            self.warnings.append(found)

    def failed(self, problem: Problem) -> None:
        self.errors.append(problem)
        for kind, name in problem.place.items:
            if kind == "rule" and name:
                self.broken[name] = (problem.why, problem.place)

    def file(self, name: str, content: str) -> None:
        """One file into the collector."""
        top = Place(name, items=(("rules content", ""),))
        try:
            refuse(len(content) > LARGEST, f"a file of more than {LARGEST} bytes", top, YAML)
            found = documents(content, top)
        except Fault as fault:
            self.failed(fault.problem)
            return
        for document in found:
            try:
                why = "Rules content is not yaml"
                refuse(document.kind == "scalar", why, top, YAML)
                refuse(document.kind != "list", f"{why} array of objects", top, YAML)
            except Fault as fault:
                self.failed(fault.problem)
                if self.strict:
                    return
            for item in document.items:
                try:
                    if item.kind != "null":
                        self._item(item, top)
                except Fault as fault:
                    self.failed(fault.problem)
                    if self.strict:
                        return

    def _item(self, node: Node, top: Place) -> None:
        here = place_of(node, top, "rules content item")
        why = "Unexpected element type. Each element should be a yaml associative array."
        refuse(node.kind != "map", why, here, YAML)
        if "required_engine_version" in node.pairs:
            place = place_of(node, top, "required_engine_version")
            self.collector.engine(text(node, "required_engine_version", place), place)
            unknown_keys(node, ("required_engine_version",), place, self.warn)
        elif "required_plugin_versions" in node.pairs:
            self._plugins(node.pairs["required_plugin_versions"], top)
            unknown_keys(node, ("required_plugin_versions",), here, self.warn)
        elif "list" in node.pairs:
            self._named(node, "list", top)
        elif "macro" in node.pairs:
            self._named(node, "macro", top)
        elif "rule" in node.pairs:
            made = rule(node, top, self.warn)
            self.collector.rule(made, self.warn)
            unexpected(node, made)
            if not (made.appended or made.append or made.replace):
                self.broken.pop(made.name, None)
        else:
            self.warn("LOAD_UNKNOWN_ITEM", "Unknown top level item", here)

    def _named(self, node: Node, kind: str, top: Place) -> None:
        name = text(node, kind, place_of(node, top, kind))
        pattern, word = (BARE, "List") if kind == "list" else (IDENTIFIER, "Macro")
        if not pattern.fullmatch(name):
            why = (
                f"{word} has an invalid name. {word} names should match a regular expression: "
                f"{pattern.pattern}"
            )
            self.warn(f"LOAD_INVALID_{kind.upper()}_NAME", why, place_of(node, top, kind, name))
        key = "items" if kind == "list" else "condition"
        self.collector.simple(simple(node, kind, key, top, self.warn))

    def _plugins(self, node: Node, top: Place) -> None:
        place = place_of(node, top, "required plugin versions")
        refuse(
            node.kind != "list", "Value of required_plugin_versions must be a sequence", place, YAML
        )
        for one in node.items:
            inner = place_of(one, place, "required plugin versions entry")
            refuse(one.kind != "map", "Plugin version must be a mapping", inner, YAML)
            wanted = [(text(one, "name", inner), text(one, "version", inner))]
            others = one.get("alternatives")
            if others is not None:
                why = "Value of plugin version alternatives must be a sequence"
                refuse(others.kind != "list", why, inner, YAML)
                for other in others.items:
                    why = "Plugin version alternative must be a mapping"
                    refuse(other.kind != "map", why, inner, YAML)
                    wanted.append((text(other, "name", inner), text(other, "version", inner)))
            names = [name for name, _ in wanted]
            for name, version in wanted:
                why = f"Invalid required version '{version}' for plugin '{name}'"
                parts = version.split("-")[0].split("+")[0].split(".")
                refuse(len(parts) != 3 or not all(p.isdigit() for p in parts), why, inner)
                why = f"Defined multiple alternative version requirements for plugin '{name}'"
                refuse(names.count(name) > 1, why, inner)
            self.collector.plugins.extend(wanted)

    def compile(self) -> None:
        """Everything that was collected into rules."""
        self.rules, self.described, self.outputs = {}, {}, {}
        try:
            builder = Builder(self.collector.lists, self.collector.macros)
            if not self._macros(builder):
                return
        except Fault as fault:
            self.failed(fault.problem)
            return
        for one in self.collector.rules.values():
            try:
                made = self._rule(one, builder)
            except Fault as fault:
                self.failed(fault.problem)
                if self.strict:
                    return
                made = self._unassessed(one, str(fault.problem.why), one.source)
            self.rules[one.name] = made
        for name, (why, place) in self.broken.items():
            if name not in self.rules:
                self.rules[name] = Rule(
                    PREFIX + name,
                    name,
                    source=Written("falco", place.file, place.line),
                    unassessed=why,
                )
        self._unused(builder)

    def _macros(self, builder: Builder) -> bool:
        """Parses all macros, then puts them into each other. False: the load ends here."""
        parsed: dict[str, Expression] = {}
        for step in (1, 2):
            for name, macro in self.collector.macros.items():
                try:
                    if step == 1:
                        parsed[name] = builder.made[name] = builder.parsed(
                            macro.condition, macro.where
                        )
                    elif name in parsed:
                        builder.resolved(parsed[name], macro.last, macro.place)
                except Fault as fault:
                    self.failed(fault.problem)
                    if self.strict:
                        return False
                    builder.made.pop(name, None)
        return True

    def _unused(self, builder: Builder) -> None:
        for name in unused(self.collector.macros, builder.used_macros):
            why = "Macro not referred to by any other rule/macro"
            self.warn("LOAD_UNUSED_MACRO", why, self.collector.macros[name].place)
        for name in unused(self.collector.lists, builder.used_lists):
            why = "List not referred to by any other rule/macro"
            self.warn("LOAD_UNUSED_LIST", why, self.collector.lists[name].place)

    def _rule(self, one: RuleText, builder: Builder) -> Rule:
        if not one.known:
            return self._unassessed(one, f"unknown source {one.source}", one.source)
        source = self.collector.sources[one.source]
        condition = excepting(one.condition, one.exceptions) if one.exceptions else one.condition
        where = one.where.get("condition", one.place)
        output = self._output(one, source)
        if isinstance(output, str):
            return self._unassessed(one, output, one.source)
        written = builder.resolved(builder.parsed(condition, where), None, one.place)
        self._deprecated(written, one, where)
        lowering = Lowering(source)
        why = ""
        try:
            tree = lowering.tree(written)
        except CannotRun as fault:
            why, tree = str(fault), None
        except Malformed as fault:
            place = at(where, condition, fault.at)
            if one.skip and any(part in fault.why for part in _UNKNOWN):
                self.warn("LOAD_UNKNOWN_FILTER", fault.why, place)
                return self._unassessed(one, fault.why, one.source)
            raise Fault(CONDITION, fault.why, place) from fault
        for warned in lowering.warnings:
            self.warn("LOAD_COMPILE_CONDITION", warned.why, at(where, condition, warned.at))
        if one.source == "syscall" and one.warn_evttypes and too_many(written):
            self.warn("LOAD_NO_EVTTYPE", _MANY, one.place)
        self._describe(one, told(written))
        self.outputs[one.name] = output
        if tree is None:
            return self._unassessed(one, why, one.source)
        said = (*(warned.why for warned in lowering.warnings), *notes(written, source))
        made = self._made(one, _only_events(tree, one.source), source, output)
        return msgspec.structs.replace(made, warnings=said)

    def _made(self, one: RuleText, tree: Tree, source: Source, output: Output) -> Rule:
        return Rule(
            PREFIX + one.name,
            one.name,
            tree,
            source.kinds,
            PRIORITIES[one.priority],
            output.template(),
            one.desc,
            tags=one.tags,
            attack=tuple(tag for tag in one.tags if tag[:1] == "T" and tag[1:2].isdigit()),
            aliases=(PREFIX + one.name,),
            enabled=one.enabled,
            source=Written("falco", one.place.file, one.place.line),
            message=output.render,
        )

    def _unassessed(self, one: RuleText, why: str, source: str) -> Rule:
        known = self.collector.sources.get(source)
        return Rule(
            PREFIX + one.name,
            one.name,
            kinds=known.kinds if known else (),
            severity=PRIORITIES[one.priority],
            why=one.desc,
            tags=one.tags,
            enabled=one.enabled,
            source=Written("falco", one.place.file, one.place.line),
            unassessed=why,
        )

    def _output(self, one: RuleText, source: Source) -> Output | str:
        """The message; a text where the rule is left out for it."""
        message, where = one.output, one.where.get("output", one.place)
        if "%container.info" in message:
            why = "%container.info is deprecated and no more useful"
            self.warn("LOAD_DEPRECATED_ITEM", why, one.place)
            message = message.replace("%container.info", "")
        try:
            found = read(message, source)
        except Malformed as fault:
            if one.skip and any(part in fault.why for part in _UNKNOWN):
                self.warn("LOAD_UNKNOWN_FILTER", fault.why, where)
                return fault.why
            raise Fault(OUTPUT, fault.why, where) from fault
        for field in sorted(_DEPRECATED):
            if field in message:
                why = f"usage of deprecated field '{field}' has been detected in the rule output"
                self.warn("LOAD_DEPRECATED_ITEM", why, where)
        return found

    def _deprecated(self, written: Expression, one: RuleText, where: Place) -> None:
        found: set[str] = set()
        unsafe = False
        for check in checks(written):
            if not isinstance(check, Comparison):
                continue
            left = check.left
            if isinstance(left, Field):
                found |= {left.name} & _DEPRECATED
                values = getattr(check.right, "values", (getattr(check.right, "value", None),))
                asked = left.name.startswith(("ka.", "jevt.")) and "<NA>" in values
                unsafe = unsafe or (asked and check.op in _EQUALITY)
        if unsafe:
            self.warn("LOAD_UNSAFE_NA_CHECK", "Unsafe <NA> comparison in condition", where)
        for field in sorted(found):
            why = f"usage of deprecated field '{field}' has been detected in the rule condition"
            self.warn("LOAD_DEPRECATED_ITEM", why, where)

    def _describe(self, one: RuleText, condition: str) -> None:
        self.described[one.name] = {
            "condition": one.condition,
            "compiled": condition,
            "output": one.output,
            "desc": one.desc,
            "priority": one.priority,
            "source": one.source,
            "tags": list(one.tags),
            "enabled": one.enabled,
            "capture": one.capture,
            "capture_duration": one.capture_duration,
        }


_EQUALITY: Final = frozenset(("=", "==", "!=", "in", "intersects", "pmatch"))


def _only_events(tree: Tree, source: str) -> Tree:
    """K1: of what is no audit event no field of one is known."""
    if source != "k8s_audit" or not columns(tree) - {"raw", "time", "node"}:
        return tree
    return both(Atom(Column("api_id"), "exists"), tree)


__all__ = ["Loaded", "load"]
