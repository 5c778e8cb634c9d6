"""`martello demo`: a small bundled cluster, scanned, with what each of the five practices found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from martello.cli.config import load_config
from martello.cli.options import debug
from martello.cli.readings import read_demo
from martello.cli.reports import screen
from martello.cli.run import Judgement, judge, report_of
from martello.core.errors import BadInput
from martello.core.finding import PRACTICES, Group
from martello.report.model import Report
from martello.report.table import counts
from martello.report.text import clean, paint, plural


@click.command("demo")
@click.option("--write", "folder", metavar="DIR", help="Lay the manifests down in a directory.")
@click.option("--fixed", is_flag=True, help="The repaired cluster: nothing is found.")
@debug
def command(folder: str | None, fixed: bool) -> None:
    """Scan a small bundled cluster and see what Martello tells. Needs no network and writes
    nothing.
    """
    if folder:
        _lay_down(Path(folder), fixed)
        return
    # the demo is the same everywhere: no configuration of the current directory counts
    config = load_config({}, Path("/"), {})
    scan, checks = judge([read_demo(fixed)], Judgement.of(config))
    report = report_of(scan, checks, config)
    for line in lines(report, screen(sys.stdout).colour, fixed):
        click.echo(line)


def lines(report: Report, colour: bool, fixed: bool) -> list[str]:
    """The demo's screen, at most 40 lines."""
    scan = report.scan
    size = f"{plural(scan.workloads, 'workload')}, {plural(scan.objects, 'object')}"
    told = [f"A small shop on Kubernetes ({size}), judged by five practices:", ""]
    for practice in PRACTICES:
        told += _practice(report, practice, colour)
    told += [counts(report), ""]
    if fixed:
        return [*told, "This is the repaired cluster. The faulty one: martello demo"]
    worst = scan.groups[0].checks[0]
    steps = (
        ("martello demo --write shop", "lay these manifests down, and try your hand at them"),
        ("martello scan shop", "every finding with file and line, why, and how to fix it"),
        (f"martello explain {worst}", "what the worst of them means"),
        ("martello scan DIR", "now your own manifests"),
        ("martello scan cluster", "or the cluster of your current context, read-only"),
    )
    column = max(len(step) for step, _ in steps) + 3
    return [*told, "Next:", *(f"  {paint(s.ljust(column), 'bold', colour)}{t}" for s, t in steps)]


def _practice(report: Report, practice: str, colour: bool) -> list[str]:
    """One practice: how much was found, and its worst finding with its place and its remedy."""
    from martello.report.html import TITLES

    own = {check.id for check in report.checks.values() if check.practice == practice}
    groups = [g for g in report.scan.groups if g.checks[0] in own]
    title = paint(TITLES[practice], "bold", colour)
    if not groups:
        blank = sum(1 for u in report.scan.unassessed if u.check in own)
        rest = f", {blank} unassessed" if blank else ""
        return [f"{title}: nothing found by {plural(len(own), 'check')}{rest}", ""]
    told = [f"{title}: {plural(len(groups), 'cause')}"]
    for group in groups[:2]:
        told += _cause(report, group, colour)
    return [*told, ""]


def _cause(report: Report, group: Group, colour: bool) -> list[str]:
    first = group.findings[0]
    check = report.checks[group.checks[0]]
    severity = paint(group.severity.ljust(8), group.severity, colour)
    where = paint(clean(str(first.location)), "dim", colour)
    fix = clean(first.fix or check.fix)
    return [
        f"  {severity}  {check.id}  {clean(str(first.ref))}: {check.title.lower()}  {where}",
        f"            fix: {fix}",
    ]


def _lay_down(folder: Path, fixed: bool) -> None:
    from martello.demo import texts

    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder} is not empty", "nothing is overwritten", "name a new directory")
    folder.mkdir(parents=True, exist_ok=True)
    manifests = texts(fixed)
    for name, text in manifests.items():
        (folder / Path(name).name).write_bytes(text)
    click.echo(f"{plural(len(manifests), 'file')} in {folder}{os.sep}", err=True)
    click.echo(f"next: martello scan {folder}", err=True)
