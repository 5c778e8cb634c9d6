"""What is normal is learned from replicas; what is new is told with its figures (B1 to B6)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from string import ascii_lowercase
from typing import Any

import pytest

from martello.practices.monitor.alerts.grouping import Grouping
from martello.practices.monitor.baseline import RULES, Baselines, Novelty, budget, hits
from martello.practices.monitor.baseline.facts import Entity, facts, plain
from martello.practices.monitor.baseline.known import MOST_VALUES, WAITING
from martello.practices.monitor.engine.rule import Pack

MINUTE = 60
SECOND = 1_000_000_000


def process(
    second: float, pod: str = "web-1", exe: str = "/usr/sbin/nginx", **more: Any
) -> dict[str, Any]:
    """A program that starts in a pod of shop/web."""
    return {
        "id": f"{pod}{second}{exe}",
        "kind": "process",
        "time": int((1_000_000 + second) * SECOND),
        "k8s_ns": "shop",
        "pod_workload": "deploy/web",
        "pod_template": "t1",
        "pod_name": pod,
        "container_name": "main",
        "proc_exe": exe,
        "proc_parent_exe": "/sbin/init",
        **more,
    }


def ordinary(minutes: int, template: str = "t1", start: int = 0) -> Iterator[dict[str, Any]]:
    """Three replicas that do the same things every minute, each to a database of its own."""
    for minute in range(minutes):
        for replica in range(3):
            at = start + minute * MINUTE + replica
            base = {"pod": f"web-{template}-{replica}", "pod_template": template}
            yield process(at, **base)
            yield process(at + 1, exe="/usr/bin/curl", **base)
            yield {
                **process(at + 2, **base),
                "kind": "network",
                "net_dst_ip": f"10.0.7.{Random(minute).randrange(250)}",
                "net_dst_port": 5432,
            }
            yield {
                **process(at + 3, **base),
                "kind": "file",
                "file_path": f"/var/cache/nginx/{minute}",
                "file_flags": ["write"],
            }


def verb(second: float, verb: str = "get", resource: str = "configmaps") -> dict[str, Any]:
    """A request of the workload's service account."""
    return {
        "id": f"{second}{verb}",
        "kind": "audit",
        "time": int((1_000_000 + second) * SECOND),
        "actor_user": "system:serviceaccount:shop:web",
        "api_verb": verb,
        "k8s_resource": resource,
        "api_code": 200,
    }


def learned(minutes: int = 60) -> Baselines:
    """A baseline of an ordinary hour."""
    baselines = Baselines()
    told = baselines.observe(ordinary(minutes))
    told += baselines.observe(verb(m * MINUTE + n) for m in range(minutes) for n in range(2))
    assert told == []
    return baselines


HOUR = 60 * MINUTE
NEW = {
    "exe": process(HOUR, "web-t1-1", "/usr/bin/nmap"),
    "destination": {
        **process(HOUR, "web-t1-1"),
        "kind": "network",
        "net_dst_ip": "203.0.113.9",
        "net_dst_port": 4444,
    },
    "directory": {
        **process(HOUR, "web-t1-1"),
        "kind": "file",
        "file_path": "/usr/bin/x",
        "file_flags": ["write", "create"],
    },
    "verb": verb(HOUR, "list", "secrets"),
}


@pytest.mark.parametrize("kind", sorted(NEW))
def test_b2_what_is_new_in_one_replica_is_told_with_its_figures(kind: str) -> None:
    told = [one for one in learned().observe([NEW[kind]]) if one.kind == kind]
    assert len(told) == 1
    new = told[0]
    assert new.bits >= 6
    assert new.trials > 60
    assert f"{new.trials:,} observations" in str(new)
    assert learned().observe([{**event, "id": "x"} for event in ordinary(1, start=HOUR)]) == []


