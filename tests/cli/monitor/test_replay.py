"""`monitor replay` of every source: told apart by its first line, together in time."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.asked import ask
from tests.support.command import martello
from tests.support.senders import event

from martello.adapters.intake.archive import SOURCES, source_of

RULES = """
id: TST-101
title: Secrets listed
kind: audit
severity: high
when: e.api_verb == "list" && e.k8s_resource == "secrets"
group: [actor_user]
---
id: TST-102
title: A shell
kind: [process, alert]
severity: medium
when: e.proc_name == "bash"
group: [proc_name]
---
id: TST-103
title: A shell, then secrets
severity: critical
when:
  - {name: shell, kind: [process, alert], when: e.proc_name == "bash"}
  - {name: listed, kind: audit, when: e.api_verb == "list" && e.k8s_resource == "secrets"}
correlate: {type: sequence, by: [cluster], within: 10m}
"""
NOON = 1_785_585_600


def lines(path: Path, *found: Any) -> Path:
    """A file of lines of JSON."""
    path.write_text("".join(json.dumps(one) + "\n" for one in found), encoding="utf-8")
    return path


@pytest.fixture
def rules(tmp_path: Path) -> str:
    place = tmp_path / "rules"
    place.mkdir()
    for number, text in enumerate(RULES.split("---")):
        (place / f"{number}.yaml").write_text(text, encoding="utf-8")
    return str(place)


def falco(at: int, **more: Any) -> dict[str, Any]:
    """An alert of Falco of a bash."""
    time = f"2026-08-01T12:00:{at:02d}.000000000Z"
    fields = {"proc.name": "bash", "evt.type": "execve"}
    told = {"rule": "Shell", "output": "a shell", "priority": "Notice", "time": time}
    return {**told, "output_fields": fields, **more}


def drops(at: int) -> dict[str, Any]:
    """Falco's own notice of what it lost."""
    return falco(at, rule="Falco internal: syscall event drop", output_fields={"n_drops": "310"})


def test_sources_are_told_by_their_first_line() -> None:
    first = {
        "audit": json.dumps(event(1)),
        "falco": json.dumps(falco(1)),
        "tetragon": '{"process_exec":{"process":{}},"time":"2026-01-01T00:00:00Z"}',
        "hubble": '{"flow":{"verdict":"DROPPED"}}',
        "cri": "2026-01-01T00:00:00.000000000Z stdout F hello",
        "auditd": "type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e",
        "ndjson": '{"kind":"process","time":1,"proc_exe":"/bin/sh"}',
        "events": '{"kind":"Event","involvedObject":{},"reason":"Killing"}',
    }
    assert {name: source_of(line.encode()) for name, line in first.items()} == {
        name: name for name in SOURCES
    }
    assert source_of(b'{"kind":"EventList","items":[{"auditID":"x"}]}') == "audit"
    assert source_of(b"\xff\xfe no text") == "audit"


def test_several_sources_are_one_stream(tmp_path: Path, rules: str) -> None:
    """A correlation over two files, whichever is named first; what Falco lost is told."""
    audit = lines(tmp_path / "audit.log", event(0, at=NOON + 30))
    shells = lines(tmp_path / "falco.log", falco(10), drops(40))
    for files in ((audit, shells), (shells, audit)):
        words = (*map(str, files), "--rules", rules, "--cluster", "here")
        done = martello("monitor", "replay", *words, cwd=tmp_path)
        assert done.code == 1, done
        assert "TST-103  A shell, then secrets" in done.out
        assert "1 gap (about 310 events)" in done.out
        assert ", of " in done.out.splitlines()[0]


def test_one_source_says_so_and_rules_of_others_are_not_asked(tmp_path: Path, rules: str) -> None:
    """A harmless log passes, though rules wait for other events: they are told."""
    packed = tmp_path / "audit.log.gz"
    packed.write_bytes(gzip.compress(json.dumps(event(1, at=NOON)).encode() + b"\n"))
    words = ("monitor", "replay", str(packed), "--rules", rules)
    done = ask(*words, cwd=tmp_path)
    assert done.code == 0, done
    assert "1 event (1 audit)" in done.out
    assert "audit only; no gap" in done.out
    assert "not asked: 2 rules: of process, alert events, none given" in done.out
    assert ask(*words, "--explain", "TST-102", cwd=tmp_path).code == 3, "asked by name"
    assert martello("monitor", "replay", str(packed), cwd=tmp_path).code == 0, "the own pack"


LACKING = """
id: TST-201
title: Of a field that auditd does not fill
severity: high
kind: process
when: e.k8s_ns == "shop"
"""
MIXED = """
id: TST-202
title: It lacks a field, and other events besides
severity: high
when:
  - {name: shell, kind: process, when: e.k8s_ns == "shop"}
  - {name: listed, kind: audit, when: e.api_verb == "list"}
correlate: {type: sequence, by: [node], within: 10m}
"""
BROKEN = "id: TST-203\ntitle: Broken\nseverity: high\nkind: audit\nwhen: e.api_verb ==\n"
STARTED = 'type=EXECVE msg=audit(1785585600.243:24287): argc=1 a0="ls"\n'
ASKED = {
    "gap": ("audit", json.dumps(event(1, at=NOON)) + "\n{no event\n", "", "1 gap"),
    "field": ("auditd", STARTED, LACKING, "1 rule unassessed"),
    "field-of-a-part": ("auditd", STARTED, MIXED, "1 rule unassessed"),
    "broken": ("audit", json.dumps(event(1, at=NOON)) + "\n", BROKEN, "1 error in the rules"),
    "empty": ("audit", "", "", "nothing to judge: no events"),
}


