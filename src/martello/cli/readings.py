"""From targets to readings: each kind of target goes to its adapter, imported only then."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from martello.cli.progress import Progress
from martello.cli.target import Target
from martello.core.focus import Focus, selector
from martello.core.reading import Reading

if TYPE_CHECKING:
    from martello.core.own import Own


class Source(msgspec.Struct, frozen=True):
    """How targets are read: what is left out, and which part of a live cluster is meant."""

    exclude: tuple[str, ...] = ()
    kubeconfig: str | None = None
    namespaces: tuple[str, ...] = ()
    selector: str = ""
    partial: bool = False  # the files are a part of what will run
    own: Own | None = None  # what names requests in the audit log of a live cluster


def read_targets(targets: Sequence[Target], source: Source, progress: Progress) -> list[Reading]:
    """One Reading for all files together, one for each cluster and each bundle. Raises BadInput."""
    selector(source.selector)
    readings: list[Reading] = []
    files = [t.where for t in targets if t.kind in ("path", "stdin")]
    if files:
        from martello.adapters.manifests import read_paths

        stdin = sys.stdin.buffer if "-" in files else None
        reading = read_paths(files, stdin=stdin, exclude=source.exclude)
        reading = msgspec.structs.replace(reading, complete=not source.partial)
        readings.append(_focused(reading, source))
    if any(target.kind == "demo" for target in targets):
        readings.append(_focused(read_demo(), source))
    contexts = [target.where for target in targets if target.kind == "cluster"]
    if contexts:
        readings += _read_clusters(contexts, source, progress)
    for target in targets:
        if target.kind == "bundle":
            from martello.adapters.bundle import read_bundle

            readings.append(_focused(read_bundle(target.where), source))
    return readings


def _read_clusters(contexts: list[str], source: Source, progress: Progress) -> list[Reading]:
    from martello.adapters.cluster.read import read_cluster, read_clusters

    if len(contexts) == 1:
        reading = read_cluster(
            contexts[0] or None,
            kubeconfig=source.kubeconfig,
            namespaces=source.namespaces,
            labels=source.selector,
            own=source.own,
            progress=progress,
        )
        return [reading]
    several = read_clusters(
        contexts,
        kubeconfig=source.kubeconfig,
        namespaces=source.namespaces,
        labels=source.selector,
        progress=progress,
    )
    return list(several)


def read_demo(fixed: bool = False) -> Reading:
    """The bundled cluster, under the names that `martello demo --write shop` gives its files."""
    from martello.adapters.manifests import read_texts
    from martello.demo import texts

    return read_texts(texts(fixed), "demo")


def _focused(reading: Reading, source: Source) -> Reading:
    """Files and bundles are read whole, so that what an object names is found; judged is what was
    asked for.
    """
    return msgspec.structs.replace(reading, focus=Focus(source.namespaces, source.selector))
