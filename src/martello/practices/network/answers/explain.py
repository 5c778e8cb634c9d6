"""Why one connection passes or not: by which policy and rule each way, and what would change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from martello.core.path import show
from martello.practices.network.addresses import name_of
from martello.practices.network.answers import remedy
from martello.practices.network.engine.classes import FAMILY
from martello.practices.network.engine.places import is_itself, own_node
from martello.practices.network.engine.reach import Reach
from martello.practices.network.engine.rules import EGRESS, INGRESS
from martello.practices.network.engine.tiers import Member
from martello.practices.network.engine.trace import (
    WITHOUT_PORTS,
    Hit,
    Question,
    doubts,
    hits,
    members,
)
from martello.practices.network.model import (
    ACCEPT,
    ADMIN,
    BASELINE,
    DENY,
    NETWORK,
    PASS,
    Address,
    Place,
    Policy,
    Step,
)

OUT: Final = "out"
IN: Final = "in"
_WAYS: Final = {EGRESS: OUT, INGRESS: IN}
_TIER: Final = {ADMIN: "admin policy", BASELINE: "baseline policy"}


def explain(
    reach: Reach, source: Place, destination: Place, protocol: str, port: int
) -> tuple[Step, ...]:
    """What each direction says of one connection, `out` of the source and `in` to the destination;
    after a denial a step `fix` for each direction that denies. Where the families differ, that of
    the worse answer is explained. Raises BadInput for a place of another world.
    """
    out, to = reach.spot(source), reach.spot(destination)
    if is_itself(out, to):
        return (Step(OUT, name_of(source), "allowed", "a pod always reaches itself"),)
    shared = [version for version, bit in FAMILY.items() if out.families & to.families & bit]
    if not shared:
        return (Step(OUT, name_of(source), "denied", "they have no address family in common"),)
    family = max(shared, key=lambda v: _badness(reach, source, destination, v, protocol, port))
    steps: list[Step] = []
    denials: list[remedy.Denial] = []
    for way, mine, other in ((EGRESS, out, to), (INGRESS, to, out)):
        question = Question(way, mine, other, family, protocol, port)
        step, found = _direction(reach, question)
        steps.append(step)
        if step.verdict == "denied":
            denials.append(remedy.denial(reach, question, found))
    return (*steps, *remedy.fixes(reach, denials))


def _badness(
    reach: Reach, source: Place, to: Place, family: int, protocol: str, port: int
) -> tuple[int, int]:
    verdict = reach.verdict(source, to, family).verdict(protocol, port)
    return ("allowed", "unknown", "denied").index(verdict), -family


def _direction(reach: Reach, question: Question) -> tuple[Step, Sequence[Hit]]:
    """The step of one direction, and what the rules of it said."""
    mine, other = question.mine, question.other
    name = name_of(mine.place)
    direction = _WAYS[question.way]
    if mine.is_node or isinstance(mine.place, Address):
        return Step(direction, name, "allowed", "no policy applies outside of pods"), ()
    selecting = members(reach.state, question)
    if not selecting:
        return Step(direction, name, "allowed", "no policy selects it"), ()
    found = list(hits(reach.state, question, selecting))
    verdict = _verdict(reach, question)
    if verdict == "unknown":
        return _unknown(reach, question, direction, selecting, found), found
    own = own_node(mine, other)
    decisive = _decisive(selecting, found, own)
    if isinstance(decisive, Hit):
        policy = decisive.member.policy
        words = {ACCEPT: "allowed", DENY: "denied"}[decisive.rule.action]
        kind = _TIER.get(policy.tier, "")
        why = f"{words} by {kind + ' ' if kind else ''}{_named(policy)}, {show(decisive.rule.path)}"
        return Step(direction, name, verdict, why, policy.resource, decisive.rule.path), found
    isolating = [m.policy for m in selecting if m.policy.tier == NETWORK and not m.perhaps]
    if verdict == "allowed":
        why = "a pod and its own node always reach each other" if own else "no policy isolates it"
        return Step(direction, name, verdict, why), found
    if not isolating:
        return Step(direction, name, verdict, "denied by what policies leave undecided"), found
    why = f"isolated by {', '.join(map(_named, isolating))}"
    nearest = remedy.nearest(question, found)
    if nearest is None:
        why += ", no rule of which allows anything"
        return Step(direction, name, verdict, why, isolating[0].resource), found
    why += f"; nearest rule {show(nearest.rule.path)} of {_named(nearest.member.policy)} "
    why += remedy.wants(reach, question, nearest)
    resource = nearest.member.policy.resource
    return Step(direction, name, verdict, why, resource, nearest.rule.path), found


def _unknown(
    reach: Reach,
    question: Question,
    direction: str,
    selecting: Sequence[Member],
    found: Sequence[Hit],
) -> Step:
    reasons = list(dict.fromkeys(doubts(reach.state, question)))
    open_ = [hit for hit in found if hit.matches is None]
    if any(hit.ports is None for hit in open_):
        reasons.append(WITHOUT_PORTS)
    doubted = [m.policy for m in selecting if m.policy.doubt]
    name = name_of(question.mine.place)
    why = "; ".join(reasons) or "what is here does not decide it"
    if open_ and not doubted:
        policy = open_[0].member.policy
        return Step(direction, name, "unknown", why, policy.resource, open_[0].rule.path)
    return Step(direction, name, "unknown", why, doubted[0].resource if doubted else None)


def _verdict(reach: Reach, question: Question) -> str:
    """What this direction alone says, as the rows have it."""
    yes, most = reach.one_way(question.way, question.mine, question.other, question.family)
    if yes.allows(question.protocol, question.port):
        return "allowed"
    return "unknown" if most.allows(question.protocol, question.port) else "denied"


def _decisive(selecting: Sequence[Member], found: Sequence[Hit], own: bool) -> Hit | None:
    """The rule that decides, where one does: the first of the admin tier, then any of the
    NetworkPolicies, then the first of the baseline.
    """
    surely = [hit for hit in found if hit.matches and not hit.member.perhaps]
    admin = next((hit for hit in surely if hit.member.policy.tier == ADMIN), None)
    if admin is not None and admin.rule.action != PASS:
        return admin
    if any(m.policy.tier == NETWORK and not m.perhaps for m in selecting):
        if own:
            return None
        return next((hit for hit in surely if hit.member.policy.tier == NETWORK), None)
    baseline = next((hit for hit in surely if hit.member.policy.tier == BASELINE), None)
    return baseline if baseline is not None and baseline.rule.action != PASS else None


def _named(policy: Policy) -> str:
    return policy.resource.ref.local


__all__ = ["explain"]
