"""From readings to a report: checks selected, every world judged, the verdict put into words."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from martello import __version__
from martello.cli.config import Config
from martello.cli.exits import verdict
from martello.core.check import Check
from martello.core.errors import BadInput
from martello.core.finding import PRACTICES, Scan
from martello.core.reading import Reading
from martello.core.version import minor
from martello.report.model import Report, open_findings


class Judgement(msgspec.Struct, frozen=True):
    """How to judge: the settings of a scan, resolved."""

    profile: str
    frameworks: tuple[str, ...]
    only: tuple[str, ...]
    skip: tuple[str, ...]
    policies: tuple[str, ...]
    kubernetes: int | None
    params: Mapping[str, Mapping[str, Any]]
    waiver_files: tuple[str, ...]
    foreign: bool
    max_days: int
    baseline: str
    require: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Config, only: Sequence[str] = (), require: str = "") -> Judgement:
        """Reads the configuration. Raises BadInput for unknown practices and versions."""
        required = tuple(word for word in require.split(",") if word)
        for word in required:
            if word not in PRACTICES:
                raise BadInput(f"no such practice: {word}", "", f"one of: {', '.join(PRACTICES)}")
        return cls(
            profile=config["profile"],
            frameworks=tuple(config["frameworks"]),
            only=tuple(only),
            skip=tuple(config["skip"]),
            policies=tuple(config["policies"]),
            kubernetes=minor(config["kubernetes"]) if config["kubernetes"] else None,
            params=config.checks,
            waiver_files=tuple(config.waivers["files"]),
            foreign=config.waivers["foreign"] == "honour",
            max_days=config.waivers["max-days"],
            baseline=config["baseline"],
            require=required,
        )


def judge(
    readings: Sequence[Reading], how: Judgement, write_baseline: str = ""
) -> tuple[Scan, Mapping[str, Check]]:
    """Judges each reading as a world of its own and joins the results."""
    raise NotImplementedError


def report_of(
    scan: Scan, checks: Mapping[str, Check], config: Config, everything: bool = False
) -> Report:
    """Puts the verdict of a scan into words."""
    code, reason = verdict(scan, config["fail-on"], config["allow-incomplete"])
    return Report(
        scan=scan,
        checks=checks,
        exit=code,
        reason=reason,
        next=_next(scan, code),
        version=__version__,
        show=config["show"],
        everything=everything,
    )


def _next(scan: Scan, code: int) -> str:
    """One command that helps on."""
    if not scan.objects:
        return "martello demo"
    if code == 3:
        return "martello doctor" if scan.target.startswith("cluster") else ""
    worst = open_findings(scan)
    return f"martello explain {worst[0].check}" if worst else ""


def now() -> tuple[datetime, float]:
    """The clock, read at the rim: today's date for waivers, and seconds for the last line."""
    return datetime.now(UTC), time.monotonic()
