"""Rules judged, listed and tested, before they run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

from martello.cli.monitor.explaining import sentence, words
from martello.cli.monitor.replaying import only
from martello.cli.outputs import write_each
from martello.cli.reports import parse_outputs
from martello.practices.monitor import packs
from martello.practices.monitor.engine.rule import SEVERITIES, Pack, Rule
from martello.practices.monitor.problems import Loaded
from martello.practices.monitor.validation import check
from martello.practices.monitor.validation.coverage import coverage
from martello.practices.monitor.validation.inline import run
from martello.practices.monitor.validation.mutate import scores
from martello.report.model import Screen
from martello.report.text import clean, encoded, hanging, pad, plural

CONNECTED: Final = ("audit", "bpftrace")
_FORMATS: Final = ("text", "json")
_SHOWN: Final = (
    "id",
    "title",
    "severity",
    "kinds",
    "say",
    "why",
    "fix",
    "group",
    "attack",
    "aliases",
    "correlate",
    "unassessed",
)


def check_command(paths: Sequence[str], flags: dict[str, Any]) -> int:
    """Judges, tells; the exit code."""
    loaded = packs.named(paths, correct=False)  # as they are written: what runs is mended
    judged = check.judge(loaded.pack, flags["sources"] or CONNECTED)
    states = [one.state for one in judged.verdicts]
    failed = bool(loaded.errors) or check.NEVER in states
    code = 1 if failed else 3 if check.UNASSESSED in states else 0

    def lines(screen: Screen) -> Iterator[str]:
        for one in judged.verdicts:
            if one.state == check.FIRES and not one.notes:
                continue
            on = f" on {', '.join(one.on)}" if one.on else ""
            state = {check.NEVER: "can never fire"}.get(one.state, one.state + on)
            text = f"{clean(_name(one.rule))}  {state}"
            yield from hanging(text, screen.width, 2)
            for note in one.notes:
                yield from hanging(f"  {clean(str(note))}", screen.width, 4)
        for pair in judged.pairs:
            same = "says the same as" if pair.equal else "is true only where another one is:"
            text = f"{clean(pair.one)} {same} {clean(pair.other)}"
            yield from hanging(text, screen.width, 2)
        yield from _problems(loaded, screen)
        counts = [f"{states.count(s):,} {s}" for s in dict.fromkeys(states)]
        yield f"{plural(len(states), 'rule')}: {', '.join(counts) or 'none'}"

    def body() -> Any:
        return {
            "rules": [
                {
                    "id": one.rule.id,
                    "title": one.rule.title,
                    "state": one.state,
                    "on": one.on,
                    "notes": [str(note) for note in one.notes],
                }
                for one in judged.verdicts
            ],
            "pairs": judged.pairs,
            "undecided": judged.undecided,
            "errors": [str(one) for one in loaded.errors],
        }

    _tell(flags, lines, body)
    return code


def list_command(paths: Sequence[str], flags: dict[str, Any]) -> int:
    """Lists the rules; 1 where some could not be read."""
    loaded = packs.named(paths)
    rules = sorted(loaded.pack, key=lambda r: (-SEVERITIES.index(r.severity), r.id))

    def lines(screen: Screen) -> Iterator[str]:
        wide = max((len(rule.id) for rule in rules), default=0)
        wide = min(wide, 30)
        for rule in rules:
            kinds = ", ".join(rule.kinds)
            text = (
                f"{pad(rule.severity, 9)} {pad(clean(rule.id), wide)}  {clean(rule.title)}  {kinds}"
            )
            yield from hanging(text, screen.width, wide + 14)
        yield from _problems(loaded, screen)
        yield plural(len(rules), "rule")

    def body() -> Any:
        names = (
            "id",
            "title",
            "severity",
            "kinds",
            "attack",
            "aliases",
            "why",
            "fix",
            "unassessed",
        )
        return {"rules": [{name: getattr(rule, name) for name in names} for rule in rules]}

    _tell(flags, lines, body)
    return 1 if loaded.errors else 0


def show_command(names: Sequence[str], flags: dict[str, Any]) -> int:
    """All that is known of some rules; 0. Raises BadInput."""
    pack = packs.named(flags["rules"]).pack
    rules = [pack.rules[id] for id in only(pack, names)]

    def lines(screen: Screen) -> Iterator[str]:
        for rule in rules:
            yield from hanging(f"{pad(rule.severity, 9)} {clean(_name(rule))}", screen.width, 10)
            for word, text in _facts(pack, rule):
                if text:
                    yield from hanging(f"  {pad(word, 8)}{clean(text)}", screen.width, 10)

    def body() -> Any:
        return {"rules": [{name: getattr(rule, name) for name in _SHOWN} for rule in rules]}

    _tell(flags, lines, body)
    return 0


def _facts(pack: Pack, rule: Rule) -> Iterator[tuple[str, str]]:
    """What a rule is, in words."""
    yield "why", rule.why
    yield "fix", rule.fix
    yield "events", ", ".join(rule.kinds)
    if rule.correlate is not None:
        parts = [_name(pack.rules[id]) if id in pack.rules else id for id in rule.correlate.of]
        yield "made of", f"{rule.correlate.type} of {'; '.join(parts)}"
    else:
        yield "when", sentence(rule.tree)
    yield "group", ", ".join(rule.group)
    yield "attack", ", ".join(rule.attack)
    yield "other", ", ".join(rule.aliases)
    yield "written", f"{rule.source.file}:{rule.source.line}" if rule.source.file else ""
    yield "cannot", rule.unassessed


def test_command(paths: Sequence[str], flags: dict[str, Any]) -> int:
    """Runs the tests of rules; 1 where one fails."""
    loaded = packs.named(paths)
    outcomes = run(loaded.pack)
    failed = [one for one in outcomes if not one.passed]
    found = scores(loaded.pack) if flags["mutate"] else ()

    def lines(screen: Screen) -> Iterator[str]:
        for one in failed:
            text = f"failed  {clean(one.rule)}  {clean(one.test)}: {clean(one.why)}"
            yield from hanging(text, screen.width, 8)
        for score in found:
            if score.survived:
                yield f"{clean(score.rule)}: {score.caught} of {score.total} changes noticed"
                for mutant in score.survived[:3]:
                    text = f"  not noticed: {mutant.way}  {clean(words(mutant.atom))}"
                    yield from hanging(text, screen.width, 4)
        yield from _problems(loaded, screen)
        yield f"{plural(len(outcomes), 'test')}, {len(failed)} failed"

    def body() -> Any:
        return {
            "tests": [
                {"rule": o.rule, "test": o.test, "passed": o.passed, "why": o.why} for o in outcomes
            ],
            "scores": [
                {"rule": score.rule, "caught": score.caught, "changes": score.total}
                for score in found
            ],
        }

    _tell(flags, lines, body)
    return 1 if failed or loaded.errors else 0


def coverage_command(paths: Sequence[str], flags: dict[str, Any]) -> int:
    """Tells what is seen; 0."""
    loaded = packs.named(paths)
    found = coverage(loaded.pack, flags["sources"] or CONNECTED)

    def lines(screen: Screen) -> Iterator[str]:
        for technique, by_source in found.techniques.items():
            told = [f"{name} ({len(rules)})" for name, rules in by_source.items()]
            yield from hanging(f"{pad(clean(technique), 11)}{', '.join(told)}", screen.width, 11)
        for name, more in found.further.items():
            text = f"with {name} also: {', '.join(more)}"
            yield from hanging(clean(text), screen.width, 2)
        if found.blind:
            yield from hanging(f"seen by nothing: {', '.join(found.blind)}", screen.width, 2)
        yield f"{plural(len(found.techniques), 'technique')} seen"

    def body() -> Any:
        return {
            "techniques": found.techniques,
            "further": found.further,
            "blind": found.blind,
        }

    _tell(flags, lines, body)
    return 0


def _name(rule: Rule) -> str:
    """The id and the title; rules of others have a title alone."""
    return rule.title if rule.id.endswith(rule.title) else f"{rule.id}  {rule.title}"


def _problems(loaded: Loaded, screen: Screen) -> Iterator[str]:
    for word, problems in (("error", loaded.errors), ("warning", loaded.warnings)):
        for one in problems[:20]:
            yield from hanging(f"{word}: {clean(str(one))}", screen.width, 2)
        if len(problems) > 20:
            yield f"{word}: {len(problems) - 20:,} more"


def _tell(flags: dict[str, Any], lines: Any, body: Any) -> None:
    import msgspec

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "json":
            told = {"schema": "martello-monitor/v1", **msgspec.to_builtins(body())}
            out.write(encoded(told, indent=True) + "\n")
            return
        for line in lines(screen):
            out.write(f"{line}\n")

    write_each(parse_outputs(flags["outputs"] or ("text",), _FORMATS), write)
