"""Replays the truth tables of Kubernetes' own authorizer, by the naive evaluator and by ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from tests.support.access.naive import Naive, matches

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access import access
from martello.practices.access.bindings import Subject
from martello.practices.access.cover import Single, covers, singles
from martello.practices.access.model import Principal, Request
from martello.practices.access.rules import Rule, read_role, url_covers

Case = tuple[str, bool, str]
Row = Mapping[str, Any]
GROUP = "rbac.authorization.k8s.io"


def replay(path: Path) -> Iterator[Case]:
    """Every line of every table, and the bootstrap roles with their aggregation."""
    for row in _rows(path, "authorizer"):
        yield from _authorizer(row)
    for row in _rows(path, "rule_matches"):
        yield from _rule_matches(row)
    for row in _rows(path, "who_can"):
        yield _who_can(row)
    for row in _rows(path, "subjects"):
        yield _subjects(row)
    for at, row in enumerate(_rows(path, "effective_rules")):
        yield _effective(at, row)
    for row in _rows(path, "covers"):
        yield _covers(row)
    for row in _rows(path, "url_covers"):
        found = url_covers(row["owner"], row["requested"])
        yield f"url {row['owner']} {row['requested']}", found is row["covers"], f"said {found}"
    for row in _rows(path, "compact"):
        yield from _compact(row)
    for name in ("bootstrap-1.15", "bootstrap-recent"):
        yield from _bootstrap(path / name)


def _rows(path: Path, name: str) -> Iterator[Row]:
    for line in (path / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _stored(objects: Sequence[Row]) -> Cluster:
    """The tables are about what an API server has, whatever it would take."""
    return Cluster(resource_of(dict(each), Nowhere(), "tables") for each in objects)


def _request(row: Row) -> Request:
    if "path" in row:
        return Request(row["verb"], path=row["path"])
    return Request(
        row["verb"],
        row["apiGroup"],
        row["resource"],
        row["subresource"],
        row["name"],
        row.get("namespace", ""),
    )


def _plain(request: Request) -> dict[str, str]:
    return {field: getattr(request, field) for field in Request.__struct_fields__}


def _authorizer(row: Row) -> Iterator[Case]:
    ours, oracle = access(_stored(row["objects"])), Naive(row["objects"])
    for raw in row["requests"]:
        who, request = Principal(raw["user"], tuple(raw["groups"])), _request(raw)
        case = f"{row['name']}: {raw['user']} {request}"
        found = ours.can(who, request).verdict
        yield case, found == ("allowed" if raw["allowed"] else "denied"), f"said {found}"
        literal = oracle.allowed(who.username, who.groups, _plain(request))
        yield f"{case} oracle", literal is raw["allowed"], f"said {literal}"


def _rule_matches(row: Row) -> Iterator[Case]:
    rule = _rules([row["rule"]])[0]
    for raw in row["requests"]:
        request = _request(raw)
        for way, found in (
            ("rule", rule.allows(request)),
            ("oracle", matches(row["rule"], _plain(request))),
        ):
            yield f"{row['name']} {way} {request}", found is raw["matches"], f"said {found}"


def _rules(raw: Sequence[Row]) -> tuple[Rule, ...]:
    role = {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}
    return read_role(resource_of({**role, "rules": list(raw)}, Nowhere())).rules


def _who_can(row: Row) -> Case:
    found = {
        subject for subject, _ in access(_stored(row["objects"])).who_can(_request(row["action"]))
    }
    if row["super_user"]:
        found.add(Subject("User", row["super_user"]))
    wanted = {_subject(raw) for raw in row["subjects"]}
    return row["name"], found == wanted, f"said {sorted(map(str, found))}"


def _subject(raw: Row) -> Subject:
    return Subject(raw["kind"], raw["name"], raw.get("namespace", ""))


def _subjects(row: Row) -> Case:
    space = row["binding_namespace"]
    binding = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "RoleBinding" if space else "ClusterRoleBinding",
        "metadata": {"name": "b", "namespace": space},
        "subjects": row["subjects"],
        "roleRef": {"kind": "ClusterRole", "name": "r"},
    }
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    role = {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}
    ours = access(_stored([binding, {**role, "rules": [rule]}]))
    who = Principal(row["user"], tuple(row["groups"]))
    answer = ours.can(who, Request("get", "", "pods", namespace=space))
    place = answer.grants[0].subject[1] if answer.grants else None
    return row["name"], place == row["index"], f"said {place}"


def _effective(at: int, row: Row) -> Case:
    ours = access(_stored(row["objects"]))
    who = Principal(row["user"], tuple(row["groups"]))
    found = set(singles(ours.rules(who, row["namespace"])))
    return f"effective {at}", found == _singles(row["effective_rules"]), f"said {found}"


def _singles(raw: Sequence[Row]) -> set[Single]:
    return set(singles(_rules(raw)))


def _covers(row: Row) -> Case:
    found, missing = covers(_rules(row["owner"]), _rules(row["servant"]))
    right = found is row["covered"] and set(missing) == _singles(row["uncovered"])
    return row["name"], right, f"said {found}, {missing}"


def _compact(row: Row) -> Iterator[Case]:
    """The compact rules say the same: each list covers the other."""
    rules, compacted = _rules(row["rules"]), _rules(row["compacted"])
    yield row["name"], covers(rules, compacted)[0], "more than before"
    yield f"{row['name']} back", covers(compacted, rules)[0], "less than before"


def _bootstrap(path: Path) -> Iterator[Case]:
    """Whoever is bound to admin, edit or view has what the aggregated roles say."""
    objects: list[Row] = []
    for file in sorted(path.glob("*.yaml")):
        objects += yaml.safe_load(file.read_text(encoding="utf-8"))["items"]
    for name in ("admin", "edit", "view"):
        reference = {"kind": "ClusterRole", "name": name}
        subjects = [{"kind": "User", "name": f"the-{name}"}]
        metadata = {"name": name, "namespace": "shop"}
        kind = {"apiVersion": f"{GROUP}/v1", "kind": "RoleBinding"}
        objects.append({**kind, "metadata": metadata, "subjects": subjects, "roleRef": reference})
    ours = access(Cluster(resource_of(dict(each), Nowhere()) for each in objects))
    oracle = Naive(objects, aggregate=True)
    for request in _questions(ours.grants.roles.values()):
        for name in ("the-admin", "the-edit", "the-view", "nobody"):
            found = ours.can(Principal(name), request).verdict == "allowed"
            wanted = oracle.allowed(name, (), _plain(request))
            yield f"{path.name} {name} {request}", found is wanted, f"said {found}"


def _questions(roles: Any) -> list[Request]:
    found: dict[tuple[str, str, str], None] = {}
    for role in roles:
        for verb, group, resource, _, url in singles(role.rules):
            if not url:
                found[(verb, group, resource)] = None
    listed = []
    for verb, group, whole in sorted(found)[::7]:
        resource, _, sub = whole.partition("/")
        listed.append(Request(verb, group, resource, sub, namespace="shop"))
    return listed
