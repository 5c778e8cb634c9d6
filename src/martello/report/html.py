"""HTML: one self-contained page for people, without script, that prints well and knows both
schemes.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import IO, Final

from martello.core.finding import PRACTICES, SEVERITIES, Finding, Group
from martello.report.controls import by_framework, summary
from martello.report.model import Report, by_reason, open_findings, severities
from martello.report.text import plural

TITLES: Final = {
    "images": "Use authorized images",
    "network": "Segment the network",
    "monitor": "Log and monitor",
    "resources": "Manage resources",
    "access": "Authenticate and authorize",
}
# A page of 10,000 findings stays below 2 MiB: so many objects of one cause are listed, the rest
# counted.
_OBJECTS: Final = 40
_GROUPS: Final = 400


def write(report: Report, out: IO[str]) -> None:
    """Writes the page: the verdict, a card for each practice, the causes, what got no verdict."""
    style = files("martello.report").joinpath("html.css").read_text(encoding="utf-8")
    if report.pictures:
        from martello.report.network import html as network

        style += network.style()
    out.write(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        f"<title>Martello: {_text(report.scan.target)}</title>\n<style>\n{style}</style>\n</head>\n"
    )
    out.write("<body>\n<main>\n")
    for part in (
        _head(report),
        _cards(report),
        _causes(report),
        _network(report),
        _controls(report),
        _waived(report),
        _open(report),
    ):
        out.writelines(part)
    out.write("</main>\n</body>\n</html>\n")


def _head(report: Report) -> Iterator[str]:
    scan = report.scan
    verdict = {0: "pass", 3: "incomplete"}.get(report.exit, "fail")
    yield "<header>\n<p class=brand>Martello</p>\n"
    yield f"<h1>{_breakable(scan.target)}</h1>\n"
    yield f'<p class="verdict {verdict}"><b>exit {report.exit}</b> {_text(report.reason)}</p>\n'
    words = [plural(scan.objects, "object"), plural(scan.workloads, "workload")]
    if scan.files:
        words.append(plural(scan.files, "file"))
    words += [f"{scan.passed:,} verdicts passed", f"{len(scan.unassessed):,} unassessed"]
    skipped = scan.foreign + scan.partial
    if skipped:
        words.append(f"{plural(skipped, 'document')} skipped")
    yield f"<p class=counts>{' · '.join(words)}</p>\n</header>\n"


def _cards(report: Report) -> Iterator[str]:
    """One card for each practice: how many findings count, by severity, and what got no verdict."""
    yield '<section class=cards aria-label="The five practices">\n'
    for practice in PRACTICES:
        ids = {c.id for c in report.checks.values() if c.practice == practice}
        found = [f for f in open_findings(report.scan) if f.check in ids]
        blank = sum(1 for u in report.scan.unassessed if u.check in ids)
        bars = "".join(
            f'<li class="{s}"><b>{n:,}</b> {s}</li>'
            for s in SEVERITIES
            if (n := sum(1 for f in found if f.severity == s))
        )
        body = f"<ul>{bars}</ul>" if bars else "<p class=none>no findings</p>"
        state = next((s for s in SEVERITIES for f in found if f.severity == s), "good")
        if not ids:
            body, state = "<p>nothing judged</p>", "blank"
        yield f'<article class="card {state}"><h2>{TITLES[practice]}</h2>{body}'
        unassessed = f" · {blank} unassessed" if blank else ""
        yield f"<p class=ran>{plural(len(ids), 'check')} ran{unassessed}</p></article>\n"
    yield "</section>\n"


def _causes(report: Report) -> Iterator[str]:
    groups = report.scan.groups
    total = sum(severities(report.scan).values())
    yield f"<section>\n<h2>{plural(total, 'finding')}, {plural(len(groups), 'cause')}</h2>\n"
    if not groups:
        yield "<p>Nothing was found.</p>\n"
    for group in groups[:_GROUPS]:
        yield from _group(report, group)
    if len(groups) > _GROUPS:
        yield f"<p>{plural(len(groups) - _GROUPS, 'cause')} more: see the json report.</p>\n"
    yield "</section>\n"


def _group(report: Report, group: Group) -> Iterator[str]:
    first = group.findings[0]
    check = report.checks.get(group.checks[0])
    opened = " open" if group.severity == "critical" else ""
    title = check.title if check else group.title
    yield f'<details class="cause {group.severity}"{opened}>\n<summary>'
    yield f'<span class="severity {group.severity}">{group.severity}</span> '
    yield f"<b>{_text(title)}</b> <code>{' '.join(map(_text, group.checks))}</code>"
    yield f"<span class=where>{_subject(group)}</span></summary>\n<div class=body>\n"
    if check:
        yield f"<p>{_text(' '.join(check.why.split()))}</p>\n"
    fix = first.fix or (check.fix if check else "")
    if fix:
        yield f"<p class=fix><b>Fix</b> {_text(fix)}</p>\n"
    yield "<table><thead><tr><th>Object<th>Where<th>What</thead>\n<tbody>\n"
    for found in group.findings[:_OBJECTS]:
        yield _row(found)
    yield "</tbody></table>\n"
    if len(group.findings) > _OBJECTS:
        yield f"<p>and {len(group.findings) - _OBJECTS:,} more of the same cause</p>\n"
    yield "</div></details>\n"


def _row(found: Finding) -> str:
    elements = f"<br><small>{_text(', '.join(found.elements))}</small>" if found.elements else ""
    return (
        f"<tr><td>{_breakable(str(found.ref))}{elements}<td><code>{_breakable(str(found.location))}</code>"
        f"<td>{_text(found.message)}\n"
    )


def _subject(group: Group) -> str:
    objects = list(dict.fromkeys(f.ref for f in group.findings))
    first = _text(str(objects[0]))
    return first if len(objects) == 1 else f"{plural(len(objects), 'object')}, first {first}"


def _network(report: Report) -> Iterator[str]:
    """Who reaches whom, drawn, where policies were read."""
    if report.pictures:
        from martello.report.network import html as network

        yield from map(network.section, report.pictures)


def _controls(report: Report) -> Iterator[str]:
    """Every control of the frameworks that were asked for."""
    for framework, verdicts in by_framework(report).items():
        yield f"<section>\n<h2>{_text(framework)}: {summary(verdicts)}</h2>\n"
        yield "<table><thead><tr><th>Control<th>Status<th>Checks</thead>\n<tbody>\n"
        for verdict in verdicts:
            count = f", {plural(verdict.findings, 'finding')}" if verdict.findings else ""
            yield f"<tr><td>{_text(verdict.control)}<br><small>{_text(verdict.title)}</small>"
            yield f"<td>{verdict.status}{count}<td>{_text(', '.join(verdict.checks))}\n"
        yield "</tbody></table>\n</section>\n"


def _waived(report: Report) -> Iterator[str]:
    waived = [f for f in report.scan.findings if f.waived]
    if not waived:
        return
    yield f"<section>\n<h2>{len(waived):,} waived</h2>\n<table><thead><tr><th>Check<th>Object"
    yield "<th>By<th>Until<th>Why</thead>\n<tbody>\n"
    for found in waived[: _OBJECTS * 10]:
        assert found.waived is not None
        waiver = found.waived
        yield f"<tr><td>{_text(found.check)}<td>{_text(str(found.ref))}<td>{_text(waiver.by)}"
        yield f"<td>{_text(waiver.until)}<td>{_text(waiver.reason)}\n"
    yield "</tbody></table>\n</section>\n"


def _open(report: Report) -> Iterator[str]:
    """What got no verdict, and why: never a pass."""
    reasons = by_reason(report.scan.unassessed)
    if not reasons:
        return
    yield f"<section>\n<h2>{len(report.scan.unassessed):,} not assessed</h2>\n<dl>\n"
    for reason, entries in list(reasons.items())[:_GROUPS]:
        yield f"<dt>{_text(reason)}</dt>\n"
        places = dict.fromkeys(
            " ".join(str(p) for p in (e.check, e.ref or "", e.location or "") if str(p))
            for e in entries
        )
        shown = [p for p in list(places)[:8] if p]
        more = f" and {len(places) - 8:,} more" if len(places) > 8 else ""
        if shown:
            yield f"<dd>{'<br>'.join(map(_text, shown))}{more}</dd>\n"
    yield "</dl>\n</section>\n"


def _breakable(text: str) -> str:
    """Escaped, with a place to break after each slash."""
    return _text(text).replace("/", "/<wbr>")


def _text(text: str) -> str:
    """Escaped, with what a page cannot show made visible."""
    shown = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    return escape(shown)
