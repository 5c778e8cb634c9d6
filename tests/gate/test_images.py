"""The judge of images: every kind of container and workload, updates, exemptions, break-glass."""

from __future__ import annotations

from itertools import product
from typing import Any

import msgspec
import pytest
from tests.support.gate import BAD, GOOD, KINDS, NEW, containers, encoded, made, review

from martello.core.approval import APPROVE, DENY, Approvals, Pin, Standing
from martello.gate import review as reviews
from martello.gate.images import BOOTSTRAP, MOST, judge
from martello.gate.judge import BreakGlass, Moment, Opinion, Snapshot, Verdict, fold
from martello.practices.images.policy import ImagePolicy, Spec

AT = 1_900_000_000_000_000
HOUR = 3_600_000_000
SHOP = ImagePolicy("shop", Spec(repositories=("reg.local/shop",)))
API = "reg.local/shop/api"
LISTS = ("containers", "initContainers", "ephemeralContainers")


def snapshot(policy: ImagePolicy = SHOP, **parts: Any) -> Snapshot:
    """What the judge reads: one digest approved, one denied, one tag resolved."""
    decided = {
        GOOD: (Standing(APPROVE, 0, "ci"),),
        BAD: (Standing(DENY, 0, "ci", "CVE-2031-1111 in openssl"),),
    }
    refs = {f"{API}:1": Pin(GOOD, AT + HOUR), f"{API}:latest": Pin(BAD, AT + HOUR)}
    approvals = Approvals(AT, HOUR, 1, {(policy.hash, ""): decided}, refs)
    glass = BreakGlass(frozenset(("root",)), frozenset(("oncall",)))
    whole = Snapshot(approvals, (policy,), (*BOOTSTRAP, "martello"), glass)
    return msgspec.structs.replace(whole, **parts)


def said(
    raw: dict[str, Any] | None, held: Snapshot | None = None, *, at: int = AT, **more: Any
) -> tuple[Opinion, Verdict]:
    """What is said of a request about an object."""
    request = reviews.read(encoded(review(raw, **more)))
    opinion = judge(request, held or snapshot(), Moment(at))
    return opinion, fold([opinion])


def allowed(raw: dict[str, Any] | None, held: Snapshot | None = None, **more: Any) -> bool:
    """Whether it is let in."""
    return said(raw, held, **more)[1].allowed


@pytest.mark.parametrize(("kind", "key"), list(product(KINDS, LISTS)))
def test_a5_containers_of_all_kinds_in_all_kinds_of_workloads(kind: str, key: str) -> None:
    for digest, fine in ((GOOD, True), (BAD, False), (NEW, False)):
        spec = {**containers(f"{API}@{GOOD}"), **containers(f"{API}@{digest}", key=key)}
        opinion, verdict = said(made(kind, spec))
        assert verdict.allowed is fine
        assert opinion.ask == ((f"{API}@{NEW}",) if digest == NEW else ())
        if not fine:
            path = verdict.rulings[0].path
            assert path[-3:] == (key, 0, "image")
            assert path[: len(KINDS[kind][1])] == KINDS[kind][1]


def test_image_volumes_are_judged_and_pinned_too() -> None:
    for image, fine in ((f"{API}:1", True), (f"{API}@{BAD}", False)):
        volumes = [{"name": "v", "image": {"reference": image, "pullPolicy": "Always"}}]
        opinion, verdict = said(
            made("Pod", {**containers(f"{API}@{GOOD}"), "volumes": [{"name": "e"}, *volumes]})
        )
        assert verdict.allowed is fine
        if fine:
            assert [step["path"] for step in opinion.patch] == ["/spec/volumes/1/image/reference"]


def test_ephemeral_containers_of_old_servers() -> None:
    raw = {
        "apiVersion": "v1",
        "kind": "EphemeralContainers",
        "metadata": {"name": "web", "namespace": "shop"},
        "ephemeralContainers": [{"name": "d", "image": f"{API}@{BAD}"}],
    }
    old = {**raw, "ephemeralContainers": []}
    assert not allowed(raw, operation="UPDATE", old=old, subResource="ephemeralcontainers")


@pytest.mark.parametrize(("unknown", "error"), list(product(("deny", "warn", "allow"), repeat=2)))
def test_unknown_and_error_are_two_rules(unknown: Any, error: Any) -> None:
    policy = ImagePolicy("p", Spec(on_unknown=unknown, on_error=error))
    held = snapshot(policy)
    for digest, at, rule in ((NEW, AT, unknown), (GOOD, AT + 2 * HOUR, error)):
        _, verdict = said(made("Pod", containers(f"{API}@{digest}")), held, at=at)
        assert verdict.allowed is (rule != "deny")
        assert bool(verdict.warnings) is (rule == "warn")
        assert ("unapproved" in verdict.annotations) is (rule != "deny")  # audited
    assert not allowed(made("Pod", containers(f"{API}@{BAD}")), held, at=AT + 2 * HOUR)
    assert allowed(made("Pod", containers(f"{API}@{GOOD}")), held)


