"""JUnit XML: a suite for each practice, a case for each check and object that did not pass."""

from __future__ import annotations

import re
from typing import IO, Final

from martello.core.finding import PRACTICES, Finding, Unassessed
from martello.report.model import Report

# What a terminal or a reader would obey: written as a reference.
_ESCAPED: Final = "[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
# What XML 1.0 cannot hold, not even escaped.
_ILLEGAL: Final = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def write(report: Report, out: IO[str]) -> None:
    """Writes failures for findings, skipped for waived and unassessed, and for a practice that was
    judged and has none of these one passing case. What was not judged has no suite.
    """
    judged = {check.practice for check in report.checks.values()} if report.scan.objects else set()
    cases: dict[str, list[str]] = {practice: [] for practice in (*PRACTICES, "reading")}
    tally = {practice: [0, 0] for practice in cases}
    for found in report.scan.findings:
        check = report.checks.get(found.check)
        practice = check.practice if check else "reading"
        counted = found.waived is None and not found.known
        tally[practice][0 if counted else 1] += 1
        cases[practice].append(_finding(found, check.title if check else found.check))
    for entry in report.scan.unassessed:
        check = report.checks.get(entry.check)
        practice = check.practice if check else "reading"
        tally[practice][1] += 1
        cases[practice].append(_unassessed(entry))
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="martello">\n')
    if not report.scan.objects:
        cases["reading"].append(_unassessed(Unassessed(report.reason)))
        tally["reading"][1] += 1
    for practice, lines in cases.items():
        if not lines and practice not in judged:
            continue
        if not lines:
            lines = [f'<testcase classname="{practice}" name="no findings"/>']
        failed, skipped = tally[practice]
        total = len(lines)
        out.write(
            f'  <testsuite name="{practice}" tests="{total}" failures="{failed}" errors="0"'
            f' skipped="{skipped}">\n'
        )
        out.writelines(f"    {line}\n" for line in lines)
        out.write("  </testsuite>\n")
    out.write("</testsuites>\n")


def _finding(found: Finding, title: str) -> str:
    name = _attribute(f"{found.check} {title}: {found.ref}")
    head = f'<testcase classname="{_attribute(found.check)}" name="{name}"'
    if found.location.line:
        head += f' file="{_attribute(found.location.file)}" line="{found.location.line}"'
    if found.waived:
        until = f" until {found.waived.until}" if found.waived.until else ""
        reason = f"waived by {found.waived.by}{until}: {found.waived.reason}"
        return f'{head}><skipped message="{_attribute(reason)}"/></testcase>'
    if found.known:
        return f'{head}><skipped message="in the baseline"/></testcase>'
    body = _text(f"{found.location}\n{found.message}\nfix: {found.fix}")
    kind = f'type="{found.severity}" message="{_attribute(found.message)}"'
    return f"{head}><failure {kind}>{body}</failure></testcase>"


def _unassessed(entry: Unassessed) -> str:
    subject = entry.check or str(entry.location or entry.ref or "scan")
    if entry.check and entry.ref:
        subject = f"{entry.check}: {entry.ref}"
    skipped = f'<skipped message="unassessed: {_attribute(entry.reason)}"/>'
    return f'<testcase classname="unassessed" name="{_attribute(subject)}">{skipped}</testcase>'


def _text(text: str) -> str:
    legal = re.sub(_ILLEGAL, "\N{REPLACEMENT CHARACTER}", text)
    escaped = legal.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(_ESCAPED, lambda match: f"&#{ord(match[0])};", escaped)


def _attribute(text: str) -> str:
    escaped = _text(text).replace('"', "&quot;")
    return escaped.replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")
