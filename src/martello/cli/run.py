"""From readings to a report: checks selected, every world judged, the verdict put into words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from martello import __version__
from martello.cli.config import Config
from martello.cli.exits import verdict
from martello.cli.images.known import World
from martello.core.check import Check
from martello.core.errors import BadInput
from martello.core.finding import PRACTICES, ControlVerdict, Scan
from martello.core.reading import Reading
from martello.core.version import minor
from martello.report.model import Report


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
    skip_from: str = ""  # who says what to skip: --skip, a variable, a file

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
            skip_from="--skip" if config.origin["skip"] == "flag" else config.origin["skip"],
        )


def judge(
    readings: Sequence[Reading],
    how: Judgement,
    write_baseline: str = "",
    known: Callable[[Reading], World] = lambda reading: World(),
) -> tuple[Scan, Mapping[str, Check]]:
    """Judges each reading as a world of its own and joins the results; `known` tells what else is
    known of what a reading names. Raises BadInput.
    """
    from martello.catalogue.load import load
    from martello.catalogue.scan import scan
    from martello.catalogue.select import named, select
    from martello.cli.accepted import read_accepted, read_known

    begun = time.monotonic()
    checks = load(how.policies)
    params = _params(how.params, checks)
    chosen = select(checks, how.profile, how.frameworks, how.only, params)
    skipped = named(checks, how.skip)
    chosen = tuple(check for check in chosen if check.id not in skipped)
    if not chosen:
        raise BadInput("no check is left to run", "all that were chosen are skipped", "")
    waivers, exemptions = read_accepted(how.waiver_files, how.foreign)
    baseline = read_known(how.baseline)
    version = _version(how)
    today = datetime.now(UTC).date()
    by_id = {check.id: check for check in chosen}
    scans = []
    for reading in readings:
        world = known(reading)
        given = _added(params, world.params)
        one = scan(
            reading,
            chosen,
            today=today,
            kubernetes=version,
            profile="all",
            params={check.id: given[check.id] for check in chosen if check.id in given},
            facts=world.facts,
            waivers=waivers,
            exemptions=exemptions,
            foreign_waivers=how.foreign,
            max_days=how.max_days,
            baseline=baseline,
            known=checks,
        )
        more = tuple(u for u in world.unassessed if not u.check or u.check in by_id)
        scans.append(msgspec.structs.replace(one, unassessed=(*one.unassessed, *more)))
    joined = _required(_joined(scans, by_id), how.require, by_id)
    if skipped:
        note = f"{', '.join(sorted(skipped))} did not run: skipped by {how.skip_from}"
        joined = msgspec.structs.replace(joined, notes=(*joined.notes, note))
    if write_baseline:
        _write(write_baseline, joined)
    return msgspec.structs.replace(joined, seconds=time.monotonic() - begun), by_id


def _version(how: Judgement) -> int | None:
    """The Kubernetes version that was asked for, by --kubernetes or with a framework. Raises
    BadInput where these differ: a report names one of them.
    """
    if not how.frameworks:
        return how.kubernetes
    from martello.catalogue.frameworks import pinned

    version = pinned(how.frameworks)
    if version is None or how.kubernetes in (None, version):
        return how.kubernetes if version is None else version
    raise BadInput(
        f"a framework is asked for at 1.{version}, and Kubernetes at 1.{how.kubernetes}",
        "one scan judges by the rules of one version",
        "leave one of the two versions out",
    )


def _params(
    given: Mapping[str, Mapping[str, Any]], checks: Sequence[Check]
) -> dict[str, Mapping[str, Any]]:
    """The parameters by the check's id, whatever it is called in [checks]. Raises BadInput."""
    from martello.catalogue.select import named

    params: dict[str, Mapping[str, Any]] = {}
    for word, values in given.items():
        for id in named(checks, [word]):
            params[id] = {**params.get(id, {}), **values}
    return params


