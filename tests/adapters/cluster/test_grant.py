"""The role that `doctor --grant` prints is enough for the reader, and no more than that."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import yaml
from tests.support.apiserver import ApiServer

from martello.adapters.cluster.doctor import examine
from martello.adapters.cluster.grant import grant
from martello.adapters.cluster.kinds import KINDS
from martello.adapters.cluster.read import read_cluster
from martello.core.errors import BadInput


def _without_others(unlisted: Iterable[str]) -> list[str]:
    """Without the kinds that other tests taught the same server: a grant names no strangers."""
    return [kind for kind in unlisted if not kind.endswith(".example.org")]


@pytest.mark.apiserver
def test_it_suffices(apiserver: ApiServer) -> None:
    before = examine(kubeconfig=str(apiserver.kubeconfig("reader")))
    assert {s.state for s in before.sights} == {"refused", "unserved", "withheld"}
    pods = next(s for s in before.hidden if s.group_kind == "Pod")
    assert pods.why == "no rule allows to list pods"
    assert pods.required
    apiserver.apply(yaml.safe_load_all(grant("user:reader")))
    file = str(apiserver.kubeconfig("reader"))
    reading = read_cluster(kubeconfig=file)
    assert _without_others(reading.unlisted) == ["Secret"]
    secret = [u.asked for u in reading.unassessed if "example.org" not in u.reason]
    assert secret == [False]
    after = examine(kubeconfig=file)
    assert after.hidden == ()
    assert [s.group_kind for s in after.sights if s.state == "withheld"] == ["Secret"]
    assert after.kubernetes == reading.kubernetes
    assert "the token in user test-user" in after.identity


@pytest.mark.apiserver
def test_the_default_account_in_its_namespace(apiserver: ApiServer) -> None:
    apiserver.apply(yaml.safe_load_all(grant(name="martello-default")))
    token = apiserver.service_account_token("martello", "martello")
    reading = read_cluster(kubeconfig=str(apiserver.kubeconfig({"token": token})))
    assert _without_others(reading.unlisted) == ["Secret"]


@pytest.mark.apiserver
def test_namespaces_bound_it(apiserver: ApiServer) -> None:
    text = grant("serviceaccount:grant-a/bound", namespaces=["grant-a"], name="bound")
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "bound", "namespace": "grant-a"},
    }
    apiserver.apply([account, *yaml.safe_load_all(text)])
    token = apiserver.service_account_token("grant-a", "bound")
    file = str(apiserver.kubeconfig({"token": token}))
    bound = read_cluster(kubeconfig=file, namespaces=["grant-a"])
    assert _without_others(bound.unlisted) == ["Secret"]
    assert "Pod" in read_cluster(kubeconfig=file).unlisted
    seen = examine(kubeconfig=file, namespaces=["grant-a"])
    assert seen.hidden == ()


def test_it_reads_no_secrets_and_writes_nothing() -> None:
    allowed = set()
    for document in yaml.safe_load_all(grant()):
        for rule in document.get("rules", ()):
            assert set(rule["verbs"]) <= {"get", "list"}
            assert "*" not in rule["apiGroups"]
            for group in rule["apiGroups"]:
                allowed |= {(group, resource) for resource in rule["resources"]}
    assert not allowed & {("", "secrets"), ("", "*")}
    assert {(k.group, k.resource) for k in KINDS if not k.metadata_only} <= allowed


def test_names_are_quoted() -> None:
    hostile = 'user:a"\nroleRef: {}'
    binding = list(yaml.safe_load_all(grant(hostile)))[1]
    assert binding["subjects"][0]["name"] == 'a"\nroleRef: {}'
    assert binding["roleRef"]["name"] == "martello-reader"


@pytest.mark.parametrize("subject", ["reader", "user:", "serviceaccount:only", "node:x"])
def test_no_subject(subject: str) -> None:
    with pytest.raises(BadInput, match="no subject"):
        grant(subject)