def test_b1_a_roll_out_of_the_same_image_tells_nothing() -> None:
    baselines = learned()
    assert baselines.observe(ordinary(30, "t2", HOUR)) == []
    told = baselines.observe([process(2 * HOUR, "web-t2-1", "/usr/bin/nmap", pod_template="t2")])
    assert {one.kind for one in told} == {"exe", "spawn"}  # what the one before knew, counts


def test_b1_replicas_are_compared_from_the_first_minute() -> None:
    baselines = Baselines()
    events = list(ordinary(4))
    events.append(process(MINUTE + 5, "web-t1-2", "/tmp/xmrig"))
    told = baselines.observe(sorted(events, key=lambda one: one["time"]))
    assert {(one.kind, one.why, one.member) for one in told} == {
        ("exe", "replica", "web-t1-2"),
        ("spawn", "replica", "web-t1-2"),
    }
    assert "of 3 replicas" in str(told[0])


@pytest.mark.parametrize(
    ("source", "begin", "end", "expected"),
    [
        ("bpftrace", MINUTE, MINUTE + 10, 0),  # what the others did then is not known
        ("bpftrace", 2 * MINUTE, 3 * MINUTE, 0),
        ("bpftrace", 3 * MINUTE, 4 * MINUTE, 2),
        ("audit", MINUTE, 2 * MINUTE, 2),  # another source's
    ],
)
def test_replicas_are_not_compared_over_a_time_that_is_not_known(
    source: str, begin: int, end: int, expected: int
) -> None:
    baselines = Baselines()
    baselines.missed(source, (1_000_000 + begin) * SECOND, (1_000_000 + end) * SECOND)
    events = list(ordinary(4))
    events.append(process(MINUTE + 5, "web-t1-2", "/tmp/xmrig"))
    told = baselines.observe(
        {**one, "source": "bpftrace"} for one in sorted(events, key=lambda one: one["time"])
    )
    assert len(told) == expected
    assert bool(baselines.uncompared) != bool(expected)


def test_two_replicas_outvote_nobody() -> None:
    events = [one for one in ordinary(4) if not one["pod_name"].endswith("2")]
    events.append(process(MINUTE + 5, "web-t1-1", "/tmp/xmrig"))
    assert Baselines().observe(sorted(events, key=lambda one: one["time"])) == []


def test_b3_the_budget_is_the_smallest_threshold_that_keeps_to_it() -> None:
    baselines = Baselines(threshold=0)
    told: list[Novelty] = []
    random = Random(1)
    for second in range(3_000):
        often = f"/opt/{random.choice('abcdefghij')}"
        rare = f"/opt/{random.choice(ascii_lowercase)}/{random.choice('pqrs')}x"
        exe = often if random.random() < 0.9 else rare
        told += baselines.observe([process(second * 86.4, exe=exe)])
    days = 3_000 * 86.4 / 86_400
    for per_day in (1, 5, 20):
        threshold = budget(told, days, per_day)
        assert sum(one.bits >= threshold for one in told) <= days * per_day
    assert budget(told, days, 1) >= budget(told, days, 20)


def test_b4_the_state_can_be_looked_at() -> None:
    normal = learned().of(("workload", "shop", "deploy/web", "main"))
    assert normal is not None
    assert set(normal.values["exe"]) == {"/usr/sbin/nginx", "/usr/bin/curl"}
    assert normal.values["destination"].keys() == {"10.0.7.0/24:5432"}
    assert normal.minutes == 180
    assert (normal.last - normal.first) // SECOND > 59 * MINUTE