def test_an_update_is_judged_for_what_it_brings() -> None:
    old = made("Pod", containers(f"{API}@{BAD}", f"{API}@{NEW}"))
    same = msgspec.json.decode(msgspec.json.encode(old))
    same["metadata"]["labels"] = {"seen": "yes"}
    opinion, verdict = said(same, operation="UPDATE", old=old)
    assert verdict.allowed
    assert (opinion.ask, opinion.patch) == ((), ())
    other = made("Pod", containers(f"{API}@{GOOD}", f"{API}@{NEW}"))
    assert allowed(other, operation="UPDATE", old=old)
    assert not allowed(old, operation="UPDATE", old=other)
    assert allowed(None, operation="DELETE", old=old)
    tagged = made("Pod", containers(f"{API}:1"))
    assert said(tagged, operation="UPDATE", old=tagged)[0].patch == ()  # a tag in use stays
    broken = made("Deployment", {"containers": "no list"})
    assert allowed(broken, operation="UPDATE", old=broken)  # its finalizer may go


def test_kinds_without_pods_have_nothing_to_say() -> None:
    raw = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop"}, "data": {}}
    assert said(raw)[0] == Opinion()


def test_a8_exempt_namespaces_are_not_looked_at() -> None:
    for space in ("kube-system", "kube-node-lease", "martello"):
        assert allowed(made("Pod", {"containers": 7}, space=space))
    for space in ("kube-systems", "", "shop"):
        assert not allowed(made("Pod", containers("evil.example/x"), space=space))


def test_a_node_tells_of_its_static_pods() -> None:
    pod = made("Pod", containers("any.example/etcd"))
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "1"}
    node = {"username": "system:node:a", "groups": ["system:nodes"]}
    assert allowed(pod, userInfo=node)
    assert not allowed(pod)
    assert not allowed(made("Pod", containers("any.example/etcd")), userInfo=node)
    assert not allowed(pod, userInfo=node, operation="UPDATE", old=made("Pod", containers("a/b")))


def test_a5_pins_are_idempotent_and_only_for_what_is_let_in() -> None:
    spec = {**containers(f"{API}:1", f"{API}@{GOOD}"), **containers(f"{API}:1", key=LISTS[1])}
    raw = made("CronJob", spec)
    opinion, _ = said(raw)
    root = "/spec/jobTemplate/spec/template/spec"
    assert [(step["op"], step["path"], step["value"]) for step in opinion.patch] == [
        ("replace", f"{root}/{key}/0/image", f"{API}:1@{GOOD}")
        for key in ("initContainers", "containers")
    ]
    pod = raw["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for key in ("initContainers", "containers"):
        pod[key][0]["image"] = f"{API}:1@{GOOD}"
    again, verdict = said(raw)
    assert verdict.allowed
    assert again.patch == ()
    assert said(made("Pod", containers(f"{API}:latest")))[0].patch == ()
    late = said(made("Pod", containers(f"{API}:1")), at=AT + 2 * HOUR)[0]
    assert late.patch == ()


def test_a8_break_glass() -> None:
    pod = made("Pod", containers(f"{API}@{BAD}"))
    pod["metadata"]["annotations"] = {"martello/break-glass": "incident\n7"}
    for user in ({"username": "root"}, {"username": "x", "groups": ["a", "oncall"]}):
        opinion, verdict = said(pod, userInfo=user)
        assert verdict.allowed
        assert opinion.glass
        assert "let in by martello/break-glass" in verdict.warnings[0]
        assert "incident 7" in verdict.annotations["break-glass"]
    _, verdict = said(pod, userInfo={"username": "oncall", "groups": ["roots"]})
    assert not verdict.allowed
    assert "does not count" in verdict.warnings[0]
    fine = made("Pod", containers(f"{API}@{GOOD}"))
    fine["metadata"]["annotations"] = {"martello/break-glass": "why"}
    assert not said(fine, userInfo={"username": "root"})[0].glass
    nothing = msgspec.structs.replace(snapshot(), glass=BreakGlass())
    assert not allowed(pod, nothing, userInfo={"username": "", "groups": []})


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {"containers": {"name": "c"}},
        {"containers": ["x"]},
        {"containers": [{"name": "c"}]},
        {"containers": [{"image": 7}]},
        {"containers": [{"image": ["a"]}]},
        {"containers": [], "initContainers": 1},
        {"containers": [], "volumes": [{"image": "x"}]},
        {"containers": [], "volumes": [{"image": {"reference": None}}]},
        {"containers": [{"image": ""}]},
        {"containers": [{"image": "a b"}]},
        {"containers": [{"image": "x" * 100_000}]},
        {"containers": [{"image": f"{API}@sha256:short"}]},
        {"containers": [{"image": "\u202ereg.local/shop/api"}]},
    ],
)
def test_what_cannot_be_read_is_not_let_in(spec: Any) -> None:
    for kind in ("Pod", "Deployment"):
        _, verdict = said(made(kind, spec) if spec is not None or kind == "Pod" else made(kind, {}))
        if spec is None and kind == "Deployment":
            continue
        assert not verdict.allowed
        assert len(verdict.message) < 5000
        assert verdict.message.isprintable()


def test_too_many_images_are_not_judged_and_time_ends() -> None:
    images = [f"{API}@sha256:{n:064x}" for n in range(5000)]
    opinion, verdict = said(made("Pod", containers(*images)))
    assert not verdict.allowed
    assert len(opinion.ask) == MOST
    assert len(verdict.causes) == 50
    request = reviews.read(encoded(review(made("Pod", containers(f"{API}@{GOOD}")))))
    late = fold([judge(request, snapshot(), Moment(AT, lambda: True))])
    assert "no time left" in late.message


def test_the_same_image_is_decided_once_and_pinned_everywhere() -> None:
    opinion, _ = said(made("Pod", containers(*[f"{API}:1"] * 3)))
    assert len(opinion.patch) == 3
    assert opinion.annotations["images"] == "1 judged, 0 denied"
