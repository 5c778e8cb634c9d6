"""Rules that need no conditions: what a node, a pod, a namespace or an account is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from martello.paths.edge import Edge
from martello.paths.guards import Guards
from martello.paths.horn import Program
from martello.paths.model import Exposed, Fact, Inputs, Label, Proposition
from martello.paths.pods import UNPLACED, Class
from martello.paths.rights import groups_of
from martello.paths.world import World
from martello.practices.access.posture import outward

INTERNET: Final[Proposition] = ("internet",)
CLUSTER_ADMIN: Final[Proposition] = ("admin", "")
ANY_NODE: Final[Proposition] = ("goal", "node")
ANY_SECRETS: Final[Proposition] = ("goal", "secrets")
MASTERS: Final[Proposition] = ("group", "system:masters")
LEGACY_TOKENS: Final = 24  # the first minor version without a token secret for each account
_PART: Final = Label("part", "one of all")
_TAKEN: Final = Label("goal", "has all of its accounts, secrets or pods")


class Building:
    """Adds facts and rules about the things of a world."""

    __slots__ = ("inputs", "labels", "program", "world")

    def __init__(
        self, program: Program, world: World, inputs: Inputs, edges: Iterable[Edge]
    ) -> None:
        self.program = program
        self.world = world
        self.inputs = inputs
        self.labels: Mapping[str, Label] = {edge.name: edge.label({}) for edge in edges}

    def before(self, guards: Guards) -> None:
        """What edges look for: traits that other facts decide, levels of namespaces, clouds."""
        for cls in self.world.classes:
            for traits in cls.containers.values():
                self._more_traits(cls, traits)
            self._open(cls)
        for space in self.world.namespaces:
            guards.levels(space)
            if any(True for _ in self.world.cluster.of_kind("PersistentVolumeClaim", space)):
                self._fact(("some claim", space), "there are volume claims")
        self._clouds()

    def after(self) -> None:
        """What follows from what edges gave."""
        self._everything()
        for cls in self.world.classes:
            self._class(cls)
        self._nodes()
        self._identities()
        self._network()
        self._starving()

    def _rule(self, head: Proposition, body: Iterable[Proposition], label: Label = _PART) -> None:
        program = self.program
        program.rule(program.id(head), [program.id(one) for one in body], label)

    def _fact(self, name: Proposition, says: str, because: str = "", **more: Any) -> None:
        self.program.fact(name, Fact(says, sure=not because, because=because, **more))

    def _open(self, cls: Class) -> None:
        """What a container that is added to a pod needs to reach the node."""
        for traits in cls.containers.values():
            for trait in ("host users", "plain runtime"):
                if trait in traits:
                    self.program.fact((trait, cls.id), traits[trait])

    def _more_traits(self, cls: Class, traits: dict[str, Fact]) -> None:
        cgroups = self.inputs.cgroups
        if cgroups != 2 and "cap SYS_ADMIN" in traits:
            reason = "" if cgroups == 1 else "whether the node uses cgroup v1 is not known"
            traits["cgroup v1"] = Fact("cgroup v1", sure=not reason, because=reason)
        known = next((self.inputs.escapes[n] for n in cls.nodes if n in self.inputs.escapes), "")
        if known:
            traits["known escape"] = Fact(f"the node has {known}")

    def _clouds(self) -> None:
        cluster = self.world.cluster
        providers = {
            str(node.spec.get("providerID", "")).partition(":")[0]
            for node in self.world.nodes.values()
            if node is not None
        }
        if cluster.get("ConfigMap", "kube-system", "aws-auth") or "aws" in providers:
            self._fact(("aws-auth is read",), "the cluster maps AWS identities by aws-auth")
        groups = {kind.partition(".")[2] for kind in cluster.kinds}
        if "aadpodidentity.k8s.io" in groups:
            self._fact(("aad pod identity is there",), "AAD pod identity is installed")
        if "tekton.dev" in groups:
            self._fact(("tekton is there",), "Tekton is installed")
        for name, reason in (
            ("cloud identity manages clusters", "what the nodes' cloud identity may is not known"),
            ("aggregated api trusts it", "whether an aggregated API trusts that CA is not known"),
            ("credentials lie there", "whether a credential lies there was not looked at"),
            ("template changes", "the API server keeps the template of a job as it is"),
            ("somebody creates pods", "whether somebody creates pods then is not known"),
        ):
            self._fact((name,), name, reason)

    def _everything(self) -> None:
        """All rights, and all things of a namespace."""
        world = self.world
        for space in world.namespaces:
            for kind in ("accounts", "secrets", "pods"):
                self._rule((kind, space), [("admin", space)], Label("role", "all rights"))
                self._rule(("namespace", space), [(kind, space)], _TAKEN)
            self._rule(("admin", space), [CLUSTER_ADMIN], Label("role", "all rights everywhere"))
            self._rule(ANY_SECRETS, [("secrets", space)], Label("goal", f"all secrets of {space}"))
            self._rule(("namespace", space), [("admin", space)], _TAKEN)
            self._rule(("pods", space), [("podsats",)])
            self._rule(("pods", space), [("podsats", "")])
            if world.cluster.kubernetes < LEGACY_TOKENS:
                label = self.labels["token-secret-legacy"]
                self._rule(("accounts", space), [("secrets", space)], label)
            self._rule(("accounts", space), [("names", space)])
            if self.program.find(("member", space)) is not None:
                for group in groups_of(("account", space, "")):
                    if group in world.groups:
                        label = Label("group-member", f"is in the group {group}")
                        self._rule(("group", group), [("member", space)], label)
            for name in world.phantoms.get(space, ()):
                self._rule(("account", space, name), [("names", space)])
            for name in world.accounts.get(space, ()):
                self._rule(("account", space, name), [("accounts", space)])
            for name in world.secrets.get(space, ()):
                self._rule(("secret", space, name), [("secrets", space)])
            for cls in world.pods.get(space, ()):
                self._rule(("pods-of", cls.id), [("pods", space)])
                if self.program.find(("reach", space)) is not None:
                    self._rule(("reaches", cls.id), [("reach", space)])
        for (space, name), account in world.tokens.items():
            label = self.labels["token-secret"]
            self._rule(("account", space, account), [("secret", space, name)], label)
        self._rule(("nodes", ""), [CLUSTER_ADMIN], Label("role", "all rights everywhere"))
        for kind in ("users", "groups"):
            self._rule((kind, ""), [CLUSTER_ADMIN], Label("role", "all rights everywhere"))

    def _class(self, cls: Class) -> None:
        gives, placed = self.labels["pod-container"], self.labels["node-to-pod"]
        for node in cls.nodes:
            unsure: list[Proposition] = []
            if node == UNPLACED:
                unsure.append(("unplaced", cls.id))
                self._fact(unsure[0], "its node is not known", f"no node is known for {_name(cls)}")
            if cls.located:
                self._rule(("pod", cls.id, node), [("pods-of", cls.id)])
                self._rule(("pod", cls.id, node), [("node", node), *unsure], placed)
            for name in cls.containers:
                code = ("code", cls.id, name)
                if cls.located:
                    self._rule((*code, node), [("pod", cls.id, node)], gives)
                    self._rule(code, [(*code, node)])
                else:
                    self._rule(code, [("node", node), *unsure], placed)
            self._to_node(cls, [("kubelet", node), *unsure])
        for name in cls.containers:
            code = ("code", cls.id, name)
            if not cls.located:
                self._rule(code, [("pods-of", cls.id)], gives)
            if name in cls.tokens:
                token = ("token", cls.id, name)
                self.program.fact(token, cls.tokens[name])
                account = ("account", cls.namespace, cls.account)
                label = self.labels["token-mounted"]
                says = f"{label.says}: account {cls.namespace}/{cls.account}"
                self._rule(account, [code, token], _said(label, says))
            for secret, fact in cls.secrets[name].items():
                mount = ("mount", cls.id, name, secret)
                self.program.fact(mount, fact)
                label = self.labels["secret-mounted"]
                self._rule(("secret", cls.namespace, secret), [code, mount], label)

    def _to_node(self, cls: Class, node: list[Proposition]) -> None:
        """What the Node authorizer gives a node for its pods."""
        label = self.labels["node-authorizer"]
        says = (
            f"the API server gives a node tokens of its pods: account {cls.namespace}/{cls.account}"
        )
        self._rule(("account", cls.namespace, cls.account), node, _said(label, says))
        for name in cls.referred:
            says = f"the API server gives a node the secrets of its pods: {cls.namespace}/{name}"
            self._rule(("secret", cls.namespace, name), node, _said(label, says))

    def _nodes(self) -> None:
        world = self.world
        for name, resource in world.nodes.items():
            node = ("node", name)
            self._rule(node, [("nodes", "")])
            self._rule(ANY_NODE, [node], Label("goal", f"node {name}"))
            self._rule(("taken node",), [node])
            self._rule(("kubelet", name), [node], self.labels["node-identity"])
            self._rule(("kubelet", name), [("kubelets",)])
            if name in world.control and resource is not None:
                fact = Fact(f"{name} is a control plane node", resource, ("metadata", "labels"))
                self.program.fact(("control", name), fact)
                label = self.labels["control-plane-node"]
                self._rule(CLUSTER_ADMIN, [node, ("control", name)], label)
            self._loose(name)
        unplaced = ("node", UNPLACED)
        self._rule(ANY_NODE, [unplaced], Label("goal", "a node"))
        self._rule(("taken node",), [unplaced])
        self._rule(("kubelet", UNPLACED), [unplaced], self.labels["node-identity"])
        if not world.nodes:
            self._rule(unplaced, [("nodes", "")])
            self._fact(
                ("control", UNPLACED),
                "a node is of the control plane",
                "no node is here: whether pods can come to the control plane is not known",
            )
            label = self.labels["control-plane-node"]
            self._rule(CLUSTER_ADMIN, [("nodes", ""), ("control", UNPLACED)], label)
        if self.inputs.loose_kubelets:
            for cls in world.classes:
                for container in cls.containers:
                    self._rule(("inside",), [("code", cls.id, container)])
        for cls in world.classes:
            if self.program.find(("nodesof", cls.id)) is not None:
                for name in cls.nodes:
                    self._rule(("node", name), [("nodesof", cls.id)])
            for name in cls.nodes:
                for head in ("tokens", "podsat"):
                    if self.program.find((head, name)) is not None:
                        self._at(head, name, cls)

    def _at(self, head: str, node: str, cls: Class) -> None:
        if head == "podsat":
            where = ("pod", cls.id, node) if cls.located else ("pods-of", cls.id)
            self._rule(where, [(head, node)])
        elif cls.tokens:
            account = ("account", cls.namespace, cls.account)
            self._rule(account, [(head, node)], self.labels["kubelet-tokens"])

    def _loose(self, name: str) -> None:
        """A kubelet that takes requests without a credential."""
        reason = self.inputs.loose_kubelets.get(name)
        if reason:
            self._fact(("kubelet open", name), reason)
            label = Label("kubelet-anonymous", f"the kubelet of {name} asks for no credential", 1)
            self._rule(("podsat", name), [("inside",), ("kubelet open", name)], label)

    def _identities(self) -> None:
        world = self.world
        for name in world.users:
            self._rule(("user", name), [("users", "")])
        for name in world.groups:
            self._rule(("group", name), [("groups", "")])
        self._rule(CLUSTER_ADMIN, [MASTERS], Label("masters", "system:masters may do everything"))
        self._rule(("user", "system:anonymous"), [("anonymous",)])
        for one in outward(world.cluster):
            cloud = ("cloud identity", one.namespace, one.account)
            says = f"annotation {one.place[-1]}"
            self.program.fact(cloud, Fact(says, one.resource, one.place))
            body = [("account", one.namespace, one.account), cloud]
            self._rule(("cloud", one.outside), body, self.labels["cloud-iam"])

    def _network(self) -> None:
        by_id = {cls.id: cls for cls in self.world.classes}
        for one in self.inputs.exposed or ():
            for cls in _classes(by_id, one):
                open_to = ("exposed", cls.id)
                self.program.fact(open_to, one.fact)
                label = Label("network-reach", f"internet reaches {_name(cls)}")
                self._rule(("reaches", cls.id), [INTERNET, open_to], label)
        for source, target, fact in self.inputs.lateral:
            if source in by_id and target in by_id:
                name = ("passes", source, target)
                self.program.fact(name, fact)
                label = Label("network-reach", f"{source} reaches {target}")
                for container in by_id[source].containers:
                    self._rule(("reaches", target), [("code", source, container), name], label)
        for cls in self.world.classes:
            if self.program.find(("reaches", cls.id)) is not None:
                self._weak(cls)
        for one in self.inputs.metadata or ():
            for cls in _classes(by_id, one):
                asks = ("metadata", cls.id)
                self.program.fact(asks, one.fact)
                for container in cls.containers:
                    body = [("code", cls.id, container), asks]
                    self._rule(("cloudadmin",), body, self.labels["metadata-service"])

    def _starving(self) -> None:
        """Whoever runs code in a pod may take what others on its node need."""
        if self.inputs.starving is None:
            return
        for space in self.world.namespaces:
            self.program.id(("starve", space))  # a goal, though nobody may reach it
        made = _by_maker(self.world.classes)
        told: set[tuple[str, int]] = set()
        label = self.labels["starves"]
        for number, one in enumerate(self.inputs.starving):
            for cls in made.get(one.maker, {}).values():
                if (cls.id, id(one.fact)) in told:  # of several pods of one class
                    continue
                told.add((cls.id, id(one.fact)))
                takes = ("starves", cls.id, one.namespace, str(number))
                self.program.fact(takes, one.fact)
                says = f"starves pods of {one.namespace}: {one.fact.says}"
                for container in cls.containers:
                    body = [("code", cls.id, container), takes]
                    self._rule(("starve", one.namespace), body, _said(label, says))

    def _weak(self, cls: Class) -> None:
        """Code by what listens there: a known weakness, or the doubt where nobody looked."""
        label = self.labels["endpoint-exploit"]
        for container in cls.workload.containers:
            for number, fact in enumerate(self._weaknesses(container.name, container.raw)):
                name = ("weakness", cls.id, container.name, str(number))
                self.program.fact(name, fact)
                says = f"code runs in {_name(cls)} by {fact.says}"
                for node in cls.nodes if cls.located else ("",):
                    head = ("code", cls.id, container.name, *((node,) if node else ()))
                    self._rule(head, [("reaches", cls.id), name], _said(label, says))

    def _weaknesses(self, name: str, raw: dict[str, Any]) -> list[Fact]:
        image = raw.get("image")
        if self.inputs.weaknesses is None:
            reason = f"whether {image} can be exploited was not looked at"
            return [Fact("a weakness of its image", sure=False, because=reason)]
        return [
            Fact(
                f"{one.id}{f' in {one.says}' if one.says else ''}",
                sure=not one.because,
                because=one.because,
            )
            for one in self.inputs.weaknesses
            if one.image == image and one.container in ("", name) and one.loaded is not False
        ]


def _classes(by_id: Mapping[str, Class], one: Exposed) -> Iterable[Class]:
    found = by_id.get(one.workload)
    return () if found is None else (found,)


def _by_maker(classes: Iterable[Class]) -> dict[tuple[str, str, str], dict[str, Class]]:
    """By kind, namespace and name of the workload, and of each pod; then by id."""
    found: dict[tuple[str, str, str], dict[str, Class]] = {}
    for cls in classes:
        ref = cls.workload.resource.ref
        pods = (("Pod", cls.namespace, name) for name in cls.pods)
        for maker in ((ref.group_kind, ref.namespace, ref.name), *pods):
            found.setdefault(maker, {})[cls.id] = cls
    return found


def _said(label: Label, says: str) -> Label:
    return Label(label.edge, says, label.cost, label.attack, label.trace)


def _name(cls: Class) -> str:
    """A class of pods as it is told: files may leave the namespace out."""
    return cls.id.removeprefix("/")
