"""The image policy: what is read from YAML, what is refused, which policy is meant for an image."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.core.errors import BadInput
from martello.practices.images.policy import (
    API,
    KIND,
    ImagePolicy,
    Spec,
    applicable,
    listed,
    read_policies,
    seconds,
    with_keys,
)

EXAMPLE = """
apiVersion: martello.dev/v1alpha1
kind: ImagePolicy
metadata: {name: shop}
spec:
  repositories: [reg.local/shop/*]
  vulnerabilities: {failOn: high, fixableOnly: true, graceDays: 14, exploited: fail,
    epssAbove: 0.5, severityFrom: [distro, advisory, nvd]}
  system: {endOfLife: fail, user: nonRoot, baseMaxAge: 90d, secrets: fail,
    licences: {deny: [AGPL-3.0-only]}}
  signed: {by: [{key: release.pub}], attestations: [{type: vuln, maxAge: 7d}]}
  onUnknown: deny
"""


def _example() -> Any:
    return yaml.safe_load(EXAMPLE)


def test_the_documented_policy_is_read() -> None:
    (policy,) = read_policies([(_example(), "images.yaml:1"), (None, "images.yaml:20")])
    assert policy.name == "shop"
    assert policy.spec.vulnerabilities.grace_days == 14
    assert policy.spec.system.user == "nonRoot"
    assert policy.spec.signed.attestations[0].max_age == "7d"
    assert policy.spec.system.licences.deny == ("AGPL-3.0-only",)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("spec", "failOn"), "high", "failOn"),
        (("spec", "vulnerabilities", "failon"), "high", "failon"),
        (("spec", "vulnerabilities", "failOn"), "severe", "spec.vulnerabilities.failOn"),
        (("spec", "vulnerabilities", "graceDays"), -1, "spec.vulnerabilities.graceDays"),
        (("spec", "vulnerabilities", "graceDays"), "14", "spec.vulnerabilities.graceDays"),
        (("spec", "vulnerabilities", "epssAbove"), 5, "spec.vulnerabilities.epssAbove"),
        (("spec", "vulnerabilities", "maxDatabaseAge"), "3 days", "maxDatabaseAge"),
        (("spec", "system", "user"), True, "spec.system.user"),
        (("spec", "system", "baseMaxAge"), "90", "spec.system.baseMaxAge"),
        (("spec", "system", "licences"), ["AGPL"], "spec.system.licences"),
        (("spec", "repositories"), "reg.local", "spec.repositories"),
        (("spec", "repositories"), [""], "spec.repositories"),
        (("spec", "repositories"), ["reg.local//x"], "spec.repositories"),
        (("spec", "repositories"), ["reg.local/x:1.0"], "spec.repositories"),
        (("spec", "repositories"), ["reg.local/x@sha256:aa"], "spec.repositories"),
        (("spec", "exempt"), {"repositories": ["a b"]}, "spec.exempt.repositories"),
        (("spec", "signed", "by"), [{"key": " "}], "spec.signed.by"),
        (("spec", "signed", "by"), [], "spec.signed"),
        (("spec", "signed", "attestations"), [{"type": ""}], "attestations[0]"),
        (("spec", "signed", "attestations"), [{"type": "vuln", "maxAge": "7"}], "maxAge"),
        (("spec", "onUnknown"), "ask", "spec.onUnknown"),
        (("kind",), "ClusterImagePolicy", "ClusterImagePolicy"),
        (("apiVersion",), "v1", "v1"),
        (("more",), 1, "more"),
    ],
)
def test_what_is_wrong_is_named(path: tuple[str, ...], value: Any, named: str) -> None:
    raw = copy.deepcopy(_example())
    at = raw
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(BadInput) as caught:
        read_policies([(raw, "images.yaml:1")])
    assert named in caught.value.why
    assert "images.yaml:1" in caught.value.what


@pytest.mark.parametrize("raw", [[], "text", 7, {}])
def test_what_is_no_object_is_refused(raw: Any) -> None:
    with pytest.raises(BadInput):
        read_policies([(raw, "images.yaml:1")])


_NAMES = (
    *("apiVersion", "kind", "metadata", "name", "spec", "repositories", "vulnerabilities"),
    *("failOn", "graceDays", "epssAbove", "system", "licences", "deny", "signed", "by", "key"),
    *("attestations", "type", "maxAge", "exempt", "namespaces", "onUnknown", "validFor"),
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(_NAMES), inner),
)


@settings(max_examples=60)
@given(_VALUES, st.dictionaries(st.sampled_from(_NAMES) | st.integers(), _VALUES))
def test_whatever_is_read_is_a_policy_or_bad_input(anything: Any, spec: dict[Any, Any]) -> None:
    for raw in (anything, {"apiVersion": API, "kind": KIND, "spec": spec}):
        with suppress(BadInput):
            assert all(policy.hash for policy in read_policies([(raw, "p.yaml:1")]))


def test_two_policies_of_one_name_are_refused() -> None:
    with pytest.raises(BadInput, match="cannot use b"):
        read_policies([(_example(), "a"), (_example(), "b")])


def test_patterns_are_compared_component_by_component() -> None:
    (shop,) = read_policies([(_example(), "a")])
    everywhere = ImagePolicy("everywhere")
    for image in ("reg.local/shop/api:1", "reg.local/shop/api@sha256:" + "0" * 64):
        assert applicable((shop, everywhere), image) == (shop, everywhere)
        assert listed((shop, everywhere), image) is True
    for image in ("reg.local.evil.example/shop/api", "reg.local/shop-x/api", "shop/api", "api"):
        assert applicable((shop, everywhere), image) == (everywhere,)
        assert listed((shop,), image) is False
    assert listed((everywhere,), "api") is None
    assert applicable((shop,), "") == (shop,)


def test_another_rule_or_key_is_another_hash() -> None:
    (shop,) = read_policies([(_example(), "a")])
    again = read_policies([(_example(), "elsewhere")])[0]
    assert shop.hash == again.hash
    other = ImagePolicy("shop", Spec(on_unknown="allow"))
    assert other.hash != ImagePolicy("shop").hash
    first = with_keys(shop, {"release.pub": b"one"})
    assert first.keys_hash
    assert first.keys_hash == with_keys(shop, {"release.pub": b"one"}).keys_hash
    assert first.keys_hash != with_keys(shop, {"release.pub": b"two"}).keys_hash
    assert with_keys(other, {}).keys_hash == ""


def test_durations() -> None:
    assert [seconds(t) for t in ("30s", "5m", "72h", "7d", "2w")] == [
        *(30, 300, 259200, 604800, 1209600)
    ]
