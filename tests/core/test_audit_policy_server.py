"""The audit policy of a real API server logs what our evaluator says: random rules and requests."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import msgspec
import pytest
from tests.support.apiserver import ApiServer, Missing, run

from martello.core.audit_policy import LEVELS, Asking, AuditPolicy, deciding, read_policy, unlogged

SEEDS: Final = (112, 113)  # chosen so that each mistake of a list of nine is found nine times
POLICIES: Final = 9  # of each server: all but the last bound to users of their own
REQUESTS: Final = 80  # of each policy
STAGES: Final = ("RequestReceived", "ResponseStarted", "ResponseComplete")
SPACES: Final = ("blue", "green", "")
NAMES: Final = ("one", "two")
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("pods", "pods/exec", "pods/status", "secrets", "namespaces", "nodes/proxy"),
    "apps": ("deployments", "deployments/scale", "deployments/status"),
}
WIDE: Final = ("nodes/proxy", "namespaces")  # resources of no namespace
PATTERNS: Final = ("*", "*/*", "*/status", "*/exec", "po*")
PATHS: Final = ("/", "/healthz", "/healthz/etcd", "/version", "/api", "/apis", "/apis/apps", "/x/y")
URLS: Final = ("*", "/", "/healthz", "/healthz*", "/healthz/*", "/api*", "/apis/*", "/x/y", "/*")
VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
METHODS: Final = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}


class Sent(msgspec.Struct, frozen=True):
    """One request, as it is sent and as our evaluator is asked about it."""

    id: str
    user: str
    method: str
    path: str
    asking: Asking


def _some(pick: random.Random, of: Sequence[str], odds: float) -> list[str]:
    return pick.sample(of, min(len(of), pick.choice((1, 1, 2, 3)))) if pick.random() < odds else []


def _resources(pick: random.Random) -> Iterator[dict[str, Any]]:
    for _ in range(pick.choice((1, 1, 2))):
        group = pick.choice(list(GROUPS))
        one: dict[str, Any] = {"group": group}
        if pick.random() < 0.8:
            whole = [f"{name}/*" for name in GROUPS[group] if "/" not in name]
            one["resources"] = _some(pick, (*GROUPS[group], *whole, *PATTERNS), 1)
            if pick.random() < 0.4:
                one["resourceNames"] = _some(pick, (*NAMES, ""), 1)
        yield one


def _rule(pick: random.Random, users: Sequence[str], groups: Sequence[str]) -> dict[str, Any]:
    rule: dict[str, Any] = {"level": pick.choice(LEVELS)}
    rule["users"] = _some(pick, users, 0.2)
    rule["userGroups"] = _some(pick, groups, 0.2)
    rule["verbs"] = _some(pick, (*VERBS, "post", "head"), 0.25)
    if pick.random() < 0.3:
        rule["nonResourceURLs"] = _some(pick, URLS, 1)
    else:
        rule["resources"] = list(_resources(pick)) if pick.random() < 0.7 else []
        rule["namespaces"] = _some(pick, SPACES, 0.3)
    if not any(rule[key] for key in rule if key != "level"):
        rule["verbs"] = _some(pick, VERBS, 1)  # a rule for everything leaves nothing to the rest
    rule["omitStages"] = _some(pick, STAGES, 0.3)
    return {key: value for key, value in rule.items() if value}


def _policy(
    pick: random.Random, server: int
) -> tuple[dict[str, Any], list[tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Several policies as one: their rules, whom each is for, and the users with their groups. A
    rule for everybody is, in all but the last, for the group of everybody whom it is for.
    """
    rules: list[dict[str, Any]] = []
    whom: list[tuple[str, ...]] = []
    known: dict[str, tuple[str, ...]] = {}
    for number in range(POLICIES):
        mark = f"{server}-{number}"
        everybody, devs, ops = (f"{name}-{mark}" for name in ("all", "devs", "ops"))
        users = {
            f"ann-{mark}": (everybody, devs),
            f"bob-{mark}": (everybody, ops, devs),
            f"cy-{mark}": (everybody,),
        }
        last = number == POLICIES - 1
        groups = (devs, ops, "system:authenticated", "system:unauthenticated")
        called = (*users, "system:anonymous")
        mine = [_rule(pick, called, groups if last else groups[:2]) for _ in range(6)]
        for rule in (*mine, *([{"level": pick.choice(LEVELS)}] if number % 3 else [])):
            if not last and not {"users", "userGroups"} & set(rule):
                rule["userGroups"] = [everybody]
            rules.append(rule)
        known.update(users)
        whom.append((*users, *(("system:anonymous",) if last else ())))
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}
    return policy | {"omitStages": _some(pick, STAGES, 0.3)}, whom, known


