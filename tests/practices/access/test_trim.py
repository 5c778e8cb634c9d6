"""Least privilege: what was used stays, what was not goes, what nobody can see is kept with why."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest

from martello.core.audit_policy import read_policy
from martello.core.cluster import Cluster
from martello.core.errors import BadInput, Refused, Stale
from martello.core.event import Asked, AuditEvent
from martello.core.resource import Nowhere, resource_of
from martello.practices.access.answers import access
from martello.practices.access.confidence import period
from martello.practices.access.edits import GRANT, NARROW, SPLIT, UNBIND
from martello.practices.access.minimal import generated
from martello.practices.access.model import Request
from martello.practices.access.requests import principal_of
from martello.practices.access.trim import Options, Trim, patches, trim
from martello.practices.access.uses import Use, observe, uses

RBAC = "rbac.authorization.k8s.io"
DAY = 86_400_000_000_000
START = 20_000 * DAY
Raw = dict[str, Any]
API = "system:serviceaccount:shop:api"
WEB = "system:serviceaccount:shop:web"
# One request of each class, so that none is missing from the log as a whole.
EVERYDAY = (
    AuditEvent(
        "get",
        "system:kube-scheduler",
        "/healthz",
        time=START,
        actor_groups=("system:authenticated",),
    ),
    AuditEvent(
        "create",
        "bob",
        actor_groups=("system:authenticated",),
        k8s_resource="pods",
        k8s_ns="else",
        time=START + 40 * DAY,
    ),
    AuditEvent("get", "system:serviceaccount:else:x", k8s_resource="pods", k8s_ns="else"),
)


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> Raw:
    """A rule of words with blanks between."""
    found: Raw = {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
    return {**found, "resourceNames": names.split()} if names else found


def role(name: str, *rules: Raw, space: str = "", **more: Any) -> Raw:
    """A Role, or a ClusterRole without a namespace."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role" if space else "ClusterRole",
        "metadata": {"name": name, **({"namespace": space} if space else {}), **more},
        "rules": list(rules),
    }


def bound(name: str, to: str, *who: str, space: str = "", cluster_role: bool = False) -> Raw:
    """A binding; `who` are user names, and groups behind a `g:`."""
    kind = "Role" if space and not cluster_role else "ClusterRole"
    subjects: list[Raw] = []
    for one in who:
        if one.startswith("system:serviceaccount:"):
            home, account = one.split(":")[2:]
            subjects.append({"kind": "ServiceAccount", "name": account, "namespace": home})
        else:
            word, _, name_ = one.partition(":")
            group = word == "g"
            subjects.append(
                {
                    "kind": "Group" if group else "User",
                    "apiGroup": RBAC,
                    "name": name_ if group else one,
                }
            )
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if space else "ClusterRoleBinding",
        "metadata": {"name": name, **({"namespace": space} if space else {})},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": to},
        "subjects": subjects,
    }


def cluster(*objects: Raw, **more: Any) -> Cluster:
    """A cluster of some objects."""
    return Cluster((resource_of(one, Nowhere()) for one in objects), **more)


def did(verb: str, user: str, what: str, space: str = "shop", **more: Any) -> AuditEvent:
    """An event: `what` is resource, resource/subresource or either with a name behind a blank."""
    what, _, name = what.partition(" ")
    resource, _, subresource = what.partition("/")
    group = more.pop("group", "")
    one = AuditEvent(
        verb,
        user,
        time=START + DAY,
        k8s_group=group,
        k8s_resource=resource,
        k8s_subresource=subresource,
        k8s_name=name,
        k8s_ns=space,
        api_code=200,
        api_id=f"{verb} {user} {what} {name} {space}",
    )
    return msgspec.structs.replace(one, **more)


def trimmed(world: Cluster, *events: AuditEvent, everyday: bool = True, **options: Any) -> Trim:
    """The trim of a world by events, with the everyday ones."""
    all_events = (*events, *EVERYDAY) if everyday else events
    return trim(observe(all_events), world, Options(**options))


def kinds(found: Trim) -> list[str]:
    """The kinds of the edits."""
    return [edit.kind for edit in found.edits]


def allowed(world: Cluster, user: str, verb: str, what: str, space: str = "shop") -> bool:
    """Whether a user may do something in a world."""
    what, _, name = what.partition(" ")
    resource, _, subresource = what.partition("/")
    request = Request(verb, "", resource, subresource, name, space)
    return access(world).can(principal_of(user, None), request).verdict == "allowed"


