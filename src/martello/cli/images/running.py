"""The images that the pods of a live cluster run: by digest, with what runs them and the secrets
that they are pulled with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.adapters.cluster.kinds import KINDS
from martello.adapters.cluster.kubeconfig import access
from martello.adapters.cluster.read import read_kinds
from martello.adapters.cluster.secrets import Named, read_secrets
from martello.adapters.registry.pull_secrets import PullSecret, from_pull_secret
from martello.cli.progress import Progress
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.finding import Unassessed
from martello.core.image import parse_image
from martello.core.resource import Location, Resource
from martello.practices.images.ledger import digest_in, image_ids

# Pods, their accounts, and whatever owns them.
_OWNERS: Final = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob")
_ENDED: Final = ("Succeeded", "Failed")


class Running(msgspec.Struct, frozen=True):
    """One image that runs: how to ask for it, what runs it, how it is pulled."""

    word: str  # a target; by digest where that is known
    digest: str  # as the nodes say; empty: no node has pulled it yet
    image: str  # as the pods name it
    used: tuple[str, ...]
    keyrings: tuple[PullSecret, ...] = ()
    unread: tuple[str, ...] = ()  # pull secrets that could not be read, and why
    bare: bool = False  # the node names no repository: the digest is that of a configuration


class _Group(msgspec.Struct):
    image: str
    digest: str
    pods: dict[str, int]  # what runs it → how many pods
    secrets: dict[Named, None]
    bare: bool


def running_images(
    context: str | None,
    *,
    kubeconfig: str | None = None,
    namespaces: Sequence[str] = (),
    labels: str = "",
    progress: Progress,
) -> tuple[str, list[Running], tuple[Unassessed, ...]]:
    """The name of the cluster, its running images, and what of it could not be read. Secrets are
    read one by one, and only those that the pods name. Raises Unreachable, NotPermitted, BadInput.
    """
    found = access(context, kubeconfig=kubeconfig)
    kinds = [kind for kind in KINDS if kind.name in ("Pod", "ServiceAccount", *_OWNERS)]
    reading = read_kinds(found, namespaces, labels, kinds=kinds, progress=progress)
    groups = list(_groups(reading.world()))
    wanted = [named for group in groups for named in group.secrets]
    secrets = read_secrets(wanted, context, kubeconfig=kubeconfig)
    where = Location(reading.target)
    missing = [
        Unassessed(entry.reason, where)
        for entry in reading.unassessed
        if entry.reason.startswith(("Pod:", "ServiceAccount:"))
    ]
    return reading.target, [_running(group, secrets) for group in groups], tuple(missing)


def _groups(cluster: Cluster) -> Iterable[_Group]:
    """The containers of all pods that have not ended, by the image that they run."""
    groups: dict[str, _Group] = {}
    for pod in sorted(cluster.of_kind("Pod"), key=lambda pod: str(pod.ref)):
        status = pod.raw.get("status")
        if isinstance(status, dict) and status.get("phase") in _ENDED:
            continue
        workload = cluster.workload(pod)
        ids = image_ids(pod)
        for container in workload.containers if workload is not None else ():
            image = container.raw.get("image")
            if not isinstance(image, str) or not image:
                continue
            digest = digest_in(ids.get(container.name, ""))
            bare = "@" not in ids.get(container.name, "")
            group = groups.setdefault(digest or image, _Group(image, digest, {}, {}, bare))
            owner = cluster.root(pod).ref.local
            group.pods[owner] = group.pods.get(owner, 0) + (owner != pod.ref.local)
            group.secrets.update(dict.fromkeys(_pull_secrets(pod, cluster)))
    return groups.values()


def _pull_secrets(pod: Resource, cluster: Cluster) -> Iterator[Named]:
    """Those of the pod, then those of its service account."""
    namespace = pod.ref.namespace
    account = pod.spec.get("serviceAccountName")
    name = account if isinstance(account, str) and account else "default"
    found = cluster.get("ServiceAccount", namespace, name)
    for listed in (
        pod.spec.get("imagePullSecrets"),
        found.raw.get("imagePullSecrets") if found is not None else None,
    ):
        for entry in listed if isinstance(listed, list) else ():
            secret = entry.get("name") if isinstance(entry, dict) else None
            if isinstance(secret, str) and secret:
                yield namespace, secret


def _running(group: _Group, secrets: Mapping[Named, Mapping[str, Any] | str]) -> Running:
    keyrings: list[PullSecret] = []
    unread: list[str] = []
    for named in group.secrets:
        answer = secrets[named]
        if isinstance(answer, str):
            unread.append(answer)
            continue
        try:
            keyrings.append(from_pull_secret(answer, f"secret {'/'.join(named)}"))
        except BadInput as error:
            unread.append(f"{error.what}: {error.why}")
    counted = group.pods.items()
    used = (f"{owner} ({count} pods)" if count > 1 else owner for owner, count in counted)
    return Running(
        word=_word(group),
        digest=group.digest,
        image=group.image,
        used=tuple(used),
        keyrings=tuple(keyrings),
        unread=tuple(unread),
        bare=group.bare,
    )


def _word(group: _Group) -> str:
    """The image by its digest in the repository that the pod names; the pod's own words where no
    node has pulled it yet, or where the node names a configuration: no registry knows that.
    """
    reference = parse_image(group.image)
    if reference is None or not group.digest or group.bare:
        return f"registry:{group.image}"
    return f"registry:{reference.name}@{group.digest}"
