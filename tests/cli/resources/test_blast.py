"""`martello resources blast`: screens, exit codes, documents, and what it refuses."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.support.asked import ask
from tests.support.command import Done

SCHEMA = json.loads(
    files("martello.report.resources.blast")
    .joinpath("martello-blast-v1.schema.json")
    .read_text(encoding="utf-8")
)
NODE = """
apiVersion: v1
kind: Node
metadata: {name: worker-1}
status:
  capacity: {cpu: "4", memory: 8Gi, pods: "110", ephemeral-storage: 100Gi}
  allocatable: {cpu: "4", memory: 8Gi, pods: "110", ephemeral-storage: 90Gi}
"""
KUBELET = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
podPidsLimit: 1024
"""


def _deploy(name: str, space: str, resources: str) -> str:
    return f"""
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {space}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      automountServiceAccountToken: false
      containers:
        - name: app
          image: registry.example.com/app:1
          securityContext: {{readOnlyRootFilesystem: true}}
          resources: {resources}
"""


CALM = "{requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 100m, memory: 64Mi}}"
OPEN = "{requests: {cpu: 100m, memory: 64Mi}}"


def _blast(*words: str, cwd: Path | None = None) -> Done:
    return ask("resources", "blast", *words, cwd=cwd, columns=0)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    text = NODE + _deploy("web", "shop", OPEN) + _deploy("db", "data", CALM)
    (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "kubelet").mkdir()
    (tmp_path / "kubelet" / "worker-1.yaml").write_text(KUBELET, encoding="utf-8")
    return tmp_path


def test_the_demo_tells_whom_its_workloads_hurt() -> None:
    done = _blast("-A", "-f", "demo")
    assert done.code == 1, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("every workload, pids: no guard; ? 32,768 PIDs: up to 16 pods of 4")
    assert lines[1] == "  one fix: podPidsLimit 1024 in the kubelets' settings"
    assert " ".join(lines[3].split()) == "score workload cpu mem disk inode worst, pids aside"
    assert lines[4].split()[:5] == ["100.0", "shop/deploy/web", "0", "15", "0"]
    assert lines[5] == "       11 others: nobody is hurt, pids aside"
    assert (
        lines[-1] == "exit 1: 12 high (fail-on high)    next: --write DIR makes the guards, proved"
    )
    assert "15 pods of 4 namespaces" in done.out
    assert "cheapest guards: memory limit 192Mi, podPidsLimit 1024; score 100.0 → 0.0" in done.out
    assert "one node of 4 cores" in done.out
    assert "not enforced by Kubernetes" in done.out


def test_the_end_says_what_the_table_leaves_aside() -> None:
    done = _blast("-f", "demo")
    assert "11 others: nobody is hurt, pids aside" in done.out
    assert "12 can hurt others, 11 of them by pids alone\n" in done.out
    one = _blast("web", "-f", "demo")
    assert "1 can hurt others\n" in one.out


@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_screen_is_kept_to(columns: int) -> None:
    """A word may be longer than a line; the table of numbers has columns that are not wrapped."""
    done = ask("resources", "blast", "web", "-f", "demo", columns=columns)
    lines = done.out.splitlines()
    assert all(len(line) <= columns or "next:" in line for line in lines)
    assert all(line.strip() for line in lines[: lines.index("")])
    if columns == 40:
        assert "             every neighbour keeps what" in lines


def test_settings_of_a_kubelet_decide(shop: Path) -> None:
    assumed = _blast("deploy/db", "-f", "shop.yaml", cwd=shop)
    assert (assumed.code, "? 32,768 PIDs: 1 pod cannot fork" in assumed.out) == (1, True)
    told = _blast("deploy/db", "-f", "shop.yaml", "--kubelet", "kubelet", cwd=shop)
    assert "podPidsLimit 1,024" in told.out
    assert told.code == 0, told.out
    file = _blast("db", "-f", "shop.yaml", "--kubelet", "kubelet/worker-1.yaml", cwd=shop)
    assert file.out == told.out