def _added(
    given: Mapping[str, Mapping[str, Any]], more: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """Parameters with those that follow from what is known: lists grow."""
    added = dict(given)
    for id, values in more.items():
        own = added.get(id, {})
        added[id] = {**own, **{n: [*own.get(n, ()), *value] for n, value in values.items()}}
    return added


def _joined(scans: Sequence[Scan], checks: Mapping[str, Check]) -> Scan:
    """Several worlds in one result: everything added up, grouped and ordered anew."""
    if len(scans) == 1:
        return scans[0]
    from martello.catalogue.group import groups, order
    from martello.catalogue.scan import WAIVER_EXPIRED

    found = [f for s in scans for f in s.findings]
    # a waiver that ran out was found again with each target
    expired = dict.fromkeys(f for f in found if f.check == WAIVER_EXPIRED)
    findings = sorted([*(f for f in found if f.check != WAIVER_EXPIRED), *expired], key=order)
    stale = frozenset.intersection(*(frozenset(s.stale) for s in scans))
    return Scan(
        target=" ".join(s.target for s in scans),
        findings=tuple(findings),
        groups=groups(findings, checks),
        unassessed=tuple(dict.fromkeys(u for s in scans for u in s.unassessed)),
        objects=sum(s.objects for s in scans),
        workloads=sum(s.workloads for s in scans),
        files=sum(s.files for s in scans),
        foreign=sum(s.foreign for s in scans),
        partial=sum(s.partial for s in scans),
        passed=sum(s.passed for s in scans),
        checks=max((s.checks for s in scans), default=0),
        notes=tuple(
            dict.fromkeys(n for s in scans for n in s.notes if n in stale or n not in s.stale)
        ),
    )


def _required(scan: Scan, practices: Sequence[str], checks: Mapping[str, Check]) -> Scan:
    """Makes what `--require` names count: an unassessed check of these practices is incomplete."""
    if not practices:
        return scan
    ids = {check.id for check in checks.values() if check.practice in practices}
    counted = tuple(
        msgspec.structs.replace(u, asked=True) if u.check in ids else u for u in scan.unassessed
    )
    return msgspec.structs.replace(scan, unassessed=counted)


def _write(file: str, scan: Scan) -> None:
    from martello.adapters.whole import whole
    from martello.catalogue.baseline import write_baseline

    try:
        with whole(file) as out:
            out.write(write_baseline(scan.findings).encode())
    except OSError as error:
        raise BadInput(f"cannot write {file}", error.strerror or "", "name another file") from error


def controls_of(
    scan: Scan,
    checks: Mapping[str, Check],
    frameworks: Sequence[str],
    policies: Sequence[str] = (),
) -> tuple[ControlVerdict, ...]:
    """What became of every control of the frameworks that were asked for."""
    if not frameworks:
        return ()
    from martello.catalogue.frameworks import framework
    from martello.catalogue.frameworks import report as outcomes
    from martello.catalogue.load import load

    known = load(policies)
    verdicts: list[ControlVerdict] = []
    for chosen in map(framework, frameworks):
        name = f"{chosen.name}@{chosen.version}"
        verdicts += [
            ControlVerdict(
                name, o.control.id, o.control.title, o.status, o.checks, o.findings, o.waived
            )
            for o in outcomes(chosen, checks.values(), scan, known)
        ]
    return tuple(verdicts)


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
        controls=controls_of(
            scan,
            checks,
            _named(config["frameworks"], config["kubernetes"]),
            config["policies"],
        ),
    )


def _named(frameworks: Sequence[str], kubernetes: str) -> list[str]:
    """The frameworks with the version that they were judged at, where one was asked for."""
    plain = ("pss-baseline", "pss-restricted")
    return [f"{f}@{kubernetes}" if kubernetes and f in plain else f for f in frameworks]


def _next(scan: Scan, code: int) -> str:
    """One command that helps on."""
    if not scan.objects and not any(u.asked for u in scan.unassessed):
        return "martello demo"
    if code == 3:
        return "martello doctor" if scan.target.startswith("cluster") else ""
    return f"martello explain {scan.groups[0].checks[0]}" if scan.groups else ""
