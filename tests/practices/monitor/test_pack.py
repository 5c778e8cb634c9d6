"""The rules that Martello brings: whole, tested, able to fire, quiet where nothing happens."""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.corpus.panther_k8s import covering

from martello.adapters.audit.batches import AuditBatches
from martello.adapters.audit.columns import Origin
from martello.adapters.batch import table
from martello.core.alert import Alert
from martello.practices.monitor import packs
from martello.practices.monitor.engine.detect import detect
from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.own.when import rowwise
from martello.practices.monitor.pipeline import Pipeline
from martello.practices.monitor.problems import Loaded
from martello.practices.monitor.sources import FEEDS
from martello.practices.monitor.validation import check, inline, mutate

CORPORA = Path(os.environ.get("MARTELLO_CORPORA") or "../shared/corpora")
LEAST = 75
BUDGET = 20  # alerts of a day on which nothing happened
TECHNIQUE = re.compile(r"T1[0-9]{3}(\.[0-9]{3})?")


@cache
def pack() -> Loaded:
    return packs.named((packs.DEFAULT,))


def written() -> list[Rule]:
    """The rules as they stand in files, without the parts that correlations are made of."""
    return [rule for rule in pack().pack if "/" not in rule.id]


def test_the_pack_is_whole() -> None:
    assert pack().errors == ()
    assert pack().warnings == ()
    assert len(written()) >= LEAST
    assert not [rule.id for rule in pack().pack if rule.unassessed or not rule.enabled]
    groups = Counter(rule.id[4] for rule in written())
    assert {"1", "2", "3", "4", "9"} <= set(groups)


@pytest.mark.parametrize("rule", written(), ids=lambda rule: rule.id)
def test_a_rule_says_who_why_and_what_to_do(rule: Rule) -> None:
    assert re.fullmatch(r"MON-[0-9]{3}", rule.id)
    assert "{" in rule.say, "it names nobody and nothing"
    assert rule.why
    assert rule.fix
    assert rule.attack
    assert all(TECHNIQUE.fullmatch(one) for one in rule.attack)
    assert {test["expect"] for test in rule.tests} == {"fire", "quiet"}
    assert rule.group or rule.correlate


def test_titles_and_ids_are_those_of_one_rule() -> None:
    """The loader refuses an id that came before; a title that is told twice tells nothing."""
    again = [title for title, n in Counter(rule.title for rule in written()).items() if n > 1]
    assert not again


def test_all_tests_of_the_pack_pass() -> None:
    outcomes = inline.run(pack().pack)
    assert len(outcomes) > 2 * LEAST
    assert not [f"{one.rule}: {one.test}: {one.why}" for one in outcomes if not one.passed]


def test_the_tests_notice_what_is_changed() -> None:
    scores = mutate.scores(pack().pack)
    assert len(scores) > LEAST
    shares = [score.share for score in scores]
    assert sum(shares) / len(shares) >= 0.9
    assert not [score.rule for score in scores if score.share < 0.7]


def test_every_rule_can_fire() -> None:
    sources = [name for name, feed in FEEDS.items() if not feed.general]
    verdicts = check.judge(pack().pack, sources, pairs=False).verdicts
    assert not [f"{one.rule.id}: {one.why}" for one in verdicts if one.state != check.FIRES]
    dead = [
        f"{one.rule.id}: {note}"
        for one in verdicts
        for note in one.notes
        if note.code not in ("rowwise", "correlation")
    ]
    assert not dead


def test_no_event_is_dear_to_judge() -> None:
    """Of what is evaluated event by event nothing is an expression to be matched: on a body of
    megabytes that takes seconds.
    """
    parts = {part for rule in pack().pack for part in rowwise(rule.tree)}
    assert not [part for part in parts if ".find(" in part or ".matches(" in part]


def test_batches_and_single_events_are_judged_alike() -> None:
    """Every event of every test, by all rules of its kind."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for rule in pack().pack:
        for test in inline.prepare(rule):
            for event in test.events:
                by_kind.setdefault(str(event["kind"]), []).append(dict(event))
    assert len(by_kind) > 7
    for kind, events in by_kind.items():
        numbered = [{**event, "id": str(at)} for at, event in enumerate(events)]
        found = {
            (str(hit.event["id"]), hit.rule) for hit in detect(pack().pack, table(kind, numbered))
        }
        wanted = {
            (event["id"], rule.id)
            for event in numbered
            for rule in pack().pack.usable(kind)
            if holds(rule.tree, event) is True
        }
        assert found == wanted, kind


@pytest.mark.corpus
@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no corpora in {CORPORA}")
def test_a_quiet_day_stays_within_the_budget() -> None:
    path = CORPORA / "audit-benign" / "events.jsonl.gz"
    pipeline = Pipeline(pack().pack)
    alerts: dict[str, Alert] = {}
    for rows in AuditBatches([str(path)], Origin(b"\0" * 32)):
        alerts.update((one.id, one) for one in pipeline.feed(rows))
    alerts.update((one.id, one) for one in pipeline.end())
    with gzip.open(path) as lines:
        assert pipeline.events["audit"] == sum(1 for _ in lines)
    assert 0 < len(alerts) <= BUDGET
    grave = [one.says for one in alerts.values() if one.severity in ("high", "critical")]
    assert not grave


@pytest.mark.corpus
@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no corpora in {CORPORA}")
def test_o5_aliases_cover_the_rules_of_panther() -> None:
    import json

    lines = (CORPORA / "panther-k8s" / "rules.jsonl").read_text("utf-8").splitlines()
    named = {json.loads(line)["rule_id"] for line in lines}
    assert named == set(covering(pack().pack))
