"""Some checks over some readings, for commands of one practice: the configuration, and the run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from martello.cli.config import Config, load_config
from martello.cli.images.known import World
from martello.cli.run import Judgement, judge
from martello.core.check import Check
from martello.core.finding import Scan
from martello.core.reading import Reading


def config_of(flags: Mapping[str, Any]) -> Config:
    """The configuration that holds here, with what was typed. Raises BadInput."""
    names = {
        "fail-on": "fail_on",
        "show": "show",
        "allow-incomplete": "allow_incomplete",
        "baseline": "baseline",
        "skip": "skip",
        "waivers.files": "waiver_files",
        "waivers.foreign": "foreign",
    }
    typed = {setting: flags[name] for setting, name in names.items() if name in flags}
    return load_config(typed, Path.cwd(), os.environ)


def judged(
    readings: Sequence[Reading],
    config: Config,
    ids: Sequence[str],
    params: Mapping[str, Mapping[str, Any]],
    facts: Mapping[str, Any],
    write_baseline: str = "",
) -> tuple[Scan, Mapping[str, Check]]:
    """Judges by some checks, with what is known besides the objects."""
    how = Judgement.of(config, only=ids)
    own = {id: values for id, values in how.params.items() if id in ids or id not in _ids()}
    merged = {**own, **{id: {**own.get(id, {}), **more} for id, more in params.items()}}
    how = msgspec.structs.replace(how, params=merged, frameworks=())
    return judge(readings, how, write_baseline, known=lambda reading: World(facts))


def _ids() -> frozenset[str]:
    from martello.catalogue.load import load

    return frozenset(check.id for check in load())
