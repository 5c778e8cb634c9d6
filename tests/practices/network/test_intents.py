"""Intents: the file is read strictly, and promises are judged by what really passes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from martello.adapters.manifests import read_paths
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.path import Path, show
from martello.core.reach import ALL
from martello.core.resource import Location
from martello.practices.network.engine.reach import reach
from martello.practices.network.intents.judge import Breach, Undecided, judge, opened_by
from martello.practices.network.intents.promises import Intent, parse_intents
from martello.practices.network.model import Profile

PODS = """
{apiVersion: v1, kind: Namespace, metadata: {name: dev, labels: {tier: low}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: prod}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: dev, labels: {app: web}},
  spec: {containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, namespace: prod, labels: {app: api}},
  spec: {containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: prod, labels: {app: db}},
  spec: {containers: [{name: c, image: x, ports: [{containerPort: 5432}]}]}}
---
"""
PLAIN = Profile(blocks_match_pods=False)
API_ONLY = """
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: prod},
  spec: {podSelector: {matchLabels: {app: db}}, ingress: [
    {from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]}}
"""
OPEN = """
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: prod},
  spec: {podSelector: {matchLabels: {app: db}}, ingress: [
    {from: [{podSelector: {matchLabels: {app: api}}}]}, {from: [{namespaceSelector: {}}]}]}}
"""


def cluster(text: str) -> Cluster:
    return read_paths(["-"], stdin=BytesIO(text.encode())).world()


def where(path: Path) -> Location:
    return Location(f"intents.yaml#{show(path)}")


def intents(**given: Any) -> tuple[Intent, ...]:
    return parse_intents(given, where)


def outcomes(text: str, name: str = "", **given: Any) -> list[Breach | Undecided]:
    return list(judge(intents(**given), reach(cluster(PODS + text), PLAIN), name))


def one(**intent: Any) -> list[dict[str, Any]]:
    return [{key.rstrip("_"): value for key, value in intent.items()}]


def broken(found: list[Breach | Undecided]) -> list[str]:
    """The breaches, in words up to the promise."""
    return [str(b).partition(";")[0] for b in found if isinstance(b, Breach)]


def test_never_holds_where_nothing_passes() -> None:
    assert outcomes(API_ONLY, never=one(from_="dev/web", to="prod/db")) == []


def test_never_names_the_pair_and_the_rule_that_opens_it() -> None:
    found = outcomes(OPEN, never=one(from_={"namespace": "dev"}, to="prod/db"))
    assert broken(found) == ["dev/web reaches prod/db on all"]
    assert isinstance(found[0], Breach)
    step = opened_by(found[0])
    assert step is not None
    assert step.policy is not None
    assert (step.policy.ref.name, step.path) == ("db", ("spec", "ingress", 1))


def test_never_is_about_its_ports_only() -> None:
    of_port = one(from_="prod/api", to="prod/db", ports="TCP 22")
    assert outcomes(API_ONLY, never=of_port) == []
    of_port = one(from_="prod/api", to="prod/db", ports=["TCP 5000-6000", "UDP"])
    assert broken(outcomes(API_ONLY, never=of_port)) == ["prod/api reaches prod/db on TCP 5432"]


def test_an_exception_takes_a_pair_out() -> None:
    given = one(from_={"namespace": "*"}, to="prod/db", except_=[{"from": "prod/*"}])
    assert broken(outcomes(OPEN, never=given)) == ["dev/web reaches prod/db on all"]
    given = one(
        from_={"namespace": "*"}, to="prod/db", except_=[{"from": "dev/*"}, {"from": "prod/*"}]
    )
    assert outcomes(OPEN, never=given) == []


def test_only_is_about_everybody_else() -> None:
    given = one(to="prod/db", from_=["prod/api"], ports="TCP 5432")
    assert outcomes(API_ONLY, only=given) == []
    found = broken(outcomes(OPEN, only=given))
    assert "dev/web reaches prod/db on all" in found
    assert any(text.startswith("prod/api reaches prod/db on TCP 1-5431") for text in found)


def test_only_counts_addresses_outside() -> None:
    text = API_ONLY.replace("from: [", "from: [{ipBlock: {cidr: 203.0.114.0/24}}, ")
    given = one(to="prod/db", from_=["prod/api"], ports="TCP 5432")
    assert broken(outcomes(text, only=given)) == ["203.0.114.0/24 reaches prod/db on TCP 5432"]
    given = one(to="prod/db", from_=["prod/api", "203.0.114.0/24"], ports="TCP 5432")
    assert outcomes(text, only=given) == []


def test_must_names_what_is_missing() -> None:
    given = one(from_="prod/api", to="prod/db", ports=["TCP 5432", "TCP 5433"])
    assert broken(outcomes(API_ONLY, must=given)) == ["prod/api does not reach prod/db on TCP 5433"]
    assert outcomes(API_ONLY, must=one(from_="prod/api", to="prod/db", ports="TCP 5432")) == []


def test_labels_choose_pods_of_any_namespace() -> None:
    given = one(from_={"labels": {"app": "web"}}, to={"labels": {"app": "db"}})
    assert broken(outcomes(OPEN, never=given)) == ["dev/web reaches prod/db on all"]


def test_the_internet_is_no_private_address() -> None:
    text = API_ONLY.replace("from: [", "from: [{ipBlock: {cidr: 10.0.0.0/8}}, ")
    assert outcomes(text, never=one(from_="internet", to="prod/db")) == []
    text = API_ONLY.replace("from: [", "from: [{ipBlock: {cidr: 0.0.0.0/0}}, ")
    assert len(outcomes(text, never=one(from_="internet", to="prod/db"))) > 0


def test_a_name_that_nothing_has_is_no_pass() -> None:
    found = outcomes(API_ONLY, never=one(from_="dev/wbe", to="prod/db"))
    assert [type(f) for f in found] == [Undecided]
    assert "dev/wbe" in found[0].reason  # type: ignore[union-attr]


def test_another_cluster_was_not_read() -> None:
    given = one(from_={"cluster": "b"}, to={"namespace": "prod"})
    assert isinstance(outcomes(API_ONLY, never=given)[0], Undecided)
    same = one(from_={"cluster": "a", "namespace": "dev"}, to="prod/db")
    assert outcomes(API_ONLY, "a", never=same) == []


def test_what_is_not_decided_is_told() -> None:
    other = """
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: x, namespace: prod},
  spec: {endpointSelector: {}, unheardOf: 1}}
