"""Random worlds of roles and bindings, and random requests to them, with words of no rule."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

Object = dict[str, Any]
GROUP: Final = "rbac.authorization.k8s.io"
SPACES: Final = ("world-a", "world-b", "world-c")
USERS: Final = ("jo", "kim", "system:serviceaccount:world-a:api", "*", "system:anonymous")
GROUPS: Final = ("team", "system:authenticated", "system:serviceaccounts:world-a", "*")
ACCOUNTS: Final = ("api", "web", "default")
_VERBS: Final = ("get", "list", "create", "*", "update", "GET", "impersonate")
_API: Final = ("", "apps", "*", "batch", "custom.example")
_RESOURCES: Final = (
    *("pods", "secrets", "pods/exec", "*", "*/exec", "pods/*", "*/*", "Pods"),
    *("deployments", "*/scale", "nodes", ""),
)
_NAMES: Final = ("a", "b", "", "*")
_URLS: Final = ("/healthz", "/api/*", "*", "/api/**", "/*", "/a*b", "/apis", "/logs/*/x*")
_ROLES: Final = ("r0", "r1", "r2", "r3", "gone")
UNSEEN: Final = "unseen"


def world(pick: random.Random, size: int = 8, *, storable: bool = False) -> list[Object]:
    """Roles and bindings; with `storable`, only such as an API server takes."""
    objects = [_role(pick, storable) for _ in range(size)]
    objects += [_binding(pick, storable) for _ in range(size)]
    named = {_name(each): each for each in objects}
    return list(named.values())


def request(pick: random.Random) -> dict[str, str]:
    """A request for a resource or for a path."""
    if pick.random() < 0.15:
        paths = ("/healthz", "/api", "/api/", "/api/v1", "/", "/a*b", "/apis", "/ab", "/logs/*/xy")
        return {"verb": _word(pick, _VERBS), "path": _word(pick, paths, f"/{UNSEEN}")}
    resource = pick.choice(("pods", "secrets", "deployments", "nodes", "Pods", "*", UNSEEN))
    sub = pick.choice(("", "", "exec", "scale", "*", UNSEEN))
    return {
        "verb": _word(pick, _VERBS),
        "group": _word(pick, _API),
        "resource": resource,
        "subresource": sub,
        "name": _word(pick, _NAMES),
        "namespace": pick.choice((*SPACES, "", UNSEEN)),
    }


def person(pick: random.Random) -> tuple[str, tuple[str, ...]]:
    """A user name and groups."""
    if pick.random() < 0.5:
        space, name = pick.choice((*SPACES, UNSEEN)), pick.choice(ACCOUNTS)
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{space}")
        return f"system:serviceaccount:{space}:{name}", (*groups, "system:authenticated")
    return _word(pick, USERS), tuple(pick.sample(GROUPS, pick.randrange(3)))


def _word(pick: random.Random, words: Sequence[str], other: str = UNSEEN) -> str:
    return other if pick.random() < 0.1 else pick.choice(words)


def _some(pick: random.Random, words: Sequence[str], least: int) -> list[str]:
    return pick.sample(words, pick.randint(least, min(3, len(words))))


def rule(pick: random.Random, urls: bool, storable: bool = False) -> Object:
    """A rule; one that an API server takes where it is to be storable."""
    if urls and pick.random() < 0.3:
        return {"verbs": _some(pick, _VERBS, 1), "nonResourceURLs": _some(pick, _URLS, 1)}
    if pick.random() < 0.2:
        wild = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        narrow = pick.choice(tuple(wild))
        words = {"verbs": _VERBS, "apiGroups": _API, "resources": _RESOURCES}[narrow]
        return {**wild, narrow: _some(pick, words, 1)}
    least = 1 if storable else 0
    made = {
        "verbs": _some(pick, _VERBS, least),
        "apiGroups": _some(pick, _API, least),
        "resources": _some(pick, _RESOURCES, least),
    }
    if pick.random() < 0.3:
        made["resourceNames"] = _some(pick, _NAMES, 0)
    if not storable and pick.random() < 0.1:
        made["nonResourceURLs"] = _some(pick, _URLS, 1)
    return made


def _role(pick: random.Random, storable: bool) -> Object:
    wide = pick.random() < 0.6
    rules = [rule(pick, wide, storable) for _ in range(pick.randint(0, 3))]
    name = pick.choice(_ROLES[:-1])
    return _object("ClusterRole" if wide else "Role", pick, name, {"rules": rules})


def _binding(pick: random.Random, storable: bool) -> Object:
    wide = pick.random() < 0.4
    kinds = ("ClusterRole",) if wide and storable else ("ClusterRole", "Role")
    reference = {"apiGroup": GROUP, "kind": pick.choice(kinds), "name": pick.choice(_ROLES)}
    subjects = [_subject(pick, wide and storable) for _ in range(pick.randint(0, 5))]
    kind = "ClusterRoleBinding" if wide else "RoleBinding"
    name = f"b{pick.randrange(100)}"
    return _object(kind, pick, name, {"roleRef": reference, "subjects": subjects})


def _subject(pick: random.Random, placed: bool) -> Object:
    kind = pick.choice(("User", "Group", "ServiceAccount"))
    if kind == "ServiceAccount":
        subject = {"kind": kind, "name": pick.choice(ACCOUNTS)}
        if placed or pick.random() < 0.6:
            subject["namespace"] = pick.choice(SPACES)
        return subject
    words = USERS if kind == "User" else GROUPS
    return {"kind": kind, "apiGroup": GROUP, "name": pick.choice(words)}


def _object(kind: str, pick: random.Random, name: str, rest: Object) -> Object:
    metadata = {"name": name}
    if not kind.startswith("Cluster"):
        metadata["namespace"] = pick.choice(SPACES)
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, **rest}


def _name(one: Object) -> tuple[str, str, str]:
    metadata = one["metadata"]
    return one["kind"], metadata.get("namespace", ""), metadata["name"]
