"""The checks that read the ledger: their examples, and what they say where it knows less."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.ledger import AT, BAD, DAY, GOOD, IMAGES, SIGNED, A, B, C, D, E, F, tag, world
from tests.support.ledger import A as APPROVED
from tests.support.objects import TODAY, reading

from martello.catalogue.example import problems
from martello.catalogue.load import load
from martello.catalogue.scan import scan
from martello.core.check import Check
from martello.core.finding import Scan
from martello.practices.images.ledger import ImageFacts
from martello.practices.images.policy import ImagePolicy, Licences, Spec, System

CHECKS = {check.id: check for check in load(cache=False) if "images" in check.facts}
IDS = ("001", "002", "003", "007", "008", "009", "010", "011", "012", "014", "019", "020", "021")
POD = """
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
  spec: {containers: [{name: c, image: "reg.example.com/shop/IMAGE"}]}, STATUS}
"""


def pod(image: str, digest: str = "") -> str:
    """A pod, with the status that a node gave it."""
    status = f"status: {{containerStatuses: [{{name: c, imageID: 'docker://x@{digest}'}}]}}"
    return POD.replace("IMAGE", image).replace("STATUS", status if digest else "status: {}")


def judged(text: str, id: str, facts: dict[str, Any], **params: Any) -> Scan:
    """The scan of a text by one check."""
    check: Check = CHECKS[f"IMG-{id}"]
    given = {check.id: params} if params else None
    return scan(reading(text), [check], ids=[check.id], today=TODAY, facts=facts, params=given)


def test_these_are_all() -> None:
    assert sorted(CHECKS) == [f"IMG-{id}" for id in IDS]


@pytest.mark.parametrize("id", IDS)
def test_examples_hold(id: str) -> None:
    assert problems(CHECKS[f"IMG-{id}"], reading, world()) == []


@pytest.mark.parametrize("id", IDS)
def test_messages_are_clauses(id: str) -> None:
    check = CHECKS[f"IMG-{id}"]
    for example in check.examples:
        result = scan(
            reading(example.text),
            [check],
            ids=[check.id],
            today=TODAY,
            facts=world(),
            params={check.id: example.params},
        )
        for finding in result.findings:
            assert finding.message[0].islower()
            assert not finding.message.endswith((".", ":", "!"))


@pytest.mark.parametrize("id", IDS)
def test_without_facts_there_is_no_verdict_and_nobody_asked(id: str) -> None:
    result = judged(pod("web:1"), id, {})
    assert result.findings == ()
    (missing,) = result.unassessed
    assert not missing.asked
    assert missing.reason == "no image was scanned here before: martello image scan"


@pytest.mark.parametrize("id", ["001", "002", "003", "007", "008", "009", "010", "011", "012"])
def test_what_was_never_scanned_is_unassessed_and_not_passed(id: str) -> None:
    result = judged(pod("mail:1"), id, world())
    assert result.findings == ()
    assert result.passed == 0
    (missing,) = result.unassessed
    assert missing.reason == "reg.example.com/shop/mail:1 was never scanned"
    assert not missing.asked


@pytest.mark.parametrize("digest", [A, D])
def test_the_digest_that_runs_counts_and_not_the_tag(digest: str) -> None:
    assert judged(pod("web:1"), "003", world()).findings
    assert judged(pod("web:1", digest), "003", world()).findings == ()
    assert judged(pod("web:2", F), "003", world()).findings


def test_a_deployment_is_judged_by_what_its_pods_run() -> None:
    text = """
    {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {
      template: {spec: {containers: [{name: c, image: "reg.example.com/shop/mail:1"}]}}}}
    """
    facts = msgspec.structs.replace(IMAGES, running={"reg.example.com/shop/mail:1": (F, A)})
    result = judged(text, "001", world(facts))
    assert len(result.findings) == 1
    assert result.unassessed == ()


def test_severity_is_that_of_the_worst_vulnerability() -> None:
    for level, severity in (("unknown", "medium"), ("negligible", "low"), ("critical", "critical")):
        worst = (msgspec.structs.replace(BAD.worst[0], severity=level),)
        summary = msgspec.structs.replace(BAD, counts=((level, 1),), worst=worst)
        facts = ImageFacts(AT, {B: (summary,)}, IMAGES.tags)
        (finding,) = judged(pod("web:1"), "001", world(facts)).findings
        assert finding.severity == severity


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"data": ""}, "there were no advisories"),
        ({"hours": 80.0}, "its advisories are 4 days old"),
        ({"hours": 1e9}, "its advisories are of an unknown age"),
        ({"unread": ("layer 2: it is cut off",)}, "layer 2: it is cut off"),
    ],
)
def test_a_scan_that_is_not_whole_is_no_pass(changed: dict[str, Any], why: str) -> None:
    summary = msgspec.structs.replace(GOOD, **changed)
    facts = ImageFacts(AT, {A: (summary,)}, IMAGES.tags)
    result = judged(pod("web:2"), "001", world(facts))
    assert result.passed == 0
    assert [u.reason for u in result.unassessed] == [
        f"the scan of reg.example.com/shop/web:2 is not whole: {why}"
    ]


@pytest.mark.parametrize(
    ("image", "digest", "says"),
    [
        ("web:2", APPROVED, ""),
        ("web:2", D, ""),  # the configuration of the approved image
        ("web:2", C, "the approval of its image ran out on 2026-06-30"),
        ("web:2", E, "no approval of its image is known by the policy default"),
        ("web:2", B, "its image was denied by key-1: its age"),
        ("web:2", F, "its image was denied by key-1: its age"),
    ],
)
def test_approval_of_what_runs(image: str, digest: str, says: str) -> None:
    found = judged(pod(image, digest), "014", world()).findings
    assert [f.message.partition(": ")[2] for f in found] == ([says] if says else [])


def test_whoever_is_exempt_needs_no_approval() -> None:
    spec = msgspec.convert({"exempt": {"namespaces": ["shop"]}}, Spec)
    facts = msgspec.structs.replace(IMAGES, policies=(ImagePolicy("p", spec),))
    assert judged(pod("mail:1"), "020", world(facts)).findings == ()
    assert judged(pod("mail:1"), "020", world()).findings


def test_keys_and_policies_that_changed_void_what_was_vouched_for() -> None:
    other = msgspec.structs.replace(SIGNED, keys_hash="other")
    result = judged(pod("web:1"), "007", {**world(), "signers": (other,)})
    assert result.findings == ()
    assert "was not gated by the policy signed" in result.unassessed[0].reason


def test_licences_of_the_policy_are_denied_and_a_choice_is_not() -> None:
    assert judged(pod("web:1"), "010", world()).findings == ()
    deny = System(licences=Licences(deny=("AGPL-3.0",)))
    facts = msgspec.structs.replace(IMAGES, policies=(ImagePolicy("p", Spec(system=deny)),))
    (finding,) = judged(pod("web:1"), "010", world(facts)).findings
    assert finding.message == "ghost in its image is under AGPL-3.0-only"


def test_a_base_without_a_date_is_unassessed_and_the_policy_says_how_old() -> None:
    undated = ImageFacts(AT, {A: (msgspec.structs.replace(GOOD, based=""),)}, IMAGES.tags)
    assert "nothing says when" in judged(pod("web:2"), "012", world(undated)).unassessed[0].reason
    spec = Spec(system=System(base_max_age="14d"))
    strict = msgspec.structs.replace(IMAGES, policies=(ImagePolicy("p", spec),))
    (finding,) = judged(pod("web:2"), "012", world(strict)).findings
    assert finding.message == "the base of its image was built 30 days ago, more than 14"
    assert judged(pod("web:2"), "012", world(), maxDays=29).findings


def test_a_tag_that_is_seen_again_has_not_moved() -> None:
    assert judged(pod("old:1"), "021", world()).findings == ()
    facts = msgspec.structs.replace(IMAGES, tags={"reg.example.com/shop/old:1": tag(C, E)})
    (finding,) = judged(pod("old:1"), "021", world(facts)).findings
    assert "moved to sha256:eeeeeeeeeeee" in finding.message
    pinned = pod(f"old:1@{C}")
    assert judged(pinned, "021", world(facts)).findings == ()


def test_run_as_non_root_keeps_a_root_image_from_starting() -> None:
    text = pod("web:1").replace("spec: {", "spec: {securityContext: {runAsNonRoot: true}, ")
    (finding,) = judged(text, "011", world()).findings
    assert finding.message.endswith("and runAsNonRoot keeps it from starting")


def test_old_scans_age() -> None:
    late = msgspec.structs.replace(IMAGES, at=AT + 5 * DAY)
    (missing,) = judged(pod("web:2"), "001", world(late)).unassessed
    assert "6 days old" in missing.reason
