"""Exceptions silence what they say and nothing else, and are proved before they are used."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from martello.practices.monitor.engine.ir import Atom, Column
from martello.practices.monitor.engine.rule import Hit, Pack, Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.noise.exceptions import Exceptions, load, segments, stale
from martello.practices.monitor.noise.propose import propose, widened

TODAY = date(2026, 12, 1)
SHELL = Rule(
    "MON-131",
    "Shell",
    Atom(Column("proc_name"), "in", ("sh", "bash")),
    ("process",),
    tests=(
        {
            "name": "attack",
            "from": "columns",
            "expect": "fire",
            "event": {
                "proc_name": "bash",
                "k8s_ns": "shop",
                "pod_workload": "deploy/web",
                "proc_exe": "/bin/bash",
            },
        },
    ),
)


def hit(**event: Any) -> Hit:
    """A hit of the rule."""
    return Hit("MON-131", {"kind": "process", "proc_name": "sh", "proc_exe": "/bin/sh", **event})


def exceptions(text: str, pack: Pack | None = None) -> Exceptions:
    """Exceptions of one file."""
    read = load([("x.yaml", text)])
    assert not read.errors, read.errors
    return Exceptions(read.exceptions, pack or Pack([SHELL]), TODAY)


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ("{k8s_ns: shop}", {"k8s_ns": "shop"}, {"k8s_ns": "shop2"}),
        ("{k8s_ns: [a, b]}", {"k8s_ns": "b"}, {"k8s_ns": "c"}),
        ("{proc_exe: {prefix: /opt/a}}", {"proc_exe": "/opt/a/x"}, {"proc_exe": "/opt/ab/x"}),
        ("{pod_name: {glob: 'pay-*'}}", {"pod_name": "pay-7f"}, {"pod_name": "xpay-7f"}),
        ("{file_path: {glob: '/tmp/*/x'}}", {"file_path": "/tmp/a/x"}, {"file_path": "/tmp/a/b/x"}),
        ("{net_dst_ip: {cidr: 10.0.0.0/8}}", {"net_dst_ip": "10.9.9.9"}, {"net_dst_ip": "::1"}),
    ],
)  # fmt: skip
def test_a_match_says_what_it_says(match: str, yes: dict[str, Any], no: dict[str, Any]) -> None:
    held = exceptions(f"exceptions: [{{rule: MON-131, match: {match}}}]")
    assert held.silences(hit(**yes)) is not None
    assert held.silences(hit(**no)) is None
    assert held.silences(hit()) is None or "proc_exe" in match
    assert sum(held.silenced.values()) == 1


def test_all_lines_of_a_match_are_asked() -> None:
    held = exceptions(
        "exceptions: [{rule: MON-131, match: {k8s_ns: shop, pod_workload: deploy/a}}]"
    )
    assert held.silences(hit(k8s_ns="shop")) is None
    assert held.silences(hit(k8s_ns="shop", pod_workload="deploy/a")) is not None


def test_x1_a_rule_that_is_never_learned_takes_none() -> None:
    never = Rule("MON-131", "Shell", SHELL.tree, ("process",), learn="never")
    held = exceptions("exceptions: [{rule: MON-131, match: {k8s_ns: shop}}]", Pack([never]))
    assert held.silences(hit(k8s_ns="shop")) is None
    assert "takes no exceptions" in next(iter(held.void.values()))
    assert not propose(never, [hit(k8s_ns="shop")]).stands


def test_x2_a_changed_rule_voids_the_proof() -> None:
    text = "exceptions: [{rule: MON-131, match: {k8s_ns: shop}, proof: {rule: '%s'}}]"
    assert exceptions(text % SHELL.hash).silences(hit(k8s_ns="shop")) is not None
    held = exceptions(text % "0000")
    assert held.silences(hit(k8s_ns="shop")) is None
    assert "has changed since" in next(iter(held.void.values()))


def test_x3_what_silences_nothing_for_thirty_days_is_stale() -> None:
    given = load(
        [("x", "- {rule: MON-131, match: {k8s_ns: a}}\n- {rule: MON-131, match: {k8s_ns: b}}")]
    )
    used = {given.exceptions[0].place: date(2026, 11, 20)}
    found = stale(given.exceptions, used, date(2026, 10, 1), TODAY)
    assert [one.match["k8s_ns"] for one in found] == ["b"]
    assert stale(given.exceptions, {}, date(2026, 11, 20), TODAY) == ()


def test_what_has_ended_does_not_hold() -> None:
    held = exceptions("exceptions: [{rule: MON-131, match: {k8s_ns: shop}, until: 2026-11-30}]")
    assert held.silences(hit(k8s_ns="shop")) is None


@pytest.mark.parametrize(
    "text",
    [
        "exceptions: 7",
        "exceptions: [{match: {k8s_ns: a}}]",
        "exceptions: [{rule: A, match: {}}]",
        "exceptions: [{rule: A, match: {raw: a}}]",
        "exceptions: [{rule: A, match: {nope: a}}]",
        "exceptions: [{rule: A, match: {k8s_ns: {regex: a}}}]",
        "exceptions: [{rule: A, match: {k8s_ns: a}, until: soon}]",
        "exceptions: [{rule: A, match: {k8s_ns: a}, more: 1}]",
        "exceptions: [",
    ],
)
def test_what_is_wrong_has_its_place(text: str) -> None:
    read = load([("x.yaml", text)])
    assert read.exceptions == ()
    assert str(read.errors[0]).startswith(("x.yaml:1:", "x.yaml:2:"))


def test_the_smallest_exception_is_proposed_and_proved() -> None:
    base = {"k8s_ns": "shop", "pod_workload": "deploy/billing", "proc_parent_exe": "/usr/bin/tini"}
    chosen = [hit(**base, pod_name=f"billing-{n}") for n in range(9)]
    history = [*chosen, *(hit(**base, pod_name=f"billing-{n}") for n in range(205))]
    history += [hit(k8s_ns="shop", pod_workload="deploy/web") for _ in range(50)]
    found = propose(SHELL, chosen, history)
    assert found.stands
    assert found.exception.match == {
        "k8s_ns": "shop",
        "pod_workload": "deploy/billing",
        "proc_exe": "/bin/sh",
        "proc_parent_exe": "/usr/bin/tini",
        "proc_name": "sh",
    }
    assert (found.history, found.others, found.left) == (214, 0, 0)
    assert found.exception.proof is not None
    assert found.exception.proof.rule == SHELL.hash


def test_an_exception_that_would_hide_an_attack_is_narrowed_or_refused() -> None:
    chosen = [hit(k8s_ns="shop", pod_workload="deploy/web", proc_name="bash", proc_exe="/bin/bash")]
    found = propose(SHELL, chosen)
    assert not found.stands
    assert found.fixtures == ("attack",)


def test_an_exception_never_adds_alerts_and_silences_all_that_were_chosen() -> None:
    chosen = [hit(k8s_ns=space, proc_exe=f"/opt/run/{space}/tool") for space in "abc"]
    found = propose(SHELL, chosen)
    assert found.left == 0
    assert found.exception.match["k8s_ns"] == ["a", "b", "c"]
    assert found.exception.match["proc_exe"] == {"prefix": "/opt/run"}


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["/opt/a/b/x", "/opt/a/c/y"], {"prefix": "/opt/a"}),
        (["/x", "/y"], ["/x", "/y"]),
        (["web-5d9f7b-x2x4q", "web-5d9f7b-zzk6q"], {"glob": "web-*"}),
        ([str(n) + "abc" for n in range(9)], {"glob": "*abc"}),
        (list("abcdefg"), None),
        ([80, 443], [443, 80]),
    ],
)
def test_what_varies_is_widened_one_step(values: list[Any], wanted: Any) -> None:
    found = widened("file_path", values)
    if isinstance(found, dict) and "glob" in found and isinstance(wanted, dict):
        atom = Atom(Column("file_path"), "fullmatch", (segments(found["glob"]),), "any")
        assert all(holds(atom, {"file_path": value}) for value in values)
    else:
        assert found == wanted


def test_addresses_are_widened_to_a_small_network_only() -> None:
    assert widened("net_dst_ip", ["10.1.2.3", "10.1.2.77"]) == {"cidr": "10.1.2.0/25"}
    assert widened("net_dst_ip", ["10.1.2.3", "10.9.2.77"]) == ["10.1.2.3", "10.9.2.77"]


@pytest.mark.parametrize(
    ("match", "event"),
    [
        ("{actor_ips: {cidr: 10.0.0.0/8}}", {"actor_ips": ["10.1.1.1", "6.6.6.6"]}),
        ("{actor_ips: {cidr: 10.0.0.0/8}}", {"actor_ips": []}),
        ("{actor_ips: {cidr: 10.0.0.0/8}}", {"actor_ips": [None]}),
        ("{actor_ips: {cidr: 10.0.0.0/8}}", {"actor_ips": ["::ffff:6.6.6.6"]}),
        ("{spec_image: {prefix: reg/ours}}", {"spec_image": ["reg/ours/a", "evil/b"]}),
        ("{spec_image: {glob: 'ours:*'}}", {"spec_image": ["ours:1", "evil:1"]}),
        ("{proc_exe: {prefix: /opt/agent}}", {"proc_exe": "/opt/agent/../../bin/sh"}),
        ("{proc_exe: {prefix: /opt/agent}}", {"proc_exe": "/opt/agent/.."}),
        ("{file_path: {glob: '/opt/*/run'}}", {"file_path": "/opt/../run"}),
        ("{file_path: {glob: '/opt/*/run'}}", {"file_path": "/opt/a/run\n"}),
        ("{net_dst_ip: {cidr: 10.0.0.128/25}}", {"net_dst_ip": "10.0.0.127"}),
        ("{net_dst_ip: {cidr: '2001:db8::/64'}}", {"net_dst_ip": "2001:db8:0:1::"}),
    ],
)
def test_an_exception_silences_no_more_than_it_says(match: str, event: dict[str, Any]) -> None:
    held = exceptions(f"exceptions: [{{rule: MON-131, match: {match}}}]")
    assert held.silences(hit(**event)) is None


@pytest.mark.parametrize(
    ("match", "event"),
    [
        ("{actor_ips: {cidr: 10.0.0.0/8}}", {"actor_ips": ["10.1.1.1", "10.255.255.255"]}),
        ("{proc_exe: {prefix: /opt/agent}}", {"proc_exe": "/opt/agent/..a/b.."}),
        ("{proc_exe: {prefix: /opt/agent/}}", {"proc_exe": "/opt/agent"}),
        ("{net_dst_ip: {cidr: 10.0.0.128/25}}", {"net_dst_ip": "10.0.0.128"}),
        ("{net_dst_ip: {cidr: '2001:db8::/64'}}", {"net_dst_ip": "2001:DB8::ffff:0:0:1"}),
        ("{spec_privileged: true}", {"spec_privileged": [True]}),
        ("{spec_privileged: [true, false]}", {"spec_privileged": [True, False]}),
    ],
)
def test_an_exception_silences_all_that_it_says(match: str, event: dict[str, Any]) -> None:
    held = exceptions(f"exceptions: [{{rule: MON-131, match: {match}}}]")
    assert held.silences(hit(**event)) is not None


@pytest.mark.parametrize(
    "match",
    [
        "{net_dst_ip: {cidr: 10.0.0.0/33}}",
        "{net_dst_ip: {cidr: everything}}",
        "{proc_exe: {prefix: /}}",
        "{proc_exe: {prefix: '/opt/*'}}",
        "{pod_name: {glob: '*'}}",
        "{pod_name: {glob: '%s'}}" % ("a?" * 600),
        "{net_dst_port: {prefix: '44'}}",
        "{net_dst_port: '443'}",
        "{k8s_ns: on}",
        "{k8s_ns: [a, 7]}",
        "{api_annotations: a}",
        "{time: 7}",
        "{net_dst_port: .nan}",
    ],
)
def test_what_can_never_be_compared_or_hides_everything_is_refused(match: str) -> None:
    read = load([("x.yaml", f"exceptions: [{{rule: MON-131, match: {match}}}]")])
    assert read.exceptions == ()
    assert str(read.errors[0]).startswith("x.yaml:1:")


def test_a_sign_in_a_chosen_value_stands_for_itself_alone() -> None:
    for values in (["/tmp/a*1", "/tmp/a*2"], ["/srv/x/a?1", "/srv/x/a?2"]):
        found = widened("file_path", values)
        made = load([("x", f"- {{rule: MON-131, match: {{file_path: {found!r}}}}}")])
        assert not made.errors, made.errors
        held = Exceptions(made.exceptions, Pack([SHELL]), TODAY)
        assert held.silences(hit(file_path="/tmp/anything-1")) is None
        assert all(held.silences(hit(file_path=value)) for value in values)


def test_a_proposal_is_compiled_once_however_long_the_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from martello.practices.monitor.engine import scalar

    made: list[object] = []
    compiled = scalar._node

    def counted(node: Any, depth: int) -> Any:
        made.append(node)
        return compiled(node, depth)

    monkeypatch.setattr(scalar, "_node", counted)
    chosen = [hit(k8s_ns="shop", pod_name=f"pay-{n}") for n in range(20)]
    found = propose(SHELL, chosen, [hit(k8s_ns="shop") for _ in range(5_000)])
    assert found.stands
    assert len(made) < 100