def test_what_all_share_is_told_once_and_the_rest_decides_the_order(shop: Path) -> None:
    report = _blast("-f", "shop.yaml", "-o", "json", cwd=shop).report
    assert [row["attacker"] for row in report["rows"]] == ["shop/deploy/web", "data/deploy/db"]
    assert {row["score"] for row in report["rows"]} == {100.0}
    page = _blast("-f", "shop.yaml", "-o", "html", cwd=shop).out
    assert "every workload, pids: no guard; ? 32,768 PIDs" in page
    for words in (("-f", "shop.yaml", "--kubelet", "kubelet"), ("-f", "shop.yaml", "db", "web")):
        done = _blast(*words, cwd=shop)
        assert "every workload" not in done.out
        assert "aside" not in done.out
    text = (shop / "shop.yaml").read_text().replace(f"resources: {OPEN}", f"resources: {CALM}")
    (shop / "shop.yaml").write_text(text, encoding="utf-8")
    calm = _blast("-f", "shop.yaml", cwd=shop).out.splitlines()
    assert calm[3] == "nobody is hurt, pids aside"
    assert not any(line.startswith("score") for line in calm)
    assert calm[-1].startswith("exit 1: 2 high (fail-on high)")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("web",), 1),
        (("web", "--fail-on", "critical"), 3),
        (("web", "--fail-on", "never"), 3),
        (("web", "--fail-on", "never", "--allow-incomplete"), 0),
        (("web", "--fail-on", "never", "--target", "5"), 1),
        (("web", "--fail-on", "never", "--target", "100", "--allow-incomplete"), 0),
        (("nothing",), 2),
        (("web", "--kubelet", "shop.yaml"), 2),
        (("web", "--kubelet", "none"), 2),
        (("web", "--target", "101"), 2),
        (("web", "-o", "xml"), 2),
    ],
)
def test_exit_codes(shop: Path, words: tuple[str, ...], code: int) -> None:
    done = _blast(*words, "-f", "shop.yaml", cwd=shop)
    assert done.code == code, done.out + done.err
    assert "Traceback" not in done.err
    assert done.err.count("\n") <= 5


def test_the_document_keeps_to_its_schema(shop: Path) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    for level in ("container", "namespace"):
        words = ("-f", "shop.yaml", "--attacker", level, "-o", "json")
        report: dict[str, Any] = _blast(*words, cwd=shop).report
        validator.validate(report)
        assert report["level"] == level
        row = next(one for one in report["rows"] if one["attacker"] == "shop/deploy/web")
        lines = {line["resource"]: line for line in row["lines"]}
        assert [one["name"] for one in lines["memory"]["hurt"]] == ["data/db-0"]
        assert row["where"].startswith("shop.yaml:")


def test_the_guard_is_shown_where_it_is_written(shop: Path) -> None:
    limits = """
---
apiVersion: v1
kind: LimitRange
metadata: {name: defaults, namespace: shop}
spec: {limits: [{type: Container, default: {memory: 128Mi}}]}
"""
    with (shop / "shop.yaml").open("a", encoding="utf-8") as out:
        out.write(limits)
    report = _blast("-f", "shop.yaml", "-o", "json", cwd=shop).report
    where = {
        row["attacker"]: line["guardWhere"]
        for row in report["rows"]
        for line in row["lines"]
        if line["resource"] == "memory"
    }
    lines = (shop / "shop.yaml").read_text().splitlines()
    assert where["shop/deploy/web"] == f"shop.yaml:{lines.index('kind: LimitRange')}"
    assert where["data/deploy/db"].startswith("shop.yaml:")
    assert where["data/deploy/db"] != where["shop/deploy/web"]


