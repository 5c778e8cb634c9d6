"""`martello scan [TARGET]...`: judge everything by all five practices."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from martello.cli import options
from martello.cli.config import Config, load_config
from martello.cli.images.known import ImageSettings, World, world
from martello.cli.progress import Progress
from martello.cli.readings import Source, read_targets
from martello.cli.reports import parse_outputs, write_all
from martello.cli.run import Judgement, judge, report_of
from martello.cli.target import Target, in_context, parse_target
from martello.core.reading import Reading


@click.command("scan")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@options.output
@options.verdict_flags
@options.selection
@options.waiver_flags
@options.cluster_flags
@click.option("--exclude", multiple=True, metavar="GLOB", help="Paths that are not read.")
@click.option(
    "--partial", is_flag=True, help="The files are a part: what they lack may be elsewhere."
)
@click.option(
    "--image-policy",
    "image_policy",
    multiple=True,
    metavar="FILE",
    help="Image policies: which registries and keys count. Repeatable.",
)
@click.option(
    "--state", metavar="URL", default="", help="Where facts, approvals and alerts are kept."
)
@click.option(
    "--approver",
    "approvers",
    multiple=True,
    metavar="FILE",
    help="A public key whose approvals in the ledger count. Repeatable.",
)
@click.option("--require", metavar="PRACTICES", help="Practices that must be assessed in full.")
@click.option("--save-bundle", metavar="FILE", help="Keep what was read, without secrets.")
@options.debug
def command(targets: tuple[str, ...], **flags: Any) -> int:
    """Judge manifests, a live cluster or a bundle by all five practices.

    TARGET is a file, a directory, - (stdin), cluster[:CONTEXT], bundle:FILE or demo; by default
    the current directory.
    """
    gc.disable()  # one run, one result: what is read lives until the end, and nothing is cyclic
    config = _config(flags)
    outputs = parse_outputs(flags["outputs"])
    wanted = _targets(targets, flags["context"])
    source = Source(
        exclude=tuple(config["exclude"]),
        kubeconfig=flags["kubeconfig"],
        namespaces=() if flags["all_namespaces"] else flags["namespaces"],
        selector=flags["selector"],
        partial=flags["partial"],
    )
    how = Judgement.of(config, only=flags["only"], require=flags["require"] or "")
    with Progress() as progress:
        readings = read_targets(wanted, source, progress)
        if flags["save_bundle"]:
            _save(readings, flags["save_bundle"])
        known = ImageSettings(
            config["state"], tuple(config["image-policy"]), tuple(config["approvers"])
        )
        told = _paths(how)
        scan, checks = judge(
            readings,
            how,
            write_baseline=flags["write_baseline"] or "",
            known=lambda reading: told(world(reading, known), reading),
        )
    report = report_of(scan, checks, config, everything=flags["everything"])
    if any(output.format == "html" for output in outputs):
        from martello.cli.network.embedding import with_pictures

        report = with_pictures(report, readings)
    write_all(report, outputs)
    return report.exit


def _paths(how: Judgement) -> Callable[[World, Reading], World]:
    """What adds the attack paths to what is known, where checks of them run."""
    from martello.cli.paths.scanning import wanted, with_paths

    return with_paths if wanted(how.profile, how.only) else lambda known, reading: known


def _config(flags: dict[str, Any]) -> Config:
    names = {
        "fail-on": "fail_on",
        "show": "show",
        "profile": "profile",
        "frameworks": "frameworks",
        "skip": "skip",
        "exclude": "exclude",
        "kubernetes": "kubernetes",
        "policies": "policies",
        "baseline": "baseline",
        "allow-incomplete": "allow_incomplete",
        "state": "state",
        "image-policy": "image_policy",
        "approvers": "approvers",
        "waivers.files": "waiver_files",
        "waivers.foreign": "foreign",
    }
    typed = {setting: flags[name] for setting, name in names.items()}
    return load_config(typed, Path.cwd(), os.environ)


def _targets(words: tuple[str, ...], context: str | None) -> list[Target]:
    """What is to be read; without words the cluster that --context names, else the current
    directory. Raises BadInput.
    """
    if not words:
        return [Target("cluster", context) if context else Target("path", ".")]
    targets = [parse_target(word) for word in words]
    return in_context(targets, context) if context else targets


def _save(readings: list[Any], file: str) -> None:
    from datetime import UTC, datetime

    from martello.adapters.bundle import save
    from martello.core.errors import BadInput

    if len(readings) != 1:
        raise BadInput(
            "a bundle keeps one cluster", f"{len(readings)} targets were read", "name one"
        )
    save(readings[0], file, taken=datetime.now(UTC).isoformat(timespec="seconds"))
