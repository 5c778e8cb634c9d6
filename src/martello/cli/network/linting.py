"""The checks of the network practice over one cluster, with promises where there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from martello.cli.config import Config
from martello.cli.judging import judged
from martello.core.check import Check
from martello.core.finding import Scan
from martello.core.reading import Reading
from martello.practices.network.lint.together import Promises

FACTS: Final = ("intents", "fleet", "flows")  # what nobody hands in makes a check impossible


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


def _checks() -> tuple[Check, ...]:
    from martello.catalogue.load import load

    return tuple(check for check in load() if check.practice == "network")
