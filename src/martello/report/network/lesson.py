"""What was learned from flows: policies, what to look at, and the proof as the last line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any, Final

import msgspec

from martello.report.model import Screen
from martello.report.network.json import write_plain
from martello.report.text import clean, hanging, paint, plural

_MOST: Final = 10  # lines of a list on the screen


class Listed(msgspec.Struct, frozen=True):
    """One line of a list: a pair, what is so about it, and where that was seen."""

    what: str
    why: str = ""
    where: str = ""


class Learned(msgspec.Struct, frozen=True):
    """A lesson in words."""

    policies: tuple[dict[str, Any], ...]
    proof: str
    review: tuple[Listed, ...] = ()
    unresolved: tuple[Listed, ...] = ()
    demand: tuple[Listed, ...] = ()
    declared: tuple[Listed, ...] = ()
    unseen: tuple[Listed, ...] = ()
    open: tuple[Listed, ...] = ()
    notes: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    dry: str = ""


LISTS: Final = (
    ("review", "look at these before they become law"),
    ("open", "open, though no flow used it"),
    ("declared", "declared in env or ConfigMaps, never seen"),
    ("unseen", "without a flow"),
    ("demand", "tried and dropped: asked for, not learned"),
    ("unresolved", "unresolved: one end is nobody that is known"),
)


def text(lesson: Learned, screen: Screen, out: IO[str]) -> None:
    """Writes the policies by name, the lists, and the proof."""
    spaces = dict.fromkeys(_space(policy) for policy in lesson.policies)
    where = f" for {', '.join(s for s in spaces if s)}" if any(spaces) else ""
    lines = [f"{plural(len(lesson.policies), 'policy', 'policies')}{clean(where)}"]
    for at, policy in enumerate(lesson.policies[: _MOST * 3]):
        file = f"  {lesson.written[at]}" if lesson.written else ""
        lines.append(clean(f"  {policy.get('kind', '')} {_name(policy)}{file}"))
    lines += _more(len(lesson.policies) - _MOST * 3)
    for field, title in LISTS:
        entries: Sequence[Listed] = getattr(lesson, field)
        if not entries:
            continue
        lines.append(paint(f"{title}:", "bold", screen.colour))
        for entry in entries[:_MOST]:
            place = f" ({entry.where})" if entry.where else ""
            shown = clean(f"  {entry.what}  {entry.why}{place}")
            lines += hanging(shown, screen.width, 6)
        lines += _more(len(entries) - _MOST)
    for note in lesson.notes:
        lines += hanging(f"note: {clean(note)}", screen.width, 6)
    lines += hanging(f"proof: {clean(lesson.proof)}", screen.width, 7)
    if lesson.dry:
        lines.append(clean(lesson.dry))
    out.writelines(f"{line}\n" for line in lines)


def yaml(lesson: Learned, screen: Screen, out: IO[str]) -> None:
    """Writes the policies alone, to be applied."""
    del screen
    out.write("---\n".join(document(policy) for policy in lesson.policies))


def json(lesson: Learned, screen: Screen, out: IO[str]) -> None:
    """Writes everything as JSON."""
    del screen
    lists = {
        field: [{"what": e.what, "why": e.why, "where": e.where} for e in getattr(lesson, field)]
        for field, _ in LISTS
    }
    body = {
        "policies": list(lesson.policies),
        "proof": lesson.proof,
        **lists,
        "notes": list(lesson.notes),
        "written": list(lesson.written),
    }
    write_plain("lesson", body, out)


def document(policy: Mapping[str, Any]) -> str:
    """One policy as YAML, keys in their own order."""
    import yaml as writer

    return str(writer.safe_dump(dict(policy), sort_keys=False, allow_unicode=False, width=100))


def _more(count: int) -> list[str]:
    return [f"  and {count:,} more: -o json"] if count > 0 else []


def _space(policy: Mapping[str, Any]) -> str:
    return str((policy.get("metadata") or {}).get("namespace") or "")


def _name(policy: Mapping[str, Any]) -> str:
    metadata = policy.get("metadata") or {}
    return "/".join(str(metadata[k]) for k in ("namespace", "name") if metadata.get(k))