def test_b5_what_is_first_seen_while_an_alert_is_open_is_not_learned() -> None:
    baselines = Baselines()
    baselines.observe(ordinary(2))
    shell = process(2 * MINUTE, "web-t1-0", "/bin/sh")
    baselines.observe([shell])
    baselines.alerted(shell)  # a rule that is never learned has fired
    baselines.observe([process(3 * MINUTE, "web-t1-0", "/usr/bin/nc")])
    normal = baselines.of(("workload", "shop", "deploy/web", "main"))
    assert normal is not None
    assert normal.values["exe"]["/bin/sh"].state == WAITING
    assert normal.values["exe"]["/usr/bin/nc"].state == WAITING
    assert normal.values["exe"]["/usr/sbin/nginx"].state != WAITING
    baselines.observe(ordinary(30, "t2", 4 * MINUTE))
    later = baselines.of(("workload", "shop", "deploy/web", "main"))
    assert later is not None
    assert "/bin/sh" not in later.values["exe"]  # a roll-out inherits what was learned alone
    assert baselines.accept(normal.entity, "exe", "/bin/sh")


def test_b6_too_many_values_are_unassessed_and_not_kept() -> None:
    baselines = Baselines()
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = (f"/x/{a}{b}{c}" for a in letters for b in letters for c in letters)
    baselines.observe(process(n / 100, exe=exe) for n, exe in enumerate(names))
    normal = baselines.of(("workload", "shop", "deploy/web", "main"))
    assert normal is not None
    assert "exe" in normal.full
    assert len(normal.values["exe"]) == MOST_VALUES


def test_what_others_know_surprises_less() -> None:
    baselines = learned()
    alone = baselines.observe([process(HOUR, "web-t1-1", "/usr/bin/nmap")])
    baselines = learned()
    for number in range(8):
        other = {"pod_workload": f"deploy/other-{number}", "pod_template": "o"}
        baselines.observe([process(HOUR, "o", "/usr/bin/nmap", **other)])
    assert alone[0].bits >= 6
    assert baselines.observe([process(HOUR + 1, "web-t1-1", "/usr/bin/nmap")]) == []


def test_what_is_kept_is_known_again() -> None:
    rows = [row for normal in learned().normals() for row in normal.rows()]
    again = Baselines()
    again.load(rows)
    assert again.observe(ordinary(1, start=HOUR)) == []
    assert again.observe([NEW["exe"]])


def test_a_novelty_is_an_alert_with_evidence_and_one_a_value() -> None:
    told = learned().observe([NEW["exe"], {**NEW["destination"], "id": "d"}])
    alerts = Grouping(Pack(RULES)).add(hits(told))
    assert {one.rule for one in alerts} >= {"MON-501", "MON-503"}
    program = next(one for one in alerts if one.rule == "MON-501")
    assert program.says.startswith("/usr/bin/nmap: never in ")
    assert program.evidence[0].columns["pod_name"] == "web-t1-1"


def test_entities_are_bounded() -> None:
    baselines = Baselines(most=10)
    baselines.observe(process(n, pod_workload=f"deploy/{n}") for n in range(30))
    assert len(baselines.normals()) == 10
    assert baselines.forgotten == 20


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("/var/lib/x/3f2504e0-4f89-11d3-9a0c-0305e82c3301/y", "/var/lib/x/*/y"),
        ("/app/releases/20240101", "/app/releases/*"),
        ("billing-5d9f7bc8d9-x2x4q", "billing-*-*"),
        ("/usr/bin/python3", "/usr/bin/python*"),
        ("/usr/sbin/nginx", "/usr/sbin/nginx"),
        ("/tmp/tmpa8x3k2", "/tmp/*"),
    ],
)
def test_what_is_another_one_each_time_is_a_star(value: str, wanted: str) -> None:
    assert plain(value) == wanted


def test_a_person_is_known_by_program_and_network() -> None:
    event = {
        "kind": "audit",
        "actor_user": "alice",
        "actor_agent": "kubectl/v1.31.0 (linux/amd64)",
        "actor_ips": ["198.51.100.7"],
        "api_verb": "get",
        "k8s_resource": "pods",
    }
    found = {(one.of, one.kind, one.value) for one in facts(event)}
    alice = Entity("user", "", "alice")
    assert (alice, "agent", "kubectl from 198.51.100.0/24") in found
    assert list(facts({**event, "actor_user": "system:node:a"})) == []