@pytest.mark.parametrize("what", ASKED)
def test_what_was_asked_and_not_assessed_is_incomplete(
    tmp_path: Path, rules: str, what: str
) -> None:
    source, told, more, why = ASKED[what]
    log = tmp_path / "a.log"
    log.write_text(told, encoding="utf-8")
    if more:
        (Path(rules) / "9.yaml").write_text(more, encoding="utf-8")
    words = ("monitor", "replay", str(log), "--rules", rules, "--from", source)
    done = ask(*words, cwd=tmp_path)
    assert done.code == 3, done
    assert why in done.out.splitlines()[-1]
    assert ask(*words, "--allow-incomplete", cwd=tmp_path).code == 0


def test_a_log_that_no_rule_is_of_is_not_judged(tmp_path: Path, rules: str) -> None:
    log = lines(tmp_path / "audit.log", event(1, at=NOON))
    done = ask("monitor", "replay", str(log), "--rules", f"{rules}/1.yaml", cwd=tmp_path)
    assert done.code == 3
    assert "nothing to judge: no rule is of such events" in done.out


def test_exceptions_take_hits_away(tmp_path: Path, rules: str) -> None:
    log = lines(tmp_path / "audit.log", event(0, at=NOON), event(10, at=NOON + 1))
    known = tmp_path / "known.yaml"
    known.write_text(
        "exceptions:\n- rule: TST-101\n  match: {actor_user: user-0}\n"
        "  reason: the backup\n  owner: ops\n  until: 2099-01-01\n",
        encoding="utf-8",
    )
    words = ("monitor", "replay", str(log), "--rules", rules, "-o", "json")
    plain = json.loads(ask(*words, cwd=tmp_path).out)
    fewer = json.loads(ask(*words, "--except", str(known), cwd=tmp_path).out)
    assert [one["entity"]["actor_user"] for one in plain["alerts"]] == ["user-0", "user-10"]
    assert [one["entity"]["actor_user"] for one in fewer["alerts"]] == ["user-10"]
    assert fewer["silenced"] == 1


def test_baselines_tell_what_is_new(tmp_path: Path, rules: str) -> None:
    usual: list[dict[str, Any]] = [
        {
            "kind": "process",
            "time": (NOON + i * 60) * 10**9,
            "proc_exe": "/usr/bin/app",
            "k8s_ns": "shop",
            "pod_name": "web-1",
            "pod_workload": "deploy/web",
            "container_name": "web",
        }
        for i in range(200)
    ]
    odd = {**usual[-1], "proc_exe": "/usr/bin/nc", "time": usual[-1]["time"] + 10**9}
    log = lines(tmp_path / "events.ndjson", *usual, odd)
    words = ("monitor", "replay", str(log), "--rules", rules, "--fail-on", "never")
    assert "MON-501" not in ask(*words, cwd=tmp_path).out
    told = ask(*words, "--baselines", cwd=tmp_path).out
    assert "MON-501" in told
    assert "/usr/bin/nc: never in" in told


def test_a_wrong_source_is_told(tmp_path: Path, rules: str) -> None:
    log = lines(tmp_path / "a.log", event(0))
    words = ("monitor", "replay", str(log), "--rules", rules, "--from", "falco")
    done = ask(*words, cwd=tmp_path)
    assert done.code == 2
    assert "no event of falco" in done.err


def test_events_as_kubectl_writes_them(tmp_path: Path, rules: str) -> None:
    one = {
        "kind": "Event",
        "metadata": {"uid": "u", "name": "e", "creationTimestamp": "2026-08-01T12:00:00Z"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "shop"},
        "reason": "Killing",
        "type": "Normal",
    }
    file = tmp_path / "events.json"
    file.write_text(json.dumps({"kind": "List", "items": [one]}, indent=2), encoding="utf-8")
    done = ask("monitor", "replay", str(file), "--from", "events", "--rules", rules)
    assert done.out.startswith("1 event (1 k8s_event)"), done


@pytest.mark.skipif("MARTELLO_CORPORA" not in os.environ, reason="no corpora")
def test_samples_of_other_systems(tmp_path: Path, rules: str) -> None:
    """What Tetragon, Falco and Hubble really write is told apart and read whole."""
    place = Path(os.environ["MARTELLO_CORPORA"]) / "tetragon"
    for name, key in (("tetragon", "event"), ("falco", "alert"), ("hubble", "flow")):
        told = (place / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        log = lines(tmp_path / f"{name}.log", *(json.loads(line)[key] for line in told))
        words = ("monitor", "replay", str(log), "--rules", rules, "--fail-on", "never")
        done = ask(*words, cwd=tmp_path)
        assert f"{name} only; no gap" in " ".join(done.out.split()), done
