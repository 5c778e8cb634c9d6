"""The three doors in one process: reviews as bytes, hostile ones too, and no I/O at all."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from tests.gate.test_images import API, SHOP, snapshot
from tests.support.gate import BAD, GOOD, NEW, containers, encoded, made, review
from tests.support.watching import watching

from martello.core.approval import APPROVE, Approvals, Standing
from martello.core.errors import Unreachable
from martello.gate.asking import Asking
from martello.gate.door import Door, Reply
from martello.gate.judge import Moment, Opinion, Request, Snapshot
from martello.gate.snapshot import Keeper
from martello.store.changes import Sign

AT = 1_900_000_000.0


class Still:
    """A ledger that never changes."""

    def __init__(self, approvals: Approvals) -> None:
        self.approvals = approvals

    def sign(self) -> Sign:
        return Sign(1, 0, 0, 0)

    def read(self) -> Approvals:
        return self.approvals


def door(held: Snapshot | None = None, write: Any = None, **parts: Any) -> Door:
    """A door before a snapshot."""
    held = held or snapshot()
    keeper = Keeper(Still(held.approvals), held, clock=lambda: AT)
    assert keeper.refresh()
    asking = Asking(write or (lambda items: None))
    return Door(keeper, asking, clock=lambda: AT, **parts)


def answered(reply: Reply) -> Any:
    """The response of an AdmissionReview."""
    assert reply.status == 200, reply
    whole = json.loads(reply.body)
    assert whole["apiVersion"] == "admission.k8s.io/v1"
    assert whole["kind"] == "AdmissionReview"
    return whole["response"]


def image_review(*images: Any, namespace: Any = "shop") -> bytes:
    """An ImageReview."""
    spec = {"containers": [{"image": image} for image in images], "namespace": namespace}
    head = {"apiVersion": "imagepolicy.k8s.io/v1alpha1", "kind": "ImageReview"}
    return encoded({**head, "spec": {**spec, "annotations": {}}})


def test_an_answer_repeats_the_uid_and_says_no_more_than_needed() -> None:
    asked = review(made("Pod", containers(f"{API}@{GOOD}")))
    response = answered(door().validate(encoded(asked)))
    assert response == {
        "uid": asked["request"]["uid"],
        "allowed": True,
        "auditAnnotations": {"images": "1 judged, 0 denied"},
    }


def test_a_denial_is_http_200_with_all_causes() -> None:
    body = encoded(review(made("Pod", containers(f"{API}@{BAD}", f"{API}@{NEW}"))))
    response = answered(door().validate(body))
    assert response["allowed"] is False
    status = response["status"]
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    assert "CVE-2031-1111 in openssl" in status["message"]
    fields = [cause["field"] for cause in status["details"]["causes"]]
    assert fields == ["spec.containers[0].image", "spec.containers[1].image"]


def test_a_patch_is_base64_and_absent_where_empty() -> None:
    body = encoded(review(made("Pod", containers(f"{API}:1"))))
    response = answered(door().mutate(body))
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == [
        {"op": "replace", "path": "/spec/containers/0/image", "value": f"{API}:1@{GOOD}"}
    ]
    assert "patch" not in answered(door().validate(body))
    for image in (f"{API}@{GOOD}", f"{API}@{BAD}", f"{API}:latest"):
        quiet = answered(door().mutate(encoded(review(made("Pod", containers(image))))))
        assert quiet == {"uid": quiet["uid"], "allowed": True}


def test_image_review() -> None:
    for images, fine in (((f"{API}@{GOOD}", f"{API}:1"), True), ((f"{API}@{BAD}",), False)):
        reply = door().image_review(image_review(*images))
        assert reply.status == 200
        answer = json.loads(reply.body)
        assert answer["apiVersion"] == "imagepolicy.k8s.io/v1alpha1"
        assert answer["kind"] == "ImageReview"
        assert answer["status"]["allowed"] is fine
        assert ("CVE-2031-1111" in answer["status"].get("reason", "")) is not fine
    exempt = door().image_review(image_review("any/thing", namespace="kube-system"))
    assert json.loads(exempt.body)["status"]["allowed"] is True
    assert json.loads(door().image_review(image_review(7)).body)["status"]["allowed"] is False
    assert door().image_review(image_review(namespace=7)).status == 400


GOOD_REVIEW = review(made("Pod", containers(f"{API}@{GOOD}")))


def _with(**parts: Any) -> bytes:
    return encoded({**GOOD_REVIEW, "request": {**GOOD_REVIEW["request"], **parts}})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"a":' * 100_000,
        b"[" * 1_000_000,
        encoded({**GOOD_REVIEW, "apiVersion": "admission.k8s.io/v1beta1"}),
        encoded({**GOOD_REVIEW, "apiVersion": ["admission.k8s.io/v1"]}),
        encoded({**GOOD_REVIEW, "kind": "Pod"}),
        encoded({**GOOD_REVIEW, "request": None}),
        encoded({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}),
        _with(uid=""),
        _with(uid=None),
        _with(uid="x" * 2000),
        _with(operation="PATCH"),
        _with(operation=None),
        _with(kind=None),
        _with(kind={"kind": ["Pod"]}),
        _with(object="text"),
        _with(object=[1]),
        _with(oldObject=1),
        _with(namespace={"a": 1}),
        _with(userInfo=[1]),
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":NaN}',
    ],
)
def test_malformed_reviews_are_400_and_never_a_verdict(body: bytes) -> None:
    one = door()
    for answer in (one.validate, one.mutate, one.image_review):
        reply = answer(body)
        assert reply.status == 400
        assert len(reply.body) < 500
    assert 'martello_gate_failures_total{status="400"} 3' in one.exposition()


def test_v1beta1_is_told_what_to_use() -> None:
    body = encoded({**GOOD_REVIEW, "apiVersion": "admission.k8s.io/v1beta1"})
    assert b"use admission.k8s.io/v1" in door().validate(body).body


def test_odd_reviews_are_judged() -> None:
    for parts in (
        {"userInfo": None},
        {"userInfo": {"groups": [1, None, "a"]}},
        {"name": ""},
        {"dryRun": "yes"},
        {"unknown": {"field": 1}},
        {"resource": None},
        {"options": {"kind": "CreateOptions"}},
    ):
        assert answered(door().validate(_with(**parts)))["allowed"] is True
    assert answered(door().validate(_with(operation="CONNECT", object=None)))["allowed"] is True
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    pod = {**made("Pod", containers(f"{API}@{BAD}")), "status": deep}
    assert answered(door().validate(encoded(review(pod))))["allowed"] is False


def test_a_judge_that_fails_lets_nothing_in() -> None:
    def broken(request: Request, held: Snapshot, moment: Moment) -> Opinion:
        raise RecursionError("no")

    response = answered(door(judges={"images": broken}).validate(encoded(GOOD_REVIEW)))
    assert response["allowed"] is False
    assert response["status"]["message"] == "the judge of images failed: RecursionError"


def test_a5_a_dry_run_asks_for_nothing() -> None:
    asked: list[str] = []
    one = door(write=asked.extend)
    body = encoded(review(made("Pod", containers(f"{API}@{NEW}")), dryRun=True))
    assert answered(one.validate(body))["allowed"] is False
    one.asking.start()
    one.asking.stop()
    assert asked == []
    assert "martello_gate_images_asked_total" not in one.exposition()
    assert "martello_gate_images_missing_total 1" in one.exposition()


def test_a4_a_thousand_reviews_of_ten_new_digests_ask_for_ten() -> None:
    asked: list[Sequence[str]] = []

    def write(items: Sequence[str]) -> None:
        if not asked:
            asked.append(())
            raise Unreachable("the store is away")  # and nobody waits for it
        asked.append(tuple(items))

    one = door(write=write)
    one.asking.start()
    bodies = [encoded(review(made("Pod", containers(f"{API}@sha256:{n:064x}")))) for n in range(10)]
    began = time.perf_counter()
    for n in range(1000):
        answer = (one.validate, one.mutate)[n % 2]
        answer(bodies[n % 10])
    assert time.perf_counter() - began < 4
    deadline = time.monotonic() + 6
    while one.asking.written < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    one.asking.stop()
    items = [item for batch in asked for item in batch]
    assert sorted(items) == [f"{API}@sha256:{n:064x}" for n in range(10)]


def test_a3_reviews_before_100_000_digests_do_no_io(record_property: Any) -> None:
    digests = {f"sha256:{n:064x}": (Standing(APPROVE, 0, "ci"),) for n in range(100_000)}
    approvals = Approvals(1, decided={(SHOP.hash, ""): digests})
    one = door(Snapshot(approvals, (SHOP,)))
    bodies = [
        encoded(review(made("Pod", containers(*[f"{API}@sha256:{n + i:064x}" for i in range(3)]))))
        for n in range(0, 100_000, 101)
    ]
    one.validate(bodies[0])
    seconds: list[float] = []
    with watching("import") as seen:
        for body in bodies:
            began = time.perf_counter()
            reply = one.validate(body)
            seconds.append(time.perf_counter() - began)
            assert reply.status == 200
    assert seen == []
    assert f'verdict="allowed"}} {len(bodies) + 1}' in one.exposition()
    seconds.sort()
    record_property("p99 in microseconds", round(seconds[len(seconds) * 99 // 100] * 1e6))


def test_metrics_keep_to_known_words() -> None:
    one = door()
    for n in range(50):
        one.validate(_with(kind={"group": "", "version": "v1", "kind": f"Kind{n}"}))
    text = one.exposition()
    assert text.count("martello_gate_reviews_total{") == 1
    assert 'kind="other"' in text
    assert text.endswith("# EOF\n")
    assert "martello_gate_snapshot_digests 2\n" in text
    assert 'martello_gate_review_seconds_bucket{le="+Inf"} 50' in text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
