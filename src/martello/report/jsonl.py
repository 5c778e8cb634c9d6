"""JSON lines: a header, then one finding or unassessed entry a line, so that memory stays flat."""

from __future__ import annotations

from typing import IO, Any

from martello.report.json import SCHEMA, control, finding, summary, unassessed
from martello.report.model import Report
from martello.report.text import encoded


def write(report: Report, out: IO[str]) -> None:
    """Writes a line each of `type` header, finding, unassessed, control, note, summary."""

    def line(type: str, data: dict[str, Any]) -> None:
        out.write(encoded({"type": type, **data}) + "\n")

    target = report.scan.target
    line("header", {"schema": SCHEMA, "martello": report.version, "target": target})
    for found in report.scan.findings:
        line("finding", finding(found, report.checks))
    for entry in report.scan.unassessed:
        line("unassessed", unassessed(entry))
    for verdict in report.controls:
        line("control", control(verdict))
    for note in report.scan.notes:
        line("note", {"text": note})
    line("summary", summary(report))
