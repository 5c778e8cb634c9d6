"""A controller's deed is told of who wrote the workload, a shell of who opened it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from martello.practices.monitor.alerts.attribute import Authors, is_machine
from martello.practices.monitor.alerts.trail import Trail

CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"
DEPLOYMENTS = "system:serviceaccount:kube-system:deployment-controller"
SECOND = 1_000_000_000


def write(
    user: str, resource: str, name: str, owner: tuple[str, str] = ("", ""), **more: Any
) -> dict[str, Any]:
    """An audit event of a write."""
    meta: dict[str, Any] = {"name": name}
    if owner[0]:
        meta["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    raw = {"responseObject": {"metadata": meta}} if more.pop("body", True) else {}
    return {
        "kind": "audit",
        "actor_user": user,
        "api_verb": "create",
        "api_code": 201,
        "k8s_ns": "shop",
        "k8s_resource": resource,
        "k8s_obj_name": name,
        "time": 5 * SECOND,
        "raw": msgspec.json.encode(raw).decode(),
        **more,
    }


def test_a_pod_is_told_of_who_wrote_its_deployment() -> None:
    authors = Authors()
    authors.note(write("alice", "deployments", "billing"))
    authors.note(write(DEPLOYMENTS, "replicasets", "billing-5d9f", ("Deployment", "billing")))
    pod = write(CONTROLLER, "pods", "billing-5d9f-x2x4q", ("ReplicaSet", "billing-5d9f"))
    authors.note(pod)
    found = authors.of(pod)
    assert found is not None
    assert (found.user, found.workload, found.guessed) == ("alice", "deploy/billing", False)
    authors.note(write("bob", "deployments", "billing", api_verb="patch", time=9 * SECOND))
    found = authors.of(pod)
    assert found is not None
    assert found.user == "bob"


def test_without_bodies_names_tell_and_it_is_called_a_guess() -> None:
    authors = Authors()
    authors.note(write("alice", "deployments", "billing", body=False))
    found = authors.of(write(CONTROLLER, "pods", "billing-5d9f-x2x4q", body=False))
    assert found is not None
    assert (found.user, found.guessed) == ("alice", True)
    assert authors.of(write(CONTROLLER, "pods", "other-5d9f-x2x4q", body=False)) is None


def test_people_act_for_themselves_and_refused_writes_are_nobodys() -> None:
    authors = Authors()
    authors.note(write("mallory", "deployments", "billing", api_code=403))
    assert authors.of(write(CONTROLLER, "pods", "billing-1-a")) is None
    authors.note(write("alice", "deployments", "billing"))
    assert authors.of(write("carol", "pods", "billing-1-a")) is None
    assert is_machine("system:node:worker-1")
    assert not is_machine("system:serviceaccount:argocd:application-controller")


def test_owners_that_own_each_other_end() -> None:
    authors = Authors()
    authors.note(write(CONTROLLER, "replicasets", "a", ("ReplicaSet", "b")))
    authors.note(write(CONTROLLER, "replicasets", "b", ("ReplicaSet", "a")))
    assert authors.of(write(CONTROLLER, "pods", "p", ("ReplicaSet", "a"))) is None


def test_what_is_remembered_is_bounded() -> None:
    authors = Authors(most=10)
    for number in range(25):
        authors.note(write("alice", "deployments", f"d{number}"))
    assert authors.forgotten == 15


def opened(user: str, at: float, stage: str = "ResponseStarted", **more: Any) -> dict[str, Any]:
    """An audit event of an exec into shop/web."""
    return {
        "kind": "audit",
        "k8s_ns": "shop",
        "k8s_resource": "pods",
        "k8s_subresource": "exec",
        "api_verb": "get",
        "k8s_name": "web",
        "actor_user": user,
        "api_id": f"{user}-exec",
        "api_stage": stage,
        "api_code": 101,
        "time": int(at * SECOND),
        **more,
    }


def shell(at: float, **more: Any) -> dict[str, Any]:
    """A process of shop/web that came from outside."""
    return {
        "kind": "process",
        "k8s_ns": "shop",
        "pod_name": "web",
        "container_name": "main",
        "proc_flags": ["entered"],
        "time": int(at * SECOND),
        **more,
    }


def test_a_shell_is_told_of_who_opened_it() -> None:
    trail = Trail()
    trail.note(opened("alice", 100))
    found = trail.behind(shell(101))
    assert found is not None
    assert found.user == "alice"
    assert trail.behind(shell(101, pod_name="other")) is None
    assert trail.behind(shell(101, proc_flags=[])) is None  # the container's own process
    assert trail.behind(shell(50)) is None
    trail.note(opened("alice", 130, "ResponseComplete"))
    assert trail.behind(shell(129)) is not None
    assert trail.behind(shell(200)) is None


def test_a_refused_exec_opens_nothing() -> None:
    trail = Trail()
    trail.note(opened("mallory", 100, "ResponseComplete", api_code=403))
    assert trail.behind(shell(100.5)) is None


def test_the_container_of_the_request_counts() -> None:
    trail = Trail()
    trail.note(opened("alice", 100, container_name="sidecar"))
    assert trail.behind(shell(101)) is None
    trail.note(opened("bob", 100, container_name="main"))
    found = trail.behind(shell(101))
    assert found is not None
    assert found.user == "bob"


def test_of_two_users_at_once_both_are_named() -> None:
    trail = Trail()
    trail.note(opened("alice", 100))
    trail.note(opened("bob", 101))
    found = trail.behind(shell(102))
    assert found is not None
    assert found.user == "alice or bob"


def test_a_log_that_comes_after_the_process_settles_what_waited() -> None:
    trail = Trail()
    trail.wait(shell(101), "alert-1")
    trail.wait(shell(101, pod_name="other"), "alert-2")
    settled = trail.note(opened("alice", 100.8))
    assert [(token, one.user) for token, one in settled] == [("alert-1", "alice")]
    assert trail.note(opened("alice", 101)) == []


def test_nobody_hides_behind_a_controller_that_he_takes_the_place_of() -> None:
    authors = Authors()
    authors.note(write("alice", "deployments", "billing"))
    forged = write("mallory", "pods", "evil", ("Deployment", "billing"), actor_as=DEPLOYMENTS)
    assert authors.of(forged) is None  # it was mallory, and not alice's Deployment
    authors.note(write("mallory", "deployments", "other", actor_as=CONTROLLER))
    found = authors.of(write(CONTROLLER, "pods", "other-x", ("Deployment", "other")))
    assert found is not None
    assert found.user == "mallory"
    authors.note(write("mallory", "deployments", "third", actor_as="bob"))
    found = authors.of(write(CONTROLLER, "pods", "third-x", ("Deployment", "third")))
    assert found is not None
    assert found.user == "bob"


def test_sessions_and_what_waits_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("martello.practices.monitor.alerts.trail._MOST_ALL", 100)
    monkeypatch.setattr("martello.practices.monitor.alerts.trail._MOST_WAITING", 50)
    trail = Trail()
    for n in range(500):
        trail.note(opened(f"u{n}", n, k8s_name=f"pod-{n % 40}"))
        trail.wait(shell(n, pod_name=f"other-{n % 7}"), str(n))
    assert trail._sessions == sum(map(len, trail._pods.values()))
    assert trail._sessions <= 100
    assert trail._waits == sum(map(len, trail._waiting.values())) == 50


def test_a_session_in_one_pod_takes_no_time_from_others_that_wait() -> None:
    trail = Trail()
    trail.wait(shell(101), "alert-1")
    trail.note(opened("bob", 10_000, k8s_name="other"))  # much later, and of another pod
    assert [token for token, _ in trail.note(opened("alice", 100.8))] == ["alert-1"]
