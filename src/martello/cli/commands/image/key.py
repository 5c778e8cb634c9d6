"""`martello image key NAME`: a key pair for signing."""

from __future__ import annotations

import os

import click

from martello.cli import options
from martello.core.errors import BadInput


@click.command("key")
@click.argument("name", metavar="NAME")
@options.debug
def command(name: str) -> int:
    """Make a key pair: NAME.pem (private, mode 0600, encrypted if MARTELLO_KEY_PASSWORD is set) and
    NAME.pub. Files that are there already are never overwritten.
    """
    from martello.core.secret import Secret
    from martello.practices.images.attest.keys import new_key

    private, public = new_key(Secret(os.environ.get("MARTELLO_KEY_PASSWORD", "")))
    for file, content, mode in ((f"{name}.pem", private, 0o600), (f"{name}.pub", public, 0o644)):
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(file, flags, mode), "wb") as out:
                out.write(content)
        except OSError as error:
            why = error.strerror or str(error)
            raise BadInput(f"cannot write {file}", why, "choose another NAME") from error
        click.echo(f"{file} written")
    return 0
