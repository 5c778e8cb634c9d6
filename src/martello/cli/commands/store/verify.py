"""`martello store verify`: whether the lake is what was sealed; or the proof of one event."""

from __future__ import annotations

from pathlib import Path

import click

from martello.cli import options
from martello.cli.store.places import flags, places
from martello.core.errors import BadInput


@click.command("verify")
@click.option("--key", default="", metavar="FILE", help="The public key [default: the user's own].")
@click.option("--witness", default="", metavar="FILE", help="What a witness was told.")
@click.option("--proof", default="", metavar="EVENT", help="Print the proof of an event (its id).")
@click.option("--check", default="", metavar="FILE", help="Check a proof: needs the key alone.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="table or json."
)
@flags
@options.debug
def command(
    key: str, witness: str, proof: str, check: str, output: str, state: str, lake: str
) -> int:
    """Read every file of the lake and compare it with what was sealed. Needs the public key, and to
    tell a lake that was rolled back, the witness; never the state. Exit 1 where something was
    flipped, dropped, reordered, truncated, rolled back or forged, each with its segment; exit 3
    where nothing was ever sealed.
    """
    from martello.cli.store import telling
    from martello.report.text import clean, encoded
    from martello.store.files import open_files
    from martello.store.proof import check_proof, parse_proof, prove
    from martello.store.seal import WitnessFile
    from martello.store.sealkeys import read_public
    from martello.store.verify import verify

    where = places(state, lake)
    keys = [read_public(Path(key) if key else where.public)]
    if check:
        parsed = parse_proof(_content(check))
        told = check_proof(parsed, keys)
        lines = telling.proof_lines(told, parsed.event, telling.clock())
        shown = encoded(telling.plain(told), indent=True)
        click.echo(shown if output == "json" else "\n".join(map(clean, lines)))
        return 0
    files = open_files(where.lake)
    if proof:
        click.echo(encoded(telling.plain(prove(files, keys, proof)), indent=True))
        return 0
    if witness and not Path(witness).exists():
        raise BadInput(f"cannot read {witness}", "there is no such file")
    report = verify(files, keys, WitnessFile(Path(witness)).read() if witness else ())
    if output == "json":
        click.echo(encoded(telling.plain(report), indent=True))
    else:
        click.echo("\n".join(map(clean, telling.report_lines(report, telling.clock()))))
    if report.problems:
        return 1
    if not report.checkpoints:
        click.echo("nothing was ever sealed here, or all of it is gone", err=True)
        click.echo("because there is no checkpoint", err=True)
        click.echo("next: martello store verify --witness FILE", err=True)
    return 0 if report.checkpoints else 3


def _content(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {name}", error.strerror or "") from error