"""
    found = outcomes(other, never=one(from_="dev/web", to="prod/db"))
    assert [type(f) for f in found] == [Undecided]


def test_an_intent_reads_as_a_sentence() -> None:
    first, second, third = intents(
        never=one(from_={"namespace": "dev"}, to="prod/db"),
        only=one(to="prod/db", from_=["prod/api"], ports="TCP 5432"),
        must=one(from_="a/b", to=["c/d", "internet"]),
    )
    assert str(first) == "namespace dev must never reach prod/db"
    assert str(second) == "only prod/api may reach prod/db on TCP 5432"
    assert str(third) == "a/b must reach c/d or internet"
    assert first.ports == ALL


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "an intents file is a mapping"),
        ({}, "it holds no intent"),
        ({"nver": []}, "nver: no such kind of intent"),
        ({"never": []}, "never: must be a list of intents"),
        ({"never": ["x"]}, "never[0]: must be a mapping"),
        ({"never": [{"from": "a/b"}]}, "never[0]: to must be given"),
        ({"never": one(from_="a/b", to="c/d", port=1)}, "never[0].port: no such key"),
        ({"never": one(from_="a", to="c/d")}, "never[0].from: no place: a"),
        ({"never": one(from_="10.0.0.0/99", to="c/d")}, "no place: 10.0.0.0/99"),
        ({"never": one(from_="a/b", to=[])}, "never[0].to: an empty list means nobody"),
        ({"never": one(from_="a/b", to={"name": "x"})}, "never[0].to.name: no such key"),
        ({"never": one(from_="a/b", to="c/d", ports="5432")}, "never[0].ports: no port: 5432"),
        ({"never": one(from_="a/b", to="c/d", ports=["TCP 9-8"])}, "no range of ports: TCP 9-8"),
        ({"never": one(from_="a/b", to="c/d", ports="TCP 0")}, "no range of ports: TCP 0"),
        ({"never": one(from_="a/b", to={"cidr": "10.0.0.0/99"})}, "to.cidr: no range of addresses"),
        ({"never": one(from_="a/b", to={"labels": {"a": 1}})}, "to.labels.a: a label's value"),
        (
            {"never": one(from_="a/b", to="c/d", except_=[{}])},
            "except[0]: from or to must be given",
        ),
        ({"must": one(from_="a/b", to="c/d", why=3)}, "must[0].why: must be a text"),
    ],
)
def test_mistakes_are_told_with_their_place(data: Any, said: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_intents(data, where)
    assert said in error.value.why
    assert "intents.yaml" in error.value.why


def test_all_mistakes_are_told_at_once() -> None:
    data = {"never": [{"from": "a", "to": "b"}, {"from": "c/d"}]}
    with pytest.raises(BadInput) as error:
        parse_intents(data, where)
    assert error.value.why.count("intents.yaml") == 3


def test_an_exception_may_be_an_address() -> None:
    text = API_ONLY.replace("from: [", "from: [{ipBlock: {cidr: 203.0.114.0/24}}, ")
    given = one(from_="203.0.114.0/24", to="prod/db")
    assert broken(outcomes(text, never=given)) == ["203.0.114.0/24 reaches prod/db on TCP 5432"]
    spared = one(from_="203.0.114.0/24", to="prod/db", except_=[{"from": "203.0.114.0/24"}])
    assert outcomes(text, never=spared) == []


def test_pairs_are_counted_and_the_first_ones_named() -> None:
    many = "".join(
        f"---\n{{apiVersion: v1, kind: Pod, metadata: {{name: w{n}, namespace: dev,"
        f" labels: {{app: w}}}}, spec: {{containers: []}}}}\n"
        for n in range(20)
    )
    found = outcomes(many.removeprefix("---\n"), never=one(from_="dev/w?*", to="prod/*"))
    assert len(found) == 5
    assert sum(b.pairs for b in found if isinstance(b, Breach)) == 21 * 2


def _placed(name: str, address: str, node: str) -> str:
    return (
        f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop}},"
        f" spec: {{nodeName: {node}, containers: []}}, status: {{podIP: {address}}}}}\n---\n"
    )


NODES = "".join(
    f"{{apiVersion: v1, kind: Node, metadata: {{name: n{n}}},"
    f" status: {{addresses: [{{type: InternalIP, address: 192.0.2.{n}}}]}}}}\n---\n"
    for n in (1, 2)
)
CLOSED = """
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: shop},
  spec: {podSelector: {}, policyTypes: [Ingress]}}
"""


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_own_node_is_another_question_than_other_nodes(order: tuple[int, int]) -> None:
    text = NODES + "".join(_placed(f"db-{n}", f"10.0.0.{n}", f"n{n}") for n in order) + CLOSED
    found = outcomes(text, never=one(from_="node/n1", to="shop/*"))
    assert broken(found) == ["node/n1 reaches shop/db-1 on all"]


def test_only_counts_other_nodes() -> None:
    rule = "ingress: [{from: [{ipBlock: {cidr: 192.0.2.2/32}}]}]"
    opened = CLOSED.replace("policyTypes: [Ingress]", rule)
    text = NODES + _placed("db", "10.0.0.1", "n1") + _placed("api", "10.0.0.2", "n1") + opened
    (breach,) = outcomes(text, only=one(from_="shop/api", to="shop/db"))
    assert "node/n2" in broken([breach])[0]
    for allowed in ("node/n2", "192.0.2.0/24"):
        assert outcomes(text, only=one(from_=["shop/api", allowed], to="shop/db")) == []
