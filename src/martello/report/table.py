"""The screen: findings grouped by cause, worst first, each with where, why and how to fix it."""

from __future__ import annotations

from typing import IO, Final

from martello.core.finding import Finding, Group, rank
from martello.report import controls
from martello.report.model import Report, Screen, by_reason, severities
from martello.report.text import clean, pad, paint, plural, width, wrap

LIMIT: Final = 20  # lines of findings, unless everything is asked for
_INDENT: Final = " " * 10
_COLUMN: Final = 34  # names are padded up to here; longer ones are never cut


def write(report: Report, out: IO[str]) -> None:
    """Writes the groups, what got no verdict, the counts, and the exit reason with a next step."""
    colour = report.screen.colour
    lines = _findings(report)
    if report.everything:
        lines += _waived(report)
    lines += controls.lines(report)
    lines += _unassessed(report)
    for note in report.scan.notes:
        lines += wrap(f"note: {clean(note)}", report.screen.width, "")
    lines += wrap(counts(report), report.screen.width, "")
    mark = "good" if report.exit == 0 else "unassessed" if report.exit == 3 else "high"
    exit = f"{paint(f'exit {report.exit}', mark, colour)}: {report.reason}"
    following = f"    next: {report.next}" if report.next else ""
    for line in (*lines, exit + following):
        out.write(line + "\n")


def _findings(report: Report) -> list[str]:
    """Every group in a line, the worst with why and how to fix it, as far as the screen goes."""
    shown = [g for g in report.scan.groups if rank(g.severity) <= rank(report.show)]
    names = [_name(report, group) for group in shown]
    column = min(_COLUMN, max((width(name) for name in names), default=0))
    heads = [_head(report, g, pad(n, column)) for g, n in zip(shown, names, strict=True)]
    details = [_details(report, group) for group in shown]
    listed = told = len(shown)
    if shown and not report.everything:
        room = LIMIT - len(details[0])  # the worst is always told in full
        listed = max(1, _fitting(heads, room))
        told = max(1, _fitting(details[:listed], LIMIT - sum(map(len, heads[:listed]))))
    lines: list[str] = []
    for at in range(listed):
        lines += heads[at] + (details[at] if at < told else [])
    if listed < len(shown):
        lines.append(f"{_INDENT}{plural(len(shown) - listed, 'cause')} more: --all")
    elif told < listed:
        lines.append(f"{_INDENT}how to fix all of them: --all")
    return lines


def _fitting(blocks: list[list[str]], room: int) -> int:
    """How many of the blocks, in order, have room together."""
    for count, block in enumerate(blocks):
        room -= len(block)
        if room < 0:
            return count
    return len(blocks)


def _name(report: Report, group: Group) -> str:
    check = report.checks.get(group.checks[0])
    name = check.name if check else group.checks[0]
    more = f" +{len(group.checks) - 1}" if len(group.checks) > 1 else ""
    return f"{group.checks[0]}  {name}{more}"


def _head(report: Report, group: Group, name: str) -> list[str]:
    severity = f"{paint(pad(group.severity, 8), group.severity, report.screen.colour)}  "
    parts = [(name, "bold"), (subject(group), ""), (place(group.findings[0]), "dim")]
    first, *more = flow(parts, report.screen, _INDENT)
    if more:
        first, *more = flow([(name.rstrip(), "bold"), *parts[1:]], report.screen, _INDENT)
    return [severity + first.removeprefix(_INDENT), *more]


def _details(report: Report, group: Group) -> list[str]:
    """What is wrong there and what to do, wrapped; what one edit mends is told together."""
    first: dict[str, Finding] = {}
    for finding in group.findings:
        if finding.because is None:
            first.setdefault(finding.check, finding)
    columns = report.screen.width
    message = "; ".join(dict.fromkeys(finding.message for finding in first.values()))
    lines = wrap(clean(message), columns, _INDENT)
    if len(first) > 1:
        lines += wrap(f"one edit for {', '.join(first)}", columns, _INDENT)
    following = [id for id in group.checks if id not in first]
    if following:
        lines += wrap(f"also the cause of {', '.join(following)}", columns, _INDENT)
    for finding in first.values():
        check = report.checks.get(finding.check)
        fix = finding.fix or (check.fix if check else "")
        lines += wrap(f"fix: {clean(fix)}", columns, _INDENT) if fix else []
    return lines


def flow(parts: list[tuple[str, str]], screen: Screen, indent: str) -> list[str]:
    """Parts with their styles side by side, two spaces apart; those that do not fit go below."""
    lines: list[str] = []
    used = 0
    for text, style in parts:
        shown = paint(text, style, screen.colour) if style else text
        if lines and (not screen.width or used + 2 + width(text.rstrip()) <= screen.width):
            lines[-1] += f"  {shown}"
            used += 2 + width(text)
        else:
            lines.append(indent + shown)
            used = width(indent) + width(text)
    return [line.rstrip() for line in lines]


def place(finding: Finding) -> str:
    """File, line and column, or where in the cluster."""
    return clean(str(finding.location))


def subject(group: Group) -> str:
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


def _waived(report: Report) -> list[str]:
    return [_waiver_line(report, f) for f in report.scan.findings if f.waived]


def _waiver_line(report: Report, finding: Finding) -> str:
    assert finding.waived is not None
    waived = finding.waived
    until = f" until {waived.until}" if waived.until else ""
    who = clean(f"{waived.by}{until}: {waived.reason or 'no reason given'} ({waived.source})")
    word = paint(pad("waived", 8), "dim", report.screen.colour)
    return f"{word}  {finding.check}  {clean(str(finding.ref))}  by {who}"


def _unassessed(report: Report) -> list[str]:
    reasons = by_reason(report.scan.unassessed)
    lines: list[str] = []
    limit = len(reasons) if report.everything else 6
    word = paint("unassessed", "unassessed", report.screen.colour)
    for reason, entries in list(reasons.items())[:limit]:
        first = entries[0]
        subject = first.check or str(first.location or first.ref or "")
        if len(entries) > 1:
            checks = {e.check for e in entries}
            noun = "check" if len(checks) == len(entries) and "" not in checks else "place"
            subject = f"{plural(len(entries), noun)}, first {subject}"
        text = f"{clean(subject)}: {clean(reason)}"
        first_line, *more = wrap(text, report.screen.width, " " * 11)
        lines += [f"{word} {first_line.lstrip()}", *more]
    if len(reasons) > limit:
        lines.append(f"{word} {plural(len(reasons) - limit, 'reason')} more: --all")
    return lines


def counts(report: Report) -> str:
    """The line that every command with findings ends with: what came of it, and how fast."""
    return f"{tally(report)} · {report.scan.seconds:.1f} s"


def tally(report: Report) -> str:
    """What was judged and what came of it; the same for the same input."""
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
        words.append(f"{plural(scan.foreign + scan.partial, 'document')} skipped")
    return " · ".join(words)
