"""What the API server asks of the authorizer for what a person means."""

from __future__ import annotations

import pytest
from tests.support.access.objects import ask, thing

from martello.practices.access.known import as_sent, namespaced, resources, selected_name
from martello.practices.access.model import Request

DEFINITION = thing(
    "CustomResourceDefinition",
    "things.example.com",
    api="apiextensions.k8s.io/v1",
    spec={"group": "example.com", "names": {"plural": "things"}, "scope": "Cluster"},
)
CLUSTER = ask(DEFINITION).cluster


@pytest.mark.parametrize(
    ("meant", "name", "namespace"),
    [
        (Request("get", "", "pods", "", "a", "shop"), "a", "shop"),
        (Request("create", "", "pods", "", "a", "shop"), "", "shop"),
        (Request("deletecollection", "", "pods", "", "a", "shop"), "", "shop"),
        (Request("create", "", "pods", "exec", "a", "shop"), "a", "shop"),
        (Request("create", "", "serviceaccounts", "token", "a", "shop"), "a", "shop"),
        (Request("list", "", "pods", "", "a", "shop"), "a", "shop"),
        (Request("watch", "", "pods", "", "a/b", "shop"), "", "shop"),
        (Request("get", "", "nodes", "", "n1", "shop"), "n1", ""),
        (Request("get", "", "namespaces", "", "shop", ""), "shop", "shop"),
        (Request("list", "", "namespaces", "", "shop", ""), "shop", ""),
        (Request("get", "example.com", "things", "", "a", "shop"), "a", ""),
        (Request("get", "other.example", "things", "", "a", "shop"), "a", "shop"),
    ],
)
def test_names_and_namespaces_that_are_sent(meant: Request, name: str, namespace: str) -> None:
    sent = as_sent(meant, CLUSTER)
    assert (sent.name, sent.namespace) == (name, namespace)
    assert sent.verb == meant.verb


def test_verbs_of_paths_are_methods_in_small_letters() -> None:
    assert as_sent(Request("GET", path="/metrics"), CLUSTER).verb == "get"


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("metadata.name=a", "a"),
        ("metadata.name==a", "a"),
        ("metadata.namespace=x,metadata.name=a", "a"),
        ("metadata.name!=a", ""),
        ("metadata.name=", ""),
        ("metadata.name=..", ""),
        ("metadata.name=a/b", ""),
        ("metadata.name=a%b", ""),
        ("spec.nodeName=a", ""),
        ("", ""),
    ],
)
def test_the_name_that_a_field_selector_gives(selector: str, name: str) -> None:
    assert selected_name(selector) == name


def test_where_resources_lie() -> None:
    assert namespaced(CLUSTER, "", "pods") is True
    assert namespaced(CLUSTER, "", "nodes") is False
    assert namespaced(CLUSTER, "example.com", "things") is False
    assert namespaced(CLUSTER, "example.com", "others") is None
    assert len(resources()) > 60
