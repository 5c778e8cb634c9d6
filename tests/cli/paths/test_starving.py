"""Who starves whom, as a goal of `martello paths`: asked for, or named by [crown]; else never."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.asked import ask

from martello.cli.paths import starving
from martello.cli.paths.opening import known
from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of

NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n"},
    "status": {
        "capacity": {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi", "pods": "110"},
        "allocatable": {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi", "pods": "110"},
    },
}


def pod(space: str, name: str, memory: str = "", limit: str = "") -> dict[str, Any]:
    """A pod on the node that can only hurt by memory, as far as limits of others go."""
    resources: dict[str, Any] = {"limits": {"cpu": "1", "ephemeral-storage": "1Gi"}}
    resources["requests"] = {"cpu": "100m", **({"memory": memory} if memory else {})}
    if limit:
        resources["limits"]["memory"] = limit
    security = {"readOnlyRootFilesystem": True}
    container = {"name": "app", "image": "x", "resources": resources, "securityContext": security}
    metadata = {"name": name, "namespace": space}
    spec = {"nodeName": "n", "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """One pod without a limit of memory, and one that has one, in two namespaces."""
    items = [NODE, pod("web", "open"), pod("pay", "db", "1Gi", "2Gi")]
    (tmp_path / "all.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    )
    (tmp_path / ".git").mkdir()
    return tmp_path


def ways(cwd: Path, *words: str) -> list[dict[str, Any]]:
    """The paths that are found."""
    found: list[dict[str, Any]] = json.loads(
        ask("paths", "-f", "all.json", *words, "-o", "json", cwd=cwd).out
    )["paths"]
    return found


def test_who_starves_a_namespace(here: Path) -> None:
    found = ways(here, "--to", "starve:pay")
    (path,) = (one for one in found if one["begin"] == "pods of web/open")
    assert path["goal"] == "starving pay"
    assert "starves pods of pay" in json.dumps(path)
    done = ask("paths", "-f", "all.json", "--to", "starve:pay", cwd=here, columns=0)
    assert "guards end who starves whom" in done.out
    wrong = ask("paths", "-f", "all.json", "--to", "starve:pax", cwd=here)
    assert wrong.code == 2
    assert "the nearest is starving pay" in wrong.err


def test_two_workloads_of_one_name_are_told_apart(here: Path) -> None:
    open_, bound = pod("web", "x"), pod("web", "x", "1Gi", "2Gi")
    items: list[dict[str, Any]] = [NODE, pod("pay", "db", "1Gi", "2Gi")]
    for kind, one in (("DaemonSet", bound), ("StatefulSet", open_)):
        owner = {"kind": kind, "name": "twin", "uid": kind, "controller": True}
        one["metadata"] |= {"name": f"twin-{kind}", "ownerReferences": [owner]}
        made = {"name": "twin", "namespace": "web", "uid": kind}
        spec = {"template": {"metadata": {}, "spec": one["spec"]}}
        items += [one, {"apiVersion": "apps/v1", "kind": kind, "metadata": made, "spec": spec}]
    for order in (items, items[::-1]):
        (here / "all.json").write_text(
            json.dumps({"apiVersion": "v1", "kind": "List", "items": order})
        )
        (path,) = (one for one in ways(here, "--to", "starve:pay") if "web/twin" in one["begin"])
        second = "StatefulSet" if order is items else "DaemonSet"
        assert {"pods of web/twin", f"pods of web/twin ({second} 2)"} <= set(path["footholds"])
        found = starving.starving(Cluster([resource_of(one, Nowhere()) for one in order]))
        hurt = {one.maker[0] for one in found if one.fact.says.startswith("memory: pay/db")}
        assert hurt == {"StatefulSet.apps"}


def test_a_pod_whose_owner_is_not_here_starves_too(here: Path) -> None:
    orphan = pod("web", "lost-5c9d8f7b6-abcde")
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "lost-5c9d8f7b6"}
    orphan["metadata"]["ownerReferences"] = [{**owner, "uid": "u", "controller": True}]
    orphan["metadata"]["labels"] = {"pod-template-hash": "5c9d8f7b6"}
    items = [NODE, orphan, pod("pay", "db", "1Gi", "2Gi")]
    (here / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    begins = {one["begin"] for one in ways(here, "--to", "starve:pay")}
    assert "pods of web/lost-5c9d8f7b6-abcde" in begins


def test_crown_names_it(here: Path) -> None:
    (here / "martello.toml").write_text('[crown]\nstarve = ["pay"]\n')
    assert "starving pay" in {one["goal"] for one in ways(here)}


def test_it_costs_nothing_where_nobody_asks(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the blast radius was asked for")

    monkeypatch.setattr(starving, "starving", never)
    flags = {"files": ("all.json",), "context": None, "kubeconfig": None, "goals": ()}
    monkeypatch.chdir(here)
    read = known(flags)
    assert read.facts.inputs.starving is None
    assert not any(name[0] == "starve" for name in read.facts.program.names)
