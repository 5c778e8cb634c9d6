"""`resources blast --write`: the cheapest guards as manifests, proved like all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from martello.cli.reports import Output
from martello.cli.resources.blasting import crown_of, look
from martello.cli.resources.guard_files import next_steps, write_guards
from martello.cli.resources.guarding import ending, show, tell
from martello.cli.resources.opening import Opened
from martello.core.errors import BadInput
from martello.practices.resources.amounts import Malformed
from martello.practices.resources.blast.remedy import Remedies, State
from martello.practices.resources.guards.prove import prove
from martello.practices.resources.guards.remedied import written_down
from martello.practices.resources.guards.scoring import Before
from martello.practices.resources.guards.scoring import State as Asked
from martello.practices.resources.node.model import Pod, Use

_FORMATS = ("text", "json")


def remedy_command(words: Sequence[str], outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes what was found and proved; the exit code. Raises BadInput, and what reading raises."""
    wrong = [one.format for one in outputs if one.format not in _FORMATS]
    if wrong:
        raise BadInput(f"guards are not written as {wrong[0]}", "", "text or json")
    kept: list[tuple[Opened, State, Remedies | None]] = []
    look(words, flags, lambda *one: kept.append(one))
    if not kept:
        raise BadInput(
            "nothing to guard", "no workload is above the target", "leave out --write, or --target"
        )
    seen, state, _ = kept[0]
    chosen = [guard for _, _, found in kept if found is not None for guard in found.guards]
    levels = tuple(dict.fromkeys(("container", flags["level"])))
    use = {key: use for pod in state.pods for key, use in _use(pod)}
    asked = Asked(state.nodes, use, state.may, crown_of, levels=levels)
    try:
        found = written_down(state, chosen)
        proof = prove(state.cluster, found, Before(state.cluster, asked))
    except Malformed as error:
        why = f"no server would store {error}"
        raise BadInput("cannot prove the guards", why, "correct the object") from error
    shown = msgspec.structs.replace(
        tell(seen, found, proof, "", ()),
        nothing="no guard that can be written down makes these blasts smaller by itself",
        next=() if proof.holds and not found.empty else _instead(kept),
    )
    if proof.holds and not found.empty:
        written = write_guards(found, flags["folder"])
        steps = next_steps(found, flags["folder"])
        shown = msgspec.structs.replace(shown, written=written, next=steps)
    code = 1 if found.empty else ending(shown, flags)  # the blasts are as they were
    show(msgspec.structs.replace(shown, exit=code), outputs)
    return code


def _instead(kept: Sequence[tuple[Opened, State, Remedies | None]]) -> tuple[str, ...]:
    """Guards of whole namespaces come with defaults for those who say nothing, and are left out
    step by step until they hold.
    """
    spaces = dict.fromkeys(found.after.attacker.partition("/")[0] for _, _, found in kept if found)
    named = "".join(f" -n {space}" for space in list(spaces)[:8])
    return (
        f"martello resources quota{named} --write DIR    # with defaults, and what holds of it",
    )


def _use(pod: Pod) -> Iterator[tuple[str, Use]]:
    """What was measured of a pod."""
    yield pod.key, pod.use
    for part in pod.parts:
        if part.use.cpu is not None or part.use.memory is not None:
            yield f"{pod.key}/{part.name}", part.use
