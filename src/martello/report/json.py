"""JSON: the whole report as one document, schema `martello/v1`
(martello-v1.schema.json beside this file).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, Any, Final

from martello.core.check import Check
from martello.core.finding import ControlVerdict, Finding, Unassessed
from martello.core.resource import Location, Ref
from martello.report.model import Report, severities
from martello.report.text import encoded

SCHEMA: Final = "martello/v1"
_AT_ONCE: Final = 500


def write(report: Report, out: IO[str], more: Sequence[tuple[str, Iterable[Any]]] = ()) -> None:
    """Writes one indented document with a final newline, a part at a time: a large cluster's is
    never held as a whole. Fields may be added in v1; none changes its meaning. `more` are lists
    that a special report adds.
    """
    scan = report.scan
    head = {
        "schema": SCHEMA,
        "martello": report.version,
        "target": scan.target,
        "summary": summary(report),
    }
    out.write(encoded(head, indent=True).removesuffix("\n}"))
    ordered = sorted(report.checks.values(), key=lambda c: c.id)
    lists: tuple[tuple[str, Iterable[Any]], ...] = (
        ("notes", scan.notes),
        ("findings", (finding(f, report.checks) for f in scan.findings)),
        ("unassessed", map(unassessed, scan.unassessed)),
        ("controls", map(control, report.controls)),
        ("checks", map(rule, ordered)),
        *more,
    )
    for key, entries in lists:
        out.write(f',\n  "{key}": ')
        out.writelines(_list(iter(entries)))
    out.write("\n}\n")


def _list(entries: Iterator[Any]) -> Iterator[str]:
    """A list one level deep, some entries at a time."""
    mark = "["
    while batch := list(islice(entries, _AT_ONCE)):
        yield mark
        yield encoded(batch, indent=True)[1:].removesuffix("\n]").replace("\n", "\n  ")
        mark = ","
    yield "[]" if mark == "[" else "\n  ]"


def summary(report: Report) -> dict[str, Any]:
    """Counts, and how the run ends. No times: the same input gives the same bytes."""
    scan = report.scan
    return {
        "exit": report.exit,
        "reason": report.reason,
        "objects": scan.objects,
        "workloads": scan.workloads,
        "files": scan.files,
        "foreign": scan.foreign,
        "partial": scan.partial,
        "severities": severities(scan),
        "passed": scan.passed,
        "unassessed": len(scan.unassessed),
        "waived": sum(1 for f in scan.findings if f.waived),
        "known": sum(1 for f in scan.findings if f.known),
    }


def finding(found: Finding, checks: Mapping[str, Check]) -> dict[str, Any]:
    """One finding; `outcome` is fail, waived or known (in the baseline)."""
    check = checks.get(found.check)
    data: dict[str, Any] = {
        "check": found.check,
        "name": check.name if check else "",
        "practice": check.practice if check else "",
        "severity": found.severity,
        "outcome": "waived" if found.waived else "known" if found.known else "fail",
        "object": reference(found.ref),
        "path": found.where,
        "location": place(found.location),
        "message": found.message,
        "elements": list(found.elements),
        "evidence": list(found.evidence),
        "fix": found.fix or (check.fix if check else ""),
        "fingerprint": found.fingerprint,
    }
    if found.because:
        check_id, ref = found.because
        data["because"] = {"check": check_id, "object": reference(ref)}
    if found.waived:
        waived = found.waived
        data["waived"] = {
            "by": waived.by,
            "reason": waived.reason,
            "until": waived.until,
            "source": waived.source,
            "foreign": waived.foreign,
        }
    return data


def unassessed(entry: Unassessed) -> dict[str, Any]:
    """Something that got no verdict, with its reason."""
    return {
        "reason": entry.reason,
        "check": entry.check,
        "object": reference(entry.ref) if entry.ref else None,
        "location": place(entry.location) if entry.location else None,
        "asked": entry.asked,
    }


def control(verdict: ControlVerdict) -> dict[str, Any]:
    """What became of a control of a framework that was asked for."""
    return {
        "framework": verdict.framework,
        "control": verdict.control,
        "title": verdict.title,
        "status": verdict.status,
        "checks": list(verdict.checks),
        "findings": verdict.findings,
        "waived": verdict.waived,
    }


def rule(check: Check) -> dict[str, Any]:
    """What a check is."""
    return {
        "id": check.id,
        "name": check.name,
        "title": check.title,
        "practice": check.practice,
        "severity": check.severity,
        "why": check.why.strip(),
        "fix": check.fix,
        "frameworks": dict(check.frameworks),
        "aliases": {tool: list(names) for tool, names in check.aliases.items()},
    }


def reference(ref: Ref) -> dict[str, str]:
    """What an object is called."""
    return {
        "cluster": ref.cluster,
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
    }


def place(location: Location) -> dict[str, Any]:
    """File, line and column, counted from 1; line 0 for live objects."""
    return {"file": location.file, "line": location.line, "column": location.column}
