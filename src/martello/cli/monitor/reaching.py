"""How far the subjects of alerts reach, which makes alerts graver: by all practices' facts.

A cluster is read once, live ones again and again; what one subject reaches is computed when it is
first asked for, and kept until the next reading. What nobody could assess raises nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from martello.cli.monitor.missing import said
from martello.cli.paths.opening import Known, known
from martello.cli.paths.places import words
from martello.cli.paths.weaknesses import EXPLOITED
from martello.core.alert import SEVERITIES
from martello.core.cluster import Cluster
from martello.paths.built import ANY_SECRETS
from martello.paths.find import GOALS, shown
from martello.paths.horn import closure, relevant
from martello.paths.model import Proposition
from martello.paths.pods import Class
from martello.paths.proof import Proofs
from martello.paths.reach import reach
from martello.practices.access.model import ACCOUNT, Principal, Request
from martello.practices.access.principals import account, let_in, user
from martello.practices.monitor.engine.rule import Rule

if TYPE_CHECKING:
    from martello.cli.monitor.jobs import Jobs

EVERY: Final = 300.0  # seconds between readings of a live cluster
SOON: Final = 10.0  # where there are new pods
_SHARE: Final = 20  # of the time: one reading takes a twentieth of it at most
_LOOK: Final = 1.0  # seconds between looks at whether there are
_MOST: Final = 20_000  # subjects that are kept
_SHOWN: Final = 3  # namespaces that are named
_ENTERED: Final = frozenset(("exec", "attach", "portforward", "ephemeralcontainers", "proxy"))
_KINDS: Final = {"deploy": "deployment"}  # words of `pod_workload` that are no kind's name
_SUBJECTS: Final = frozenset(("account", "user", "group", "pods-of"))
_BEYOND: Final = tuple(goal for goal in GOALS if goal != ANY_SECRETS)
_SECRETS: Final = ("get", "list")
Key = TypeVar("Key")


class Reaching:
    """Raises alerts. Without a reading nothing is raised."""

    __slots__ = ("_flags", "_world")

    def __init__(self, flags: Mapping[str, Any]) -> None:
        self._flags: dict[str, Any] = {
            key: flags.get(key) for key in ("context", "kubeconfig", "own")
        }
        self._flags["files"] = flags.get("world") or ()
        self._world: World | None = None

    @property
    def live(self) -> bool:
        """Whether what is read changes."""
        return not self._flags["files"] or any(
            word.partition(":")[0] == "cluster" for word in self._flags["files"]
        )

    def read(self) -> Cluster:
        """Reads the cluster. Raises what reading raises; what was read before then stands."""
        found = known(self._flags)
        self._world = World(found)
        return found.opened.cluster

    def follow(
        self,
        jobs: Jobs,
        pods: Callable[[], int] = lambda: 0,
        heard: Sequence[Callable[[Cluster], None]] = (),
    ) -> None:
        """Reads a live cluster again and again beside the other jobs, which go on meanwhile: sooner
        where `pods`, which grows with each one that is new, tells of some. Each of `heard` is given
        every reading.
        """

        def again() -> None:
            while not jobs.ending.is_set():
                begun, known = time.monotonic(), pods()
                try:
                    world = self.read()
                    for each in heard:
                        each(world)
                    jobs.troubled("reach")
                except Exception as error:  # whatever it is, the next reading may succeed
                    jobs.troubled("reach", f"what subjects reach is not known: {said(error)}")
                spent = time.monotonic() - begun
                soon, late = begun + max(SOON, _SHARE * spent), begun + EVERY
                while not jobs.ending.wait(_LOOK):
                    now = time.monotonic()
                    if now >= late or (now >= soon and pods() != known):
                        break

        jobs.thread(again, "reach")

    def __call__(self, rule: Rule, event: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
        """The severity of an alert that begins with this event, and why it is above the rule's."""
        world = self._world
        reasons = world.reasons(event) if world is not None else ()
        if not reasons:
            return rule.severity, ()
        level = min(SEVERITIES.index(rule.severity) + 1, len(SEVERITIES) - 1)
        return SEVERITIES[level], reasons


def reaching(flags: Mapping[str, Any]) -> Reaching | None:
    """What raises alerts, where the flags name a cluster. Files are read at once: raises what
    reading raises. A live cluster is to be read by who keeps it fresh.
    """
    if not any(flags.get(key) for key in ("world", "context", "kubeconfig")):
        return None
    found = Reaching(flags)
    if not found.live:
        found.read()
    return found


def read_once(flags: Mapping[str, Any]) -> Reaching | None:
    """What raises alerts, read now, where the flags name a cluster. Raises what reading raises."""
    found = reaching(flags)
    if found is not None and found.live:
        found.read()
    return found