def _who(user: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if user == "system:anonymous":
        return ("system:unauthenticated",)
    return (*known[user], "system:authenticated")


def _request(pick: random.Random, user: str, groups: tuple[str, ...], number: int) -> Sent:
    about = f"{user}-{number}".replace(":", "-")
    if pick.random() < 0.25:
        path = pick.choice(PATHS)
        method = pick.choice(("GET", "GET", "POST", "HEAD"))
        asking = Asking(method.lower(), user, groups, True, path=path, about_path=True)
        return Sent(about, user, method, path, asking)
    group = pick.choice(list(GROUPS))
    resource = pick.choice(GROUPS[group])
    plural, _, sub = resource.partition("/")
    verb = pick.choice(("get", "create", "update", "patch", "delete") if sub else VERBS)
    space = "" if resource in WIDE else pick.choice(SPACES[:2] if sub else SPACES)
    name = pick.choice(NAMES) if sub or verb in ("get", "update", "patch", "delete") else ""
    root = "/api/v1" if not group else f"/apis/{group}/v1"
    parts = [root, *(("namespaces", space) if space else ()), plural, name, sub]
    query: dict[str, str] = {}
    if verb == "watch":
        query = {"watch": "1", "timeoutSeconds": "1"}
    if verb in ("list", "watch") and pick.random() < 0.4:
        name = pick.choice(NAMES)
        query["fieldSelector"] = f"metadata.name={name}"
    if resource == "namespaces":
        space = name if not query.get("fieldSelector") else ""  # a namespace lies in itself
    path = "/".join(filter(None, parts)) + (f"?{urlencode(query)}" if query else "")
    if sub == "exec" and verb not in ("get", "create"):
        verb = "create"
    method = "DELETE" if verb == "deletecollection" else METHODS.get(verb, "GET")
    asking = Asking(verb, user, groups, True, group, resource, name, space)
    return Sent(about, user, method, path, asking)


async def _send(server: ApiServer, requests: Sequence[Sent]) -> None:
    trust = ssl.create_default_context(cafile=str(server.ca))
    limit = asyncio.Semaphore(16)
    async with httpx.AsyncClient(
        base_url=server.url, verify=trust, timeout=30, trust_env=False
    ) as client:

        async def one(sent: Sent) -> None:
            headers = {"Audit-ID": sent.id}
            if sent.user in server.tokens:
                headers["Authorization"] = f"Bearer {server.tokens[sent.user]}"
            body: Any = None if sent.method in ("GET", "HEAD") else {}
            async with limit:
                await client.request(sent.method, sent.path, json=body, headers=headers)

        async with asyncio.TaskGroup() as group:
            for sent in requests:
                group.create_task(one(sent))


def _events(log: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The events of the log, by request and stage."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        event = json.loads(line)
        found.setdefault(event["auditID"], {})[event["stage"]] = event
    return found


def _differs(policy: AuditPolicy, sent: Sent, seen: Mapping[str, Mapping[str, Any]]) -> str:
    """What the server logged otherwise than our evaluator says, in words; empty for nothing."""
    rule = deciding(policy, sent.asking)
    assert rule is not None, sent
    due = set() if rule.level == "None" else {STAGES[0], STAGES[2]} - rule.omits
    forbidden = {*rule.omits} if rule.level != "None" else set(STAGES)
    levels = {event["level"] for event in seen.values()}
    ended = STAGES[2] in seen
    wrong = not due <= set(seen) or forbidden & set(seen) or levels - {rule.level}
    if wrong or ended != (unlogged(policy, sent.asking) == ()):
        told = sorted((stage, event["level"]) for stage, event in seen.items())
        return f"{sent.method} {sent.path} {sent.asking}: {told}, ours {rule}"
    return ""


@pytest.mark.apiserver
@pytest.mark.parametrize("number", SEEDS)
def test_the_server_logs_what_the_policy_says(number: int, tmp_path: Path) -> None:
    pick = random.Random(f"audit policy {number}")
    raw, whom, known = _policy(pick, number)
    (tmp_path / "policy.json").write_text(json.dumps(raw))
    log = tmp_path / "audit.log"
    requests = [
        _request(pick, user, _who(user, known), count)
        for users in whom
        for count in range(REQUESTS)
        for user in (pick.choice(users),)
    ]
    arguments = (f"--audit-policy-file={tmp_path / 'policy.json'}", f"--audit-log-path={log}")
    try:
        with run(users=known, arguments=arguments) as server:
            asyncio.run(_send(server, requests))
            seen = _events(log)
    except Missing as missing:
        pytest.skip(str(missing))
    policy = read_policy(raw)
    differing = filter(None, (_differs(policy, sent, seen.get(sent.id, {})) for sent in requests))
    assert list(differing) == []
    rules = {id(deciding(policy, sent.asking)) for sent in requests}
    assert len(rules) > len(policy.rules) / 2  # the requests are such that most rules decide
    strange = [
        (sent.id, event["verb"], event.get("objectRef"))
        for sent in requests
        for event in seen.get(sent.id, {}).values()
        if event["verb"] != sent.asking.verb
    ]
    assert strange == []
