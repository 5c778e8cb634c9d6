"""The checks of the network practice over one cluster, with promises where there are any."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.cli.config import Config, load_config
from martello.cli.images.known import World
from martello.cli.run import Judgement, judge
from martello.core.check import Check
from martello.core.finding import Scan
from martello.core.reading import Reading
from martello.practices.network.lint import Promises

FACTS: Final = ("intents", "fleet", "flows")  # what nobody hands in makes a check impossible


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


def lint(
    readings: Sequence[Reading],
    config: Config,
    cni: str,
    facts: Mapping[str, Any],
    write_baseline: str = "",
) -> tuple[Scan, Mapping[str, Check]]:
    """Judges by all checks of the practice that have what they need. Raises BadInput."""
    ids = [c.id for c in _checks() if set(c.facts) <= set(facts)]
    params = {"NET-014": {"cni": cni}} if cni else {}
    return judged(readings, config, ids, params, facts, write_baseline)


def promised(
    readings: Sequence[Reading], config: Config, promises: Promises
) -> tuple[Scan, Mapping[str, Check]]:
    """Judges by the intents alone."""
    return judged(readings, config, ["NET-019"], {}, {"intents": promises})


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


def _checks() -> tuple[Check, ...]:
    from martello.catalogue.load import load

    return tuple(check for check in load() if check.practice == "network")


def _ids() -> frozenset[str]:
    from martello.catalogue.load import load

    return frozenset(check.id for check in load())