LINEAGE = ("workload", "shop", "deploy/web", "main")


def test_figures_are_those_of_the_values_whatever_happens_to_them() -> None:
    baselines = learned(5)
    baselines.observe(ordinary(5, "t2", HOUR))
    for normal in baselines.normals():
        for kind, values in normal.values.items():
            assert normal.singletons(kind) == sum(one.times == 1 for one in values.values())
            assert normal.trials(kind) - normal.minutes == sum(v.times for v in values.values())
    assert baselines._known == sum(one.size for one in baselines.normals())


def test_b6_a_flood_of_values_is_told_of_once() -> None:
    baselines = learned()
    names = (
        f"/x/{a}{b}{c}" for a in ascii_lowercase for b in ascii_lowercase for c in "abcdefghij"
    )
    told = baselines.observe(process(HOUR + n / 100, exe=exe) for n, exe in enumerate(names))
    full = [one for one in told if one.why == "full" and one.kind == "exe"]
    assert len(full) == 1
    assert "5,000 values of `program`" in str(full[0])
    assert "MON-501" in {hit.rule for hit in hits(full)}


def test_b5_a_restart_does_not_make_learnable_what_an_open_alert_holds() -> None:
    baselines = learned(10)
    shell = process(10 * MINUTE, "web-t1-0", "/bin/sh")
    baselines.observe([shell])
    baselines.alerted(shell)
    after = process(11 * MINUTE, "web-t9-0", "/usr/bin/nc", pod_template="t9")
    baselines.observe([after])
    normal = baselines.of(LINEAGE)
    assert normal is not None
    assert normal.entity.template == "t9"
    assert normal.values["exe"]["/usr/bin/nc"].state == WAITING


def test_b5_a_log_that_is_behind_makes_nothing_learnable() -> None:
    """Old events are read meanwhile; the alert is of another kind, and of now."""
    baselines = learned(10)
    at = 10 * MINUTE + 3 * HOUR
    shell = process(at, "web-t1-0", "/bin/sh")
    baselines.alerted({**shell, "kind": "priv", "seen": shell["time"]})
    baselines.observe([process(at + MINUTE, "web-t1-0", "/usr/bin/nc")])
    normal = baselines.of(LINEAGE)
    assert normal is not None
    assert normal.values["exe"]["/usr/bin/nc"].state == WAITING


def test_b5_what_an_account_does_waits_while_an_alert_on_it_is_open() -> None:
    baselines = learned(10)
    request = verb(10 * MINUTE, "create", "pods/exec")
    baselines.observe([request])
    baselines.alerted(request)
    baselines.observe([verb(11 * MINUTE, "list", "secrets")])
    normal = baselines.of(("account", "shop", "web", ""))
    assert normal is not None
    assert normal.values["verb"]["create pods/exec"].state == WAITING
    assert normal.values["verb"]["list secrets"].state == WAITING


def test_who_came_first_elsewhere_and_pods_of_nobody_excuse_nothing() -> None:
    new = process(HOUR, "web-t1-1", "/usr/bin/nmap")
    alone = learned().observe([new])
    baselines = learned()
    for number in range(200):
        mine: dict[str, Any] = {
            "pod_workload": None,
            "pod_name": f"mine-{number}",
            "k8s_ns": "attacker",
        }
        baselines.observe([process(HOUR - 1, exe="/usr/bin/nmap", **mine)])
        mine["pod_workload"] = f"pod/mine-{number}"
        baselines.observe([process(HOUR - 1, exe="/usr/bin/nmap", **mine)])
    baselines.observe(
        [process(HOUR - 1, exe="/usr/bin/nmap", pod_workload="deploy/mine", k8s_ns="attacker")]
    )
    assert [one.bits for one in baselines.observe([new])] == [one.bits for one in alone]


