"""The screen: findings grouped by cause, worst first, each with where, why and how to fix it."""

from __future__ import annotations

from typing import IO, Final

from martello.core.finding import Finding, Group, rank
from martello.report.model import Report, by_reason, severities
from martello.report.text import clean, pad, paint, plural, width, wrap

LIMIT: Final = 20
_INDENT: Final = " " * 10


def write(report: Report, out: IO[str]) -> None:
    """Writes the groups, what got no verdict, the counts, and the exit reason with a next step."""
    colour = report.screen.colour
    shown = [g for g in report.scan.groups if rank(g.severity) <= rank(report.show)]
    limit = len(shown) if report.everything else LIMIT
    names = [_name(report, group) for group in shown[:limit]]
    column = max((width(name) for name in names), default=0)
    for group, name in zip(shown, names, strict=False):
        for line in _group(report, group, name, column):
            out.write(line + "\n")
    if len(shown) > limit:
        out.write(f"{_INDENT}{plural(len(shown) - limit, 'cause')} more: --all\n")
    if report.everything:
        _waived(report, out)
    for line in _unassessed(report):
        out.write(line + "\n")
    out.write(counts(report) + "\n")
    mark = "good" if report.exit == 0 else "unassessed" if report.exit == 3 else "high"
    exit = paint(f"exit {report.exit}", mark, colour)
    following = f"      next: {report.next}" if report.next else ""
    out.write(f"{exit}: {report.reason}{following}\n")


def _name(report: Report, group: Group) -> str:
    check = report.checks.get(group.checks[0])
    name = check.name if check else group.checks[0]
    more = f" +{len(group.checks) - 1}" if len(group.checks) > 1 else ""
    return f"{group.checks[0]}  {name}{more}"


def _group(report: Report, group: Group, name: str, column: int) -> list[str]:
    colour = report.screen.colour
    first = group.findings[0]
    severity = paint(pad(group.severity, 8), group.severity, colour)
    head = f"{severity}  {paint(pad(name, column), 'bold', colour)}  {_subject(group)}"
    where = paint(clean(str(first.location)), "dim", colour)
    lines = [f"{head}  {where}"]
    check = report.checks.get(group.checks[0])
    text = clean(first.message)
    if check is not None and check.title.lower() not in text.lower():
        text = f"{check.title}: {text}"
    lines += wrap(text, report.screen.width, _INDENT)
    if len(group.checks) > 1:
        lines += wrap(f"one fix for {', '.join(group.checks)}", report.screen.width, _INDENT)
    fix = first.fix or (check.fix if check else "")
    if fix:
        lines += wrap(f"fix: {clean(fix)}", report.screen.width, _INDENT)
    return lines


def _subject(group: Group) -> str:
    """The objects meant: one with its elements, or how many with the first."""
    objects = list(dict.fromkeys(f.ref for f in group.findings))
    first = clean(str(objects[0]))
    if len(objects) > 1:
        return f"{plural(len(objects), 'object')}, first {first}"
    elements = list(dict.fromkeys(e for f in group.findings for e in f.elements))
    if not elements:
        return first
    more = f" +{len(elements) - 1}" if len(elements) > 1 else ""
    return f"{first} · {clean(elements[0])}{more}"


def _waived(report: Report, out: IO[str]) -> None:
    for finding in report.scan.findings:
        if finding.waived:
            out.write(_waiver_line(report, finding) + "\n")


def _waiver_line(report: Report, finding: Finding) -> str:
    assert finding.waived is not None
    waived = finding.waived
    until = f" until {waived.until}" if waived.until else ""
    who = clean(f"{waived.by}{until}: {waived.reason} ({waived.source})")
    word = paint(pad("waived", 8), "dim", report.screen.colour)
    return f"{word}  {finding.check}  {clean(str(finding.ref))}  by {who}"


def _unassessed(report: Report) -> list[str]:
    reasons = by_reason(report.scan.unassessed)
    lines: list[str] = []
    limit = len(reasons) if report.everything else 6
    word = paint("unassessed", "unassessed", report.screen.colour)
    for reason, entries in list(reasons.items())[:limit]:
        first = entries[0]
        place = str(first.location) if first.location else str(first.ref or "")
        subject = first.check or place
        if len(entries) > 1:
            checks = {e.check for e in entries}
            noun = "check" if len(checks) == len(entries) and "" not in checks else "place"
            subject = f"{plural(len(entries), noun)}, first {subject}"
        lines.append(f"{word} {clean(subject)}: {clean(reason)}")
    if len(reasons) > limit:
        lines.append(f"{word} {plural(len(reasons) - limit, 'reason')} more: --all")
    return lines


def counts(report: Report) -> str:
    """The line that every command with findings ends with: what was judged and what came of it."""
    scan = report.scan
    found = severities(scan)
    words = [plural(scan.objects, "object")]
    words.append(" ".join(f"{n} {s}" for s, n in found.items()) or "0 findings")
    words.append(f"{scan.passed:,} passed")
    words.append(f"{len(scan.unassessed):,} unassessed")
    waived = [f.waived for f in scan.findings if f.waived]
    foreign = sum(1 for w in waived if w.foreign)
    if waived:
        by_others = f" ({foreign} by other tools' comments)" if foreign else ""
        words.append(f"{len(waived)} waived{by_others}")
    known = sum(1 for f in scan.findings if f.known)
    if known:
        words.append(f"{known} in the baseline")
    if scan.foreign or scan.partial:
        words.append(f"{scan.foreign + scan.partial} documents skipped")
    words.append(f"{scan.seconds:.1f} s")
    return " · ".join(words)
