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
    """Make a key pair: NAME.pem (private, mode 0600, encrypted with the password in
    MARTELLO_KEY_PASSWORD or COSIGN_PASSWORD, if one is set) and NAME.pub. Files that are there
    already are never overwritten.
    """
    from martello.cli.images.signing import key_password
    from martello.practices.images.attest.keys import new_key

    for file in (f"{name}.pem", f"{name}.pub"):
        if os.path.lexists(file):
            raise BadInput(f"cannot write {file}", "it is there already", "choose another NAME")
    password = key_password()
    private, public = new_key(password)
    for file, content, mode in ((f"{name}.pem", private, 0o600), (f"{name}.pub", public, 0o644)):
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(file, flags, mode), "wb") as out:
                out.write(content)
        except OSError as error:
            why = error.strerror or str(error)
            raise BadInput(f"cannot write {file}", why, "choose another NAME") from error
    locked = "encrypted" if password else "not encrypted: MARTELLO_KEY_PASSWORD would do that"
    click.echo(f"{name}.pem  the private key, {locked}")
    click.echo(f"{name}.pub  the public key, for those who verify")
    return 0
