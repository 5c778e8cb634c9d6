"""Least policies for what flows show, with the proof that they lose none of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.flow import Flow
from martello.practices.network.engine.reach import Reach
from martello.practices.network.learn import tally as counting
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.blocks import wider
from martello.practices.network.learn.course import Course
from martello.practices.network.learn.infrastructure import Infrastructure
from martello.practices.network.learn.model import (
    DIALECTS,
    DeclaredUse,
    Edge,
    Key,
    Lesson,
    Options,
    Proof,
    Unseen,
)
from martello.practices.network.learn.normalise import ICMP, ITSELF, OWN_NODE, UNRESOLVED
from martello.practices.network.learn.proof import hold_out, pairs
from martello.practices.network.learn.replay import Stage, analysed, refuse, replay
from martello.practices.network.learn.review import demanded, lane, review

_PLAIN: Final = Options()
Raw = dict[str, Any]


def learn(flows: Iterable[Flow], cluster: Cluster, options: Options = _PLAIN) -> Lesson:
    """Reads the flows once and proposes policies for the workloads they speak of. Memory grows
    with distinct edges.

    Raises Refused where the proposal would deny an observed flow, BadInput for options that do not
    fit the cluster or for more distinct edges than `options.most_edges`.
    """
    if options.dialect not in DIALECTS:
        raise BadInput(f"no dialect {options.dialect!r}", next=f"one of {', '.join(DIALECTS)}")
    atlas = Atlas(cluster, options)
    found = Infrastructure(atlas)
    course = Course(atlas, found, options)
    counted = counting.tally(flows, atlas, options)
    observed = [edge for edge in counted.edges() if course.concerns(edge)]
    found.learn_dns(observed)
    shown, withheld = review(observed, atlas, found, options)
    evidence = [edge for edge in observed if lane(edge) not in withheld]
    policies, subjects = course.propose(evidence)
    proof = _proved(course, counted, observed, evidence, policies, subjects)
    return Lesson(
        policies,
        proof,
        shown,
        counted.unresolved(),
        _not_seen(course, observed),
        _unseen(course, observed, subjects),
        demanded(counted.demand()),
        (*_notes(course, subjects), *wider(policies, observed)),
    )


def _proved(
    course: Course,
    counted: counting.Tally,
    observed: Sequence[Edge],
    evidence: Sequence[Edge],
    policies: Sequence[dict[str, Any]],
    subjects: frozenset[Key],
) -> Proof:
    """The replay and all that is counted with it. Raises Refused where an edge is lost."""
    stage = course.stage
    stage.prepare(course.extended(observed, subjects))
    stage.prepare_live(subjects)
    before = analysed(course.atlas.cluster, course.options.profile, stage)
    after = course.analysed(policies, observed)
    tried = replay(evidence, after, before, stage)
    refuse(tried.denied, after, stage)

    def judge(trained: Sequence[Edge]) -> tuple[Reach, Stage]:
        return course.analysed(course.propose(trained)[0], observed), stage

    reasons = _reasons(course, evidence, subjects)
    found = pairs(subjects, before, after, stage, observed, reasons)
    here = sum(edge.count for edge in observed)
    elsewhere = min(sum(e.count for e in counted.edges()) - here, counted.replayed)
    return Proof(
        flows=counted.flows,
        replayed=counted.replayed - elsewhere,
        denied=0,
        unresolved=counted.aside[UNRESOLVED],
        edges=len(observed),
        undecided=sum(edge.count for edge in tried.undecided),
        withheld=here - sum(edge.count for edge in evidence),
        icmp=counted.aside[ICMP],
        dropped=counted.dropped,
        own_node=counted.aside[OWN_NODE],
        itself=counted.aside[ITSELF],
        pairs=found.all,
        pairs_before=found.before,
        pairs_after=found.after,
        open_pairs=found.open,
        held_out=hold_out(evidence, counted.begin, counted.end, judge),
        elsewhere=elsewhere,
    )


def _reasons(
    course: Course, evidence: Sequence[Edge], subjects: frozenset[Key]
) -> dict[tuple[Key, Key], str]:
    """Why pairs are open that no flow used."""
    found: dict[tuple[Key, Key], str] = {}
    for edge in course.extended(evidence, subjects):
        source, destination = edge.source.workload, edge.destination.workload
        if source is not None and destination is not None:
            if edge.declared:
                found.setdefault((source, destination), edge.declared)
            for one, other, alike in (
                (source, destination, course.lifted.get(source)),
                (destination, source, course.lifted.get(destination)),
            ):
                del other
                for also in alike.also if alike else ():
                    pair = (also, destination) if one == source else (source, also)
                    found.setdefault(pair, f"labels do not tell {also} from {one}")
    return found


def _not_seen(course: Course, observed: Sequence[Edge]) -> tuple[DeclaredUse, ...]:
    used = {lane(edge) for edge in observed}
    found: dict[tuple[str, str, str, int], DeclaredUse] = {}
    for edge, where in course.declared:
        way = lane(edge)
        if way not in used and course.concerns(edge):
            found.setdefault(
                way,
                DeclaredUse(
                    way[0],
                    edge.service,
                    way[1],
                    edge.protocol,
                    edge.port,
                    where,
                    course.options.include_declared,
                ),
            )
    return tuple(found[way] for way in sorted(found))


def _unseen(
    course: Course, observed: Sequence[Edge], subjects: frozenset[Key]
) -> tuple[Unseen, ...]:
    found: list[Unseen] = []
    seen = course.seen(observed)
    for key in sorted(course.lifted):
        if not course.learned(key) or key in seen:
            continue
        found.append(Unseen(str(key), key.kind, _why(key, course, subjects), key in subjects))
    return tuple(found)


def _why(key: Key, course: Course, subjects: frozenset[Key]) -> str:
    lifted = course.lifted[key]
    if lifted.selector is None:
        return lifted.why
    tied = [other for other in lifted.also if other in subjects]
    if key in subjects and tied and not course.options.isolate_unseen:
        return f"no flow speaks of it, and labels do not tell it from {tied[0]}"
    endpoint = course.atlas.groups[key][0]
    if key.kind == "CronJob":
        return "a CronJob that no flow speaks of"
    if endpoint.pod:
        return "no flow speaks of it"
    replicas = endpoint.resource.spec.get("replicas", 1)
    return "it has no replicas" if replicas == 0 else "it has no pods"


def _notes(course: Course, subjects: frozenset[Key]) -> Iterable[str]:
    for key in sorted(subjects):
        also = course.lifted[key].also
        if also:
            names = ", ".join(str(other) for other in also[:5])
            yield f"labels do not tell {key} from {names}: they share what they may do"
    if course.options.dns and not course.found.dns:
        yield "no DNS Service was found: workloads may ask only the DNS that flows show"
    hooks = course.options.infrastructure and not course.found.control_plane
    if hooks and any(True for _ in course.hooks):
        yield "no control plane node is known: webhooks may be cut off"
