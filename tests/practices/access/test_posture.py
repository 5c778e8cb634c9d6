"""Who is let in, by which tokens, and what identities of outside become."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.access.objects import Object, resources, thing

from martello.core.cluster import Cluster
from martello.practices.access.posture import (
    anonymous_access,
    mappings,
    secret_tokens,
    tokens,
)


def _cluster(*objects: Object, **rest: Any) -> Cluster:
    return Cluster(resources(*objects), **rest)


def _config(**anonymous: Any) -> Object:
    api = "apiserver.config.k8s.io/v1"
    return thing("AuthenticationConfiguration", "c", api=api, anonymous=anonymous)


def _server(*flags: str) -> Object:
    spec = {"containers": [{"name": "x", "command": ["kube-apiserver", *flags]}]}
    return thing("Pod", "kube-apiserver-n1", "kube-system", "v1", spec=spec)


@pytest.mark.parametrize(
    ("made", "verdict", "paths"),
    [
        (_config(enabled=False), "no", ()),
        (_config(enabled=True), "yes", ()),
        (_config(enabled=True, conditions=[{"path": "/livez"}]), "paths", ("/livez",)),
        (_config(enabled="x", conditions=7), "no", ()),
        (_server("--anonymous-auth=false"), "no", ()),
        (_server(), "yes", ()),
        (_server("--authentication-config=/a"), "unknown", ()),
    ],
)
def test_anonymous_requests(made: Object, verdict: str, paths: tuple[str, ...]) -> None:
    found = anonymous_access(_cluster(made))
    assert (found.verdict, found.paths) == (verdict, paths)
    assert anonymous_access(_cluster()).verdict == "unknown"


TOKEN = {"serviceAccountToken": {"audience": "vault", "expirationSeconds": 600, "path": "t"}}
PLAIN = {"serviceAccountToken": {"path": "t"}}


@pytest.mark.parametrize(
    ("pod", "account", "found"),
    [
        ({}, None, [("automount", "", 3600)]),
        ({"automountServiceAccountToken": False}, True, []),
        ({}, False, []),
        ({"automountServiceAccountToken": True}, False, [("automount", "", 3600)]),
        (
            {
                "automountServiceAccountToken": False,
                "volumes": [{"name": "p", "projected": {"sources": [TOKEN, PLAIN]}}],
            },
            None,
            [("projected", "vault", 600), ("projected", "", 3600)],
        ),
        (
            {
                "automountServiceAccountToken": False,
                "volumes": [{"name": "s", "secret": {"secretName": "old"}}],
            },
            None,
            [("secret", "", 0)],
        ),
        ({"automountServiceAccountToken": False, "volumes": [7, {"projected": 7}]}, None, []),
    ],
)
def test_tokens_of_pods(
    pod: dict[str, Any], account: bool | None, found: list[tuple[str, str, int]]
) -> None:
    spec = {"containers": [{"name": "c"}], **pod}
    legacy = thing("Secret", "old", "shop", "v1", type="kubernetes.io/service-account-token")
    legacy["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "default"}
    objects = [thing("Pod", "web", "shop", "v1", spec=spec), legacy]
    if account is not None:
        more = {"automountServiceAccountToken": account}
        objects.append(thing("ServiceAccount", "default", "shop", "v1", **more))
    cluster = _cluster(*objects)
    told = [(t.how, t.audience, t.seconds) for t in tokens(next(cluster.workloads()), cluster)]
    assert told == found
    assert [t.account for t in secret_tokens(cluster)] == ["default"]


def test_an_audience_of_others_does_not_open_the_api() -> None:
    spec = {
        "automountServiceAccountToken": False,
        "containers": [{"name": "c"}],
        "volumes": [{"name": "p", "projected": {"sources": [TOKEN, PLAIN]}}],
    }
    cluster = _cluster(thing("Pod", "web", "shop", "v1", spec=spec))
    found = tokens(next(cluster.workloads()), cluster)
    assert [token.opens_api for token in found] == [False, True]


ROLES = """
- rolearn: arn:aws:iam::1:role/ops
  username: ops
  groups: [system:masters]
- rolearn: arn:aws:iam::1:role/node
  groups: [system:bootstrappers, 7]
- 7
"""


def test_cloud_identities_and_bootstrap_tokens() -> None:
    data = {"mapRoles": ROLES, "mapUsers": "[{userarn: u, username: jo}]", "mapAccounts": "[]"}
    aws = thing("ConfigMap", "aws-auth", "kube-system", "v1", data=data)
    token = thing("Secret", "bootstrap-token-abc", "kube-system", "v1")
    token["type"] = "bootstrap.kubernetes.io/token"
    found = list(mappings(_cluster(aws, token)))
    assert [(m.outside[-4:], m.username, m.groups, m.is_master) for m in found] == [
        ("/ops", "ops", ("system:masters",), True),
        ("node", "", ("system:bootstrappers",), False),
        ("u", "jo", (), False),
        (
            " abc",
            "system:bootstrap:abc",
            ("system:bootstrappers", "system:authenticated"),
            False,
        ),
    ]


@pytest.mark.parametrize("text", [7, "", "[", "a: &a [*a]", "&a [*a]", "x" * 2_000_000])
def test_hostile_mappings_end(text: object) -> None:
    aws = thing("ConfigMap", "aws-auth", "kube-system", "v1", data={"mapRoles": text})
    assert list(mappings(_cluster(aws))) == []