READER = role("reader", rule("get list", "pods secrets"), space="shop")
OWN = bound("api-reads", "reader", API, space="shop")


def test_what_is_never_used_is_unbound() -> None:
    found = trimmed(cluster(READER, OWN))
    assert kinds(found) == [UNBIND]
    assert [ref.name for ref in found.removed] == ["api-reads"]
    assert not found.objects
    assert found.edits[0].closed_count == 4


def test_a_role_that_one_subject_uses_is_narrowed_in_place() -> None:
    found = trimmed(cluster(READER, OWN), did("list", API, "pods"))
    assert kinds(found) == [NARROW]
    (changed,) = found.objects
    assert changed.ref.name == "reader"
    assert changed.raw["rules"] == [rule("list", "pods")]
    assert allowed(found.after, API, "list", "pods")
    assert not allowed(found.after, API, "get", "pods x")
    assert not allowed(found.after, API, "list", "secrets")
    assert found.proof.replayed >= 1


def test_a_shared_role_is_split() -> None:
    other = bound("web-reads", "reader", WEB, space="shop")
    events = (did("list", API, "pods"), did("get", WEB, "secrets db"))
    found = trimmed(cluster(READER, OWN, other), *events)
    assert kinds(found) == [SPLIT, SPLIT]
    assert {ref.name for ref in found.removed} == {"api-reads", "web-reads"}
    assert allowed(found.after, WEB, "get", "secrets db")
    assert not allowed(found.after, WEB, "get", "secrets else")
    assert not allowed(found.after, API, "get", "secrets db")


def test_the_least_surprising_edit_comes_first() -> None:
    idle = bound("idle", "reader", WEB, space="shop")
    alone = role("alone", rule("get list", "pods"))
    world = cluster(READER, OWN, idle, alone, bound("b", "alone", "bob"))
    events = (did("list", API, "pods"), did("list", "bob", "pods", ""))
    assert kinds(trimmed(world, *events)) == [UNBIND, NARROW, SPLIT]


def test_a_subject_that_does_nothing_leaves_the_binding() -> None:
    both = bound("both", "reader", API, WEB, space="shop")
    events = [did(v, API, w) for v, w in (("get", "pods"), ("list", "pods"))]
    events += [did(v, API, w) for v, w in (("get", "secrets"), ("list", "secrets"))]
    found = trimmed(cluster(READER, both), *events)
    assert kinds(found) == [UNBIND]
    (changed,) = found.objects
    assert [one["name"] for one in changed.raw["subjects"]] == ["api"]
    assert found.edits[0].subjects == ("ServiceAccount shop/web",)


def test_a_cluster_wide_grant_moves_to_the_namespaces_of_its_use() -> None:
    wide = role("wide", rule("get list", "pods"))
    found = trimmed(
        cluster(wide, bound("b", "wide", API)),
        did("list", API, "pods", "one"),
        did("list", API, "pods", "two"),
    )
    assert kinds(found) == [SPLIT]
    assert {one.ref.namespace for one in found.objects} == {"one", "two"}
    assert allowed(found.after, API, "list", "pods", "one")
    assert not allowed(found.after, API, "list", "pods", "three")
    kept = trimmed(
        cluster(wide, bound("b", "wide", API)),
        did("list", API, "pods", "one"),
        did("list", API, "pods", "two"),
        widen=frozenset({"namespaces"}),
    )
    assert kinds(kept) == [NARROW]


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["a"], ["a"]),
        (["a", "b", "c"], ["a", "b", "c"]),
        (["a", "b", "c", "d"], None),
        (["web-5d4f8c7b9-xk2lp"], None),
    ],
)
def test_up_to_three_names_are_kept_unless_they_are_generated(
    names: list[str], kept: list[str] | None
) -> None:
    found = trimmed(cluster(READER, OWN), *(did("get", API, f"secrets {n}") for n in names))
    (made,) = found.objects[0].raw["rules"]
    assert made.get("resourceNames") == kept


