"""Fewer words for the same pods: several workloads become one label where exactly they have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from martello.practices.network.learn.atlas import VOLATILE, Atlas
from martello.practices.network.learn.lift import VERSIONS
from martello.practices.network.learn.model import Key
from martello.practices.network.learn.plan import Draft, Group, Labelled, Peers, Port

LEAST: Final = 3  # workloads that a label must stand for
Label = tuple[str, str]


class Labels:
    """Which workloads of each namespace have a label on all, and on some, of their pods."""

    def __init__(self, atlas: Atlas) -> None:
        self.whole: dict[str, dict[Label, set[Key]]] = {}
        self.some: dict[str, dict[Label, set[Key]]] = {}
        for key, shapes in atlas.shapes.items():
            kinds = [shape[0].labels for shape in shapes if not shape[0].host_network]
            for index, labels in enumerate(kinds):
                for label in labels.items():
                    if label[0] in VOLATILE or label[0] in VERSIONS:
                        continue
                    self.some.setdefault(key.namespace, {}).setdefault(label, set()).add(key)
                    if index == 0 and all(k.get(label[0]) == label[1] for k in kinds):
                        whole = self.whole.setdefault(key.namespace, {})
                        whole.setdefault(label, set()).add(key)

    def exact(self, namespace: str, keys: Iterable[Key]) -> list[tuple[Label, set[Key]]]:
        """Labels that at least `LEAST` of the workloads have and nobody else, disjoint, the
        greatest first.
        """
        wanted = set(keys)
        whole, some = self.whole.get(namespace, {}), self.some.get(namespace, {})
        fitting = sorted(
            (-len(held), label)
            for label, held in whole.items()
            if len(held) >= LEAST and held <= wanted and some[label] == held
        )
        found: list[tuple[Label, set[Key]]] = []
        for _, label in fitting:
            if whole[label] <= wanted:
                found.append((label, whole[label]))
                wanted -= whole[label]
        return found


def generalise(draft: Draft, atlas: Atlas) -> None:
    """Puts labels in the place of workloads that share their ports, in every list of peers."""
    labels = Labels(atlas)
    for subjects in draft.peers.values():
        for peers in subjects.values():
            _merge(peers, labels)


def _merge(peers: dict[Peers, set[Port]], labels: Labels) -> None:
    alike: dict[tuple[str, frozenset[Port]], list[Key]] = {}
    for peer, ports in peers.items():
        if isinstance(peer, Group):
            alike.setdefault((peer.key.namespace, frozenset(ports)), []).append(peer.key)
    for (namespace, shared), keys in alike.items():
        if len(keys) < LEAST:
            continue
        for label, held in labels.exact(namespace, keys):
            for key in held:
                del peers[Group(key)]
            peers.setdefault(Labelled(namespace, label), set()).update(shared)
