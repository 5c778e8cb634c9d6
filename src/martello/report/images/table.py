"""The screen of an image: one line for each update, worst first, ids never cut."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import IO, Final

from martello.core.approval import Reason
from martello.core.finding import Finding
from martello.core.package import LayerOrigin, Package, titled
from martello.core.vulnerability import LEVELS, UNKNOWN, aged
from martello.report.images.model import Examined, Fix, Images, fixes, ids, short, weight
from martello.report.model import Screen, open_findings
from martello.report.table import flow
from martello.report.text import clean, paint, plural, width, wrap

LIMIT: Final = 20  # rows of an image, unless everything is asked for
_INDENT: Final = " " * 10
_LABELS: Final = {"pypi": "pip", "golang": "go", "cargo": "rust", "maven": "java", "gem": "ruby"}
_SYSTEM: Final = frozenset(("deb", "apk", "rpm"))
_PACKAGES: Final = frozenset(("IMG-001", "IMG-003"))  # told as fixes


def write(images: Images, out: IO[str]) -> None:
    """Writes each image with its fixes, other findings, what got no verdict, and the exit."""
    report = images.report
    lines: list[str] = []
    for examined in images.examined:
        lines += [*([""] if lines else []), *_image(images, examined)]
    lines += _unread(images)
    for note in report.scan.notes:
        lines += _note(note, report.screen)
    lines.append(_last(images))
    out.writelines(line + "\n" for line in lines)


def _image(images: Images, examined: Examined) -> list[str]:
    screen, everything = images.report.screen, images.report.everything
    lines = _head(examined, screen)
    if examined.used:
        lines += wrap(f"runs in {clean(', '.join(examined.used))}", screen.width, _INDENT)
    rows = [
        (LEVELS.index(fix.severity), _fix(fix, examined, images.at, screen))
        for fix in fixes(examined)
        if _shown(fix, images)
    ]
    rows += _others(images, examined)
    rows.sort(key=lambda row: row[0])
    limit = len(rows) if everything else LIMIT
    for _, row in rows[:limit]:
        lines += row
    if len(rows) > limit:
        lines.append(f"{_INDENT}{len(rows) - limit} more: --all")
    if examined.judgement is not None:
        lines += _verdict(examined, screen, everything)
    lines += _missing(examined, screen, everything)
    if everything:
        lines += _waived(examined, screen)
    for note in examined.notes:
        lines += _note(note, screen)
    return lines


def _note(note: str, screen: Screen) -> list[str]:
    first, *more = wrap(clean(note), screen.width, " " * 6)
    return [f"note: {first.lstrip()}", *more]


def _head(examined: Examined, screen: Screen) -> list[str]:
    inventory = examined.inventory
    system = inventory.system
    name = clean(inventory.name)
    if inventory.digest and inventory.digest not in inventory.name:
        name += f" @{short(inventory.digest)}"
    parts = [(name, "bold")]
    if inventory.platform is not None and str(inventory.platform):
        parts.append((clean(str(inventory.platform)), ""))
    if system is not None:
        parts.append((clean(system.name or f"{system.id} {system.version}".strip()), ""))
    held = plural(len(inventory.packages), "package")
    if inventory.layers:
        held += f", {plural(len(inventory.layers), 'layer')}"
    parts.append((held, ""))
    parts.append((f"advisories: {age(examined)}", "dim"))
    return flow(parts, screen, "")


def age(examined: Examined) -> str:
    """How old the advisories are, in words, with the digest that names them."""
    data = examined.data
    if not data.digest:
        return "none (martello db update)"
    return f"{aged(data.hours)} (db {data.digest.rpartition(':')[2][:8]})"


def _shown(fix: Fix, images: Images) -> bool:
    limit = LEVELS.index(images.report.show)
    unknown = LEVELS.index(UNKNOWN)
    return any(
        LEVELS.index(m.severity) in (*range(limit + 1), unknown) or m.exploited for m in fix.matches
    )


def _fix(fix: Fix, examined: Examined, at: str, screen: Screen) -> list[str]:
    word = fix.severity
    style = word if word in ("critical", "high", "medium", "low") else "dim"
    head = f"{paint(word.ljust(8), style, screen.colour)}  "
    arrow = f" → {fix.fixed}" if fix.fixed else ""
    label = "" if fix.kind in _SYSTEM else f" ({_LABELS.get(fix.kind, fix.kind)})"
    what = clean(f"{fix.name} {fix.version}{arrow}{label}")
    names = ids(fix)
    listed = names[0] if len(names) == 1 else f"{names[0]}, {len(names) - 1} more"
    parts = [(what, "bold"), (clean(listed), "")]
    if fix.kind in _SYSTEM:
        parts += [(clean(_binaries(fix)), "dim")] if _binaries(fix) else []
    if any(match.exploited for match in fix.matches):
        parts.append(("known exploited", "critical"))
    if not fix.fixed:
        parts.append((_unfixed(fix), "dim"))
    package = fix.packages[0]
    if fix.kind not in _SYSTEM and package.path:
        parts.append((clean(package.path), "dim"))
    where = layer(examined.inventory.layers, package)
    if where:
        parts.append((clean(where), "dim"))
    out = _since(fix, at)
    if out:
        parts.append((out, "dim"))
    first, *more = flow(parts, screen, _INDENT)
    return [head + first.removeprefix(_INDENT), *more]


def _binaries(fix: Fix) -> str:
    """The installed packages of a source, where they are called otherwise."""
    names = sorted({package.name for package in fix.packages})
    if names == [fix.name]:
        return ""
    return f"in {', '.join(names)}" if len(names) <= 2 else f"in {len(names)} packages"


def _unfixed(fix: Fix) -> str:
    statuses = dict.fromkeys(match.status for match in fix.matches)
    told = [s for s in statuses if s not in ("affected", "fixed")]
    return f"no fix ({', '.join(told)})" if told else "no fix"


def layer(layers: tuple[LayerOrigin, ...], package: Package) -> str:
    """Which layer brought a package, with the step that made it: `layer 2 (RUN pip install)`."""
    if not 0 <= package.layer < len(layers):
        return ""
    step = " ".join(layers[package.layer].created_by.split())
    step = re.sub(r"^(?:/bin/sh -c )?(?:#\(nop\) )?", "", step)
    step = step if len(step) <= 32 else step[:31] + "…"
    return f"layer {package.layer + 1}" + (f" ({step})" if step else "")


def _since(fix: Fix, at: str) -> str:
    """How long the earliest fix has been out."""
    times = [m.fixed_at for m in fix.matches if m.fixed and m.fixed_at]
    days = [_days(time, at) for time in times]
    known = [d for d in days if d is not None and d >= 0]
    return f"fix out {plural(max(known), 'day')}" if known else ""


def _days(then: str, now: str) -> int | None:
    try:
        begun, ended = (datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (then, now))
        return (ended - begun).days
    except (ValueError, TypeError):
        return None


def _others(images: Images, examined: Examined) -> list[tuple[int, list[str]]]:
    """What is wrong beside vulnerable packages, with its level."""
    name = titled(examined.inventory)
    limit = LEVELS.index(images.report.show)
    rows: list[tuple[int, list[str]]] = []
    for finding in open_findings(images.report.scan):
        level = LEVELS.index(finding.severity)
        if finding.ref.name != name or finding.check in _PACKAGES or level > limit:
            continue
        rows.append((level, _finding(finding, images.report.screen)))
    return rows


def _finding(finding: Finding, screen: Screen) -> list[str]:
    head = f"{paint(finding.severity.ljust(8), finding.severity, screen.colour)}  "
    parts = [(finding.check, "bold"), (clean(finding.message), "")]
    first, *more = flow(parts, screen, _INDENT)
    return [head + first.removeprefix(_INDENT), *more]


def _verdict(examined: Examined, screen: Screen, everything: bool) -> list[str]:
    """What each policy says, with the reasons that decide. Vulnerabilities are in the rows above:
    of them a line says how many count, unless everything is asked for.
    """
    told = (examined.judgement,) if examined.judgement is not None else ()
    lines: list[str] = []
    for judgement in examined.judgements or told:
        word, style = _OUTCOMES.get(judgement.outcome, (judgement.outcome, "unassessed"))
        by = f" by policy {clean(judgement.policy)}" if judgement.policy else ": no policy is meant"
        lines.append(f"{paint(word, style, screen.colour)}{by}")
        told_again = [] if everything else [r for r in judgement.reasons if r.check in _PACKAGES]
        counted = [r for r in told_again if r.subject != "advisories" and r.waived is None]
        lines += _counted(counted, screen)
        for reason in judgement.reasons:
            unread = not reason.check  # told below, as what was not assessed
            if reason.waived is None and not unread and reason not in counted:
                lines += _reason(reason, screen)
    return lines


_OUTCOMES: Final = {
    "approve": ("approved", "good"),
    "deny": ("denied", "critical"),
    "unassessed": ("not assessed", "unassessed"),
}


def _counted(reasons: list[Reason], screen: Screen) -> list[str]:
    lines: list[str] = []
    for check, what in (("IMG-003", "known exploited"), ("IMG-001", "vulnerable")):
        for effect in dict.fromkeys(r.effect for r in reasons if r.check == check):
            names = [r.subject for r in reasons if (r.check, r.effect) == (check, effect)]
            listed = ", ".join(dict.fromkeys(names))
            more = "" if len(names) == len(set(names)) else f" ({plural(len(names), 'package')})"
            told = f"{what}: {listed}{more}"
            lines += _reason(Reason(check, "", told, effect=effect), screen)
    return lines


def _reason(reason: Reason, screen: Screen) -> list[str]:
    """A reason that decides; what only warns says so."""
    mark = "warning" if reason.effect == "warn" else reason.check
    checked = f" ({reason.check})" if reason.effect == "warn" and reason.check else ""
    text = clean(f"{reason.message}{checked}")
    first, *more = wrap(text, screen.width, _INDENT)
    return [f"  {mark.ljust(7)} {first.removeprefix(_INDENT)}", *more]


def _missing(examined: Examined, screen: Screen, everything: bool) -> list[str]:
    lines: list[str] = []
    word = paint("not assessed", "unassessed", screen.colour)
    limit = len(examined.unread) if everything else 6
    for unread in examined.unread[:limit]:
        first, *more = wrap(clean(str(unread)), screen.width, " " * 14)
        lines += [f"{word}: {first.lstrip()}", *more]
    if len(examined.unread) > limit:
        lines.append(f"{word}: {len(examined.unread) - limit} more: --all")
    return lines


def _unread(images: Images) -> list[str]:
    """Images of which nothing could be read."""
    read = [examined.inventory for examined in images.examined]
    names = {name for inventory in read for name in (inventory.name, titled(inventory))}
    lines: list[str] = []
    for entry in images.report.scan.unassessed:
        place = entry.location.file if entry.location is not None else ""
        if place in names:
            continue
        text = f"{place}: {entry.reason}" if place else entry.reason
        word = paint("not assessed", "unassessed", images.report.screen.colour)
        first, *more = wrap(clean(text), images.report.screen.width, " " * 14)
        lines += [f"{word}: {first.lstrip()}", *more]
    return lines


def _waived(examined: Examined, screen: Screen) -> list[str]:
    lines = []
    for ruled in examined.ruled:
        waived = ruled.waived
        if waived is not None:
            until = f" until {waived.until}" if waived.until else ""
            why = waived.reason or "no reason given"
            text = f"{ruled.match.id} {ruled.match.package.name}  by {waived.by}{until}: {why}"
            first, *more = wrap(clean(f"{text} ({waived.source})"), screen.width, _INDENT)
            head = paint("waived".ljust(8), "dim", screen.colour)
            lines += [f"{head}  {first.removeprefix(_INDENT)}", *more]
    for aside in examined.aside:
        if aside.kind == "vex":
            text = f"{aside.id} {aside.package.name}  {aside.why}"
            first, *more = wrap(clean(text), screen.width, _INDENT)
            head = paint("settled".ljust(8), "dim", screen.colour)
            lines += [f"{head}  {first.removeprefix(_INDENT)}", *more]
    return lines


def _nothing(images: Images) -> str:
    """Without advisories nobody looked for vulnerabilities."""
    assessed = all(examined.data.digest for examined in images.examined)
    return "no vulnerabilities" if assessed else "vulnerabilities not assessed"


def _last(images: Images) -> str:
    report = images.report
    counts: dict[str, int] = {}
    waived = 0
    for examined in images.examined:
        waived += sum(1 for r in examined.ruled if r.waived is not None)
        for ruled in examined.ruled:
            if ruled.waived is None:
                level = weight(ruled.match)
                counts[level] = counts.get(level, 0) + 1
    words = [f"{counts[level]} {level}" for level in LEVELS if level in counts]
    told = " ".join(words) if words else _nothing(images)
    others = sum(1 for f in open_findings(report.scan) if f.check not in _PACKAGES)
    told += f" · {plural(others, 'other finding')}" if others else ""
    told += f" · {waived} waived" if waived else ""
    settled = sum(1 for one in images.examined for aside in one.aside if aside.kind == "vex")
    told += f" · {settled} settled by VEX" if settled else ""
    told += f" · {report.scan.seconds:.1f} s"
    mark = "good" if report.exit == 0 else "unassessed" if report.exit == 3 else "high"
    plain = f"exit {report.exit}: {report.reason}"
    exit = f"{paint(f'exit {report.exit}', mark, report.screen.colour)}: {report.reason}"
    following = f"next: {report.next}" if report.next else ""
    if not following:
        return f"{told}\n{exit}"
    fits = width(f"{plain}    {following}") <= (report.screen.width or sys.maxsize)
    return f"{told}\n{exit}{'    ' if fits else chr(10)}{following}"
