"""`monitor alerts`: listed, shown, explained, handled, excepted with proof, answered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from tests.support.apiserver import ApiServer
from tests.support.asked import ask
from tests.support.command import NOWHERE, Done
from tests.support.lake import SECOND, Store, audit_event
from tests.support.sinks import HOSTILE, alert, hostile

from martello.adapters import batch
from martello.core.alert import Alert
from martello.practices.monitor import packs
from martello.practices.monitor.alerts.respond import proposals
from martello.practices.monitor.noise import exceptions
from martello.practices.monitor.noise.exceptions import Exceptions
from martello.practices.monitor.pipeline import Pipeline
from martello.store import handled
from martello.store.outbox import Outbox

DAY = 86_400 * SECOND
RULES = """
id: TST-201
title: Secrets read
kind: audit
severity: high
when: e.api_verb == "list" && e.k8s_resource == "secrets"
group: [actor_user, k8s_ns]
window: 1h
say: "{actor_user} read secrets of {k8s_ns}"
why: a secret is a credential
tests:
  - name: a thief
    event:
      stage: ResponseComplete
      verb: list
      user: {username: mallory}
      objectRef: {resource: secrets, namespace: shop}
      responseStatus: {code: 200}
    expect: fire
"""


class Place:
    """A user's own directory with a store, and the command line that finds it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "martello").mkdir()
        self.store = Store(directory / "martello")
        self.outbox = Outbox(self.store.state)
        self.rules = directory / "rules.yaml"
        self.rules.write_text(RULES)

    def run(self, *words: str) -> Done:
        """`martello monitor alerts WORDS`."""
        home = str(self.directory)
        with patch.dict(NOWHERE, {"XDG_STATE_HOME": home, "HOME": home}):
            return ask("monitor", "alerts", *words, cwd=self.directory, columns=0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.state.close()


def _now(name: str = "shop", **given: Any) -> Alert:
    now = time.time_ns()
    return alert(name, first=now - 60 * SECOND, last=now, **given)


def test_a_list_fails_for_what_is_open_and_grave(place: Place) -> None:
    place.outbox.put([_now("a"), _now("b", severity="low")], ["down"])
    done = place.run("list")
    assert done.code == 1
    assert "1 open at or above high" in done.out
    assert done.out.index(alert("a").id[:12])
    assert "sink down: 2 wait, 0 dead letters" in done.out
    assert place.run("list", "--fail-on", "critical").code == 0
    assert place.run("list", "-n", "b").code == 0
    assert place.run("list", "--rule", "MON-2*").out.startswith("sink down")
    assert place.run("ack", alert("a").id[:8]).code == 0
    assert place.run("list").code == 0
    place.run("close", alert("a").id[:8])
    assert alert("a").id[:12] not in place.run("list").out
    assert "[closed]" in place.run("list", "--closed").out
    told = place.run("list", "--closed", "-o", "json").report
    assert [one["state"] for one in told["alerts"]] == ["open", "closed"]
    lines = place.run("list", "-o", "jsonl").out.splitlines()
    assert [json.loads(line)["severity"] for line in lines] == ["low"]


def test_one_is_shown_with_its_events_and_what_its_sinks_said(place: Place) -> None:
    place.outbox.put([_now()], ["good", "bad"])
    (one,) = place.outbox.claim("good", 1, 60, "me")
    place.outbox.done(one)
    (one,) = place.outbox.claim("bad", 1, 60, "me")
    place.outbox.refused(one, "404 no_service")
    done = place.run("show", alert().id[:6])
    assert done.code == 0
    for text in (
        "high  MON-131  Shell in a container  [open]",
        "k8s_ns=shop",
        "proc_exe=/bin/sh",
        "sink good: revision 1 taken",
        "sink bad: revision 1 dead letter, 1 attempt: 404 no_service",
        "attack  T1059",
    ):
        assert text in done.out
    told = place.run("show", alert().id, "-o", "json").report
    assert told["alert"]["id"] == alert().id
    assert [one["state"] for one in told["deliveries"]] == ["dead", "done"]
    done = place.run("retry", "--sink", "bad")
    assert done.out == "1 dead letter will be sent again by martello monitor run\n"
    assert place.outbox.standing()["bad"].waiting == 1
    assert place.run("retry", "--sink", "other").code == 2


def test_hostile_texts_reach_no_terminal(place: Place) -> None:
    one = hostile()
    now = time.time_ns()
    place.outbox.put([msgspec.structs.replace(one, last=now)], [HOSTILE])
    for words in (
        ("list",),
        ("list", "-o", "json"),
        ("show", one.id),
        ("show", one.id, "-o", "json"),
        ("explain", one.id),
        ("respond", one.id),
        ("ack", one.id),
    ):
        done = place.run(*words)
        shown = (done.out + done.err).replace("\n", "")
        assert shown.isprintable(), words
        assert one.id[:12] in shown or words[0] in ("respond",)


@pytest.mark.parametrize(
    "words",
    [
        ("show", "nothex"),
        ("show", "abc"),
        ("show", "0000000000"),
        ("list", "--since", "soon"),
        ("ack", "00000000"),
        ("except", "00000000"),
        ("except", "00000000", "--until", "tomorrow"),
        ("respond", "00000000", "--apply"),
        ("retry", "--sink", "x"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_said_in_three_lines(place: Place, words: tuple[str, ...]) -> None:
    done = place.run(*words)
    assert done.code == 2
    assert "\nnext: " in done.err


def _event(i: int, **given: Any) -> dict[str, Any]:
    now = time.time_ns() - DAY
    told = {
        "api_verb": "list",
        "k8s_resource": "secrets",
        "k8s_ns": "ci",
        "actor_user": "system:serviceaccount:ci:backup",
        "actor_agent": "backup/1.2",
        "api_code": 200,
        "time": now + i * 720 * SECOND,
        "seen": now + i * 720 * SECOND,
        "k8s_name": None,
        "api_uri": "/api/v1/namespaces/ci/secrets",
    }
    return audit_event(i, **{**told, **given})


def _history(place: Place) -> list[Alert]:
    """Twenty reads of a backup, three of a person, and what the rules said of them."""
    events = [_event(i) for i in range(20)]
    events += [_event(i, actor_user="mallory", actor_agent="curl/8") for i in range(20, 23)]
    place.store.write(events)
    pipeline = Pipeline(packs.named([str(place.rules)]).pack)
    alerts = {one.id: one for one in pipeline.feed(batch.table("audit", events))}
    place.outbox.put(alerts.values(), [])
    return list(alerts.values())


def test_an_exception_is_proved_on_history_and_attacks_and_then_holds(place: Place) -> None:
    alerts = _history(place)
    wanted = [one for one in alerts if "backup" in one.entity["actor_user"]]
    others = [one for one in alerts if "mallory" in one.entity["actor_user"]]
    assert wanted
    assert others
    file = place.directory / "exceptions.yaml"
    words = ["except", *(one.id[:10] for one in wanted), "--rules", str(place.rules)]
    words += [
        "--reason",
        'the "backup" reads them: all\n#',
        "--owner",
        "ops",
        "--until",
        "2030-01-01",
    ]
    shown = place.run(*words)
    assert shown.code == 0, shown
    assert "exception for TST-201: k8s_ns=ci" in shown.out
    assert "actor_user=system:serviceaccount:ci:backup" in shown.out
    silenced = len([e for one in wanted for e in one.evidence])
    assert f"replayed: {silenced} of {silenced} like these silenced; 30 d of history: " in shown.out
    assert "20 silenced, 0 of another kind; 1 attack fixture: 0 silenced" in shown.out
    before, after = len(alerts), len(others)
    assert f"alerts a day: {before:.1f} before, {after:.1f} after" in shown.out
    assert not file.exists()
    assert "--until" not in shown.out
    assert 'reason: "the' in shown.out
    bare = place.run(*words[: words.index("--reason")], "--owner", "ops")
    assert "not said in it: --reason, --until\n" in bare.out
    done = place.run(*words, "--write", str(file))
    assert done.code == 0, done
    place.run(*words, "--write", str(file))  # added, not written over
    read = exceptions.load([(str(file), file.read_text())])
    assert read.errors == ()
    assert len(read.exceptions) == 2
    made = read.exceptions[0]
    assert (made.owner, made.until) == ("ops", "2030-01-01")
    assert made.reason == 'the "backup" reads them: all\n#'
    pack = packs.named([str(place.rules)]).pack
    held = Exceptions(read.exceptions, pack)
    assert held.void == {}
    pipeline = Pipeline(pack, exceptions=held)
    rows = batch.table("audit", [_event(i) for i in range(3)])
    assert pipeline.feed(rows) == ()
    other = batch.table("audit", [_event(9, actor_user="mallory")])
    assert len(pipeline.feed(other)) == 1


def test_an_exception_that_would_silence_an_attack_does_not_stand(place: Place) -> None:
    now = time.time_ns()
    stolen = alert(
        rule="TST-201",
        rule_hash=packs.named([str(place.rules)]).pack.rules["TST-201"].hash,
        entity={"actor_user": "mallory"},
        evidence=(),
        first=now,
        last=now,
    )
    place.outbox.put([stolen], [])
    done = place.run("except", stolen.id, "--rules", str(place.rules), "--write", "out.yaml")
    assert done.code == 1
    assert "no exception for TST-201" in done.out
    assert not (place.directory / "out.yaml").exists()


def test_a_broken_file_of_exceptions_is_not_added_to(place: Place) -> None:
    (one, *_) = _history(place)
    file = place.directory / "exceptions.yaml"
    file.write_text("exceptions: 7\n")
    done = place.run("except", one.id, "--rules", str(place.rules), "--write", str(file))
    assert done.code == 2
    assert file.read_text() == "exceptions: 7\n"


def test_why_it_fired_is_told_part_by_part(place: Place) -> None:
    (one, *_) = _history(place)
    done = place.run("explain", one.id, "--rules", str(place.rules))
    assert done.code == 0, done
    assert "yes  api_verb" in done.out
    assert "is list" in done.out
    assert "yes  k8s_resource" in done.out
    place.rules.write_text(RULES.replace('"list"', '"get"'))
    done = place.run("explain", one.id, "--rules", str(place.rules))
    assert done.code == 3
    assert "has changed since it fired" in done.out
    assert "no   api_verb" in done.out
    done = place.run("explain", one.id)
    assert done.code == 3
    assert "is not among the rules" in done.out


def test_responses_are_shown_and_nothing_is_applied_unasked(place: Place) -> None:
    place.outbox.put([_now()], [])
    done = place.run("respond", alert().id)
    assert done.code == 0
    assert '"kind": "NetworkPolicy"' in done.out
    assert '"unschedulable": true' in done.out
    assert '"kind": "Eviction"' in done.out
    done = place.run("respond", alert().id, "--apply")
    assert done.code == 2
    assert "--do" in done.err


def _pod(server: ApiServer) -> None:
    server.apply(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "respond"}},
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "respond-n1"}},
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": "respond"},
            },
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": "everybody", "namespace": "respond"},
                "spec": {"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]},
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": "web-7f",
                    "namespace": "respond",
                    "labels": {"app": "web", "tier": "front"},
                },
                "spec": {
                    "nodeName": "respond-n1",
                    "automountServiceAccountToken": False,
                    "containers": [{"name": "a", "image": "registry.example/web:1"}],
                },
            },
        ]
    )


