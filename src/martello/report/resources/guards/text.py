"""Guards on the screen: what is made for each namespace, then the proof, then what was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO, Final

from martello.report.model import Screen
from martello.report.resources.guards.model import Kept, Made, Proved, Scored, Told
from martello.report.text import clean, hanging, paint, plural

_ROOMS: Final = 4  # keys of a quota that are shown, the fullest first
_NAMED: Final = 3  # of those that nobody measured
_KEPT: Final = 8
_ENDING: Final = {
    "placement": "has to give way to pods that are made by",
    "disk": "is evicted for the disk of",
    "inodes": "is evicted for the inodes of",
    "memory": "is evicted for the memory of",
    "pids": "is evicted for the processes of",
}


def write(told: Told, screen: Screen, out: IO[str]) -> None:
    """Writes it all, the fullest keys of each quota alone."""
    lines: list[str] = []
    shown = [(space.namespace or "kubelets", space.made) for space in told.spaces]
    if told.classes:
        shown.insert(0, ("priority classes", told.classes))
    wide = max((len(_head(made)) for _, some in shown for made in some), default=0)
    for name, some in shown:
        lines.append(paint(clean(name), "bold", screen.colour))
        for made in some:
            lines += _made(made, wide, screen)
    if not shown:
        lines.append(clean(f"nothing to make: {told.nothing}"))
    lines += _proof(told.proof, screen)
    if told.source:
        lines += hanging(clean(f"measured {told.source}"), screen.width, 9)
    lines += _listed("assumed", told.assumed, _NAMED, screen)
    if told.assumed:
        lines += hanging(
            "         nobody measured these: what is made for them is a guess; "
            "--prometheus URL or --samples FILE tells, Node objects of nodes",
            screen.width,
            9,
        )
    for one in told.left:
        lines += hanging(clean(f"left out {one}"), screen.width, 9)
    for one in told.notes:
        lines += hanging(clean(f"note: {one}"), screen.width, 6)
    for one in told.missing:
        lines += hanging(clean(f"not read: {one}"), screen.width, 2)
    lines += [f"written: {clean(file)}" for file in told.written]
    lines += [f"applied: {clean(one)}" for one in told.applied]
    if not told.written and not told.applied:
        lines.append("nothing is written" + (": --write DIR" if told.proof.holds and shown else ""))
    lines += [f"{'' if number else 'next':<6}{clean(one)}" for number, one in enumerate(told.next)]
    out.write("".join(f"{line}\n" for line in lines))


def _head(made: Made) -> str:
    return clean(made.name)


def _made(made: Made, wide: int, screen: Screen) -> list[str]:
    parts = [clean(one) for one in made.says]
    shown = sorted(made.rooms, key=lambda room: -room.share)
    parts += [
        clean(f"{room.key} {room.now} → {room.most} of {room.hard}")
        for room in shown[:_ROOMS]
        if room.share
    ]
    left = len(made.rooms) - min(_ROOMS, sum(1 for room in shown if room.share))
    if left > 0:
        parts.append(plural(left, "key") + " more")
    told = hanging(f"  {_head(made):<{wide}}  {'; '.join(parts)}", screen.width, wide + 4)
    return list(told)


def _proof(proof: Proved, screen: Screen) -> list[str]:
    word = paint("proof", "good" if proof.holds else "high", screen.colour)
    bad = [one for one in proof.refused if one.code == 422]
    counts = (
        f"{plural(proof.pods, 'pod')} as they are, and {plural(proof.at_most, 'pod')} of "
        f"{plural(proof.workloads, 'workload')} at their most, go through admission: "
        f"{len(proof.refused) - len(bad)} refused, {len(bad)} made invalid"
    )
    if proof.unassessed:
        counts += f", {len(proof.unassessed)} not known"
    first, *rest = hanging(f"proof    {counts}", screen.width, 9)
    lines = [first.replace("proof", word, 1), *rest]
    for kept in (proof.refused, proof.unassessed):
        lines += _refused(kept, screen)
    for score in proof.scores:
        lines += hanging(f"         {_score(score)}", screen.width, 9)
        if score.why:
            lines += hanging(clean(f"           still: {score.why}"), screen.width, 13)
    for one in proof.ended:
        told = (
            f"         {one.workload}: {_ENDING.get(one.resource, one.resource)} "
            f"{plural(one.before, 'workload')} of other namespaces, with the priority class "
            f"{one.after or 'none'}"
        )
        lines += hanging(clean(told), screen.width, 11)
    if proof.moved:
        named = ", ".join(proof.moved[:_NAMED])
        lines += hanging(
            clean(
                f"         the priority of {plural(len(proof.moved), 'workload')} would change, "
                f"though no patch says so: {named}"
            ),
            screen.width,
            11,
        )
    if proof.already:
        lines += hanging(
            f"         {plural(len(proof.already), 'object')} more are refused with or without "
            "these guards: martello resources admit",
            screen.width,
            9,
        )
    return lines


def _score(score: Scored) -> str:
    steps = ("now", "with the objects", "with the kubelets, too")
    told = [
        f"{word} {worst:g} (mean {mean:g})"
        for word, worst, mean in zip(steps, score.worst, score.mean, strict=False)
    ]
    risen = f"; wider for {', '.join(score.risen[:3])}" if score.risen else ""
    return clean(f"worst blast of a hostile {score.level}: {', '.join(told)}{risen}")


def _refused(found: Sequence[Kept], screen: Screen) -> Iterable[str]:
    lines: list[str] = []
    for one in found[:_KEPT]:
        told = f"         {one.object} {one.when}: {one.says} ({one.code})"
        lines += hanging(clean(told), screen.width, 11)
    if len(found) > _KEPT:
        lines.append(f"         and {len(found) - _KEPT} more: -o json")
    return lines


def _listed(word: str, found: Sequence[str], most: int, screen: Screen) -> list[str]:
    if not found:
        return []
    more = f" and {len(found) - most} more (-o json)" if len(found) > most else ""
    told = f"{word:<9}{'; '.join(found[:most])}{more}"
    return list(hanging(clean(told), screen.width, 9))
