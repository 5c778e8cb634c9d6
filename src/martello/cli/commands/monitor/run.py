"""`martello monitor run`: everything in one place, judged as it comes."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.prometheus import prometheus_flags
from martello.cli.store import places


@click.command("run")
@click.option(
    "--listen",
    "listen",
    metavar="[HOST]:PORT",
    default="",
    help="The door for /audit (webhook), /events (lines of JSON), /v1/logs (OTLP), /falco.",
)
@click.option("--tls-cert", default="", metavar="FILE", help="The door's certificate.")
@click.option("--tls-key", default="", metavar="FILE", help="Its key.")
@click.option(
    "--client-ca", default="", metavar="FILE", help="Only clients with a certificate of these."
)
@click.option(
    "--token-file", default="", metavar="FILE", help="Bearer tokens that may send, one a line."
)
@click.option("--plain", is_flag=True, help="Without TLS, on loopback only.")
@click.option(
    "--sensor",
    type=click.Choice(["bpftrace"]),
    default=None,
    help="Watch the containers of this machine (as root).",
)
@click.option(
    "--pods",
    "pods",
    default="",
    metavar="FILE",
    help="The cluster's pods, for the names of containers: a file of objects, or a kubeconfig by "
    "--context.",
)
@click.option("--rules", "rules", multiple=True, metavar="PATH", help=settings.RULES)
@click.option(
    "--except", "exceptions", multiple=True, metavar="FILE", help="Exceptions. Repeatable."
)
@click.option("--sink", "sinks", multiple=True, metavar="URL", help=settings.SINK)
@click.option(
    "--follow",
    "follow",
    multiple=True,
    metavar="KIND:PATH",
    help="A log that is read as it grows: audit, falco, tetragon, hubble, auditd or ndjson:FILE, "
    "cri:DIRECTORY; also kmsg, and events (the cluster's, by --context). Repeatable.",
)
@click.option(
    "--from-start", is_flag=True, help="Logs that were never read from their begin, not their end."
)
@click.option(
    "--silence",
    type=click.IntRange(0),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long an audit log, Tetragon or Hubble may tell nothing before it is a gap; 0: ever.",
)
@click.option(
    "--surprise",
    type=click.FloatRange(0, 64),
    default=6.0,
    show_default=True,
    metavar="BITS",
    help="How surprising what is new must be (see baseline budget).",
)
@click.option(
    "--spool-limit",
    type=click.IntRange(1),
    default=4096,
    show_default=True,
    metavar="MIB",
    help="What may wait for the lake; beyond it senders are told to wait.",
)
@click.option(
    "--flush",
    type=click.FloatRange(0.1, 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How often what came is written into the lake.",
)
@click.option("--no-baselines", is_flag=True, help="Learn nothing; rules alone.")
@click.option(
    "--prometheus",
    default="",
    metavar="URL",
    help="What containers use, learned: use beyond what is usual is told.",
)
@click.option("--metrics-server", is_flag=True, help="The same from metrics-server, by --context.")
@prometheus_flags
@click.option("--cluster", default="local", show_default=True, help=settings.CLUSTER)
@click.option("--node", default="", metavar="NAME", help="The name of this node.")
@settings.world
@options.context
@options.kubeconfig
@places.flags
@options.debug
def command(**flags: Any) -> int:
    """Take what arrives and what this machine's containers do, keep it, judge it, and tell. Alerts
    go to every --sink and are printed: on a terminal as lines to read, else as lines of JSON. The
    end (Ctrl-C, SIGTERM) writes what is left.
    """
    from martello.cli.monitor.running import run_command

    return run_command(flags)