def test_names_that_were_asked_for_are_never_widened() -> None:
    named = role("reader", rule("get", "secrets", names="a b c d e f"), space="shop")
    found = trimmed(cluster(named, OWN), *(did("get", API, f"secrets {n}") for n in "abcd"))
    assert found.objects[0].raw["rules"][0]["resourceNames"] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("widen", "verbs", "names"),
    [
        ((), ["get"], ["a", "b"]),
        (("names",), ["get"], None),
        (("verbs",), ["get"], ["a", "b"]),
    ],
)
def test_widening_names(widen: Sequence[str], verbs: list[str], names: list[str] | None) -> None:
    events = [did("get", API, f"secrets {n}") for n in "ab"]
    found = trimmed(cluster(READER, OWN), *events, widen=frozenset(widen))
    (made,) = found.objects[0].raw["rules"]
    assert (made["verbs"], made.get("resourceNames")) == (verbs, names)


def test_widening_verbs_stays_within_what_was_granted() -> None:
    found = trimmed(cluster(READER, OWN), did("list", API, "pods"), widen=frozenset({"verbs"}))
    assert found.objects[0].raw["rules"] == [rule("get list", "pods")]  # watch was never granted
    with pytest.raises(BadInput):
        trimmed(cluster(READER, OWN), widen=frozenset({"everything"}))


def test_refused_requests_are_listed_apart_and_granted_when_wanted() -> None:
    refused = did("delete", API, "pods x", api_code=403)
    found = trimmed(cluster(READER, OWN), did("list", API, "pods"), refused)
    assert [use.request.verb for use in found.refused] == ["delete"]
    assert not allowed(found.after, API, "delete", "pods x")
    wanted = trimmed(cluster(READER, OWN), did("list", API, "pods"), refused, refused=True)
    assert GRANT in kinds(wanted)
    assert allowed(wanted.after, API, "delete", "pods x")
    assert not allowed(wanted.after, API, "delete", "pods y")


def test_a_denial_of_admission_is_a_use() -> None:
    denied = did("list", API, "pods", api_code=403, api_decision="allow")
    found = trimmed(cluster(READER, OWN), denied)
    assert not found.refused
    assert allowed(found.after, API, "list", "pods")


@pytest.mark.parametrize(
    ("verbs", "resources", "group"),
    [
        ("bind escalate", "roles clusterroles", RBAC),
        ("impersonate", "users groups", ""),
        ("use", "podsecuritypolicies", "policy"),
        ("approve sign attest", "signers", "certificates.k8s.io"),
        ("promote", "releases", "shop.example"),
    ],
)
def test_what_is_only_checked_is_never_trimmed_on_silence(
    verbs: str, resources: str, group: str
) -> None:
    rights = role("r", rule(verbs + " get", resources, group))
    found = trimmed(cluster(rights, bound("b", "r", API)))
    assert kinds(found) == [NARROW]
    assert found.objects[0].raw["rules"] == [
        rule(" ".join(sorted(verbs.split())), " ".join(sorted(resources.split())), group)
    ]
    assert any("only checked" in one.why for one in found.stays)


