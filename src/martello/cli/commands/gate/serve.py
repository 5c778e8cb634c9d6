"""`martello gate serve`: the webhook server."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.gate.opening import data_directory, ledger_flags, open_ledger
from martello.core.errors import BadInput


@click.command("serve")
@click.option(
    "--listen",
    default="0.0.0.0:8443",
    metavar="HOST:PORT",
    help="Where to answer [default: 0.0.0.0:8443].",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="A name or address in the certificate [default: localhost]. Repeatable.",
)
@click.option("--tls-cert", default="", metavar="FILE", help="A certificate of your own.")
@click.option("--tls-key", default="", metavar="FILE", help="Its key.")
@click.option(
    "--data", default="", metavar="DIR", help="Where certificates and the snapshot are kept."
)
@click.option(
    "--max-age",
    default="15m",
    metavar="TIME",
    help="How old approvals may get while the ledger cannot be read [default: 15m].",
)
@click.option(
    "--break-glass-user", multiple=True, metavar="NAME", help="May break the glass. Repeatable."
)
@click.option(
    "--break-glass-group", multiple=True, metavar="NAME", help="May break the glass. Repeatable."
)
@ledger_flags
@options.debug
def command(**flags: Any) -> int:
    """Answer /validate, /mutate (pins tags to digests) and /imagereview over TLS, and /healthz,
    /readyz, /metrics. Without --tls-cert, an authority and a certificate are made and kept.

    The annotation martello/break-glass of an object counts only from the users and groups named
    here; it is always warned of and audited.
    """
    from functools import partial

    import msgspec

    from martello.gate.asking import Asking
    from martello.gate.door import Door
    from martello.gate.judge import BreakGlass
    from martello.gate.kept import Kept, gate_key
    from martello.gate.ledger import break_glass_groups
    from martello.gate.server import Front, serve
    from martello.gate.snapshot import Keeper
    from martello.practices.images.policy import seconds

    host, port = _address(flags["listen"])
    data = data_directory(flags["data"])
    max_age = seconds(flags["max_age"], "--max-age", "the command line")
    ledger, rest, trusted = open_ledger(flags, data / "heads.json")
    glass = BreakGlass(
        frozenset(flags["break_glass_user"]), break_glass_groups(flags["break_glass_group"])
    )
    rest = msgspec.structs.replace(rest, glass=glass)
    kept = Kept(data / "snapshot", gate_key(data / "snapshot.key"), trusted)
    tell = partial(click.echo, err=True)
    keeper = Keeper(ledger, rest, kept, max_age=max_age, told=tell)
    files, renew = _certificates(flags, data)
    if not keeper.refresh() and keeper.load():
        tell(f"its last snapshot holds, {keeper.age():.0f} seconds old")
    asking = Asking(ledger.write)
    asking.start()
    keeper.start()
    tell(f"serving on {host}:{port}, trusting {', '.join(trusted)}")
    try:
        front = Front(Door(keeper, asking))
        serve(front, host, port, files, renew, told=tell)
    finally:
        keeper.stop()
        asking.stop()
        ledger.close()
    return 0


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise BadInput(f"cannot listen on {text}", "HOST:PORT is meant", "--listen 0.0.0.0:8443")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104


def _certificates(flags: dict[str, Any], data: Any) -> tuple[Any, Any]:
    from datetime import UTC, datetime
    from pathlib import Path

    from martello.gate.certs import Files, ensure, not_after

    if bool(flags["tls_cert"]) != bool(flags["tls_key"]):
        raise BadInput("a certificate needs its key", "", "--tls-cert FILE --tls-key FILE")
    if flags["tls_cert"]:
        given = Files(Path(), Path(flags["tls_cert"]), Path(flags["tls_key"]))
        if not_after(given.certificate) < datetime.now(UTC):
            raise BadInput(f"the certificate {given.certificate} has run out")
        return given, lambda: given
    names = flags["names"] or ("localhost", "127.0.0.1")
    return ensure(data, names, datetime.now(UTC)), lambda: ensure(data, names, datetime.now(UTC))
