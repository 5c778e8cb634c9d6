"""Markdown: a comment for a pull request, with the summary on top and the details folded."""

from __future__ import annotations

import re
from typing import IO, Final

from martello.core.finding import SEVERITIES, Finding
from martello.report.controls import by_framework, summary
from martello.report.model import Report, by_reason, open_findings
from martello.report.table import tally
from martello.report.text import clean, plural

# GitHub refuses a longer comment.
_LIMIT: Final = 65_536
_ROOM: Final = 1_500  # heads of all severities, and what follows the findings
_LAST: Final = 80


def write(report: Report, out: IO[str]) -> None:
    """Writes the verdict, a table by severity in folds, and what got no verdict; within 65,536
    characters.
    """
    text = f"## Martello: {cell(report.reason)}\n\n{cell(tally(report))}\n\n"
    left = 0
    for severity in SEVERITIES:
        found = [f for f in open_findings(report.scan) if f.severity == severity]
        if not found:
            continue
        opened = " open" if severity in ("critical", "high") else ""
        head = (
            f"<details{opened}><summary>{plural(len(found), f'{severity} finding')}</summary>\n\n"
        )
        head += "| check | object | where | what |\n|---|---|---|---|\n"
        rows: list[str] = []
        room = _LIMIT - _ROOM - len(text) - len(head)
        for finding in found:
            row = _row(report, finding)
            room -= len(row)
            if room < 0:
                left += len(found) - len(rows)
                break
            rows.append(row)
        text += head + "".join(rows) + "\n</details>\n\n"
    if left:
        text += f"{plural(left, 'finding')} more did not fit into this comment.\n\n"
    rest = [f"{cell(f)}: {summary(verdicts)}" for f, verdicts in by_framework(report).items()]
    rest += [
        f"unassessed ({len(entries)}): {cell(reason)}"
        for reason, entries in by_reason(report.scan.unassessed).items()
    ]
    rest += [f"note: {cell(note)}" for note in report.scan.notes]
    for at, told in enumerate(rest):
        line = f"- {told}\n"
        if len(text) + len(line) > _LIMIT - _LAST:
            text += f"- {plural(len(rest) - at, 'line')} more did not fit into this comment\n"
            break
        text += line
    out.write(text)


def _row(report: Report, finding: Finding) -> str:
    check = report.checks.get(finding.check)
    name = f"{finding.check} {check.name}" if check else finding.check
    what = finding.message + (f" Fix: {finding.fix}" if finding.fix else "")
    cells = (name, str(finding.ref), str(finding.location), what)
    return "| " + " | ".join(cell(text) for text in cells) + " |\n"


def cell(text: str) -> str:
    """Text that neither breaks the table, nor becomes markup, nor calls anybody."""
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", clean(text.replace("\n", " ")))
    return escaped.replace("@", "@\N{ZERO WIDTH SPACE}")
