"""What keeps pods out of a namespace: Pod Security, admission policies, webhooks.

Each is a guard by itself: whoever takes one of them away has not taken the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.selector import MalformedSelector, matches
from martello.paths.horn import Program
from martello.paths.model import LEVELS, Admission, Change, Edit, Fact, Inputs, Label, Proposition
from martello.paths.world import ENFORCE, World

_HOOKS: Final = "ValidatingWebhookConfiguration.admissionregistration.k8s.io"
_SECURITY: Final = 23  # the first minor version that heeds the labels of Pod Security by itself
_LESS: Final = Label("part", "what takes more takes less")
# How a pod comes in: the operation and the resource that guards see.
_SEEN: Final = {
    "create": ("CREATE", "pods"),
    "update": ("UPDATE", "pods"),
    "debug": ("UPDATE", "pods/ephemeralcontainers"),
    "debug-node": ("UPDATE", "pods/ephemeralcontainers"),
}


class Guards:
    """The guards of a world's namespaces, as facts and rules."""

    __slots__ = ("_bodies", "_hooks", "inputs", "program", "world")

    def __init__(self, program: Program, world: World, inputs: Inputs) -> None:
        self.program = program
        self.world = world
        self.inputs = inputs
        self._bodies: dict[tuple[str, str, str], list[int]] = {}
        self._hooks: dict[str, list[tuple[str, Mapping[str, Any]]]] | None = None

    def levels(self, space: str) -> None:
        """The pods that Pod Security lets into a namespace, as it is."""
        program = self.program
        for less, more in pairwise(LEVELS):
            body = [program.id(("admits", more, space))]
            program.rule(program.id(("admits", less, space)), body, _LESS)
        for level in LEVELS:
            found = security(self.world.cluster, space, level, self.inputs)
            if found is not None:
                program.fact(("admits", level, space), found)

    def body(self, level: str, space: str, how: str) -> list[int]:
        """What it takes to get a pod of a level past every guard of a namespace: created, changed
        as it is (`update`), or given a debug container (`debug`; `debug-node`: a privileged one).
        """
        key = (level, space, how)
        if key not in self._bodies:
            body = [self.program.id(("admits", level, space))]
            body += self._policies(level, space, how)
            if level != LEVELS[0]:
                body += self._webhooks(space, how)
            self._bodies[key] = body
        return self._bodies[key]

    def _policies(self, level: str, space: str, how: str) -> list[int]:
        ask = self.inputs.policies
        told = ask(space, level, how) if ask is not None else None
        if told is None or (told.admits and not told.because):
            return []
        name = ("policies", level, space, how)
        return self._guard(name, told, "policies", f"what refuses {level} pods in {space} is gone")

    def _guard(self, name: Proposition, told: Admission, guard: str, gone: str) -> list[int]:
        """A guard that is passed in doubt, or once it is off."""
        program = self.program
        if told.admits is not False:
            program.fact(name, Fact(told.because, sure=False, because=told.because))
        head = program.id(name)
        program.rule(head, [program.id(("off", guard))], Label("guard-off", gone))
        return [head]

    def _webhooks(self, space: str, how: str) -> list[int]:
        """Nobody can ask a webhook: one that looks at such pods of the namespace is a doubt."""
        if self._hooks is None:
            self._hooks = {key: list(_looking(self.world.cluster, *_SEEN[key])) for key in _SEEN}
        labels = self.world.cluster.namespace_labels(space)
        for name, selector in self._hooks[how]:
            if labels is None or _selects(selector, labels):
                doubt = Admission(None, f"webhook {name} may refuse it")
                gone = f"the webhooks that may refuse pods in {space} are gone"
                return self._guard(("webhooks", space, how), doubt, "webhooks", gone)
        return []


def security(cluster: Cluster, namespace: str, level: str, inputs: Inputs) -> Fact | None:
    """The fact that Pod Security lets pods of a level into a namespace, or None where it does not.
    What is handed in knows of exemptions and of the server's defaults; else the label decides.
    """
    told = inputs.security(namespace, level) if inputs.security is not None else None
    resource = cluster.get("Namespace", "", namespace)
    if told is not None:
        if told.admits is False:
            return None
        says = told.because or f"namespace {namespace} takes {level} pods"
        return Fact(says, resource, (), told.admits is True, told.because)
    labels = cluster.namespace_labels(namespace)
    enforced = enforced_level(labels or {}, cluster.kubernetes)
    if LEVELS.index(enforced) < LEVELS.index(level):
        return None
    doubt = ""
    if labels is None and not cluster.complete:
        doubt = f"namespace {namespace} is not among the files"
    if resource is None:
        says = f"namespace {namespace} has no pod-security level"
        return Fact(says, None, (), not doubt, doubt)
    edit = Edit(
        f"enforce {namespace}",
        f"level restricted on {namespace}",
        (Change(resource.ref, ("metadata", "labels", ENFORCE), "restricted"),),
        3,
        "admission",
    )
    has = ENFORCE in resource.labels
    says = f"namespace {namespace} " + (
        f"enforces {enforced}" if has else "has no pod-security level"
    )
    path = ("metadata", "labels", ENFORCE) if has else ("metadata", "name")
    edits = (edit,) if level != LEVELS[0] and cluster.kubernetes >= _SECURITY else ()
    return Fact(says, resource, path, not doubt, doubt, edits)


def enforced_level(labels: Mapping[str, str], kubernetes: int, default: str = LEVELS[2]) -> str:
    """The level that the labels of a namespace have enforced. A label that the server cannot read
    counts as the strictest.
    """
    if kubernetes < _SECURITY:
        return LEVELS[2]
    level = labels.get(ENFORCE, default)
    return level if level in LEVELS else LEVELS[0]


def _looking(
    cluster: Cluster, operation: str, resource: str
) -> list[tuple[str, Mapping[str, Any]]]:
    """The webhooks that see an operation on a resource of the core group: the name of each
    configuration, and what selects its namespaces.
    """
    plural, _, sub = resource.partition("/")
    wanted = (
        {resource, f"{plural}/*", "*/*", f"*/{sub}"} if sub else {plural, f"{plural}/*", "*", "*/*"}
    )
    found: list[tuple[str, Mapping[str, Any]]] = []
    for configuration in cluster.of_kind(_HOOKS):
        hooks = configuration.raw.get("webhooks")
        for hook in hooks if isinstance(hooks, list) else ():
            rules = hook.get("rules") if isinstance(hook, dict) else None
            for rule in rules if isinstance(rules, list) else ():
                if not isinstance(rule, dict):
                    continue
                sees = _words(rule, "operations") & {operation, "*"}
                groups = rule.get("apiGroups") is None or _words(rule, "apiGroups") & {"", "*"}
                if sees and groups and _words(rule, "resources") & wanted:
                    selector = hook.get("namespaceSelector")
                    found.append((configuration.ref.name, selector or {}))
                    break
    return found


def _words(rule: Mapping[str, Any], key: str) -> set[str]:
    value = rule.get(key)
    return {one for one in value if isinstance(one, str)} if isinstance(value, list) else set()


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    try:
        return matches(selector, labels)
    except MalformedSelector:
        return True
