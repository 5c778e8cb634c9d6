"""Frameworks: which checks stand for their controls, and what a scan says about each control."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.catalogue.document import read_document
from martello.core.check import Check
from martello.core.errors import BadInput
from martello.core.finding import Scan
from martello.core.version import NEWEST, minor

_DIRECTORY: Final = Path(__file__).parent / "frameworks"
NAMES: Final = (
    "cis-kubernetes",
    "mitre-attack",
    "nsa-cisa",
    "owasp-k8s",
    "pss-baseline",
    "pss-restricted",
)
# A restricted check replaces a baseline one from a minor version on.
OVERRIDES: Final = {
    "capabilities_baseline": ("capabilities_restricted", 22),
    "hostPathVolumes": ("restrictedVolumes", 0),
    "seccompProfile_baseline": ("seccompProfile_restricted", 19),
    "procMount": ("procMount_restricted", 35),
}


class Control(msgspec.Struct, frozen=True):
    """One control of a framework; `manual` where no program can decide it. `since` and `before` are
    the minor versions between which it exists.
    """

    id: str
    title: str
    manual: bool = False
    since: int = 0
    before: int = 10_000


class Framework(msgspec.Struct, frozen=True):
    """A framework at one version; for the Pod Security Standards `minor` is Kubernetes' minor."""

    name: str
    version: str
    title: str
    controls: tuple[Control, ...]
    minor: int = NEWEST


class Outcome(msgspec.Struct, frozen=True):
    """What became of a control: pass, fail, unassessed, manual or not covered, and why."""

    control: Control
    status: str
    checks: tuple[str, ...]
    findings: int = 0
    waived: int = 0
    reasons: tuple[str, ...] = ()


def framework(text: str) -> Framework:
    """Reads `NAME[@VERSION]`. Raises BadInput where one of them is unknown."""
    name, _, version = text.partition("@")
    if name not in NAMES:
        raise BadInput(f"no framework {name}", f"frameworks are: {', '.join(NAMES)}")
    file = _DIRECTORY / f"{name}.yaml"
    data = read_document(file.read_text(encoding="utf-8"), file.name).data
    versions: list[str] = data["versions"]
    number = NEWEST
    if name.startswith("pss-"):
        number = minor(version or "latest")
    elif version not in ("", "latest", *versions):
        raise BadInput(f"no version {version} of {name}", f"versions are: {', '.join(versions)}")
    controls = tuple(map(_control, data["controls"]))
    held = tuple(c for c in controls if c.since <= number < c.before)
    return Framework(name, version or versions[-1], data["title"], held, number)


def selects(text: str) -> Callable[[Check], bool]:
    """Whether a check belongs to `NAME[@VERSION]`."""
    chosen = framework(text)
    ids = {control.id for control in chosen.controls}
    return lambda check: not ids.isdisjoint(controls_of(check, chosen))


def pinned(names: Iterable[str]) -> int | None:
    """The Kubernetes minor version that the Pod Security Standards among the names ask for by
    `@VERSION`; their rules differ from version to version. Raises BadInput for two versions.
    """
    asked: dict[int, str] = {}
    for text in names:
        name, _, version = text.partition("@")
        if name.startswith("pss-") and version:
            asked.setdefault(minor(version), text)
    if len(asked) > 1:
        both = " and ".join(asked.values())
        why = "one scan judges by the rules of one version"
        raise BadInput(f"{both} ask for two versions", why, "scan once for each")
    return next(iter(asked), None)


def controls_of(check: Check, of: Framework) -> tuple[str, ...]:
    """The controls that a check stands for."""
    if not of.name.startswith("pss-"):
        return tuple(check.frameworks.get(of.name, ()))
    pss = check.frameworks.get("pss")
    if not pss or (of.name == "pss-baseline" and pss["level"] != "baseline"):
        return ()
    return (pss["check"],)


def report(
    of: Framework, checks: Iterable[Check], scan: Scan, known: Iterable[Check] = ()
) -> tuple[Outcome, ...]:
    """What a scan by some `checks` of the `known` ones says about every control. A control passes
    only if each of its checks ran, was assessed and found nothing; a waived finding is no pass.
    """
    by_control: dict[str, list[Check]] = {}
    for check in checks:
        for id in controls_of(check, of):
            by_control.setdefault(id, []).append(check)
    found: dict[str, list[bool]] = {}
    for finding in scan.findings:
        found.setdefault(finding.check, []).append(finding.waived is not None)
    open_: dict[str, list[str]] = {}
    for entry in scan.unassessed:
        open_.setdefault(entry.check, []).append(entry.reason)
    ran = {check.id for ids in by_control.values() for check in ids}
    for check in known:
        for id in controls_of(check, of):
            if check.id not in ran:
                by_control.setdefault(id, []).append(check)
                open_[check.id] = [f"{check.id} was not chosen to run"]
    return tuple(_outcome(c, by_control.get(c.id, []), found, open_) for c in of.controls)


def _outcome(
    control: Control,
    checks: list[Check],
    found: Mapping[str, list[bool]],
    open_: Mapping[str, list[str]],
) -> Outcome:
    ids = tuple(sorted(check.id for check in checks))
    waived = [w for id in ids for w in found.get(id, ())]
    reasons = tuple(dict.fromkeys(r for id in ("", *ids) for r in open_.get(id, ())))
    status = "pass"
    if waived:
        status = "fail"
    elif not ids:
        status = "manual" if control.manual else "not covered"
    elif reasons:
        status = "unassessed"
    return Outcome(control, status, ids, len(waived) - sum(waived), sum(waived), reasons)


def violated(level: str, version: int, findings: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The upstream ids of a Pod Security level that are violated, baseline ones first, each part
    sorted; `findings` are (level, upstream id) of the checks that hit at that version.
    """
    hit = set(findings)
    baseline = {id for at, id in hit if at == "baseline"}
    if level == "baseline":
        return tuple(sorted(baseline))
    kept = {id for id in baseline if id not in OVERRIDES or version < OVERRIDES[id][1]}
    restricted = {id for at, id in hit if at == "restricted"}
    return (*sorted(kept), *sorted(restricted))


def _control(data: Mapping[str, Any]) -> Control:
    since = minor(data["since"]) if "since" in data else 0
    before = minor(data["before"]) if "before" in data else 10_000
    return Control(data["id"], data["title"], data.get("manual", False), since, before)
