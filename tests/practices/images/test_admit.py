"""Admission from a snapshot: the order of A4, what A9 finds, unknowns and errors, and no I/O."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from tests.support.watching import watching

from martello.core.approval import APPROVE, DENY, UNASSESSED, Approvals, Pin, Standing
from martello.practices.images.admit import admit
from martello.practices.images.policy import Exempt, ImagePolicy, Spec, with_keys

AT = 1_900_000_000_000_000
HOUR = 3_600_000_000
GOOD, BAD, OPEN, NEW, OLD = (f"sha256:{c * 64}" for c in "abcde")
SHOP = ImagePolicy("shop", Spec(repositories=("reg.local/shop",)))


def _snapshot(policy: ImagePolicy = SHOP, **parts: Any) -> Approvals:
    decided = {
        GOOD: (Standing(APPROVE, AT + HOUR, "ci"),),
        BAD: (Standing(APPROVE, 0, "ci"), Standing(DENY, 0, "sec", "CVE-2031-1111 in openssl")),
        OPEN: (Standing(UNASSESSED, 0, "ci", "layer 2 was not read"),),
        OLD: (Standing(APPROVE, AT - 1, "ci"),),
    }
    refs = {
        "reg.local/shop/api:1": Pin(GOOD, AT + HOUR),
        "reg.local/shop/api:latest": Pin(BAD, AT + HOUR),
        "reg.local/shop/api:old": Pin(GOOD, AT),
    }
    return Approvals(AT, decided={(policy.hash, policy.keys_hash): decided}, refs=refs, **parts)


def _one(image: str, policy: ImagePolicy = SHOP, **more: Any) -> tuple[str, str, bool]:
    snapshot = more.pop("snapshot", None) or _snapshot(policy)
    decision = admit([image], snapshot, (policy,), AT, **more)
    (ruling,) = decision.rulings
    assert decision.outcome == {"exempt": "allow"}.get(ruling.outcome, ruling.outcome)
    return ruling.outcome, ruling.digest, ruling.ask


def test_what_is_approved_by_digest_or_resolved_tag_runs() -> None:
    assert _one(f"reg.local/shop/api@{GOOD}") == ("allow", GOOD, False)
    assert _one("reg.local/shop/api:1") == ("allow", GOOD, False)
    assert _one(f"reg.local/shop/api:latest@{GOOD}") == ("allow", GOOD, False)


def test_what_is_denied_does_not() -> None:
    assert _one("reg.local/shop/api") == ("deny", BAD, False)
    decision = admit([f"reg.local/shop/api@{BAD}"], _snapshot(), (SHOP,), AT)
    assert decision.rulings[0].reasons[0].message == "CVE-2031-1111 in openssl"


def test_what_is_not_known_is_asked_for() -> None:
    assert _one(f"reg.local/shop/api@{NEW}") == ("deny", NEW, True)
    assert _one("reg.local/shop/api:2") == ("deny", "", True)
    assert _one("reg.local/shop/api:old") == ("deny", "", True)  # the resolution ran out
    assert _one(f"reg.local/shop/api@{OLD}") == ("deny", OLD, True)  # the approval ran out
    assert _one(f"reg.local/shop/api@{OPEN}") == ("deny", OPEN, False)
    two = admit([f"reg.local/shop/a@{NEW}"] * 3, _snapshot(), (SHOP,), AT)
    assert two.ask == (f"reg.local/shop/a@{NEW}",)


@pytest.mark.parametrize(("unknown", "error"), list(product(("deny", "warn", "allow"), repeat=2)))
def test_unknown_and_error_are_two_rules(unknown: Any, error: Any) -> None:
    policy = ImagePolicy("p", Spec(on_unknown=unknown, on_error=error))
    new, good, bad = (f"reg.local/shop/api@{d}" for d in (NEW, GOOD, BAD))
    assert _one(new, policy)[0] == unknown
    fresh = _snapshot(policy, max_age=HOUR)
    assert _one(good, policy, snapshot=fresh)[0] == "allow"
    stale = Approvals(AT - HOUR - 1, HOUR, decided=fresh.decided, refs=fresh.refs)
    assert _one(good, policy, snapshot=stale)[0] == error
    assert _one(new, policy, snapshot=stale)[0] == error
    assert _one(bad, policy, snapshot=stale)[0] == "deny"
    told = admit([new], fresh, (policy,), AT).rulings[0].reasons
    assert len(told) == 1  # every use of a rule for unknowns is told


def test_names_come_before_approvals() -> None:
    for image in (f"reg.local.evil.example/shop/api@{GOOD}", f"reg.local/shop-x/api@{GOOD}"):
        assert _one(image)[0] == "deny"
        reasons = admit([image], _snapshot(), (SHOP,), AT).rulings[0].reasons
        assert [reason.check for reason in reasons] == ["IMG-006"]
    assert _one("UPPER/case")[0] == "deny"
    assert admit([f"web@{GOOD}"], Approvals(), (), AT).rulings[0].reasons[0].check == "IMG-006"


def test_exemptions_come_first() -> None:
    nothing = Approvals()
    spec = Spec(
        repositories=("reg.local/shop",),
        exempt=Exempt(namespaces=("ci",), repositories=("reg.local/tools",)),
    )
    policy = ImagePolicy("p", spec)
    assert _one("anything", policy, snapshot=nothing, namespace="kube-system")[0] == "exempt"
    assert _one("anything", policy, snapshot=nothing, namespace="ci")[0] == "exempt"
    assert _one("anything", policy, snapshot=nothing, namespace="ci-2")[0] == "deny"
    assert _one("reg.local/tools/a", policy, snapshot=nothing)[0] == "exempt"
    assert _one("reg.local/tools-x/a", policy, snapshot=nothing)[0] == "deny"
    assert _one("a", policy, snapshot=nothing, namespace="kube-system", bootstrap=())[0] == "deny"
    # The exemption of one policy is not another's.
    both = admit([f"reg.local/tools/a@{NEW}"], nothing, (policy, ImagePolicy("all")), AT)
    assert both.outcome == "deny"
    assert both.rulings[0].ask


def test_another_policy_or_key_does_not_inherit_approvals() -> None:
    image = f"reg.local/shop/api@{GOOD}"
    changed = ImagePolicy("shop", Spec(repositories=("reg.local/shop",), valid_for="8d"))
    assert admit([image], _snapshot(), (changed,), AT).outcome == "deny"
    signed = {"repositories": ["reg.local/shop"], "signed": {"by": [{"key": "k"}]}}
    from martello.practices.images.policy import API, KIND, read_policies

    (policy,) = read_policies([({"apiVersion": API, "kind": KIND, "spec": signed}, "p")])
    one, two = (with_keys(policy, {"k": pem}) for pem in (b"1", b"2"))
    assert admit([image], _snapshot(one), (one,), AT).outcome == "allow"
    assert admit([image], _snapshot(one), (two,), AT).outcome == "deny"


def test_the_worst_image_decides_and_tags_are_pinned() -> None:
    images = ["reg.local/shop/api:1", f"reg.local/shop/api@{BAD}"]
    decision = admit(images, _snapshot(), (SHOP,), AT)
    assert decision.outcome == "deny"
    assert decision.pins == {"reg.local/shop/api:1": GOOD}
    assert admit([], _snapshot(), (SHOP,), AT).outcome == "allow"


def test_a3_admission_on_100_000_digests_does_no_io() -> None:
    digests = {f"sha256:{n:064x}": (Standing(APPROVE, 0, "ci"),) for n in range(100_000)}
    snapshot = Approvals(AT, decided={(SHOP.hash, SHOP.keys_hash): digests})
    with watching() as seen:
        for n in range(0, 100_000, 997):
            image = f"reg.local/shop/api@sha256:{n:064x}"
            assert admit([image], snapshot, (SHOP,), AT, namespace="prod").outcome == "allow"
        assert admit([f"reg.local/shop/api@{NEW}"], snapshot, (SHOP,), AT).outcome == "deny"
    assert seen == []
    with watching() as seen, open(__file__, encoding="utf-8"):  # it does see what it should
        pass
    assert seen == ["open"]
