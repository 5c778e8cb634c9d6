"""The authorizer: what a check asks the provider, and what happens without one."""

from __future__ import annotations

from typing import Any

import pytest

from martello.cel.lib import authorizer
from martello.cel.lib.authorizer import Attributes, Authorizer, Decision
from martello.cel.values import EvalError


def call(id: str, *args: Any) -> Any:
    """Call the overload of an id."""
    return next(item for item in authorizer.LIBRARY.overloads if item.id == id).function(*args)


def cost(id: str, *args: Any) -> int:
    """What the overload of an id costs."""
    found = next(item for item in authorizer.LIBRARY.overloads if item.id == id).cost
    assert found is not None
    return found(*args)


def only_get(request: Attributes) -> Decision:
    """Allows `get`, errs on `watch`."""
    error = "unreachable" if request.verb == "watch" else None
    return Decision(request.verb == "get", f"{request.verb} was asked", error)


def test_a_resource_check_carries_everything_it_was_told() -> None:
    seen: list[Attributes] = []

    def provider(request: Attributes) -> Decision:
        seen.append(request)
        return Decision(True)

    asker = call("authorizer_serviceaccount", Authorizer(provider), "default", "robot")
    check = call("groupcheck_resource", call("authorizer_group", asker, "apps"), "deployments")
    check = call("resourcecheck_subresource", check, "scale")
    named = call("resourcecheck_name", call("resourcecheck_namespace", check, "prod"), "web")
    named = call("authorizer_labelselector", named, "a=b")
    named = call("authorizer_fieldselector", named, "spec.nodeName=x")
    assert call("resourcecheck_check", named, "update").allowed is True
    assert call("resourcecheck_check", check, "get").allowed is True
    first, second = ({name: getattr(item, name) for name in Attributes.__slots__} for item in seen)
    assert first == {
        "user": "system:serviceaccount:default:robot",
        "path": "",
        "group": "apps",
        "resource": "deployments",
        "subresource": "scale",
        "namespace": "prod",
        "name": "web",
        "label_selector": "a=b",
        "field_selector": "spec.nodeName=x",
        "verb": "update",
    }
    assert (second["name"], second["namespace"], second["verb"]) == ("", "", "get")


def test_decisions() -> None:
    check = call("authorizer_path", Authorizer(only_get), "/healthz")
    allowed, errored = (call("pathcheck_check", check, verb) for verb in ("get", "watch"))
    assert call("decision_allowed", allowed) is True
    assert call("decision_reason", allowed) == "get was asked"
    assert call("decision_errored", allowed) is False
    assert call("decision_error", allowed) == ""
    assert call("decision_allowed", errored) is False
    assert call("decision_errored", errored) is True
    assert call("decision_error", errored) == "unreachable"


def test_without_a_provider_the_verdict_needs_one() -> None:
    check = call("authorizer_path", Authorizer(), "/healthz")
    with pytest.raises(EvalError) as caught:
        call("pathcheck_check", check, "get")
    assert caught.value.needs == "authorizer"


@pytest.mark.parametrize(
    ("id", "args"),
    [
        ("authorizer_path", ("",)),
        ("authorizer_path", ("  ",)),
        ("authorizer_serviceaccount", ("not@valid", "name")),
        ("authorizer_serviceaccount", ("a.b", "name")),
        ("authorizer_serviceaccount", ("default", "not@valid")),
    ],
)
def test_refused_arguments(id: str, args: tuple[str, ...]) -> None:
    with pytest.raises(EvalError) as caught:
        call(id, Authorizer(only_get), *args)
    assert caught.value.needs is None


def test_a_resource_must_be_named() -> None:
    group = call("authorizer_group", Authorizer(only_get), "")
    with pytest.raises(EvalError):
        call("groupcheck_resource", group, " ")


def test_costs() -> None:
    check = call("authorizer_path", Authorizer(), "/")
    assert cost("pathcheck_check", check, "get", Decision(True)) == 350_000
    assert cost("authorizer_labelselector", check, "abc=def", check) == 10 + 200 + 1
