"""The RBAC authorizer read literally, over plain objects: the oracle of the access practice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]


class Naive:
    """Roles and bindings as they lie in the API server; aggregation is computed where asked."""

    def __init__(self, objects: Iterable[Object], *, aggregate: bool = False) -> None:
        self.objects = list(objects)
        self.roles = {_key(o): o for o in self.objects if o["kind"] in ("Role", "ClusterRole")}
        self.aggregate = aggregate

    def allowed(self, user: str, groups: Sequence[str], request: Mapping[str, str]) -> bool:
        """Whether a request is allowed: `verb`, then `path`, or `group`, `resource`,
        `subresource`, `name`, `namespace`.
        """
        if "system:masters" in groups:
            return True
        space = "" if request.get("path") else request.get("namespace", "")
        for binding in self.objects:
            if binding["kind"] == "RoleBinding":
                if not space or binding["metadata"].get("namespace") != space:
                    continue
            elif binding["kind"] != "ClusterRoleBinding":
                continue
            subjects = binding.get("subjects") or ()
            if any(_applies(s, user, groups, binding) for s in subjects) and any(
                matches(rule, request) for rule in self.rules(binding)
            ):
                return True
        return False

    def rules(self, binding: Object) -> Iterator[Object]:
        """The rules that a binding grants."""
        reference = binding["roleRef"]
        if reference["kind"] == "ClusterRole":
            role = self.roles.get(("ClusterRole", "", reference["name"]))
        elif reference["kind"] == "Role" and binding["kind"] == "RoleBinding":
            role = self.roles.get(("Role", binding["metadata"]["namespace"], reference["name"]))
        else:
            role = None
        if role is not None:
            yield from self._effective(role, set())

    def _effective(self, role: Object, seen: set[str]) -> Iterator[Object]:
        if not self.aggregate or not role.get("aggregationRule"):
            yield from role.get("rules") or ()
            return
        seen.add(role["metadata"]["name"])
        for other in self.roles.values():
            labels = other["metadata"].get("labels") or {}
            if other["kind"] == "ClusterRole" and other["metadata"]["name"] not in seen:
                for selector in role["aggregationRule"]["clusterRoleSelectors"]:
                    if all(labels.get(k) == v for k, v in selector["matchLabels"].items()):
                        yield from self._effective(other, seen)
                        break


def matches(rule: Object, request: Mapping[str, str]) -> bool:
    """Whether a rule allows a request."""
    if not _one(rule.get("verbs"), request["verb"]):
        return False
    if request.get("path"):
        return any(_url(url, request["path"]) for url in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    return (
        _one(rule.get("apiGroups"), request.get("group", ""))
        and _resource(rule.get("resources") or (), request)
        and (not names or request.get("name", "") in names)
    )


def _one(words: Sequence[str] | None, word: str) -> bool:
    return any(each in ("*", word) for each in words or ())


def _resource(resources: Sequence[str], request: Mapping[str, str]) -> bool:
    resource, sub = request.get("resource", ""), request.get("subresource", "")
    whole = f"{resource}/{sub}" if sub else resource
    return any(each in ("*", whole) or (sub and each == f"*/{sub}") for each in resources)


def _url(url: str, path: str) -> bool:
    return url == path or (url.endswith("*") and path.startswith(url.rstrip("*")))


def _applies(subject: Object, user: str, groups: Sequence[str], binding: Object) -> bool:
    if subject["kind"] == "User":
        return bool(subject["name"] == user)
    if subject["kind"] == "Group":
        return subject["name"] in groups
    space = subject.get("namespace") or (
        binding["metadata"].get("namespace") if binding["kind"] == "RoleBinding" else ""
    )
    name = f"system:serviceaccount:{space}:{subject['name']}"
    return subject["kind"] == "ServiceAccount" and bool(space) and user == name


def _key(role: Object) -> tuple[str, str, str]:
    space = role["metadata"].get("namespace", "") if role["kind"] == "Role" else ""
    return (role["kind"], space, role["metadata"]["name"])
