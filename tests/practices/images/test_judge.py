"""The judgement of one image by one policy: each rule on its own, and how they add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from martello.core.approval import APPROVE, DENY, UNASSESSED, Judgement, micros
from martello.core.errors import BadInput
from martello.core.finding import Waived
from martello.core.package import Inventory, LayerOrigin, Leak, Package, System, Unread
from martello.core.vulnerability import Affected, Data, Match, Ruled
from martello.core.waiver import Match as Meant
from martello.core.waiver import Waiver
from martello.practices.images.judge import Facts, judge, judge_all, judge_index, name_reason
from martello.practices.images.policy import ImagePolicy, Spec, read_policies
from martello.practices.images.policy import System as Rule
from martello.practices.images.policy import Vulnerabilities as Vulns
from martello.practices.images.registries import public

AT = datetime(2031, 6, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
CONFIG = "sha256:" + "c" * 64
FRESH = Data("d" * 64, hours=3.0)
CLEAN = Inventory("oci:build", DIGEST, config=CONFIG, user="65532", created="2031-05-01T00:00:00Z")


def _match(severity: str = "high", **parts: Any) -> Match:
    package = Package("deb", "openssl", "3.0.9-1", "Debian:12")
    affected = Affected("CVE-2031-1111", "Debian:12", "openssl")
    return Match("CVE-2031-1111", package, "3.0.9-1", affected, "affected", severity, **parts)


def _facts(*matches: Match, **parts: Any) -> Facts:
    parts = {"inventory": CLEAN, "data": FRESH, **parts}
    return Facts(ruled=tuple(Ruled(match) for match in matches), **parts)


def _policy(spec: Spec | None = None, **vulnerabilities: Any) -> ImagePolicy:
    return ImagePolicy("p", spec or Spec(vulnerabilities=Vulns(**vulnerabilities)))


def _effects(judgement: Judgement) -> list[tuple[str, str]]:
    return [(reason.check, reason.effect) for reason in judgement.reasons]


def test_a_clean_image_is_approved_for_a_while() -> None:
    judgement = judge(_facts(), _policy(), AT)
    assert judgement.outcome == APPROVE
    assert judgement.reasons == ()
    assert judgement.not_after == micros(AT + timedelta(days=7))
    assert judgement.same == (CONFIG,)
    assert judgement.data.digest == FRESH.digest


@pytest.mark.parametrize(
    ("severity", "fail_on", "outcome"),
    [
        ("critical", "critical", DENY),
        ("high", "critical", APPROVE),
        ("high", "high", DENY),
        ("medium", "high", APPROVE),
        ("unknown", "high", APPROVE),
        ("unknown", "medium", DENY),
        ("negligible", "low", APPROVE),
        ("negligible", "negligible", DENY),
        ("critical", "none", APPROVE),
    ],
)
def test_severity(severity: str, fail_on: str, outcome: str) -> None:
    judgement = judge(_facts(_match(severity)), _policy(fail_on=fail_on), AT)
    assert judgement.outcome == outcome
    assert judgement.not_after == 0 if outcome == DENY else judgement.not_after > 0


def test_fixable_only() -> None:
    policy = _policy(fixable_only=True)
    assert judge(_facts(_match()), policy, AT).outcome == APPROVE
    assert judge(_facts(_match(fixed="3.0.11-1")), policy, AT).outcome == DENY


def test_grace_counts_from_the_publication_of_the_fix_and_ends_the_approval() -> None:
    policy = _policy(grace_days=14)
    young = judge(_facts(_match(fixed="2", fixed_at="2031-05-20T00:00:00Z")), policy, AT)
    assert young.outcome == APPROVE
    assert _effects(young) == [("IMG-001", "warn")]
    assert young.not_after == micros(datetime(2031, 6, 3, tzinfo=UTC))
    for fixed_at in ("2031-05-18T12:00:00Z", "2031-05-01", "", "soon"):
        old = judge(_facts(_match(fixed="2", fixed_at=fixed_at)), policy, AT)
        assert old.outcome == DENY, fixed_at
    assert judge(_facts(_match(fixed_at="2031-05-31")), policy, AT).outcome == DENY  # no fix


def test_known_exploitation_counts_whatever_severity_fix_and_grace() -> None:
    match = _match("low", fixed="2", fixed_at="2031-05-31", exploited="2031-05-30")
    policy = _policy(grace_days=14, fixable_only=True, fail_on="critical")
    judgement = judge(_facts(match), policy, AT)
    assert (judgement.outcome, _effects(judgement)) == (DENY, [("IMG-003", DENY)])
    assert judgement.reasons[0].severity == "critical"
    warned = judge(_facts(match), _policy(exploited="warn"), AT)
    assert (warned.outcome, _effects(warned)) == (APPROVE, [("IMG-003", "warn")])
    severe = msgspec.structs.replace(match, severity="critical")
    assert judge(_facts(severe), _policy(exploited="warn"), AT).outcome == DENY
    assert _effects(judge(_facts(match), _policy(exploited="ignore"), AT)) == []


def test_likely_exploitation_counts_whatever_severity() -> None:
    policy = _policy(epss_above=0.5)
    assert judge(_facts(_match("low", epss=0.7)), policy, AT).outcome == DENY
    assert judge(_facts(_match("low", epss=0.5)), policy, AT).outcome == APPROVE
    assert judge(_facts(_match("low")), policy, AT).outcome == APPROVE


def test_a_waived_match_warns_and_ends_the_approval_with_the_waiver() -> None:
    waived = Waived("ana", "not reachable", "2031-06-02", "w.yaml:1")
    facts = Facts(CLEAN, (Ruled(_match(), waived),), data=FRESH)
    judgement = judge(facts, _policy(), AT)
    assert judgement.outcome == APPROVE
    assert judgement.reasons[0].waived == waived
    assert judgement.not_after == micros(datetime(2031, 6, 3, tzinfo=UTC))


@pytest.mark.parametrize("until", ["9999-12-31", "", "whenever"])
def test_a_waiver_without_a_usable_end_ends_nothing(until: str) -> None:
    facts = Facts(CLEAN, (Ruled(_match(), Waived("a", "b", until, "c")),), data=FRESH)
    assert judge(facts, _policy(), AT).not_after == micros(AT + timedelta(days=7))


def test_no_database_or_an_old_one_is_never_an_approval() -> None:
    for on_unknown in ("deny", "warn", "allow"):
        policy = _policy(Spec(on_unknown=on_unknown))
        for hours in (72.1, -1.0, float("inf"), float("nan")):
            facts = _facts(data=Data("d" * 64, hours=hours))
            assert judge(facts, policy, AT).outcome == UNASSESSED, hours
        assert judge(_facts(data=Data("")), policy, AT).outcome == UNASSESSED
        assert judge(_facts(data=Data("d" * 64, hours=71.0)), policy, AT).outcome == APPROVE


def test_what_was_not_read_is_unassessed_unless_the_policy_says_otherwise() -> None:
    unread = (Unread("layer", "sha256:1", "it is truncated"),)
    facts = _facts(unread=unread)
    assert judge(facts, _policy(), AT).outcome == UNASSESSED
    warned = judge(facts, _policy(Spec(on_unknown="warn")), AT)
    assert (warned.outcome, _effects(warned)) == (APPROVE, [("", "warn")])
    inner = _facts(inventory=msgspec.structs.replace(CLEAN, unread=unread), unread=unread)
    assert len(judge(inner, _policy(), AT).reasons) == 1
    both = _facts(_match(), unread=unread)
    assert judge(both, _policy(), AT).outcome == DENY


def test_the_end_of_life_of_the_system() -> None:
    debian = msgspec.structs.replace(CLEAN, system=System("debian", "10", name="Debian 10"))
    ended = _facts(inventory=debian, end_of_life="2031-05-31")
    assert judge(ended, _policy(), AT).outcome == DENY
    assert judge(ended, _policy(Spec(system=Rule(end_of_life="warn"))), AT).outcome == APPROVE
    assert judge(ended, _policy(Spec(system=Rule(end_of_life="ignore"))), AT).reasons == ()
    soon = judge(_facts(inventory=debian, end_of_life="2031-06-02"), _policy(), AT)
    assert (soon.outcome, _effects(soon)) == (APPROVE, [("IMG-002", "warn")])
    assert soon.not_after == micros(datetime(2031, 6, 3, tzinfo=UTC))
    last_day = judge(_facts(inventory=debian, end_of_life="2031-06-01"), _policy(), AT)
    assert last_day.outcome == APPROVE


@pytest.mark.parametrize("user", ["", "0", "00", "0:0", "root", "root:wheel", "+0", ":0"])
def test_root(user: str) -> None:
    policy = _policy(Spec(system=Rule(user="nonRoot")))
    facts = _facts(inventory=msgspec.structs.replace(CLEAN, user=user))
    assert _effects(judge(facts, policy, AT)) == [("IMG-011", DENY)]
    assert judge(facts, _policy(), AT).outcome == APPROVE


def test_other_users_and_no_configuration() -> None:
    policy = _policy(Spec(system=Rule(user="nonRoot")))
    for user in ("65532", "app", "rooter", "9" * 6000):
        facts = _facts(inventory=msgspec.structs.replace(CLEAN, user=user))
        assert judge(facts, policy, AT).outcome == APPROVE
    bare = _facts(inventory=msgspec.structs.replace(CLEAN, config="", user=""))
    assert judge(bare, policy, AT).outcome == UNASSESSED


def test_the_age_of_the_base() -> None:
    policy = _policy(Spec(system=Rule(base_max_age="90d")))

    def built(base: str, image: str = "2031-05-31T00:00:00Z") -> str:
        layer = LayerOrigin("b", "d", "m", 1, created=base)
        inventory = msgspec.structs.replace(CLEAN, layers=(layer,), created=image)
        return judge(_facts(inventory=inventory), policy, AT).outcome

    assert built("2031-05-01T00:00:00Z") == APPROVE
    assert built("2031-01-01T00:00:00.123456789Z") == DENY
    assert built("") == APPROVE  # the image's own date
    for unknown in ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "", "x"):
        assert built(unknown, unknown) == UNASSESSED


def test_secrets_and_licences() -> None:
    leak = Leak("aws-key", "an AWS key", "critical", "app/.env", 3, 1, removed=True)
    leaky = _facts(inventory=msgspec.structs.replace(CLEAN, leaks=(leak,)))
    assert _effects(judge(leaky, _policy(), AT)) == [("IMG-009", DENY)]
    assert judge(leaky, _policy(Spec(system=Rule(secrets="warn"))), AT).outcome == APPROVE
    package = Package("pypi", "left", "1", licences=("AGPL-3.0-only",))
    judged = judge(_facts(denied=((package, "AGPL-3.0-only"),)), _policy(), AT)
    assert _effects(judged) == [("IMG-010", DENY)]


def test_a_waiver_of_a_check_covers_the_images_that_it_names() -> None:
    leak = Leak("aws-key", "an AWS key", "critical", "app/.env", 3, 1)
    inventory = msgspec.structs.replace(CLEAN, leaks=(leak,))

    def judged(match: Meant, until: str = "", check: str = "IMG-009") -> str:
        waiver = Waiver("w", (check,), "a dummy", "ana", until, match, "w.yaml:1")
        facts = _facts(inventory=inventory, image="reg.local/shop/api:1", waivers=(waiver,))
        return judge(facts, _policy(), AT).outcome

    assert judged(Meant()) == APPROVE
    assert judged(Meant(images=("reg.local/shop/*",))) == APPROVE
    assert judged(Meant(images=("reg.local/other/*",))) == DENY
    assert judged(Meant(namespaces=("x",))) == DENY
    assert judged(Meant(), until="2031-06-01") == APPROVE
    assert judged(Meant(), until="2031-05-31") == DENY
    assert judged(Meant(), check="IMG-001") == DENY


def _listing(*patterns: str) -> ImagePolicy:
    return ImagePolicy("listing", Spec(repositories=patterns))


def test_public_registries_without_a_list_are_low_and_unlisted_ones_high() -> None:
    public_one = _facts(image="team/web:1")
    (judgement,) = judge_all(public_one, (), AT)
    assert judgement.outcome == DENY
    assert [(r.check, r.severity) for r in judgement.reasons] == [("IMG-006", "low")]
    (judgement,) = judge_all(public_one, (_listing("reg.local"),), AT)
    assert judgement.outcome == DENY
    assert [(r.check, r.severity) for r in judgement.reasons] == [("IMG-006", "high")]
    assert judge_all(_facts(image="reg.local/a:1"), (), AT)[0].outcome == APPROVE
    assert judge_all(_facts(image="team/web:1"), (_listing("team/*"),), AT)[0].outcome == APPROVE
    assert judge_all(_facts(), (_listing("reg.local"),), AT)[0].outcome == APPROVE
    both = judge_all(_facts(image="team/web:1"), (_listing("reg.local"), _policy()), AT)
    assert [j.outcome for j in both] == [DENY]
    assert name_reason("not an image", ()) is not None


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        *[(r, True) for r in ("docker.io", "registry.shop.io:443", "8.8.8.8", "[2606::1]:5000")],
        *[(r, False) for r in ("localhost:5000", "reg.local", "registry:5000", "10.0.0.7:5000")],
        *[
            (r, False)
            for r in (
                "127.0.0.1",
                "[::1]:5000",
                "r.kube-system.svc",
                "reg.internal.",
                "r.example.com",
            )
        ],
    ],
)
def test_public(registry: str, expected: bool) -> None:
    assert public(registry) is expected


def test_the_documented_policy_denies_with_machine_readable_reasons() -> None:
    raw = {
        "apiVersion": "martello.dev/v1alpha1",
        "kind": "ImagePolicy",
        "spec": {"repositories": ["reg.local/shop/*"], "system": {"user": "nonRoot"}},
    }
    policies = read_policies([(raw, "p.yaml:1")])
    inventory = msgspec.structs.replace(CLEAN, user="")
    facts = _facts(_match(fixed="3"), inventory=inventory, image="reg.local/shop/api:1.4")
    (judgement,) = judge_all(facts, policies, AT)
    body = msgspec.json.decode(msgspec.json.encode(judgement))
    assert [r["check"] for r in body["reasons"]] == ["IMG-001", "IMG-011"]
    assert msgspec.convert(body, Judgement) == judgement


def test_an_index_is_approved_only_with_all_of_its_images() -> None:
    other = msgspec.structs.replace(CLEAN, digest="sha256:" + "b" * 64)
    good = judge(_facts(), _policy(), AT)
    fine = judge(_facts(inventory=other), _policy(), AT - timedelta(hours=1))
    bad = judge(_facts(_match(), inventory=other), _policy(), AT)
    both = judge_index("sha256:" + "9" * 64, "api", (good, fine))
    assert (both.outcome, both.children) == (APPROVE, (DIGEST, other.digest))
    assert both.not_after == fine.not_after
    assert (both.at, both.same) == (fine.at, ())
    denied = judge_index("sha256:" + "9" * 64, "api", (good, bad))
    assert (denied.outcome, denied.not_after) == (DENY, 0)
    assert [r.check for r in denied.reasons] == ["IMG-001"]
    for wrong in ((), (good, judge(_facts(), _policy(fail_on="low"), AT))):
        with pytest.raises(BadInput):
            judge_index("sha256:" + "9" * 64, "api", wrong)
