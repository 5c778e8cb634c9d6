"""`resources quota --write`, `--apply` and `resources blast --write`: guards and their proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.support.apiserver import ApiServer, Missing, run
from tests.support.asked import ask
from tests.support.command import martello
from tests.support.resources.guarded import deployment as worker
from tests.support.resources.guarded import hook, priority_class, thing

from martello.adapters.kubelet.files import read_configuration

SCHEMA = json.loads(
    files("martello.report.resources").joinpath("martello-resources-v1.schema.json").read_text()
)


def deployment(replicas: int = 2) -> dict[str, Any]:
    """A Deployment that says nothing about resources."""
    labels = {"app": "web"}
    spec = {"containers": [{"name": "app", "image": "x:1"}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return thing("Deployment", "web", "shop", body)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with one workload that nothing bounds."""
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(deployment()))
    return tmp_path


def test_guards_of_the_demo_are_written_with_their_proof(tmp_path: Path) -> None:
    done = ask(*("resources", "quota", "-f", "demo", "--write", "guards"), cwd=tmp_path, columns=0)
    assert done.code == 0, done.out + done.err
    assert "at their most, go through admission: 0 refused, 0 made invalid" in done.out
    assert "worst blast of a hostile container: now 100" in done.out
    assert "patch of Deployment web" in done.out
    folder = tmp_path / "guards"
    component = yaml.safe_load((folder / "kustomization.yaml").read_text())
    named = {*component["resources"], *(one["path"] for one in component["patches"])}
    written = {str(file.relative_to(folder)) for file in folder.rglob("*.yaml")}
    assert written == named | {"kustomization.yaml", "kubelets/4-cores-16Gi.yaml"}
    assert "kubectl apply --dry-run=server -f guards/objects" in done.out
    assert "--patch-file guards/patches/shop-deployment-web.yaml" in done.out
    kubelet = read_configuration(folder / "kubelets/4-cores-16Gi.yaml")
    assert kubelet["podPidsLimit"] == 1024
    assert kubelet["evictionHard"]["memory.available"] == "100Mi"  # naming one drops the others


def test_what_was_written_holds_and_says_the_same_again(here: Path) -> None:
    words = ("resources", "quota", "-f", ".", "--write", "guards")
    first = ask(*words, cwd=here, columns=0)
    assert first.code == 3  # nobody measured what the container uses
    assert "assumed  the memory of shop/deploy/web/app" in first.out
    again = ask(*words, "--allow-incomplete", cwd=here, columns=0)
    assert again.code == 0
    assert again.out == first.out
    asked = ask("resources", "admit", "web.yaml", "-f", "guards", cwd=here, columns=0)
    assert "admitted  Deployment shop/web" in asked.out
    more = ask(
        *("resources", "admit", "web.yaml", "--replicas", "90", "-f", "guards"), cwd=here, columns=0
    )
    assert more.code == 1
    assert "exceeded quota: martello-compute" in more.out


def test_guards_as_json(here: Path) -> None:
    words = ("resources", "quota", "-f", ".", "--write", "guards", "-o", "json")
    told = json.loads(ask(*words, cwd=here).out)
    jsonschema.validate(told, SCHEMA)
    assert told["kind"] == "guards"
    assert told["proof"]["holds"] is True
    assert (told["proof"]["pods"], told["proof"]["podsAtMost"]) == (2, 3)
    (space,) = told["namespaces"]
    rooms = {room["key"]: room for made in space["made"] for room in made["rooms"]}
    assert rooms["limits.memory"]["hard"] == "2Gi"
    assert rooms["limits.memory"]["most"] == "1.5Gi"