def test_a_roll_out_each_minute_keeps_what_is_normal_and_takes_no_room_of_others() -> None:
    baselines = Baselines(most_known=400)
    baselines.observe(ordinary(60))
    baselines.observe(
        process(HOUR, pod_workload=f"deploy/o{n}", exe=f"/opt/{a}")
        for n in range(10)
        for a in ascii_lowercase[:10]
    )
    for n in range(300):
        start = HOUR + n * MINUTE
        told = baselines.observe(ordinary(1, f"r{ascii_lowercase[n % 26]}{n}", start))
        assert told == []
    assert baselines.forgotten == 0
    assert sum(one.entity.name == "deploy/web" for one in baselines.normals()) <= 64
    again = baselines.observe([process(7 * HOUR, exe="/usr/bin/nmap", pod_template="new")])
    assert {one.kind for one in again} == {"exe", "spawn"}


def test_replicas_are_compared_however_many_pods_came_and_went() -> None:
    baselines = Baselines()
    for n in range(200):
        baselines.observe([process(n * MINUTE, f"gone-{n}")])
    start = 200 * MINUTE
    for minute in range(4):
        at = start + minute * MINUTE
        baselines.observe(process(at + n, f"web-{n}") for n in range(4))
    told = baselines.observe([process(start + 4 * MINUTE, "web-1", "/usr/bin/other")])
    for minute in range(4, 7):
        at = start + minute * MINUTE
        told += baselines.observe(process(at + n, f"web-{n}") for n in range(4))
    assert "/usr/bin/other" in {one.value for one in told}
    normal = baselines.of(LINEAGE)
    assert normal is not None
    assert {f"web-{n}" for n in range(4)} <= set(normal.members)


def test_values_are_bounded_over_all_entities() -> None:
    baselines = Baselines(most_known=1_000)
    for n in range(200):
        baselines.observe(
            process(n, pod_workload=f"deploy/{n}", exe=f"/opt/{a}") for a in ascii_lowercase
        )
    assert baselines._known <= 1_000
    assert baselines._known == sum(one.size for one in baselines.normals())
    assert baselines.forgotten > 150
    assert len(baselines._who) <= 1_000


def test_renaming_pods_shuffling_replicas_and_shifting_time_keep_verdicts() -> None:
    def verdicts(rename: dict[str, str], shift: int) -> list[tuple[str, str, str]]:
        events = [*ordinary(20), *NEW.values(), process(21 * MINUTE, "web-t1-2", "/usr/bin/wget")]
        events.sort(key=lambda one: one["time"])
        changed = [
            {**e, "time": e["time"] + shift, "pod_name": rename.get(e.get("pod_name", ""), "other")}
            for e in events
        ]
        return [(one.kind, one.value, one.why) for one in Baselines().observe(changed)]

    names = [f"web-t1-{n}" for n in range(3)]
    expected = verdicts(dict(zip(names, names, strict=True)), 0)
    assert expected
    assert verdicts(dict(zip(names, names[::-1], strict=True)), 0) == expected
    assert verdicts(dict(zip(names, ("x", "y-7", "é"), strict=True)), 0) == expected
    assert verdicts(dict(zip(names, names, strict=True)), 86_400 * 400 * SECOND) == expected


def test_the_last_address_of_a_user_counts() -> None:
    event = {**verb(0), "actor_user": "alice", "actor_agent": "kubectl/v1"}
    found = [f.value for f in facts({**event, "actor_ips": ["10.0.0.9", "6.6.6.6"]})]
    assert "kubectl from 6.6.6.0/24" in found


@pytest.mark.parametrize("time", [0, -1, None, 1 << 62])
def test_times_that_cannot_be_are_survived(time: int | None) -> None:
    baselines = learned(3)
    baselines.observe([{**process(HOUR), "time": time}, process(HOUR, exe="/usr/bin/x")])
    baselines.alerted({**process(HOUR), "time": time})
