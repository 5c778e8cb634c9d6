"""Kyverno's rules for Pods, carried over to what makes pods.

Source: Kyverno's documentation of auto-generated rules. A rule about nothing but Pods also judges
the pod templates of controllers, one derived rule for those with `spec.template`, one for CronJobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from martello.catalogue.policy.match_kyverno import parse_kind
from martello.catalogue.policy.model import Constraints, Filter, Filters, Policy, Rule
from martello.core.kinds import plural
from martello.core.path import Path, look_up

ANNOTATION: Final = "pod-policies.kyverno.io/autogen-controllers"
_GROUPS: Final = {
    "DaemonSet": "apps",
    "Deployment": "apps",
    "ReplicaSet": "apps",
    "StatefulSet": "apps",
    "Job": "batch",
    "ReplicationController": "",
    "CronJob": "batch",
}
_TEMPLATE: Final[Path] = ("spec", "template")
_CRON: Final[Path] = ("spec", "jobTemplate", "spec", "template")


def derived(policy: Policy, kinds: tuple[str, ...]) -> Iterator[Policy]:
    """The policies for the controllers of the given kinds."""
    for prefix, template, some in (
        ("autogen", _TEMPLATE, tuple(k for k in kinds if k != "CronJob")),
        ("autogen-cronjob", _CRON, tuple(k for k in kinds if k == "CronJob")),
    ):
        if not some:
            continue
        match: Constraints | Filters
        if isinstance(policy.match, Filters):
            match = _filters(policy.match, some)
        elif isinstance(policy.match, Constraints):
            match = _constraints(policy.match, some)
        else:
            continue
        rule = f"{prefix}-{policy.rule}" if policy.rule else prefix
        yield msgspec.structs.replace(policy, match=match, template=template, rule=rule)


def controllers_of_rules(raw: dict[str, Any], rules: Iterable[Filters]) -> tuple[str, ...]:
    """The controller kinds of a ClusterPolicy: none if any rule selects by more than the kind Pod,
    else what the annotation says, by default all.
    """
    if not all(_plain(f) for rule in rules for f in (*rule.match, *rule.exclude)):
        return ()
    said = look_up(raw, ("metadata", "annotations", ANNOTATION))
    if not isinstance(said, str) or said in ("", "all"):
        return tuple(_GROUPS)
    named = {word.strip() for word in said.split(",")}
    return tuple(kind for kind in _GROUPS if kind in named)


def about_pods(rule: Filters) -> bool:
    """Whether a rule is about Pods, and its exclusions (where they name kinds) too."""
    kinds = [k for f in rule.match for k in f.kinds]
    excluded = [k for f in rule.exclude for k in f.kinds]
    return any(map(_is_pod, kinds)) and (not excluded or any(map(_is_pod, excluded)))


def controllers_of_policy(raw: dict[str, Any], match: Constraints) -> tuple[str, ...]:
    """The controller kinds of a ValidatingPolicy: none unless it matches exactly `v1` pods (and
    their ephemeral containers), else what `spec.autogen` lists, by default all but
    ReplicationControllers.
    """
    if len(match.rules) != 1 or match.exclude or match.object_selector:
        return ()
    rule = match.rules[0]
    others = set(rule.resources) - {"pods/ephemeralcontainers"}
    if rule.names or (rule.groups, rule.versions, others) != (("",), ("v1",), {"pods"}):
        return ()
    kinds = tuple(kind for kind in _GROUPS if kind != "ReplicationController")
    listed = look_up(raw, ("spec", "autogen", "podControllers", "controllers"))
    if not isinstance(listed, list):
        return kinds
    return tuple(k for k in kinds if plural(k) in listed)


def shown(
    raw: dict[str, Any] | None, template: Path, anchored: bool = False
) -> dict[str, Any] | None:
    """The object as a derived rule sees it: metadata and spec are those of its pod template. Where
    `anchored`, name and namespace remain the object's own.
    """
    if raw is None or not template:
        return raw
    pod = {k: v for k, v in raw.items() if k not in ("metadata", "spec", "status")}
    inner = look_up(raw, template)
    if isinstance(inner, dict):
        pod.update({k: inner[k] for k in ("metadata", "spec") if k in inner})
    if anchored:
        own, given = raw.get("metadata"), pod.get("metadata")
        named = {k: own[k] for k in ("name", "namespace") if isinstance(own, dict) and k in own}
        pod["metadata"] = {**(given if isinstance(given, dict) else {}), **named}
    return pod


def _is_pod(text: str) -> bool:
    _, _, kind, subresource = parse_kind(text)
    return kind == "Pod" and not subresource


def _plain(block: Filter) -> bool:
    return not (
        block.names
        or block.selector is not None
        or block.annotations
        or (len(block.kinds) > 1 and any(map(_is_pod, block.kinds)))
    )


def _filters(match: Filters, kinds: tuple[str, ...]) -> Filters:
    return msgspec.structs.replace(
        match,
        match=tuple(_carried(f, kinds) for f in match.match),
        exclude=tuple(_carried(f, kinds) for f in match.exclude),
    )


def _carried(block: Filter, kinds: tuple[str, ...]) -> Filter:
    if not any(map(_is_pod, block.kinds)):
        return block
    return msgspec.structs.replace(block, kinds=kinds)


def _constraints(match: Constraints, kinds: tuple[str, ...]) -> Constraints:
    rule = match.rules[0]
    rules = [
        Rule(
            rule.operations,
            (group,),
            ("v1",),
            tuple(plural(k) for k in kinds if _GROUPS[k] == group),
            rule.scope,
        )
        for group in dict.fromkeys(_GROUPS[k] for k in kinds)
    ]
    return msgspec.structs.replace(match, rules=tuple(rules))
