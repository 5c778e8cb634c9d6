"""Classes and work: selectors are asked once, and what rules treat alike is one class."""

from __future__ import annotations

from tests.support.network.objects import Object, cluster, namespace, pod, policy

from martello.practices.network.engine.reach import reach
from martello.practices.network.model import Address, Profile


def test_each_selector_is_asked_once() -> None:
    chosen = {"podSelector": {"matchLabels": {"app": "web"}}}
    same = {
        "podSelector": {
            "matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "web"]}]
        }
    }
    rules = [{"from": [chosen, same, {"namespaceSelector": {"matchLabels": {"a": "b"}}}]}]
    made = [
        policy("networking.k8s.io/v1", "NetworkPolicy", f"p{n}", {**chosen, "ingress": rules}, "x")
        for n in range(20)
    ]
    found = reach(cluster([*_pods(6), *made])).ready()
    assert found.state.asked_selectors == 2


def test_labels_that_no_selector_uses_make_no_class() -> None:
    made = policy(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "p",
        {"podSelector": {"matchLabels": {"n": "1"}}},
        "x",
    )
    assert reach(cluster([*_pods(50), made])).cells.count == 2


def test_more_port_atoms_than_bits_of_a_word() -> None:
    rules = [{"ports": [{"port": n}], "from": [{"podSelector": {}}]} for n in range(1, 300, 2)]
    spec: Object = {"podSelector": {}, "ingress": rules[:-1]}
    made = [
        policy("networking.k8s.io/v1", "NetworkPolicy", "p", spec, "x"),
        *(
            policy(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                f"p{n}",
                {"podSelector": {"matchLabels": {"never": str(n)}}, "ingress": [rule]},
                "x",
            )
            for n, rule in enumerate(rules)
        ),
    ]
    found = reach(cluster([*_pods(3), *made]))
    one, other, _ = found.world.endpoints
    passes = found.verdict(one, other).yes
    assert [passes.allows("TCP", n) for n in (1, 2, 297, 299)] == [True, False, True, False]
    assert found.count().sure == 9


def test_addresses_outside_are_cut_where_blocks_begin_and_end() -> None:
    block = {"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.128/25"]}}
    spec = {"podSelector": {}, "ingress": [{"from": [block]}]}
    made = policy("networking.k8s.io/v1", "NetworkPolicy", "p", spec, "x")
    profile = Profile(pod_ranges=("10.0.0.0/8",), service_ranges=("203.0.113.0/30",))
    found = reach(cluster([*_pods(1), made]), profile)
    assert found.addresses(4) == (
        Address(4, 0, 0x0A000000 - 1),
        Address(4, 0x0B000000, 0xCB007100 - 1),
        Address(4, 0xCB007104, 0xCB007180 - 1),
        Address(4, 0xCB007180, 2**32 - 1),
    )
    assert found.addresses(6) == (Address(6, 0, 2**128 - 1),)
    (web,) = found.world.endpoints
    passing = [bool(found.verdict(one, web).yes) for one in found.addresses(4)]
    assert passing == [False, False, True, False]


def test_an_interval_that_rules_cut_is_surely_allowed_only_where_all_of_it_is() -> None:
    spec = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "203.0.113.0/25"}}]}]}
    made = policy("networking.k8s.io/v1", "NetworkPolicy", "p", spec, "x")
    found = reach(cluster([*_pods(1), made]))
    (web,) = found.world.endpoints
    answer = found.verdict(Address(4, 0xCB007100, 0xCB0071FF), web)
    assert not answer.yes
    assert answer.maybe


def _pods(count: int) -> list[Object]:
    pods = [
        pod("x", f"p{n}", {"app": "web", "n": str(n)}, [f"10.0.0.{n}"], []) for n in range(count)
    ]
    return [namespace("x", {}), *pods]
