"""Grants put into words: binding, subject, role and rule, each with its file and line."""

from __future__ import annotations

from collections.abc import Sequence

from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.access.bindings import Subject
from martello.practices.access.cover import Single
from martello.practices.access.model import ACCOUNT, Grant, Principal
from martello.practices.access.rules import Rule, read_role
from martello.report.access.model import Chain

_ALL = {
    "system:authenticated": "everybody who is authenticated",
    "system:unauthenticated": "everybody, without any credential",
    "system:serviceaccounts": "every account of every namespace",
    "system:masters": "passes every authorizer",
    "system:nodes": "every node",
}


def chain(grant: Grant, who: Principal | None = None) -> Chain:
    """A grant from end to end. `who` is told of where a group takes him in."""
    subject = subject_of(grant)
    origin = grant.rule_role
    other = origin is not grant.role
    return Chain(
        binding=called(grant.binding),
        binding_where=place(grant.binding),
        subject=str(subject),
        subject_where=place(grant.binding, grant.subject),
        subject_note=_note(subject, who),
        role=called(grant.role),
        role_where=place(grant.role),
        rule=rule_words(_rule(grant)),
        rule_where=place(origin, ("rules", grant.rule)),
        rule_from=called(origin) if other else "",
        scope=grant.scope,
    )


def subject_of(grant: Grant) -> Subject:
    """The subject that a grant is for, as it is written."""
    raw = grant.binding.raw["subjects"][grant.subject[1]]
    kind, name = str(raw.get("kind", "")), str(raw.get("name", ""))
    space = ""
    if kind == "ServiceAccount":
        space = str(raw.get("namespace") or grant.binding.ref.namespace)
    return Subject(kind, name, space)


def called(resource: Resource) -> str:
    """`RoleBinding shop/ci-edit`."""
    ref = resource.ref
    name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    return f"{ref.kind} {name}"


def place(resource: Resource, path: Path = ()) -> str:
    """File and line, or `bootstrap`; nothing for an object of a live cluster: its name tells it."""
    found = resource.locate(path)
    if found.line:
        return f"{found.file}:{found.line}"
    return "" if found.file.startswith("cluster:") else found.file


def rule_words(rule: Rule, most: int = 6) -> str:
    """A rule as a sentence without its subject: `get, list secrets`."""
    verbs = "every verb" if "*" in rule.verbs else _some(rule.verbs, most)
    if rule.urls and not rule.resources:
        return f"{verbs} {'on every path' if '*' in rule.urls else _some(rule.urls, most)}"
    what = "everything" if "*" in rule.resources else _some(rule.resources, most)
    if "*" in rule.verbs:
        what = f"on {what}"
    words = f"{verbs} {what}"
    groups = [group for group in rule.groups if group != "*"]
    if "*" in rule.groups:
        words += "" if "*" in rule.resources else " of every group"
    elif any(groups) or "*" in rule.resources:
        words += f" ({_some([g or 'core' for g in groups], 3)})"
    return f"{words} named {_some(rule.names, 3)}" if rule.names else words


def who_words(who: Principal) -> str:
    """How a principal is told: an account as NS/NAME."""
    if who.kind == "account":
        return who.username.removeprefix(ACCOUNT).replace(":", "/", 1)
    return who.username or f"group {who.groups[0]}"


def subject_note(subject: Subject) -> str:
    """Who a group takes in, where Kubernetes itself fills it."""
    if subject.kind != "Group":
        return ""
    space = subject.name.removeprefix("system:serviceaccounts:")
    if space != subject.name:
        return f"every account of {space}"
    return _ALL.get(subject.name, "")


def _note(subject: Subject, who: Principal | None) -> str:
    told = subject_note(subject)
    if told.startswith("every account") and who is not None and who.kind == "account":
        told += f", {who.username.rpartition(':')[2]} among them"
    return told


def _rule(grant: Grant) -> Rule:
    rules = read_role(grant.rule_role).rules
    return next(rule for rule in rules if rule.index == grant.rule)


def _some(words: Sequence[str], most: int) -> str:
    shown = ", ".join(word or "core" for word in words[:most])
    return f"{shown} and {len(words) - most} more" if len(words) > most else shown


def single_words(singles: Sequence[Single]) -> tuple[str, ...]:
    """Things that may be done, in few sentences: verbs of one resource together, then resources of
    the same verbs.
    """
    verbs: dict[tuple[str, str, str, str], list[str]] = {}
    for verb, group, resource, name, url in singles:
        verbs.setdefault((group, resource, name or "", url), []).append(verb)
    alike: dict[tuple[str, str, bool, tuple[str, ...]], list[str]] = {}
    for (group, resource, name, url), held in verbs.items():
        alike.setdefault((group, name, bool(url), tuple(held)), []).append(url or resource)
    told: list[str] = []
    for (group, name, path, verbs_of), what in alike.items():
        verb = "every verb" if "*" in verbs_of else ", ".join(verbs_of)
        objects = _some(what, 6)
        if "*" in what:
            objects = "every path" if path else "everything"
        suffix = f" of {group}" if group not in ("", "*") else ""
        on = "on " if "*" in verbs_of else ""
        told.append(f"{verb} {on}{objects}{suffix}" + (f" named {name}" if name else ""))
    return tuple(told)
