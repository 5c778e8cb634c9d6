"""From targets to readings: each kind of target goes to its adapter, imported only then."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from martello.cli.target import Target
from martello.core.reading import Reading


class Source(msgspec.Struct, frozen=True):
    """How targets are read: what is left out, and which part of a live cluster is meant."""

    exclude: tuple[str, ...] = ()
    kubeconfig: str | None = None
    namespaces: tuple[str, ...] = ()
    selector: str = ""


def read_targets(targets: Sequence[Target], source: Source) -> list[Reading]:
    """One Reading for all files together, one for each cluster and each bundle."""
    readings: list[Reading] = []
    files = [t.where for t in targets if t.kind in ("path", "stdin")]
    demos = [t for t in targets if t.kind == "demo"]
    if files:
        from martello.adapters.manifests import read_paths

        stdin = sys.stdin.buffer if "-" in files else None
        reading = read_paths(files, stdin=stdin, exclude=source.exclude)
        readings.append(_narrowed(reading, source))
    for _ in demos[:1]:
        readings.append(read_demo())
    for target in targets:
        if target.kind == "cluster":
            from martello.adapters.cluster import read_cluster

            readings.append(
                read_cluster(
                    target.where or None,
                    kubeconfig=source.kubeconfig,
                    namespaces=source.namespaces,
                    labels=source.selector,
                )
            )
        elif target.kind == "bundle":
            from martello.adapters.bundle import read_bundle

            readings.append(_narrowed(read_bundle(target.where), source))
    return readings


def read_demo(fixed: bool = False) -> Reading:
    """The bundled cluster, with file names as `martello demo --write` lays them down."""
    from martello.adapters.manifests import read_paths
    from martello.demo import directory

    return read_paths([str(directory(fixed))], stdin=None, root=str(directory(fixed)))


def _narrowed(reading: Reading, source: Source) -> Reading:
    """Files and bundles cut down to the asked namespaces; cluster-scoped objects stay."""
    if not source.namespaces:
        return reading
    wanted = {*source.namespaces, ""}
    kept = tuple(r for r in reading.resources if r.ref.namespace in wanted)
    return msgspec.structs.replace(reading, resources=kept)
