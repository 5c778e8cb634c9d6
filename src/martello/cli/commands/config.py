"""`martello config show`: every setting, its value, and where it came from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from martello.cli.config import CROWN, MONITOR, SETTINGS, WAIVERS, load_config
from martello.cli.options import debug
from martello.report.text import clean


@click.group("config")
def command() -> None:
    """Where each setting comes from."""


@command.command("show")
@click.option("--origin/--no-origin", default=True, help="Also say where each value comes from.")
@debug
def show(origin: bool) -> None:
    """Print every setting with its value, its origin and its meaning."""
    config = load_config({}, Path.cwd(), os.environ)
    rows = [(name, config.values[name], s.meaning) for name, s in SETTINGS.items()]
    rows += [(f"waivers.{name}", config.waivers[name], s.meaning) for name, s in WAIVERS.items()]
    rows += [(f"crown.{name}", config.crown[name], s.meaning) for name, s in CROWN.items()]
    rows += [(f"monitor.{name}", config.monitor[name], s.meaning) for name, s in MONITOR.items()]
    for check, params in config.checks.items():
        rows += [(f"checks.{check}.{name}", value, "parameter") for name, value in params.items()]
    for name, value, meaning in rows:
        source = f"  [{config.origin.get(name, 'file')}]" if origin else ""
        click.echo(clean(f"{name} = {_text(value)}{source}  # {meaning}"))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(f'"{word}"' for word in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
