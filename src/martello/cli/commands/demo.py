"""`martello demo`: a small bundled cluster, scanned, with what each of the five practices found."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import click

from martello.cli.config import load_config
from martello.cli.options import debug
from martello.cli.readings import read_demo
from martello.cli.reports import screen
from martello.cli.run import Judgement, judge, report_of
from martello.core.errors import BadInput
from martello.core.finding import PRACTICES, Group
from martello.report.model import Report, Screen
from martello.report.table import counts, flow, place, subject
from martello.report.text import clean, pad, paint, plural, wrap

_INDENT: Final = " " * 12


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
    shown_on = screen(sys.stdout)
    for line in lines(report, shown_on, fixed, activation()):
        click.echo(line, color=shown_on.colour)


def lines(report: Report, shown_on: Screen, fixed: bool, first_step: str = "") -> list[str]:
    """The demo's screen, at most 40 lines at 100 columns."""
    scan = report.scan
    size = f"{plural(scan.workloads, 'workload')}, {plural(scan.objects, 'object')}"
    shop = "The same shop, repaired" if fixed else "A shop on Kubernetes"
    told = [f"{shop} ({size}), judged by five practices:", ""]
    for practice in PRACTICES:
        told += _practice(report, practice, shown_on)
    summary = wrap(counts(report), shown_on.width, "")
    told += ["", *summary, ""] if fixed else [*summary, ""]
    if fixed:
        return [*told, "next: martello demo, the same shop with its faults"]
    worst = scan.groups[0].checks[0]
    steps = [
        (f"martello explain {worst}", "what the worst of it means, and how to waive it"),
        ("martello demo --write shop", "lay these manifests down"),
        ("martello scan shop", "every cause; mend one, and scan again"),
        ("martello scan DIR", "your own manifests"),
        ("martello scan cluster", "the cluster of your current context, read-only"),
    ]
    if first_step:
        steps.insert(0, (first_step, "put martello on the PATH of this shell"))
    column = max(len(step) for step, _ in steps) + 2
    told.append("Next:")
    return [*told, *(f"  {paint(pad(s, column), 'bold', shown_on.colour)}{t}" for s, t in steps)]


def _practice(report: Report, practice: str, shown_on: Screen) -> list[str]:
    """One practice: how much was found, and the worst with its place and its remedy."""
    from martello.report.html import TITLES

    own = {check.id for check in report.checks.values() if check.practice == practice}
    groups = [g for g in report.scan.groups if g.checks[0] in own]
    title = paint(TITLES[practice], "bold", shown_on.colour)
    if not groups:
        blank = sum(1 for u in report.scan.unassessed if u.check in own)
        rest = f", {blank} unassessed" if blank else ""
        return [f"{title}: nothing found by {plural(len(own), 'check')}{rest}"]
    rest = ", the worst:" if len(groups) > 1 else ""
    told = [f"{title}: {plural(sum(len(g.findings) for g in groups), 'finding')}{rest}"]
    return [*told, *_cause(report, groups[0], shown_on), ""]


def _cause(report: Report, group: Group, shown_on: Screen) -> list[str]:
    first = group.findings[0]
    severity = paint(pad(group.severity, 8), group.severity, shown_on.colour)
    parts = [(group.checks[0], "bold"), (subject(group), ""), (place(first), "dim")]
    head, *more = flow(parts, shown_on, _INDENT)
    told = [f"  {severity}  {head.removeprefix(_INDENT)}", *more]
    told += wrap(clean(first.message), shown_on.width, _INDENT)
    fix = clean(first.fix or report.checks[group.checks[0]].fix)
    return told + wrap(f"fix: {fix}", shown_on.width, _INDENT)


def activation() -> str:
    """The command that makes `martello` work where it was called by a path out of a virtual
    environment; empty where it is on the PATH.
    """
    from shutil import which

    called = Path(sys.argv[0])
    script = called.parent / "activate"
    if called.name != "martello" or not script.is_file() or which("martello"):
        return ""
    return f". {os.path.relpath(script)}"


def _lay_down(folder: Path, fixed: bool) -> None:
    from martello.demo import texts

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is not empty", "nothing is overwritten", "name a new directory")
    manifests = texts(fixed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in manifests.items():
            (folder / Path(name).name).write_bytes(text)
    except OSError as error:
        why = error.strerror or str(error)
        raise BadInput(f"cannot write to {folder}", why, "name another directory") from error
    click.echo(f"{plural(len(manifests), 'file')} in {folder}{os.sep}", err=True)
    click.echo(f"next: martello scan {folder}", err=True)
