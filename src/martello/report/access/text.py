"""Answers about rights on the screen: one word first, then the chain of each grant."""

from __future__ import annotations

from typing import IO, Final

from martello.report.access.identified import lines_of
from martello.report.access.model import (
    Answer,
    Chain,
    Holder,
    Holders,
    Identities,
    Near,
    Right,
    Rights,
)
from martello.report.model import Screen
from martello.report.table import flow
from martello.report.text import clean, hanging, paint, plural

_STYLE: Final = {"allowed": "good", "denied": "high", "unknown": "unassessed"}
_SHOWN: Final = 12  # grants of one answer
_HOLDERS: Final = 40
_CHAINS: Final = 3  # of one holder


def write_answer(answer: Answer, screen: Screen, out: IO[str]) -> None:
    """Writes the word, the chains and the notes."""
    lines = [paint(answer.verdict, _STYLE[answer.verdict], screen.colour)]
    for each in answer.chains[:_SHOWN]:
        lines += chain_lines(each, screen)
    if len(answer.chains) > _SHOWN:
        lines.append(f"  and {plural(len(answer.chains) - _SHOWN, 'grant')} more: -o json")
    for reason in answer.because:
        lines += hanging(f"  {clean(reason)}", screen.width, 4)
    if not answer.chains and answer.verdict == "denied":
        nothing = f"  no grant to {answer.who} matches: {answer.words}"
        lines += hanging(clean(nothing), screen.width, 4)
    for near in answer.nearest[: 5 if answer.full else 1]:
        lines += _near(near, screen)
    if answer.full and answer.closing:
        lines += hanging(clean(answer.closing), screen.width, 2)
    _put(lines + _end(answer.notes, answer.missing, screen), out)


def chain_lines(chain: Chain, screen: Screen) -> list[str]:
    """The binding with its place, and below it subject, role and rule."""
    lines = _flow([(chain.binding, "bold"), _dim(chain.binding_where)], screen, "  ")
    note = [(f"({clean(chain.subject_note)})", "")] if chain.subject_note else []
    lines += _flow([(f"subject  {chain.subject}", ""), *note], screen, "    ", 13)
    origin = [(f"from {clean(chain.rule_from)}", "")] if chain.rule_from else []
    same = chain.rule_where.rpartition(":")[0] == chain.role_where.rpartition(":")[0]
    bare = chain.rule_where == chain.role_where
    where = [] if bare or (same and not chain.rule_from) else [_dim(chain.role_where)]
    lines += _flow([(f"role     {chain.role}", ""), *where], screen, "    ", 13)
    lines += _flow(
        [(f"rule     {chain.rule}", ""), *origin, _dim(chain.rule_where)], screen, "    ", 13
    )
    return lines


def _near(near: Near, screen: Screen) -> list[str]:
    chain = near.chain
    told = f"  nearest: {chain.binding} → {chain.role} may {chain.rule}; {near.says}"
    where = f" ({chain.rule_where})" if chain.rule_where else ""
    return hanging(clean(told + where), screen.width, 4)


def write_holders(told: Holders, screen: Screen, out: IO[str]) -> None:
    """Writes who may, each with the bindings that say so."""
    sure = sum(1 for holder in told.holders if not holder.perhaps)
    head = f"{plural(sure, 'subject')} may {told.words}" if sure else f"nobody may {told.words}"
    if not sure and len(told.holders):
        head = f"nobody is known for sure who may {told.words}"
    elif not sure and told.folded:
        head = f"nobody but the control plane may {told.words}"
    lines = hanging(clean(head), screen.width, 2)
    perhaps: dict[tuple[str, ...], list[Holder]] = {}
    for holder in told.holders:
        perhaps.setdefault(holder.because if holder.perhaps else (), []).append(holder)
    known = perhaps.pop((), [])
    for holder in known[:_HOLDERS]:
        lines += _holder(holder, screen)
    if len(known) > _HOLDERS:
        lines.append(f"  and {plural(len(known) - _HOLDERS, 'subject')} more: -o json")
    groups = list(perhaps.values())
    for alike in groups[:_HOLDERS]:
        lines += _holder(alike[0], screen, len(alike) - 1)
    if len(groups) > _HOLDERS:
        lines.append(f"  and {plural(len(groups) - _HOLDERS, 'doubt')} more: -o json")
    if told.folded:
        lines.append(f"and {told.folded} of the control plane: --system")
    _put(lines + _end(told.notes, told.missing, screen), out)


