"""SARIF 2.1.0: what code scanning reads. A rule is a check, a result is a finding."""

from __future__ import annotations

from typing import IO, Any, Final
from urllib.parse import quote

from martello.core.check import Check
from martello.core.finding import Finding
from martello.core.resource import Location
from martello.report.model import Report
from martello.report.text import encoded

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL: Final = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_SCORE: Final = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
# Code scanning takes so many results of a run; the worst come first, the rest is counted.
_RESULTS: Final = 25_000


def write(report: Report, out: IO[str]) -> None:
    """Writes one run. Waived findings are suppressed results, unassessed ones notifications."""
    found = report.scan.findings[:_RESULTS]
    ids = sorted(report.checks)
    index = {id: number for number, id in enumerate(ids)}
    run = {
        "tool": {
            "driver": {
                "name": "Martello",
                "version": report.version,
                "rules": [_rule(report.checks[id]) for id in ids],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "the scanned directory"}}},
        "results": [_result(f, index) for f in found],
        "invocations": [_invocation(report, len(report.scan.findings) - len(found))],
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    out.write(encoded(document, indent=True) + "\n")


def _rule(check: Check) -> dict[str, Any]:
    help = f"{check.why.strip()}\n\nFix: {check.fix}".strip()
    tags = ["security", check.practice]
    for framework, controls in check.frameworks.items():
        if isinstance(controls, list | tuple):
            tags += [f"{framework}/{control}" for control in controls]
        else:
            tags.append(str(framework))
    return {
        "id": check.id,
        "name": check.name,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": check.why.strip() or check.title},
        "help": {"text": help, "markdown": help},
        "defaultConfiguration": {"level": _LEVEL[check.severity]},
        "properties": {"tags": tags, "security-severity": _SCORE[check.severity]},
    }


def _result(found: Finding, index: dict[str, int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": found.check,
        "level": _LEVEL[found.severity],
        "kind": "fail",
        "message": {"text": f"{found.ref}: {found.message}"},
        "locations": [
            {
                "physicalLocation": _place(found.location),
                "logicalLocations": [
                    {"fullyQualifiedName": f"{found.ref}/{found.where}".rstrip("/")}
                ],
            }
        ],
        "partialFingerprints": {"martello/v1": found.fingerprint},
    }
    if found.check in index:
        result["ruleIndex"] = index[found.check]
    if found.waived:
        waived = found.waived
        until = f" until {waived.until}" if waived.until else ""
        text = f"{waived.by}{until}: {waived.reason} ({waived.source})"
        kind = "inSource" if waived.foreign else "external"
        result["suppressions"] = [{"kind": kind, "status": "accepted", "justification": text}]
    if found.known:
        result["baselineState"] = "unchanged"
    return result


def _place(location: Location) -> dict[str, Any]:
    uri = quote(location.file.removeprefix("./"), errors="surrogateescape")
    artifact: dict[str, Any] = {"uri": uri}
    if not location.file.startswith("/"):
        artifact["uriBaseId"] = "%SRCROOT%"
    place: dict[str, Any] = {"artifactLocation": artifact}
    if location.line:
        place["region"] = {"startLine": location.line, "startColumn": location.column}
    return place


def _invocation(report: Report, left: int) -> dict[str, Any]:
    notes: list[dict[str, Any]] = []
    for entry in report.scan.unassessed:
        note: dict[str, Any] = {
            "level": "warning" if entry.asked else "note",
            "message": {"text": f"unassessed: {entry.reason}"},
        }
        if entry.check:
            note["associatedRule"] = {"id": entry.check}
        if entry.location:
            note["locations"] = [{"physicalLocation": _place(entry.location)}]
        notes.append(note)
    if left:
        text = f"{left} more findings are left out: code scanning takes {_RESULTS} results"
        notes.append({"level": "warning", "message": {"text": text}})
    complete = not any(entry.asked for entry in report.scan.unassessed)
    return {"executionSuccessful": complete, "toolExecutionNotifications": notes}
