"""`martello store compact`: join small files of the lake."""

from __future__ import annotations

import os

import click

from martello.cli import options
from martello.cli.store.places import flags, places


@click.command("compact")
@flags
@options.debug
def command(state: str, lake: str) -> int:
    """Join small segments of the same kind, cluster and day, and mark second copies of an event.
    Nothing is lost, seals stay whole, hunts that run meanwhile finish. The old files are deleted
    a day later (martello store retain). Exit 3 where a segment could not be read.
    """
    from martello.report.text import clean, plural
    from martello.store.compact import compact
    from martello.store.files import open_files
    from martello.store.lake import Lake
    from martello.store.seal import seal
    from martello.store.sealkeys import read_key
    from martello.store.state import open_state

    where = places(state, lake)
    opened = Lake(open_files(where.lake))
    with open_state(where.state) as kept:
        done = compact(kept, opened, f"{os.uname().nodename}:{os.getpid()}")
        if done.after and where.key.exists():
            seal(kept, opened.files, read_key(where.key))
    click.echo(f"{plural(done.before, 'segment')} became {done.after:,}, {done.rows:,} events")
    for line in done.unread:
        click.echo(clean(f"not read: {line}"), err=True)
    return 3 if done.unread else 0
