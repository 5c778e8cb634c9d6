"""What edges speak of in a cluster: namespaces, accounts, secrets, pods, nodes, roles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from martello.core.cluster import Cluster
from martello.core.resource import Ref, Resource
from martello.paths.model import LEVELS
from martello.paths.pods import UNPLACED, Class, classes
from martello.paths.rights import Held, RoleKey, held
from martello.practices.access.bindings import Binding
from martello.practices.access.grants import grants

ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_CONTROL: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


class World:
    """The things of a cluster by what edges call them. Nothing of it changes."""

    __slots__ = (
        "_needed",
        "_policies",
        "accounts",
        "bindings",
        "classes",
        "cluster",
        "control",
        "groups",
        "held",
        "local",
        "namespaces",
        "nodes",
        "phantoms",
        "pods",
        "roles",
        "secrets",
        "tokens",
        "users",
    )

    def __init__(
        self,
        cluster: Cluster,
        *,
        policies: bool = False,
        secrets: Iterable[tuple[str, str]] = (),
    ) -> None:
        """`policies`: pods are judged in every namespace, whatever its label says. `secrets` are
        there, too, as namespace and name.
        """
        self.cluster = cluster
        self._policies = policies
        self._needed: dict[Ref, str] | None = None
        self.classes = classes(cluster)
        self.held: tuple[Held, ...] = tuple(held(cluster))
        self.namespaces = cluster.namespaces
        self.pods: dict[str, list[Class]] = {}
        for one in self.classes:
            self.pods.setdefault(one.namespace, []).append(one)
        self.nodes: dict[str, Resource | None] = {n.ref.name: n for n in cluster.of_kind("Node")}
        self.control = {
            name for name, node in self.nodes.items() if node and _controls(node.labels)
        }
        for one in self.classes:
            for name in one.nodes:
                if name != UNPLACED:
                    self.nodes.setdefault(name, None)
        self.roles = grants(cluster).roles
        self.local: dict[str, list[tuple[str, ...]]] = {}
        for key in self.roles:
            if key[0] == "Role":
                self.local.setdefault(key[1], []).append((*key, key[1]))
        self.bindings: dict[str, list[Binding]] = {}
        for binding in grants(cluster).bindings:
            space = "" if binding.cluster_wide else binding.resource.ref.namespace
            self.bindings.setdefault(space, []).append(binding)
        self.accounts, self.phantoms = self._accounts()
        self.secrets, self.tokens = self._secrets()
        for space, name in secrets:
            if space in self.namespaces:
                self.secrets.setdefault(space, set()).add(name)
        self.users = sorted({one.who[1] for one in self.held if one.who[0] == "user"})
        self.groups = sorted({one.who[1] for one in self.held if one.who[0] == "group"})

    def _accounts(self) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        """The accounts of each namespace, and those that are bound but do not exist."""
        found: dict[str, set[str]] = {space: {"default"} for space in self.namespaces}
        for resource in self.cluster.of_kind("ServiceAccount"):
            found.setdefault(resource.ref.namespace, set()).add(resource.ref.name)
        for one in self.classes:
            found.setdefault(one.namespace, set()).add(one.account)
        phantoms: dict[str, set[str]] = {}
        known = self.cluster.complete and "ServiceAccount" not in self.cluster.unlisted
        for grant in self.held:
            if grant.who[0] != "account":
                continue
            _, space, name = grant.who
            if name in found.get(space, ()):
                continue
            if known and self.cluster.saw(space):
                phantoms.setdefault(space, set()).add(name)
            else:
                found.setdefault(space, set()).add(name)
        return found, phantoms

    def _secrets(self) -> tuple[dict[str, set[str]], dict[tuple[str, str], str]]:
        """The secrets of each namespace, as objects or as pods refer to them; and the account whose
        token a secret holds.
        """
        found: dict[str, set[str]] = {}
        tokens: dict[tuple[str, str], str] = {}
        for resource in self.cluster.of_kind("Secret"):
            ref = resource.ref
            found.setdefault(ref.namespace, set()).add(ref.name)
            if resource.raw.get("type") == "kubernetes.io/service-account-token":
                account = resource.annotations.get("kubernetes.io/service-account.name", "")
                if account:
                    tokens[(ref.namespace, ref.name)] = account
        for one in self.classes:
            if one.referred:
                found.setdefault(one.namespace, set()).update(one.referred)
        return found, tokens

    def level_needed(self, one: Class) -> str:
        """The level of Pod Security that takes pods of a class, as they are."""
        if self._needed is None:
            from martello.paths.standard import levels_needed

            resources = {
                cls.workload.resource.ref: cls.workload.resource
                for cls in self.classes
                if self._policies or self._enforces(cls.namespace)
            }
            self._needed = levels_needed(resources.values(), self.cluster.kubernetes)
        return self._needed.get(one.workload.resource.ref, LEVELS[0])

    def _enforces(self, namespace: str) -> bool:
        return (self.cluster.namespace_labels(namespace) or {}).get(ENFORCE, LEVELS[2]) != LEVELS[2]

    def bound(self, kind: str) -> Iterable[tuple[RoleKey, str]]:
        """The roles of a kind that somebody is bound to, with the scope."""
        return dict.fromkeys((one.role, one.scope) for one in self.held if one.role[0] == kind)


def _controls(labels: dict[str, str]) -> bool:
    return any(label in labels for label in _CONTROL)