class World:
    """One reading of a cluster, asked about subjects."""

    def __init__(self, read: Known) -> None:
        self._known = read
        self._program = read.facts.program
        self._ends = [(one, n) for one in GOALS if (n := self._program.find(one)) is not None]
        self._rules = relevant(self._program, [number for _, number in self._ends])
        self._unsure = self._program.index.unsure
        numbers = [n for n, name in enumerate(self._program.names) if name[0] in _SUBJECTS]
        self._bits = {number: bit for bit, number in enumerate(numbers)}
        everybody = reach(self._program, numbers, self._rules, without=self._unsure)
        self._who = {end: everybody[end] for _, end in self._ends}
        self._classes: dict[tuple[str, str], Class] = {}
        for cls in read.facts.world.classes:
            ref = cls.workload.resource.ref
            self._classes.setdefault((cls.namespace, f"{ref.kind.lower()}/{ref.name}"), cls)
            for pod in cls.pods:
                self._classes[cls.namespace, f"pod/{pod}"] = cls
        inputs = read.facts.inputs
        self._exposed = {
            one.workload: one.fact.says for one in inputs.exposed or () if one.fact.sure
        }
        self._weak = {
            (one.image, one.container): f"{one.id} in {one.says}"
            for one in reversed(read.weak or ())
            if not one.because and EXPLOITED in one.says
        }
        self._of_users: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._of_classes: dict[str, tuple[str, ...]] = {}

    def reasons(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        """Why an alert about the actor and the pod of an event is graver than others."""
        return tuple(dict.fromkeys((*self._actor(event), *self._pod(event))))

    def _actor(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        acted = event.get("actor_as")
        name = acted or event.get("actor_user")
        if not isinstance(name, str) or (name.startswith("system:") and not _is_account(name)):
            return ()  # the control plane and nodes reach everything: that tells nothing
        given = event.get("actor_as_groups" if acted else "actor_groups") or ()
        groups = () if _is_account(name) else tuple(sorted(one for one in given if one))
        return _kept(self._of_users, (name, groups), lambda: tuple(self._user(name, groups)))

    def _pod(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        """Of what ran in a pod, and of who entered one."""
        if event.get("kind") == "audit" and not (
            event.get("k8s_resource") == "pods" and event.get("k8s_subresource") in _ENTERED
        ):
            return ()
        cls = self._class(event)
        if cls is None:
            return ()
        return _kept(self._of_classes, cls.id, lambda: tuple(self._workload(cls)))

    def _class(self, event: Mapping[str, Any]) -> Class | None:
        space = str(event.get("k8s_ns") or "")
        name = event.get("pod_name") or event.get("k8s_name")
        found = self._classes.get((space, f"pod/{name}"))
        if found is None:
            kind, slash, name = str(event.get("pod_workload") or "").partition("/")
            found = self._classes.get((space, f"{_KINDS.get(kind, kind)}{slash}{name}"))
        return found

    def _user(self, name: str, groups: tuple[str, ...]) -> Iterator[str]:
        space, _, called = name.removeprefix(ACCOUNT).partition(":")
        if _is_account(name):
            who = account(space, called)
            told = f"its account {space}/{called}"
            starts: list[Proposition] = [("account", space, called)]
        else:
            who = user(name, let_in(groups))
            told = f"user {name}"
            starts = [("user", name), *(("group", group) for group in who.groups)]
        read = self._secrets(who, told)
        yield from self._goal(starts, told, GOALS if not read else _BEYOND)
        yield from read

    def _workload(self, cls: Class) -> Iterator[str]:
        told = f"its account {cls.namespace}/{cls.account}"
        who = account(cls.namespace, cls.account)
        read = self._secrets(who, told) if cls.tokens else ()
        starts: list[Proposition] = [("pods-of", cls.id)]
        yield from self._goal(starts, f"whoever is in {cls.id}", GOALS if not read else _BEYOND)
        yield from read
        through = self._exposed.get(cls.id)
        if through is not None:
            yield f"the internet reaches {cls.id}: {through}"
        for container in cls.workload.containers:
            weakness = self._weak.get((str(container.raw.get("image")), container.name))
            if weakness is not None:
                yield f"its container {container.name} has {weakness}"

    def _goal(
        self, starts: list[Proposition], told: str, goals: Sequence[Proposition]
    ) -> Iterator[str]:
        """The worst of these goals that is surely reached."""
        program = self._program
        numbers = [n for one in starts if (n := program.find(one)) is not None]
        for goal, end in self._ends:
            if goal in goals and self._reaches(numbers, end):
                proofs = Proofs(
                    program, numbers, without=self._unsure, rules=self._rules, goals=[end]
                )
                steps = len(shown(proofs.path(end)).steps)
                yield f"{told} reaches {words(goal)} in {steps} step{'s' * (steps != 1)}"
                return

    def _reaches(self, numbers: list[int], end: int) -> bool:
        """Whether one of these, or what they have together, leads to an end."""
        if any(self._who[end] >> self._bits[one] & 1 for one in numbers):
            return True
        if len(numbers) < 2:
            return False
        found = closure(self._program, numbers, self._unsure, rules=self._rules, goal=end)
        return bool(found[end])

    def _secrets(self, who: Principal, told: str) -> tuple[str, ...]:
        """Where somebody reads all secrets, and how many these are today."""
        access = self._known.opened.access
        cluster = access.cluster

        def reads(space: str) -> bool:
            asked = (Request(verb, resource="secrets", namespace=space) for verb in _SECRETS)
            return any(access.can(who, one).verdict == "allowed" for one in asked)

        if reads(""):
            count = sum(1 for _ in cluster.of_kind("Secret"))
            return (f"{told} reads every secret of the cluster{_counted(count)}",)
        spaces = [space for space in access.scopes(who) if space and reads(space)]
        if not spaces:
            return ()
        count = sum(1 for space in spaces for _ in cluster.of_kind("Secret", space))
        more = f" and {len(spaces) - _SHOWN} more" if len(spaces) > _SHOWN else ""
        where = f"{', '.join(spaces[:_SHOWN])}{more}"
        return (f"{told} reads every secret of {where}{_counted(count)}",)


def _counted(count: int) -> str:
    return f" ({count:,})" if count else ""


def _is_account(name: str) -> bool:
    return name.startswith(ACCOUNT)


def _kept(
    known: dict[Key, tuple[str, ...]], key: Key, compute: Callable[[], tuple[str, ...]]
) -> tuple[str, ...]:
    found = known.get(key)
    if found is None:
        if len(known) >= _MOST:
            known.clear()
        found = known[key] = compute()
    return found
