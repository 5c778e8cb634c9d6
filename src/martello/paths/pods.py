"""Pods in classes: what is made alike is one thing, with the nodes it runs on, and what each
container is good for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path as Place
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.core.workload import Container, Workload
from martello.paths.hostpaths import normal, traits_of
from martello.paths.model import Change, Edit, Fact

UNPLACED: Final = "?"  # the node of pods that no node is known for
TOKEN_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105
# Runtimes that put a kernel or a sandbox of its own between a pod and its node.
SANDBOXES: Final = ("kata", "gvisor", "runsc", "firecracker", "quark")
DEFAULT_CAPABILITIES: Final = frozenset(
    ("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD")
) | frozenset(("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"))

STRONG: Final = (
    *("BPF", "DAC_READ_SEARCH", "NET_ADMIN", "NET_RAW", "PERFMON", "SYS_ADMIN", "SYS_MODULE"),
    *("SYS_PTRACE", "SYS_RAWIO"),
)


class Class(msgspec.Struct, frozen=True, eq=False):
    """Pods that are made alike. `id` is namespace/name of what makes them; `nodes` where they run
    (UNPLACED where that is not known), `containers` by name: trait → fact.
    """

    id: str
    namespace: str
    account: str
    workload: Workload
    nodes: tuple[str, ...]
    count: int
    containers: dict[str, dict[str, Fact]]
    tokens: dict[str, Fact]  # containers that hold a token of the API server
    secrets: dict[str, dict[str, Fact]]  # container → secret → where it refers to it
    located: bool  # whether it matters on which node code runs
    pods: tuple[str, ...] = ()  # their names
    referred: tuple[str, ...] = ()  # every secret that the pod itself refers to


def classes(cluster: Cluster) -> tuple[Class, ...]:
    """Everything that makes pods, once for each template."""
    placed: dict[str, tuple[Resource, dict[str, int]]] = {}
    roots: set[int] = set()
    order: dict[str, Resource] = {}
    owners: dict[str, Resource] = {}
    called: dict[str, list[str]] = {}
    for pod in cluster.of_kind("Pod"):
        if look_up(pod.raw, ("status", "phase")) in ("Succeeded", "Failed"):
            continue
        root = _root(cluster, pod, owners)
        key = _key(pod, root)
        roots.add(id(root))
        node = pod.spec.get("nodeName")
        name = node if isinstance(node, str) and node else UNPLACED
        _, nodes = placed.setdefault(key, (pod, {}))
        nodes[name] = nodes.get(name, 0) + 1
        order.setdefault(key, pod)
        called.setdefault(key, []).append(pod.ref.name)
    found: list[Class] = []
    names: dict[str, int] = {}
    for key, (pod, nodes) in placed.items():
        one = _class(cluster, pod, _root(cluster, order[key], owners), nodes, names)
        found.append(msgspec.structs.replace(one, pods=tuple(called[key])))
    for workload in cluster.workloads():
        resource = workload.resource
        if id(resource) not in roots and resource.ref.kind not in ("Pod", "PodTemplate"):
            if look_up(resource.raw, ("spec", "replicas")) == 0:
                continue
            found.append(_class(cluster, resource, resource, {UNPLACED: 1}, names))
    return tuple(found)


def _root(cluster: Cluster, pod: Resource, owners: dict[str, Resource]) -> Resource:
    references = pod.metadata.get("ownerReferences")
    if not references:
        return pod
    for reference in references if isinstance(references, list) else ():
        uid = reference.get("uid") if isinstance(reference, dict) else None
        if isinstance(uid, str) and reference.get("controller") is True:
            if uid not in owners:
                owners[uid] = cluster.root(pod)
            return owners[uid]
    return pod


def _key(pod: Resource, root: Resource) -> str:
    """Pods of one owner are alike, but for those that somebody added containers to."""
    ref = root.ref
    if root is pod or pod.spec.get("ephemeralContainers"):
        return f"Pod {pod.ref.namespace}/{pod.ref.name}"
    return f"{ref.kind} {ref.namespace}/{ref.name}"


def _class(
    cluster: Cluster,
    made: Resource,
    root: Resource,
    nodes: dict[str, int],
    names: dict[str, int],
) -> Class:
    workload = cluster.workload(made)
    assert workload is not None
    name = f"{made.ref.namespace}/{root.ref.name}"
    names[name] = names.get(name, 0) + 1
    if names[name] > 1:
        name = f"{name} ({root.ref.kind} {names[name]})"
    source = cluster.workload(root) if root is not made else workload
    text = source if source is not None else workload
    containers = {one.name: _traits(cluster, text, one) for one in text.containers}
    located = any(t not in _PLAIN for traits in containers.values() for t in traits)
    return Class(
        name,
        made.ref.namespace,
        workload.service_account,
        text,
        tuple(nodes),
        sum(nodes.values()),
        containers,
        _tokens(cluster, workload, text),
        {one.name: dict(_secrets(text, one)) for one in text.containers},
        located,
        referred=_referred(text),
    )


SAME_USERS: Final = "no user namespace of its own"
SAME_KERNEL: Final = "the node's own kernel"
_PLAIN: Final = frozenset(("host users", "plain runtime", "root", "capable"))


def _traits(cluster: Cluster, workload: Workload, container: Container) -> dict[str, Fact]:
    found: dict[str, Fact] = {}

    def add(trait: str, says: str, place: Place, value: Any, **more: Any) -> None:
        edit = Edit(
            f"pod {workload.resource.ref.local} {trait}",
            f"{workload.resource.ref.local}: no longer {says}",
            (Change(workload.resource.ref, place, value),),
            3,
            "pod",
        )
        known = found.get(trait)
        if known is not None and known.edits:  # several mounts: all must go
            changes = (*known.edits[0].changes, *edit.changes)
            edit = msgspec.structs.replace(known.edits[0], changes=changes)
            found[trait] = msgspec.structs.replace(known, edits=(edit,))
            return
        found[trait] = Fact(says, workload.resource, place, edits=(edit,), **more)

    security = (*container.path, "securityContext")
    pod, path = workload.pod, workload.path
    if workload.security(container, "privileged") is True:
        add("privileged", "privileged", (*security, "privileged"), False)
    for trait in ("hostPID", "hostNetwork", "hostIPC"):
        if pod.get(trait) is True:
            add(trait, trait, (*path, trait), False)
    if pod.get("shareProcessNamespace") is True:
        add("shared processes", "shareProcessNamespace", (*path, "shareProcessNamespace"), False)
    for index, capability in enumerate(_added(workload, container)):
        place = (*security, "capabilities", "add", index)
        if capability == "ALL":
            for one in STRONG:
                add(f"cap {one}", "all capabilities", place, None)
        elif capability == "MKNOD":
            add("cap MKNOD explicit", "capability MKNOD", place, None)
        elif capability not in DEFAULT_CAPABILITIES:
            add(f"cap {capability}", f"capability {capability}", place, None)
    if workload.security(container, "procMount") == "Unmasked":
        add("unmasked proc", "procMount Unmasked", (*security, "procMount"), "Default")
    _profiles(cluster, workload, container, add)
    _mounts(workload, container, add)
    _guards(cluster, workload, container, found)
    return found


def _added(workload: Workload, container: Container) -> Iterator[str]:
    added = look_up(container.raw, ("securityContext", "capabilities", "add"))
    for one in added if isinstance(added, list) else ():
        word = one.upper() if isinstance(one, str) else ""
        yield word.removeprefix("CAP_")


def _profiles(cluster: Cluster, workload: Workload, container: Container, add: Any) -> None:
    profile = workload.security(container, "appArmorProfile")
    kind = profile.get("type") if isinstance(profile, dict) else None
    old = workload.annotations.get(
        f"container.apparmor.security.beta.kubernetes.io/{container.name}"
    )
    place = (*container.path, "securityContext", "appArmorProfile")
    if kind == "Unconfined" or (kind is None and old == "unconfined"):
        add("unconfined apparmor", "AppArmor unconfined", place, {"type": "RuntimeDefault"})
    elif kind is None and old is None and cluster.kubernetes < 31:
        add("unconfined apparmor", "no AppArmor profile", place, {"type": "RuntimeDefault"})
    seccomp = workload.security(container, "seccompProfile")
    if not isinstance(seccomp, dict) or seccomp.get("type") in (None, "Unconfined"):
        place = (*container.path, "securityContext", "seccompProfile")
        if isinstance(seccomp, dict):
            add("unconfined seccomp", "seccomp unconfined", place, {"type": "RuntimeDefault"})


def _mounts(workload: Workload, container: Container, add: Any) -> None:
    volumes = workload.pod.get("volumes")
    by_name = {
        v["name"]: (index, v)
        for index, v in enumerate(volumes if isinstance(volumes, list) else ())
        if isinstance(v, dict) and isinstance(v.get("name"), str)
    }
    mounts = container.raw.get("volumeMounts")
    for index, mount in enumerate(mounts if isinstance(mounts, list) else ()):
        name = mount.get("name") if isinstance(mount, dict) else None
        if not isinstance(name, str) or name not in by_name:
            continue
        path = look_up(by_name[name][1], ("hostPath", "path"))
        if not isinstance(path, str):
            continue
        sub = mount.get("subPath")
        whole = f"{path}/{sub}" if isinstance(sub, str) and sub else path
        written = mount.get("readOnly") is not True
        place = (*container.path, "volumeMounts", index)
        how = "" if written else ", read-only"
        for trait in traits_of(whole, written):
            add(trait, f"mounts {normal(whole)} of the node{how}", place, None)


def _guards(
    cluster: Cluster, workload: Workload, container: Container, found: dict[str, Fact]
) -> None:
    """What keeps a pod from its node, as positive facts: that it is not there."""
    resource, path = workload.resource, workload.path
    if workload.pod.get("hostUsers") is not False or cluster.kubernetes < 30:
        found["host users"] = Fact(SAME_USERS, resource, (*path, "hostUsers"))
    runtime = workload.pod.get("runtimeClassName")
    if not isinstance(runtime, str) or not runtime:
        found["plain runtime"] = Fact(SAME_KERNEL, resource, path)
    else:
        made = cluster.get("RuntimeClass.node.k8s.io", "", runtime)
        handler = str(made.raw.get("handler", "")) if made is not None else runtime
        if not any(word in handler.lower() for word in SANDBOXES):
            found["plain runtime"] = Fact(
                f"runtime class {runtime}",
                resource,
                (*path, "runtimeClassName"),
                made is not None and handler in ("runc", "crun", "nvidia", "youki"),
                f"whether the runtime {runtime} has a kernel of its own is not known",
            )
    user = workload.security(container, "runAsUser")
    if "runtime socket" in found:
        others = user != 0 and workload.security(container, "runAsNonRoot") is True
        found["opens the socket"] = Fact(
            "root, whom the socket belongs to" if not others else "may open the socket",
            resource,
            (*container.path, "securityContext", "runAsUser"),
            not others,
            f"whether user {user or 'of the image'} may open the socket is not known",
        )
    if user == 0 or (user is None and workload.security(container, "runAsNonRoot") is not True):
        found["root"] = Fact(
            "runs as root" if user == 0 else "may run as root",
            resource,
            (*container.path, "securityContext", "runAsUser"),
        )


def _tokens(cluster: Cluster, workload: Workload, text: Workload) -> dict[str, Fact]:
    """The containers that find a token of the API server. The pod's switch wins over its account's;
    a projected one counts though nothing is mounted by itself.
    """
    found: dict[str, Fact] = {}
    volumes = workload.pod.get("volumes")
    prefix = f"{workload.service_account}-token-"
    holding = {
        v["name"]: index
        for index, v in enumerate(volumes if isinstance(volumes, list) else ())
        if isinstance(v, dict) and isinstance(v.get("name"), str) and _holds_token(v, prefix)
    }
    own = workload.pod.get("automountServiceAccountToken")
    account = cluster.get("ServiceAccount", workload.namespace, workload.service_account)
    from_account = account.raw.get("automountServiceAccountToken") if account else None
    mounted = own if own is not None else from_account
    sure = own is not None or account is not None or "ServiceAccount" not in cluster.unlisted
    path = (*text.path, "automountServiceAccountToken")
    ref = text.resource.ref
    edit = Edit(
        f"automount {ref.local}",
        f"mount no token in {ref.local}",
        (Change(ref, path, False),),
        3,
        "token",
    )
    for container in workload.containers:
        mounts = container.raw.get("volumeMounts")
        for mount in mounts if isinstance(mounts, list) else ():
            name = mount.get("name") if isinstance(mount, dict) else None
            if isinstance(name, str) and name in holding:
                auto = str(mount.get("mountPath", "")).startswith(TOKEN_PATH) and (
                    name.startswith(("kube-api-access-", prefix))
                )
                place = (*workload.path, "volumes", holding[name])
                found[container.name] = Fact(
                    "automounted" if auto else "projected",
                    text.resource,
                    path if auto else place,
                    edits=(edit,) if auto else (),
                )
        if container.name not in found and mounted is not False:
            covered = any(
                isinstance(m, dict) and str(m.get("mountPath", "")).rstrip("/") == TOKEN_PATH
                for m in (mounts if isinstance(mounts, list) else ())
            )
            if not covered:
                found[container.name] = Fact(
                    "automounted", text.resource, path, sure, "its account was not read", (edit,)
                )
    return found


def _holds_token(volume: dict[str, Any], prefix: str) -> bool:
    """Whether a volume holds a token that the API server takes: a projected one without another
    audience, or the Secret that servers before 1.21 mount by themselves, named after the account.
    """
    secret = look_up(volume, ("secret", "secretName"))
    if volume["name"].startswith(prefix) and isinstance(secret, str) and secret.startswith(prefix):
        return True
    sources = look_up(volume, ("projected", "sources"))
    for source in sources if isinstance(sources, list) else ():
        token = source.get("serviceAccountToken") if isinstance(source, dict) else None
        if isinstance(token, dict) and not token.get("audience"):
            return True
    return False


def _referred(workload: Workload) -> tuple[str, ...]:
    """The secrets that a pod refers to, mounted or not: what its node may read."""
    found = {name for one in workload.containers for name, _ in _secrets(workload, one)}
    pulls = workload.pod.get("imagePullSecrets")
    found |= {look_up(one, ("name",)) for one in (pulls if isinstance(pulls, list) else ())}
    volumes = workload.pod.get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        found.add(look_up(volume, ("secret", "secretName")))
        sources = look_up(volume, ("projected", "sources"))
        for source in sources if isinstance(sources, list) else ():
            found.add(look_up(source, ("secret", "name")))
    return tuple(sorted(one for one in found if isinstance(one, str) and one))


def _secrets(workload: Workload, container: Container) -> Iterator[tuple[str, Fact]]:
    """The secrets that a container sees in its environment or its mounts."""
    resource = workload.resource
    for key in ("env", "envFrom"):
        entries = container.raw.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            place: Place = (
                ("secretRef", "name") if key == "envFrom" else ("valueFrom", "secretKeyRef", "name")
            )
            name = look_up(entry, place)
            if isinstance(name, str):
                yield name, Fact("in the environment", resource, (*container.path, key, index))
    volumes = workload.pod.get("volumes")
    mounts = container.raw.get("volumeMounts")
    mounted = {
        m.get("name") for m in (mounts if isinstance(mounts, list) else ()) if isinstance(m, dict)
    }
    for index, volume in enumerate(volumes if isinstance(volumes, list) else ()):
        if not isinstance(volume, dict) or volume.get("name") not in mounted:
            continue
        at = (*workload.path, "volumes", index)
        names = [look_up(volume, ("secret", "secretName"))]
        sources = look_up(volume, ("projected", "sources"))
        names += [
            look_up(source, ("secret", "name"))
            for source in (sources if isinstance(sources, list) else ())
        ]
        for name in names:
            if isinstance(name, str):
                yield name, Fact("mounted", resource, at)