def test_names_that_an_attacker_wrote_stay_text(shop: Path) -> None:
    evil = '"a\\e[31m<script>"'
    text = (
        (shop / "shop.yaml").read_text().replace("name: web, namespace", f"name: {evil}, namespace")
    )
    (shop / "shop.yaml").write_text(text, encoding="utf-8")
    done = _blast("-f", "shop.yaml", "-o", "text", "-o", "html=a.html", "-o", "svg=a.svg", cwd=shop)
    assert done.code == 1, done.err
    pages = [(shop / name).read_text() for name in ("a.html", "a.svg")]
    assert all("<script>" not in page for page in pages)
    assert all("\x1b" not in page for page in (done.out, *pages))


def test_a_world_without_pods_is_nothing_to_judge(tmp_path: Path) -> None:
    (tmp_path / "node.yaml").write_text(NODE, encoding="utf-8")
    for form in ("text", "json", "html", "svg"):
        done = _blast("-f", "node.yaml", "-o", form, cwd=tmp_path)
        assert done.code == 3, done.err
        assert _blast("-f", "node.yaml", "--allow-incomplete", cwd=tmp_path).code == 0
        if form in ("text", "html"):
            assert "othing to judge: no workloads here" in done.out
            assert "nobody can hurt another" not in done.out
        if form == "json":
            Draft202012Validator(SCHEMA).validate(json.loads(done.out))
            assert json.loads(done.out)["nothing"] == "no workloads here"


def test_a_namespace_without_quotas_stops_all_writes(shop: Path) -> None:
    done = _blast("web", "-f", "shop.yaml", "--attacker", "namespace", cwd=shop)
    assert done.code == 1
    assert "no write to the API passes any more" in done.out
    assert "count/ quotas in shop" in done.out
    assert "must give way" in done.out


POD = """
---
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: shop}
spec: {nodeName: worker-9, containers: [{name: c, image: a}]}
status: {phase: Running}
"""


def test_pods_on_a_node_that_is_not_here_are_judged(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text(POD, encoding="utf-8")
    done = _blast("-f", "pods.yaml", cwd=tmp_path)
    assert done.code == 3
    assert "shop/pod/lone" in done.out
    assert "nodes that are not here are taken for ones of 4 cores" in done.out


@pytest.mark.parametrize("why", ["no node takes it", "it has no pod"])
def test_what_is_on_no_node_is_not_judged_and_said_so(shop: Path, why: str) -> None:
    text = (shop / "shop.yaml").read_text()
    if why == "it has no pod":  # one pod on a node makes it a picture of what runs
        text = f"{_deploy('web', 'shop', OPEN)}{POD}"
    else:
        text = text.replace("metadata: {name: worker-1}", "metadata: {name: worker-1}\nspec: {}")
        text = text.replace("spec: {}", "spec: {unschedulable: true}")
    (shop / "shop.yaml").write_text(text, encoding="utf-8")
    done = _blast("-f", "shop.yaml", "--kubelet", "kubelet/worker-1.yaml", cwd=shop)
    assert done.code == 3, done.err
    assert "not judged, as they have no pod on any node: shop/deploy/web" in done.out
    asked = _blast("deploy/web", "-f", "shop.yaml", cwd=shop)
    assert asked.code == 2
    assert "deploy/web is on no node" in asked.err


def test_a_namespace_that_is_not_here_is_no_pass(shop: Path) -> None:
    done = _blast("-f", "shop.yaml", "-n", "shpo", cwd=shop)
    assert done.code == 2
    assert "there is no namespace shpo" in done.err


def test_a_cron_job_is_called_as_advise_calls_it(tmp_path: Path) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "nightly", "namespace": "shop"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}},
    }
    (tmp_path / "job.json").write_text(json.dumps(job), encoding="utf-8")
    done = _blast("cronjob/nightly", "-f", "job.json", cwd=tmp_path)
    assert "shop/cronjob/nightly" in done.out
    assert "(job.json:1)" in done.out