def _holder(holder: Holder, screen: Screen, more: int = 0) -> list[str]:
    """A subject, by what; `more` others are in doubt for the same reason."""
    parts = [(holder.subject, "bold")]
    if holder.perhaps:
        parts.append(("perhaps", "unassessed"))
    if holder.note:
        parts.append((f"({clean(holder.note)})", ""))
    if more:
        parts.append((f"and {plural(more, 'subject')} more", ""))
    elif holder.scopes:
        rest = len(holder.scopes) - 6
        named = ", ".join(holder.scopes[:6]) + (f" and {rest} more" if rest > 0 else "")
        parts.append((f"in {clean(named)}", ""))
    lines = _flow(parts, screen, "  ", 4)
    told: dict[tuple[str, str, str], None] = {}
    for chain in holder.chains:
        told.setdefault((chain.binding, chain.role, chain.binding_where))
    for binding, role, where in list(told)[:_CHAINS]:
        lines += _flow([(f"{binding} → {role}", ""), _dim(where)], screen, "      ", 8)
    if len(told) > _CHAINS:
        lines.append(f"      and {plural(len(told) - _CHAINS, 'binding')} more: access why")
    for reason in holder.because:
        lines += hanging(f"      {clean(reason)}", screen.width, 8)
    return lines


def write_rights(told: Rights, screen: Screen, out: IO[str]) -> None:
    """Writes everything that somebody may do, by where it holds."""
    lines: list[str] = []
    if not told.rights:
        less = " more than everybody" if told.folded else ""
        lines += hanging(clean(f"{told.who} may do nothing{less}"), screen.width, 2)
    last: str | None = None
    for right in told.rights:
        if right.scope != last:
            title = f"in {right.scope}" if right.scope else "everywhere"
            lines.append(paint(clean(title), "bold", screen.colour))
            last = right.scope
        lines += _right(right, screen)
    if told.folded:
        count = plural(told.folded, "rule")
        lines.append(f"and {count} that everybody has: --system")
    _put(lines + _end(told.notes, told.missing, screen), out)


def write_identities(told: Identities, screen: Screen, out: IO[str]) -> None:
    """Writes every way to be somebody."""
    _put(lines_of(told, screen) + _end(told.notes, told.missing, screen), out)


def _right(right: Right, screen: Screen) -> list[str]:
    what = right.says
    by = f"by {', '.join(right.by[:2])}" + (f" and {len(right.by) - 2} more" * (len(right.by) > 2))
    lines = hanging(f"  {clean(what)}", screen.width, 6)
    if len(lines) == 1:
        return _flow([(clean(what), ""), (clean(by), "dim"), _dim(right.where)], screen, "  ", 6)
    return [*lines, *_flow([(clean(by), "dim"), _dim(right.where)], screen, "      ", 6)]


def _flow(parts: list[tuple[str, str]], screen: Screen, indent: str, hang: int = 0) -> list[str]:
    """Parts side by side; those that do not fit go below, further in; a part that is too long alone
    is wrapped.
    """
    shown = [(clean(text), style) for text, style in parts if text]
    made: list[str] = []
    room = max(hang, len(indent) + 4)
    for line in flow(shown, screen, indent):
        first = not made
        text = line if first else " " * (room - len(indent)) + line
        made += hanging(text, screen.width, room) if "\x1b" not in text else [text]
    return made


def _dim(text: str) -> tuple[str, str]:
    return (text, "dim")


def _end(notes: tuple[str, ...], missing: tuple[str, ...], screen: Screen) -> list[str]:
    lines: list[str] = []
    for note in notes:
        lines += hanging(f"note: {clean(note)}", screen.width, 6)
    for one in missing[:3]:
        lines += hanging(f"unread: {clean(one)}", screen.width, 8)
    if missing:
        count = plural(len(missing), "thing")
        text = f"{count} could not be read, so it may be otherwise: --allow-incomplete counts it"
        lines += hanging(text, screen.width, 8)
    return lines


def _put(lines: list[str], out: IO[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)
