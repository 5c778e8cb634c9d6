"""All that is known of one vulnerability in an image; or of the image, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from martello.core.package import Inventory, Package
from martello.core.vulnerability import Affected, Match, Ruled, Vulnerability
from martello.report.images.model import Examined, weight
from martello.report.images.table import age, layer
from martello.report.text import clean, plural


def vulnerability(id: str, examined: Examined, records: Mapping[str, Vulnerability]) -> list[str]:
    """Every match of a vulnerability with its evidence; empty where there is none."""
    wanted = id.upper()
    lines: list[str] = []
    for ruled in examined.ruled:
        match = ruled.match
        named = (match.id, *match.aliases, match.advisory.id, *(a.id for a in match.also))
        if wanted in map(str.upper, named):
            lines += ["", *_match(ruled, examined, records)]
    if not lines:
        return []
    return [*_about(id, examined, records), *lines]


def _about(id: str, examined: Examined, records: Mapping[str, Vulnerability]) -> list[str]:
    about = [record for record in records.values() if record.summary or record.details]
    lines = [f"{clean(id)}  {clean(about[0].summary) if about else ''}".rstrip()]
    names = sorted(set(records) - {id})
    if names:
        lines.append(f"also known as  {', '.join(map(clean, names))}")
    exploited = next((r.exploited for r in records.values() if r.exploited), "")
    if exploited:
        lines.append(f"exploited      known since {exploited}")
    chance = max((r.epss for r in records.values()), default=-1.0)
    if chance >= 0:
        lines.append(f"EPSS           {chance:.1%} in the next 30 days")
    lines.append(f"advisories     {age(examined)}")
    details = next((r.details for r in about if r.details), "")
    if details:
        first = clean(details.strip().splitlines()[0])
        lines += ["", first if len(first) <= 400 else f"{first[:399]}…"]
    return lines


def _match(ruled: Ruled, examined: Examined, records: Mapping[str, Vulnerability]) -> list[str]:
    match = ruled.match
    package = match.package
    inventory = examined.inventory
    lines = [f"{weight(match).upper()}  {clean(package.name)} {clean(package.version)}"]
    lines += _proved(package, inventory)
    if package.source and (package.source, match.compared) != (package.name, package.version):
        lines.append(f"  source     {clean(package.source)} {clean(match.compared)}")
    if package.owner:
        lines.append(f"  owner      {clean(package.owner)}")
    lines.append(f"  compared   {clean(match.compared)} is in {clean(match.range)}")
    lines += _record("  record     ", match.advisory, records)
    for other in match.also:
        lines += _record("  also       ", other, records)
    lines += _judged(match, records)
    if match.fixed:
        out = f" (published {match.fixed_at[:10]})" if match.fixed_at else ""
        lines.append(f"  fixed in   {clean(match.fixed)}{out}")
    else:
        lines.append(f"  fixed in   no version ({match.status})")
    waived = ruled.waived
    if waived is not None:
        until = f" until {waived.until}" if waived.until else ""
        why = waived.reason or "no reason given"
        lines.append(f"  waived     by {clean(waived.by)}{until}: {clean(why)} ({waived.source})")
    for url in list(dict.fromkeys(match.references))[:3]:
        lines.append(f"  see        {clean(url)}")
    return lines


def _proved(package: Package, inventory: Inventory) -> list[str]:
    where = layer(inventory.layers, package)
    path = clean(package.path) or "no file: it is told by a document"
    return [f"  evidence   {path}" + (f"  {clean(where)}" if where else "")]


def _record(head: str, affected: Affected, records: Mapping[str, Vulnerability]) -> list[str]:
    record = records.get(affected.id)
    told = f"{affected.id}  {affected.feed or 'no feed'}  {affected.ecosystem} {affected.name}"
    if record is not None and record.published:
        told += f"  published {record.published[:10]}"
    if record is not None and record.withdrawn:
        told += f"  withdrawn {record.withdrawn[:10]}"
    lines = [head + clean(told)]
    if affected.note:
        lines.append(" " * len(head) + clean(affected.note))
    return lines


def _judged(match: Match, records: Mapping[str, Vulnerability]) -> list[str]:
    """Whose severity counts, and whose not."""
    whose = f" by {match.severity_from}" if match.severity_from else " (nobody has scored it)"
    counts = "; counts as critical, for it is exploited" if weight(match) != match.severity else ""
    lines = [f"  severity   {match.severity}{clean(whose)}{counts}"]
    others: dict[str, str] = {}
    for record in records.values():
        if record.severity and record.severity != match.severity:
            others[record.feed or record.id] = record.severity
        others.update((who, word) for who, word in record.severities if word != match.severity)
        for kind, vector in record.vectors[:2]:
            lines.append(f"             {clean(kind)} {clean(vector)} ({clean(record.id)})")
    for who, word in sorted(others.items()):
        lines.append(f"             not counted: {clean(word)} by {clean(who)}")
    return list(dict.fromkeys(lines))


def image(examined: Examined) -> list[str]:
    """The image itself: names, system, layers with what each brought, what was not read."""
    inventory = examined.inventory
    lines = [clean(inventory.name)]
    known = (
        ("digest", inventory.digest),
        ("index", inventory.index),
        ("image ID", inventory.config),
        ("platform", str(inventory.platform or "")),
        ("system", inventory.system.name or inventory.system.id if inventory.system else ""),
        ("user", inventory.user or ("root (none is named)" if inventory.config else "")),
        ("created", inventory.created),
    )
    lines += [f"  {key:<9}{clean(value)}" for key, value in known if value]
    by_layer: dict[int, list[Package]] = {}
    for package in inventory.packages:
        by_layer.setdefault(package.layer, []).append(package)
    for number, origin in enumerate(inventory.layers):
        step = " ".join(origin.created_by.split())
        lines.append("")
        lines.append(f"layer {number + 1}  {size(origin.size)}  {origin.diff_id}")
        if step:
            lines.append(f"  {clean(step)}")
        lines += _brought(by_layer.pop(number, ()))
    for rest in by_layer.values():
        lines += ["", f"{plural(len(rest), 'package')}", *_brought(rest)]
    lines += [f"not assessed: {clean(str(unread))}" for unread in examined.unread]
    return lines


def _brought(packages: Sequence[Package]) -> list[str]:
    by_type: dict[str, list[Package]] = {}
    for package in packages:
        by_type.setdefault(package.type, []).append(package)
    lines = []
    for kind, members in sorted(by_type.items()):
        names = [f"{p.name} {p.version}".rstrip() for p in members]
        shown = ", ".join(names[:6]) + (f", {len(names) - 6} more" if len(names) > 6 else "")
        lines.append(f"  {len(members)} {kind}: {clean(shown)}")
    return lines


def size(count: int) -> str:
    """Bytes in words: `28.4 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