def test_what_others_ask_about_in_reviews_is_kept_unless_reviews_are_logged() -> None:
    rights = role("r", rule("get", "nodes/metrics nodes"))
    rights["rules"].append({"nonResourceURLs": ["/metrics"], "verbs": ["get"]})
    world = cluster(rights, bound("b", "r", API))
    found = trimmed(world)
    assert found.objects[0].raw["rules"] == [
        rule("get", "nodes/metrics"),
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    ]
    asked = Asked("get", API, (), path="/metrics")
    review = did("create", "kubelet", "subjectaccessreviews", "", asked=asked)
    logged = trimmed(world, msgspec.structs.replace(review, k8s_group="authorization.k8s.io"))
    assert [one.raw.get("rules") for one in logged.objects] == [
        [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    ]


def test_a_review_of_what_is_denied_is_no_use() -> None:
    asked = Asked("get", API, (), path="/metrics")
    review = did("create", "kubelet", "subjectaccessreviews", "", asked=asked, actor_groups=("x",))
    review = msgspec.structs.replace(review, k8s_group="authorization.k8s.io")
    found = trimmed(cluster(READER, OWN), review, refused=True)
    assert API not in {one.use.principal.username for one in found.disagreements}
    assert (API,) not in [edit.subjects for edit in found.edits if edit.kind == GRANT]


def test_what_another_authorizer_allowed_is_no_disagreement() -> None:
    node = did("get", "system:node:n1", "secrets db", actor_groups=("system:nodes",))
    cloud = did("get", "eve", "secrets db", api_grant="the cloud says so")
    found = trimmed(cluster(READER, OWN), node, cloud, refused=True)
    assert {one.use.principal.username for one in found.disagreements} & {
        "eve",
        "system:node:n1",
    } == set()
    granted = {edit.subjects for edit in found.edits if edit.kind == GRANT}
    assert not granted & {("eve",), ("system:node:n1",)}


def test_who_writes_roles_keeps_what_it_may_grant() -> None:
    rights = role("r", rule("*", "*", RBAC), rule("get", "pods"))
    event = did("create", API, "rolebindings", group=RBAC)
    found = trimmed(cluster(rights, bound("b", "r", API)), event)
    assert not found.edits
    assert "may grant no more than it holds" in found.stays[0].why


def test_what_is_checked_while_pods_are_made_stays_of_a_wildcard() -> None:
    rights = role("r", rule("*", "*"), rule("*", "podsecuritypolicies", "policy"))
    found = trimmed(cluster(rights, bound("b", "r", API)), did("create", API, "pods"))
    made = [one for obj in found.objects for one in obj.raw.get("rules", ())]
    assert rule("use", "podsecuritypolicies", "policy") in made
    assert allowed(found.after, API, "create", "pods")
    assert not allowed(found.after, API, "delete", "pods x")


def test_a_policy_that_does_not_log_reads_keeps_them() -> None:
    silent = {"level": "None", "resources": [{"resources": ["secrets"]}], "verbs": ["get"]}
    policy = read_policy({"kind": "Policy", "rules": [silent, {"level": "Metadata"}]})
    found = trimmed(cluster(READER, OWN), did("list", API, "pods"), policy=policy)
    assert found.objects[0].raw["rules"] == [rule("list", "pods"), rule("get", "secrets")]
    assert [(one.why, one.rights) for one in found.stays] == [
        ("the audit policy does not log it", (("get", "", "secrets", None, ""),))
    ]


def test_of_a_wildcard_only_what_is_not_logged_is_kept() -> None:
    silent = {"level": "None", "resources": [{"resources": ["events"]}]}
    policy = read_policy({"kind": "Policy", "rules": [silent, {"level": "Metadata"}]})
    world = cluster(role("all", rule("*", "*")), bound("b", "all", API))
    found = trimmed(world, did("list", API, "pods", ""), policy=policy)
    rules = [one for obj in found.objects for one in obj.raw.get("rules", ())]
    assert {res for one in rules for res in one["resources"]} == {"events", "pods"}


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([did("create", "bob", "pods"), did("create", WEB, "pods")], "no read is in the log"),
        ([did("get", "bob", "pods x")], "no request of any service account is in the log"),
    ],
)
def test_without_a_policy_missing_classes_are_inferred(events: list[AuditEvent], why: str) -> None:
    found = trimmed(cluster(READER, OWN), *events, everyday=False)
    assert why in {one.why for one in found.stays}
    assert not found.edits


def test_groups_that_are_not_known_keep_the_bindings_of_groups() -> None:
    world = cluster(READER, bound("devs", "reader", "g:devs", space="shop"))
    unknown = trimmed(world, did("list", "eve", "pods"))
    assert not unknown.edits
    assert [one.ours for one in unknown.disagreements if one.use.principal.username == "eve"]
    groups = ("devs", "system:authenticated")
    known = trimmed(world, did("list", "eve", "pods", actor_groups=groups))
    assert kinds(known) == [NARROW]


def test_the_authorizers_own_reason_is_compared() -> None:
    said = 'RBAC: allowed by RoleBinding "api-reads/shop" of Role "reader" to ServiceAccount "x"'
    agreed = trimmed(cluster(READER, OWN), did("list", API, "pods", api_grant=said))
    assert [one for one in agreed.disagreements if one.said] == []
    other = bound("web-reads", "reader", WEB, space="shop")
    wrong = said.replace("api-reads", "web-reads")
    found = trimmed(cluster(READER, OWN, other), did("list", API, "pods", api_grant=wrong))
    assert [one.said for one in found.disagreements if one.said] == [wrong]


def test_a_reason_that_names_what_is_not_there_is_of_another_time() -> None:
    said = 'RBAC: allowed by ClusterRoleBinding "gone" of ClusterRole "x" to User "y"'
    with pytest.raises(Stale, match="different times"):
        trimmed(cluster(READER, OWN), did("list", API, "pods", api_grant=said))