@pytest.mark.apiserver
def test_responses_are_made_in_a_real_cluster(place: Place, apiserver: ApiServer) -> None:
    _pod(apiserver)
    one = _now("respond", entity={"k8s_ns": "respond", "pod_name": "web-7f"})
    place.outbox.put([one], [])
    live = ("--kubeconfig", str(apiserver.kubeconfig()), "--context", "test")
    shown = place.run("respond", one.id, *live)
    assert shown.code == 0, shown
    assert "still allowed by everybody" in shown.out
    assert "cordon Node/respond-n1" in shown.out
    path = "/api/v1/namespaces/respond/pods/web-7f"
    assert apiserver.request("GET", path)["metadata"]["labels"] == {"app": "web", "tier": "front"}
    done = place.run("respond", one.id, "--do", "quarantine", "--do", "cordon", "--apply", *live)
    assert done.code == 0, done
    mark = {"martello.dev/quarantine": one.id[:12]}
    assert apiserver.request("GET", path)["metadata"]["labels"] == mark
    policies = "/apis/networking.k8s.io/v1/namespaces/respond/networkpolicies"
    made = apiserver.request("GET", f"{policies}/martello-quarantine-{one.id[:12]}")
    assert made["spec"]["podSelector"] == {"matchLabels": mark}
    assert sorted(made["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    assert apiserver.request("GET", "/api/v1/nodes/respond-n1")["spec"]["unschedulable"] is True
    again = place.run("respond", one.id, "--do", "quarantine", "--apply", *live)
    assert again.code == 0, again
    evicted = place.run("respond", one.id, "--do", "evict", "--apply", *live)
    if int(apiserver.request("GET", "/version")["minor"].rstrip("+")) >= 22:
        assert evicted.code == 0, evicted
        assert apiserver.request("GET", path)["metadata"]["deletionTimestamp"]
    else:  # it knows policy/v1beta1 alone
        assert evicted.code == 1
        assert "nothing was changed" in evicted.err
        pod = apiserver.request("GET", path)
        (evict,) = proposals(one, ["evict"], pod=pod)
        body = {**evict.changes[0].body, "apiVersion": "policy/v1beta1"}
        other = {**body, "deleteOptions": {"preconditions": {"uid": "another"}}}
        refused = apiserver.request("POST", f"{path}/eviction", other, check=False)
        assert refused["code"] == 409
        apiserver.request("POST", f"{path}/eviction", body)
        assert apiserver.request("GET", path)["metadata"]["deletionTimestamp"]


@pytest.mark.apiserver
def test_what_the_server_refuses_changes_nothing(place: Place, apiserver: ApiServer) -> None:
    one = _now("respond-none", entity={"k8s_ns": "respond-none", "pod_name": "web-7f"})
    place.outbox.put([one], [])
    live = ("--kubeconfig", str(apiserver.kubeconfig()), "--context", "test")
    done = place.run("respond", one.id, "--do", "quarantine", "--apply", *live)
    assert done.code == 2
    assert "cannot read respond-none/Pod/web-7f" in done.err


def test_handled_and_listed_agree(place: Place) -> None:
    place.outbox.put([_now("a")], [])
    handled.mark(place.store.state, [alert("a").id], "closed")
    assert place.run("list").code == 0
