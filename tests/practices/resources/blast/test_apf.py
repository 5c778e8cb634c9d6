"""Flows of the API server: which schema, which queues, who waits behind whom."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.resources.blasts import made, objects, token

from martello.core.cluster import Cluster
from martello.practices.resources.blast.apf import deal, fairness, flow, flow_number
from martello.practices.resources.blast.model import Rights
from martello.practices.resources.blast.seats import Seats, groups_of

EMPTY = fairness(Cluster([]))


def _flow(user: str) -> Any:
    return flow(EMPTY, user, groups_of(user))


@pytest.mark.parametrize(
    ("number", "deck", "hand", "cards"),
    [
        # Worked by hand: 1000 = 7·128 + 104; 7 = 0·127 + 7; then zeros are dealt around them.
        (1000, 128, 2, (104, 7)),
        (0, 16, 4, (0, 1, 2, 3)),
        (15, 16, 3, (15, 0, 1)),
        (16 * 15 - 1, 16, 2, (15, 14)),
    ],
)
def test_a_hand_is_dealt_as_the_server_deals_it(
    number: int, deck: int, hand: int, cards: tuple[int, ...]
) -> None:
    assert deal(number, deck, hand) == cards


def test_no_card_is_dealt_twice() -> None:
    for number in range(0, 2**64, 2**57 + 12345):
        cards = deal(number, 128, 6)
        assert len(set(cards)) == 6
        assert all(0 <= card < 128 for card in cards)


@pytest.mark.parametrize(
    ("user", "number", "of_128", "of_16"),
    [  # what the server's own code (k8s.io/apiserver 0.37.2) makes of them
        ("shop:web", 4364747387442087848, (40, 25, 114, 32, 59, 126), (8, 0, 7, 12)),
        ("data:db", 5660509101424461558, (118, 46, 39, 55, 14, 21), (6, 13, 3, 1)),
    ],
)
def test_flows_get_the_queues_that_the_server_gives_them(
    user: str, number: int, of_128: tuple[int, ...], of_16: tuple[int, ...]
) -> None:
    assert flow_number("service-accounts", f"system:serviceaccount:{user}") == number
    assert deal(number, 128, 6) == of_128
    assert deal(number, 16, 4) == of_16


def test_accounts_are_on_the_low_level_and_those_of_the_system_above() -> None:
    low = _flow("system:serviceaccount:shop:web")
    assert (low.schema.name, low.level.name, len(low.queues)) == (
        "service-accounts",
        "workload-low",
        6,
    )
    high = _flow("system:serviceaccount:kube-system:dns")
    assert (high.schema.name, high.level.name, high.queues) == (
        "kube-system-service-accounts",
        "workload-high",
        None,
    )


def test_masters_are_exempt_and_strangers_share_the_rest() -> None:
    masters = flow(EMPTY, "root", ("system:masters", "system:authenticated"))
    assert masters is not None
    assert masters.level.exempt
    person = flow(EMPTY, "ann", ("system:authenticated",))
    assert person is not None
    assert person.level.name == "global-default"
    assert flow(EMPTY, "ann", ()) is None


def test_seats_follow_shares() -> None:
    assert EMPTY.seats(EMPTY.levels["workload-low"]) == 245  # ⌈600 · 100 / 245⌉
    assert EMPTY.seats(EMPTY.levels["catch-all"]) == 13
    old = fairness(Cluster([], kubernetes=20))
    assert "node-high" not in old.levels
    assert old.seats(old.levels["workload-low"]) == 293


def _schema(name: str, level: str, precedence: int, subject: dict[str, Any]) -> dict[str, Any]:
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}
    return made(
        "FlowSchema",
        name,
        spec={
            "priorityLevelConfiguration": {"name": level},
            "matchingPrecedence": precedence,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [{"subjects": [subject], "resourceRules": [everything]}],
        },
    )


def test_live_objects_come_first_and_the_lowest_precedence_wins() -> None:
    account = {"kind": "ServiceAccount", "serviceAccount": {"namespace": "shop", "name": "*"}}
    level = {
        "type": "Limited",
        "limited": {"nominalConcurrencyShares": 7, "limitResponse": {"type": "Reject"}},
    }
    found = fairness(
        objects(
            _schema("late", "workload-low", 9000, account),
            _schema("shop", "tight", 100, account),
            made("PriorityLevelConfiguration", "tight", spec=level),
        )
    )
    user = "system:serviceaccount:shop:web"
    got = flow(found, user, groups_of(user))
    assert got is not None
    assert (got.schema.name, got.level.name, got.level.queues) == ("shop", "tight", 0)
    assert got.schema.ref is not None
    assert [s.name for s in found.schemas] == ["exempt", "shop", "late", "catch-all"]


def test_hostile_objects_are_read_without_a_fault() -> None:
    specs: list[Any] = [None, [], {"rules": 3}]
    for spec in [*specs, {"rules": [{"subjects": [7], "resourceRules": [{}]}]}]:
        fairness(
            objects(
                made("FlowSchema", "x", spec=spec),
                made("PriorityLevelConfiguration", "x", spec=spec),
                made(
                    "PriorityLevelConfiguration",
                    "y",
                    spec={
                        "limited": {
                            "limitResponse": {
                                "type": "Queue",
                                "queuing": {"queues": 10**30, "handSize": -3},
                            }
                        }
                    },
                ),
            )
        )


def test_who_shares_a_hand_waits_and_who_makes_accounts_stops_all() -> None:
    users = [f"system:serviceaccount:shop:a{number}" for number in range(40)]
    seats = Seats(EMPTY, [*users, "system:serviceaccount:kube-system:dns"])
    one = seats.harm(token(name="a0"), makes_accounts=False)
    assert one.victims == ()
    assert one.take == 245
    everybody = seats.harm(token(name="a0"), makes_accounts=True)
    assert {victim.key for victim in everybody.victims} == set(users[1:])
    assert {victim.effect for victim in everybody.victims} == {"slowed"}
    system = seats.harm(token("kube-system", "dns"), makes_accounts=False)
    assert system.victims == ()  # alone on its level
    none = seats.harm(Rights(), makes_accounts=False)
    assert none.take == 0
    assert none.guard is not None


def test_what_has_no_queues_is_whoever_comes_first() -> None:
    level = {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    group = {"kind": "Group", "group": {"name": "system:serviceaccounts"}}
    found = fairness(
        objects(
            _schema("all", "tight", 100, group),
            made("PriorityLevelConfiguration", "tight", spec=level),
        )
    )
    seats = Seats(found, ["system:serviceaccount:shop:web", "system:serviceaccount:data:db"])
    harm = seats.harm(token(), makes_accounts=False)
    assert [victim.key for victim in harm.victims] == ["system:serviceaccount:data:db"]
