"""Real projects' manifests are judged the same in their files and in the cluster that took them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.apiserver import ApiServer, Missing, run
from tests.support.command import Done
from tests.support.forked import martello

from martello.adapters.manifests import read_paths
from martello.core.resource import Resource

pytestmark = [pytest.mark.apiserver, pytest.mark.corpus]

Object = dict[str, Any]
# These change what the server takes, or need a server of their own.
LEFT_OUT: Final = (
    "APIService",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
# Checks whose findings differ, and why that is the server's doing.
EXPLAINED: Final = {
    "POD-052": "the server fills in serviceAccountName",
    "RES-004": "the message names quantities, which the server puts into canonical form",
    "RES-010": "no controller manager fills in the status here: the quota holds nothing yet",
    "RES-022": "the server writes replicas: 1",
    "ACC-900": "paths lead over nodes: files list none, so there is some; the server has none",
    "ACC-901": "as ACC-900",
    "ACC-902": "as ACC-900",
}


def test_files_and_cluster_agree(corpora: Path, tmp_path: Path) -> None:
    found = read_paths([str(corpora / "manifests")]).resources
    try:
        with run() as server:
            taken = list(_taken(server, found))
            version = server.request("GET", "/version")["minor"].rstrip("+")
            live = _scan("cluster", "--kubeconfig", str(server.kubeconfig()))
    except Missing as missing:
        pytest.skip(str(missing))
    assert len(taken) > 400
    file = tmp_path / "taken.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": taken}))
    written = _scan(str(file), "--kubernetes", f"1.{version}")
    assert written.missed == live.missed == []
    ours, theirs = _identities(written), _identities(live)
    assert len(ours & theirs) > 2_000
    assert {identity[0] for identity in ours ^ theirs} <= EXPLAINED.keys()


def _taken(server: ApiServer, found: tuple[Resource, ...]) -> Iterator[Object]:
    """Creates the objects of built-in kinds, each name once, and yields those that were taken."""
    served = _served(server)
    wanted: dict[tuple[str, str, str], Object] = {}
    for resource in found:
        ref = resource.ref
        namespaced = served.get((ref.api_version, ref.kind))
        if namespaced is None or ref.kind in LEFT_OUT or not ref.name:
            continue
        raw = copy.deepcopy(resource.raw)
        if namespaced:
            raw["metadata"].setdefault("namespace", "default")
        wanted.setdefault((ref.group_kind, raw["metadata"].get("namespace", ""), ref.name), raw)
    spaces = {namespace for _, namespace, _ in wanted} - {""}
    for name in sorted(spaces):
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        wanted.setdefault(("Namespace", "", name), space)
    for raw in sorted(wanted.values(), key=lambda raw: raw["kind"] != "Namespace"):
        answer = server.request("POST", server.collection(raw), raw, check=False)
        there = answer.get("reason") == "AlreadyExists"
        if answer["kind"] != "Status" or (there and raw["kind"] == "Namespace"):
            yield raw


def _served(server: ApiServer) -> dict[tuple[str, str], bool]:
    groups = server.request("GET", "/apis")["groups"]
    versions = [v["groupVersion"] for group in groups for v in group["versions"]]
    roots = {"v1": "/api/v1", **{version: f"/apis/{version}" for version in versions}}
    return {
        (version, entry["kind"]): entry["namespaced"]
        for version, root in roots.items()
        for entry in server.request("GET", root)["resources"]
        if "/" not in entry["name"]
    }


def _scan(*words: str) -> Done:
    return martello("scan", *words, "-o", "json", "--fail-on", "never", "--profile", "all")


def _identities(done: Done) -> set[tuple[str, ...]]:
    found = set()
    for finding in done.report["findings"]:
        ref = finding["object"]
        words = (finding["check"], ref["kind"], ref["namespace"], ref["name"])
        found.add((*words, finding["outcome"], finding["message"], *finding["elements"]))
    return found
