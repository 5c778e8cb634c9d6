"""`martello network lint`: mistakes in policies, and promises that they break."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import complete, options
from martello.cli.network import settings


@click.command("lint")
@options.files
@options.context
@options.kubeconfig
@settings.profile_flags
@settings.intents_flag
@settings.fleet_flag
@options.namespaces
@options.output
@options.verdict_flags
@click.option(
    "--skip",
    multiple=True,
    metavar="ID",
    shell_complete=complete.checks,
    help="Not these checks.",
)
@options.waiver_flags
@options.debug
def command(**flags: Any) -> int:
    """Find mistakes in network policies by every check of the practice, and with --intents the
    promises that they break. Exit 1 for findings at or above --fail-on.
    """
    import msgspec

    from martello.cli.judging import config_of
    from martello.cli.network.linting import lint
    from martello.cli.network.opening import profile_of
    from martello.cli.network.promising import read_intents
    from martello.cli.one_world import read_one
    from martello.cli.progress import Progress
    from martello.cli.reports import parse_outputs, write_all
    from martello.cli.run import report_of
    from martello.core.focus import Focus

    config = config_of(flags)
    outputs = parse_outputs(flags["outputs"])
    intents = read_intents(flags["intents"]) if flags["intents"] else ()
    facts: dict[str, Any] = {}
    with Progress() as progress:
        if flags["fleet"]:
            from martello.cli.network.fleets import fleet_facts

            reading, facts = fleet_facts(flags, progress)
        else:
            reading = read_one(flags["files"], flags, progress)
        profile = profile_of(reading.world(), reading, flags)
        if intents:
            from martello.practices.network.lint.together import Promises

            facts["intents"] = Promises(intents, profile, reading.cluster)
        reading = msgspec.structs.replace(reading, focus=Focus(flags["namespaces"], ""))
        baseline = flags["write_baseline"] or ""
        scan, checks = lint([reading], config, flags["cni"], facts, baseline)
    report = report_of(scan, checks, config, everything=flags["everything"])
    write_all(report, outputs)
    return report.exit