def test_no_guards_where_the_proof_fails(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With quotas that are made too small, and nothing that may be left out."""
    from martello.practices.resources.guards import prove, rounding

    monkeypatch.setattr(rounding, "size", lambda least: 2**29)
    monkeypatch.setattr(prove, "_TRIES", 1)
    done = ask("resources", "quota", "-f", ".", "--write", "guards", cwd=here, columns=0)
    assert done.code == 1
    assert "Deployment shop/web now: 1 of 2 pods: exceeded quota: martello-compute" in done.out
    assert done.out.endswith("nothing is written\n")
    assert not (here / "guards").exists()


def test_the_cheapest_guards_of_a_blast(tmp_path: Path) -> None:
    words = ("resources", "blast", "deploy/web", "-n", "shop", "-f", "demo", "--write", "guards")
    done = ask(*words, cwd=tmp_path, columns=0)
    assert done.code == 3, done.out + done.err
    assert "patch of Deployment web" in done.out
    assert "0 refused, 0 made invalid" in done.out
    (patch,) = (tmp_path / "guards" / "patches").glob("*.yaml")
    body = yaml.safe_load(patch.read_text())
    (container,) = body["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"].endswith("Mi")
    told = json.loads(ask(*words, "-o", "json", cwd=tmp_path).out)
    jsonschema.validate(told, SCHEMA)
    wrong = ask(*words, "-o", "svg", cwd=tmp_path)
    assert wrong.code == 2
    assert "guards are not written as svg" in wrong.err


def test_what_an_earlier_run_left_is_refused_and_stays(tmp_path: Path) -> None:
    words = ("resources", "quota", "-f", "demo", "--allow-incomplete", "--write", "guards")
    assert ask(*words, cwd=tmp_path).code == 0
    assert ask(*words, cwd=tmp_path).code == 0  # the same files, anew
    patch = tmp_path / "guards" / "patches" / "shop-deployment-web.yaml"
    before = {file: file.read_bytes() for file in (tmp_path / "guards").rglob("*.yaml")}
    less = ask(*words, "-n", "data", cwd=tmp_path)
    assert less.code == 2
    assert "of an earlier run" in less.err
    assert "name another directory, or review" in less.err
    assert {file: file.read_bytes() for file in (tmp_path / "guards").rglob("*.yaml")} == before
    for file in before:
        if file != patch and "/data-" not in str(file):
            file.unlink()
    one = ask(*words, "-n", "data", cwd=tmp_path)
    assert one.code == 2
    assert f"rm guards/patches/{patch.name}" in one.err
    patch.unlink()
    assert ask(*words, "-n", "data", cwd=tmp_path).code == 0


def test_what_somebody_else_wrote_is_not_written_over(tmp_path: Path) -> None:
    other = tmp_path / "guards" / "kustomization.yaml"
    other.parent.mkdir()
    other.write_text("kind: Kustomization\n")
    for verb in ("quota", "advise"):
        done = ask("resources", verb, "-f", "demo", "--write", "guards", cwd=tmp_path)
        assert done.code == 2
        assert "guards/kustomization.yaml is somebody else's" in done.err
    assert other.read_text() == "kind: Kustomization\n"
    assert list(other.parent.iterdir()) == [other]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "guards").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "guards" / "objects").symlink_to(tmp_path / "elsewhere")
    done = ask("resources", "quota", "-f", "demo", "--write", "guards", cwd=tmp_path)
    assert done.code == 2
    assert "guards/objects is no plain directory" in done.err
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("words", [(), ("deploy/web", "-n", "shop"), ("-n", "ci")])
def test_guards_of_a_namespace_bring_the_defaults_that_they_demand(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    asked = ("resources", "blast", *words, "-f", "demo", "--allow-incomplete")
    done = ask(*asked, "--attacker", "namespace", "--write", "guards", cwd=tmp_path, columns=0)
    assert done.code == 0, done.out
    assert "0 refused, 0 made invalid" in done.out
    made: dict[tuple[str, str], Any] = {}
    for file in (tmp_path / "guards" / "objects").iterdir():
        raw = yaml.safe_load(file.read_text())
        made[(raw["metadata"]["namespace"], raw["metadata"]["name"])] = raw["spec"]
    demanded = [(key, spec["hard"]) for key, spec in made.items() if key[1] == "martello-compute"]
    assert demanded
    for (space, _), hard in demanded:
        assert "limits.cpu" not in hard
        (item,) = made[(space, "martello-defaults")]["limits"]
        asks = {key.partition(".")[2] for key in hard if key.startswith("requests.")}
        assert asks <= set(item["defaultRequest"])
        bounds = {key.partition(".")[2] for key in hard if key.startswith("limits.")}
        assert bounds <= set(item["default"])
        assert item["min"]["memory"] == "4Mi"


def test_a_quota_of_objects_leaves_room_for_those_that_are_there(tmp_path: Path) -> None:
    raws: list[dict[str, Any]] = [worker("web", "shop")]
    for number in range(60):
        metadata = {"name": f"o{number}", "namespace": "shop"}
        raws.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(raws))
    words = ("resources", "blast", "-f", "all.yaml", "--allow-incomplete", "--attacker")
    done = ask(*words, "namespace", "--write", "guards", cwd=tmp_path, columns=0)
    assert done.code == 0, done.out
    file = tmp_path / "guards" / "objects" / "shop-resourcequota-martello-objects.yaml"
    assert int(yaml.safe_load(file.read_text())["spec"]["hard"]["count/configmaps"]) > 60


def test_cheapest_guards_that_do_not_hold_say_what_does(tmp_path: Path) -> None:
    """Defaults make pods Burstable, and here only those are let in that ask for nothing."""
    pods = {"containers": [{"name": "c", "image": "a"}]}
    none = {"hard": {"pods": "0"}, "scopes": ["NotBestEffort"]}
    raws: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": "shop"}, **more}
        for kind, more in (("Pod", {"spec": pods}), ("ResourceQuota", {"spec": none}))
    ]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(raws))
    words = ("resources", "blast", "-f", "all.yaml", "--allow-incomplete", "--attacker")
    done = ask(*words, "namespace", "--write", "guards", cwd=tmp_path, columns=0)
    assert done.code == 1, done.out
    assert "exceeded quota: a" in done.out
    assert done.out.splitlines()[-2] == "nothing is written"
    assert "next  martello resources quota -n shop --write DIR" in done.out
    assert not (tmp_path / "guards").exists()


def test_a_priority_class_is_written_with_its_patch_and_its_proof(tmp_path: Path) -> None:
    raws: list[dict[str, Any]] = [
        priority_class("high", 1000),
        *hook(),
        worker("policy", "gate"),
        worker("etl", "shop", 1, priorityClassName="high"),
    ]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(raws))
    words = ("resources", "quota", "-f", "all.yaml", "--allow-incomplete", "--write", "guards")
    done = ask(*words, cwd=tmp_path, columns=0)
    assert done.code == 0, done.out + done.err
    head, class_ = done.out.splitlines()[:2]
    assert head == "priority classes"
    assert class_.split(maxsplit=1) == [
        "martello-platform",
        "value 1,000,000; displaces nobody (Never); nobody's default",
    ]
    assert (
        "gate/deploy/policy: has to give way to pods that are made by 1 workload of other "
        "namespaces, with the priority class none"
    ) in done.out
    assert "pods of high; " in done.out
    folder = tmp_path / "guards"
    component = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert "objects/priorityclass-martello-platform.yaml" in component["resources"]
    patch = (folder / "patches" / "gate-deployment-policy.yaml").read_text()
    assert "# priorityClassName martello-platform: answers the admission webhook" in patch
    told = json.loads(ask(*words, "-o", "json", cwd=tmp_path).out)
    jsonschema.validate(told, SCHEMA)
    assert told["proof"]["endedByOthers"] == [
        {"workload": "gate/deploy/policy", "resource": "placement", "before": 1, "after": 0}
    ]
    assert told["proof"]["priorityChanged"] == []


def test_apply_needs_a_live_cluster(here: Path) -> None:
    done = ask("resources", "quota", "-f", ".", "--apply", cwd=here)
    assert done.code == 2
    assert "--apply changes a live cluster" in done.err


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """A kube-apiserver with the plug-ins that guards speak to."""
    try:
        with run(arguments=("--enable-admission-plugins=LimitRanger,ResourceQuota",)) as found:
            found.apply([deployment()])
            yield found
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.apiserver
def test_apply_puts_them_into_the_cluster_and_once(server: ApiServer, tmp_path: Path) -> None:
    words = ("resources", "quota", "-n", "shop", "-f", "cluster", "--apply")
    config = server.kubeconfig()
    path = "/api/v1/namespaces/shop/"
    done = martello(*words, kubeconfig=config)
    assert done.code != 0
    assert "defaults are a guess for what nobody measured" in done.err
    assert not server.request("GET", f"{path}resourcequotas")["items"]
    done = martello(*words, "--allow-incomplete", kubeconfig=config)
    assert done.code == 0, done.out + done.err
    assert "applied: create shop/LimitRange/martello-defaults" in done.out
    held = {
        one["metadata"]["name"] for one in server.request("GET", f"{path}resourcequotas")["items"]
    }
    assert held == {"martello-compute", "martello-objects", "martello-priority"}
    again = martello(*words, "--allow-incomplete", kubeconfig=config)
    assert again.code == 0, again.out + again.err
    assert "applied" not in again.out
    server.apply([deployment(replicas=40)])
    wider = martello(*words, "--allow-incomplete", kubeconfig=config)
    assert "applied: change shop/ResourceQuota/martello-compute" in wider.out, wider.out