def test_a_window_that_is_too_short_is_stale() -> None:
    with pytest.raises(Stale, match="window"):
        trimmed(cluster(READER, OWN), since=60 * DAY)
    with pytest.raises(Stale, match="no events"):
        trim(observe(()), cluster(READER, OWN))
    assert trimmed(cluster(READER, OWN), since=40 * DAY).edits


def test_what_the_api_server_makes_itself_is_left_alone() -> None:
    own: Raw = {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
    given = bound("admin", "reader", "g:x")
    given["metadata"] |= own
    assert not trimmed(cluster(role("reader", rule("*", "*")), given)).edits
    theirs = role("admin", rule("get list", "pods"), **own)
    found = trimmed(cluster(theirs, bound("b", "admin", API)), did("list", API, "pods", ""))
    assert kinds(found) == [SPLIT]  # their role is never narrowed
    assert "admin" not in {one.ref.name for one in found.objects}


def test_what_grants_nothing_is_left_alone() -> None:
    adrift = bound("adrift", "reader", API, space="shop")
    del adrift["metadata"]["namespace"]
    dangling = bound("dangling", "nothing", API)
    mixed = role("mixed", {**rule("get", "pods"), "nonResourceURLs": ["/x"]})
    found = trimmed(cluster(READER, adrift, dangling, mixed, bound("b", "mixed", API)))
    assert not found.edits


def test_an_aggregated_role_is_never_narrowed() -> None:
    label: Raw = {"labels": {"to-mine": "true"}}
    part = role("part", rule("get list", "pods"), **label)
    whole = role("whole") | {
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to-mine": "true"}}]}
    }
    world = cluster(part, whole, bound("b", "whole", API), bound("c", "part", WEB))
    events = (did("list", API, "pods", ""), did("list", WEB, "pods", ""))
    assert kinds(trimmed(world, *events)) == [SPLIT, SPLIT]


def test_only_those_who_are_named_are_edited() -> None:
    other = bound("web-reads", "reader", WEB, space="shop")
    found = trimmed(cluster(READER, OWN, other), only=frozenset({API}))
    assert [ref.name for ref in found.removed] == ["api-reads"]


def test_a_use_is_put_down_to_the_narrowest_grant() -> None:
    wide = role("wide", rule("*", "*"))
    world = cluster(READER, OWN, wide, bound("b", "wide", API))
    found = trimmed(world, did("list", API, "pods"))
    assert [ref.name for ref in found.removed] == ["b"]


def test_confidence_is_lowered_by_rare_jobs_and_young_accounts() -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "yearly", "namespace": "shop"},
        "spec": {
            "schedule": "0 3 1 1 *",
            "jobTemplate": {"spec": {"template": {"spec": {"serviceAccountName": "api"}}}},
        },
    }
    probe = EVERYDAY[0]
    daily = [msgspec.structs.replace(probe, time=START + n * DAY) for n in range(31)]
    sure = trimmed(cluster(READER, OWN), *daily).edits[0].confidence
    assert (sure.level, sure.because, sure.active) == ("high", (), 32)
    few = trimmed(cluster(READER, OWN)).edits[0].confidence
    assert (few.level, few.active) == ("low", 2)
    gaps = trimmed(cluster(READER, OWN), *daily, gaps=2).edits[0].confidence
    assert (gaps.level, gaps.because) == ("medium", ("2 parts of the log could not be read",))
    less = trimmed(cluster(READER, OWN, job), *daily).edits[0].confidence
    assert less.level == "medium"
    assert "yearly runs more rarely" in less.because[0]
    young = {**OWN, "metadata": {**OWN["metadata"], "creationTimestamp": "2024-10-20T00:00:00Z"}}
    assert "younger" in trimmed(cluster(READER, young)).edits[0].confidence.because[0]
    newer = {**OWN, "metadata": {**OWN["metadata"], "creationTimestamp": "2099-10-20T00:00:00Z"}}
    assert not trimmed(cluster(READER, newer)).edits


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ("*/5 * * * *", 1 / 24),
        ("0 3 * * *", 1),
        ("0 3 * * 1", 7),
        ("0 3 1 * *", 31),
        ("0 3 1 1 *", 366),
        ("@weekly", 7),
        ("CRON_TZ=Europe/Vienna 0 3 * * *", 1),
        ("nonsense", 366),
        (None, 366),
    ],
)
def test_periods_of_schedules(schedule: Any, days: float) -> None:
    assert period(schedule) == days


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("web-5d4f8c7b9-xk2lp", True),
        ("db-0", False),
        ("kube-root-ca.crt", False),
        ("api-proxy", False),
        ("7f0a9aab-bdfb-4fa7-9b82-fc5530f97019", True),
        ("snap-20261101", True),
    ],
)
def test_generated_names(name: str, made: bool) -> None:
    assert generated(name) is made


