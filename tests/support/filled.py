"""A real API server that holds the demo cluster, 2,000 generated objects and a few odd ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from tests.support.apiserver import ApiServer, run
from tests.support.command import Done
from tests.support.corners import corners
from tests.support.forked import martello
from tests.support.generated import objects

from martello.demo import texts

COUNT: Final = 2_000
EVERYTHING: Final = ("-o", "json", "--fail-on", "never", "--profile", "all")


class Filled(NamedTuple):
    """The server, the administrator's kubeconfig, the manifests that were applied, and what the
    administrator saw of them before tests added their own.
    """

    server: ApiServer
    admin: Path
    manifests: Path
    live: Done


@contextlib.contextmanager
def filled(manifests: Path) -> Iterator[Filled]:
    """Starts the server, writes the manifests into a directory and applies what they say."""
    made = list(_objects())
    for number, start in enumerate(range(0, len(made), 20)):
        text = yaml.dump_all(made[start : start + 20], Dumper=yaml.CSafeDumper)
        (manifests / f"{number:03}.yaml").write_text(text, encoding="utf-8")
    with run() as server:
        server.apply(made)
        admin = server.kubeconfig()
        live = martello("scan", "cluster", *EVERYTHING, kubeconfig=admin)
        yield Filled(server, admin, manifests, live)


def _objects() -> Iterator[dict[str, Any]]:
    for text in texts().values():
        for document in yaml.safe_load_all(text):
            if not document["apiVersion"].startswith("audit.k8s.io/"):  # a file of the server's
                yield document
    yield from corners()
    yield from objects(COUNT)
