"""The smallest exception that silences chosen alerts, proved on what happened and on attacks.

What the chosen hits have in common becomes equalities. What varies among them is widened one step
at a time: a list of a few values, a path or a pattern with one component open, a network; else it
is left out. The proposal stands only if a replay silences all that were chosen and no attack that
the rule's tests know; what else it would have silenced in history is told.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.core.event import COLUMNS
from martello.practices.monitor.engine.ir import columns
from martello.practices.monitor.engine.rule import Hit, Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.noise.exceptions import Proof, Silence
from martello.practices.monitor.validation.inline import Reader, prepare

MOST_LISTED: Final = 5
# What says where, who and what it was, the most telling first.
ENTITY: Final = (
    *("k8s_ns", "pod_workload", "container_name", "actor_user", "actor_agent"),
    *("proc_exe", "proc_parent_exe", "proc_name", "proc_args", "file_path", "net_dst_ip"),
    *("net_dst_port", "net_dst_name", "k8s_resource", "k8s_subresource", "api_verb", "image_ref"),
)
# What is another one each time, or says nothing of who it was.
_PASSING: Final = frozenset(
    ("id", "time", "seen", "seq", "kind", "raw", "flags", "api_id", "api_ms", "proc_pid")
) | frozenset(
    ("proc_ppid", "proc_exec_id", "k8s_uid", "pod_uid", "net_src_port", "container_id", "source")
)
_VARYING: Final = re.compile(r"[0-9a-f]{8,}|\d+|[bcdfghjklmnpqrstvwxz2456789]{5,}$")


class Proposed(msgspec.Struct, frozen=True, eq=False):
    """A proposal and its proof. `left` are chosen hits that it would not silence, `fixtures` the
    attacks that it would, `others` hits of history that are unlike the chosen ones; it stands where
    the first two are empty.
    """

    exception: Silence
    chosen: int
    left: int
    fixtures: tuple[str, ...]
    history: int
    others: int
    why: str = ""  # why there can be none

    @property
    def stands(self) -> bool:
        """Whether it may be used."""
        return not self.why and not self.left and not self.fixtures


def propose(
    rule: Rule,
    chosen: Sequence[Hit],
    history: Iterable[Hit] = (),
    *,
    owner: str = "",
    reason: str = "",
    readers: Mapping[str, Reader] | None = None,
) -> Proposed:
    """The smallest exception of a rule for some of its hits. `history` are all its hits that are
    kept.
    """
    events = [hit.event for hit in chosen]
    past = [hit.event for hit in history]
    fixtures = [
        (test.name, event) for test in prepare(rule, readers) if test.fires for event in test.events
    ]
    if rule.learn == "never":
        return _none(rule, len(events), "what it finds is never wanted: it takes no exceptions")
    if not events:
        return _none(rule, 0, "no alert was chosen")
    match = _match(rule, events)
    while True:
        made = Silence(rule.id, match, reason, owner)
        tree = made.tree  # made once: it is compiled for each tree
        hurt = tuple(name for name, event in fixtures if holds(tree, event) is True)
        narrower = _narrower(match, events) if hurt else None
        if narrower is None:
            break
        match = narrower
    if not match:
        return _none(rule, len(events), "the chosen alerts have nothing in common")
    left = sum(holds(tree, event) is not True for event in events)
    silenced = [event for event in past if holds(tree, event) is True]
    like = {_likeness(rule, event) for event in events}
    others = sum(_likeness(rule, event) not in like for event in silenced)
    proof = Proof(rule.hash, len(events) - left, len(silenced), len(hurt))
    exception = msgspec.structs.replace(made, proof=proof)
    return Proposed(exception, len(events), left, hurt, len(silenced), others)


def _none(rule: Rule, chosen: int, why: str) -> Proposed:
    return Proposed(Silence(rule.id, {}), chosen, chosen, (), 0, 0, why)


def _match(rule: Rule, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all have, widened where they differ."""
    names = dict.fromkeys((*ENTITY, *rule.group, *sorted(columns(rule.tree))))
    found: dict[str, Any] = {}
    for name in names:
        if name in _PASSING or name not in COLUMNS:
            continue
        values = [event.get(name) for event in events]
        if any(value in (None, [], "") for value in values):
            continue
        wanted = widened(name, values)
        if wanted is not None:
            found[name] = wanted
    return found


def widened(name: str, values: Sequence[Any]) -> Any:
    """What covers some values of a column: one of them, a list, a pattern; None: nothing narrow."""
    if any(isinstance(value, list | tuple | Mapping) for value in values):
        sets = {tuple(value) if isinstance(value, list | tuple) else None for value in values}
        only = sets.pop() if len(sets) == 1 else None
        told = only is not None and len(only) <= MOST_LISTED and None not in only
        return list(only) if told and only else None
    distinct = sorted(set(values), key=str)
    if len(distinct) == 1:
        value = distinct[0]
        return _settled(value) if isinstance(value, str) else value
    texts = [value for value in distinct if isinstance(value, str)]
    if len(texts) == len(distinct):
        for widen in (_pattern, _network if name.endswith("_ip") else _below):
            wanted = widen(texts)
            if wanted is not None:
                return wanted
    return distinct if len(distinct) <= MOST_LISTED else None


def _settled(value: str) -> Any:
    return value if len(value) <= 300 else None


def _pattern(values: Sequence[str]) -> dict[str, str] | None:
    """The same text but for what is another one each time (numbers, hashes, suffixes of pods)."""
    if any(sign in value for value in values for sign in "*?"):
        return None  # it would stand for more than itself
    shapes = {"/".join(_VARYING.sub("*", part) for part in value.split("/")) for value in values}
    shape = shapes.pop()
    plain = shape.replace("*", "").strip("/-. ")
    return {"glob": shape} if not shapes and "*" in shape and len(plain) >= 3 else None


def _below(values: Sequence[str]) -> dict[str, str] | None:
    """The deepest directory of paths, at least two components deep."""
    odd = any(sign in value for value in values for sign in "*?[")
    if odd or not all(value.startswith("/") for value in values):
        return None
    split = [value.split("/")[1:-1] for value in values]
    shared: list[str] = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return {"prefix": "/" + "/".join(shared)} if len(shared) >= 2 else None


def _network(values: Sequence[str]) -> dict[str, str] | None:
    """The smallest network of all addresses, no larger than a /24 or a /64."""
    try:
        addresses = [ipaddress.ip_address(value) for value in values]
    except ValueError:
        return None
    if len({one.version for one in addresses}) > 1:
        return None
    bits = addresses[0].max_prefixlen
    low, high = min(map(int, addresses)), max(map(int, addresses))
    length = bits - (low ^ high).bit_length()
    if length < (24 if bits == 32 else 64):
        return None
    return {"cidr": str(ipaddress.ip_network((low, length), strict=False))}


def _narrower(
    match: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """One widened column back to the values that were chosen; None: nothing is left to narrow."""
    for name, wanted in match.items():
        if isinstance(wanted, Mapping):
            values = sorted({event[name] for event in events}, key=str)
            if len(values) <= 20:
                return {**match, name: values}
    return None


def _likeness(rule: Rule, event: Mapping[str, Any]) -> tuple[Any, ...]:
    """By what a person would call two hits the same kind."""
    names = rule.group or ("k8s_ns", "pod_workload", "container_name", "actor_user")
    return tuple(str(event.get(name)) for name in names)