def test_patches_of_what_exists() -> None:
    world = cluster(READER, OWN)
    found = trimmed(world, did("list", API, "pods"))
    ((ref, patch),) = patches(found, world)
    assert ref.name == "reader"
    assert patch == [{"op": "replace", "path": "/rules", "value": [rule("list", "pods")]}]


def test_a_failing_proof_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours: the rules that are made forget a right."""
    nothing: list[Raw] = [rule("get", "nothing")]
    monkeypatch.setattr(
        "martello.practices.access.edits.scoped_rules", lambda *_: {"shop": nothing}
    )
    with pytest.raises(Refused, match="would deny 1"):
        trimmed(cluster(READER, OWN), did("list", API, "pods"))
    more = [rule("list", "pods"), rule("delete", "pods")]
    monkeypatch.setattr("martello.practices.access.edits.scoped_rules", lambda *_: {"shop": more})
    with pytest.raises(Refused, match="more than before"):
        trimmed(cluster(READER, OWN), did("list", API, "pods"))


def test_uses_do_not_grow_with_the_log() -> None:
    events = (did("get", API, f"pods p{n}", api_id=str(n)) for n in range(5000))
    (one,) = uses(events)
    assert (one.count, len(one.names), one.more) == (5000, 1000, True)
    assert len(one.samples) == 3


def test_more_names_than_are_kept_keep_a_named_role() -> None:
    names = " ".join(f"p{n}" for n in range(1500))
    named = role("reader", rule("get list", "pods", names=names), space="shop")
    events = [did("get", API, f"pods p{n}", api_id=str(n)) for n in range(1500)]
    found = trimmed(cluster(named, OWN), *events)
    assert not found.edits
    assert "more names" in found.stays[0].why


def test_the_two_stages_of_a_request_count_once_and_ids_may_be_forged() -> None:
    started = did("watch", API, "pods", api_stage="ResponseStarted", api_id="x")
    ended = msgspec.structs.replace(started, api_stage="ResponseComplete")
    other = did("get", API, "secrets db", api_id="x")  # clients may choose the id
    assert [one.count for one in uses((started, ended, other))] == [1, 1]


def _permuted(events: Sequence[AuditEvent]) -> Iterable[list[AuditEvent]]:
    for seed in range(5):
        mixed = [*events, *events]
        random.Random(seed).shuffle(mixed)
        yield mixed


def _shape(found: Trim) -> Any:
    objects = [(one.ref, one.raw["kind"], one.raw.get("rules")) for one in found.objects]
    return kinds(found), objects, found.removed


def test_events_that_are_shuffled_and_doubled_give_the_same_trim() -> None:
    other = bound("web-reads", "reader", WEB, space="shop")
    world = cluster(READER, OWN, other, role("wide", rule("*", "*")), bound("b", "wide", "bob"))
    events = [
        *EVERYDAY,
        did("list", API, "pods"),
        did("get", WEB, "secrets db"),
        *(did("delete", "bob", "pods x", space) for space in ("one", "two")),
    ]
    once = _shape(trim(observe(events), world))
    assert once[0]
    assert all(_shape(trim(observe(mixed), world)) == once for mixed in _permuted(events))


def test_a_trimmed_world_is_not_trimmed_again() -> None:
    other = bound("web-reads", "reader", WEB, space="shop")
    events = (did("list", API, "pods"), did("get", WEB, "secrets db"))
    found = trimmed(cluster(READER, OWN, other), *events)
    assert not trimmed(found.after, *events).edits


def test_uses_alone_are_enough() -> None:
    some: tuple[Use, ...] = uses((did("list", API, "pods"),))
    assert kinds(trim(some, cluster(READER, OWN))) == [NARROW]
