"""`resources advise`: what people and programs read, what is written, exit codes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
import yaml
from tests.support.asked import ask
from tests.support.command import Done
from tests.support.resources import prometheus_fake, prometheus_server
from tests.support.resources.series import container, of_set, owner

from martello.adapters.prometheus import settings as prometheus_settings
from martello.adapters.usage import csv_file
from martello.core.usage import Chunk, Owned
from martello.practices.resources.sizing import families

SCHEMA = json.loads(
    files("martello.report.resources.advice")
    .joinpath("martello-resources-advice-v1.schema.json")
    .read_text()
)
HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  minReplicas: 2
  maxReplicas: 9
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: daily3, namespace: daily}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: app
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: "1", memory: 512Mi}}
"""


def _document(*words: str, cwd: Path | None = None) -> dict[str, Any]:
    done = ask("resources", "advise", *words, "-o", "json", cwd=cwd)
    document: dict[str, Any] = json.loads(done.out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def test_the_demo_says_what_is_set_what_should_be_why_and_what_it_would_have_done() -> None:
    done = ask("resources", "advise", "cart", "-f", "demo", columns=0)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "shop/deploy/cart cart"
    assert lines[1] == "  now         cpu 50m / \N{EN DASH}, memory 64Mi / 128Mi"
    assert lines[2].startswith("  advice      cpu ")
    assert "killed at 128Mi, + max(20 %, 100Mi)" in lines[3]
    assert "21 d learned, 9 d tried: 0 kills (now 1)" in lines[4]
    assert "VPA's rule" in lines[5]
    assert "KRR's rule" in lines[5]
    killed = "how much it wanted when it was killed is not known"
    assert lines[6] == f"  confidence  medium: {killed}  (30 d measured, 2 replicas)"
    assert "nothing is written: --write DIR" in lines[7]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, str, str]:
    """The whole demo: the screen, the JSON and the page."""
    place = tmp_path_factory.mktemp("demo")
    words = ("-f", "demo", "-o", "text", "-o", "json=a.json", "-o", "html=a.html")
    done = ask("resources", "advise", *words, columns=100, cwd=place)
    return done, (place / "a.json").read_text(), (place / "a.html").read_text()


def test_the_whole_demo_has_something_unassessed_and_says_so(demo: tuple[Done, str, str]) -> None:
    done = demo[0]
    assert done.code == 3
    assert "kube-system/ds/log-agent agent" in done.out
    assert "not enough data: 15 hours" in done.out
    assert done.out.splitlines()[-1].startswith("exit 3: 2 of 11 containers unassessed")
    assert all(len(line) <= 100 for line in done.out.splitlines())


def test_json_keeps_to_its_schema_and_every_run_is_the_same(demo: tuple[Done, str, str]) -> None:
    one = json.loads(demo[1])
    jsonschema.Draft202012Validator(SCHEMA).validate(one)
    assert one == _document("-f", "demo")
    assert one["exit"] == 3
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid({"kind": "advice"})


def test_the_page_is_whole_without_script(demo: tuple[Done, str, str]) -> None:
    page = demo[2]
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == 9
    assert "<script" not in page
    assert "style=" not in page
    assert len(page) < 300_000


def test_patches_hold_reasons_sizes_and_the_autoscaler_in_step(tmp_path: Path) -> None:
    (tmp_path / "hpa.yaml").write_text(HPA)
    words = ("-f", "demo", "-f", "hpa.yaml", "--write", "out", "web", "-n", "shop")
    done = ask("resources", "advise", *words, cwd=tmp_path, columns=0)
    assert done.code == 0, done.err
    assert "set averageUtilization" in done.out
    made = {file.name: file.read_text() for file in (tmp_path / "out").iterdir()}
    component = yaml.safe_load(made.pop("kustomization.yaml"))
    assert sorted(p["path"] for p in component["patches"]) == sorted(made)
    patch = yaml.safe_load(made["shop-deployment-web.yaml"])
    assert patch["metadata"] == {"name": "web", "namespace": "shop"}
    (app,) = patch["spec"]["template"]["spec"]["containers"]
    assert app["resources"]["requests"]["memory"] == app["resources"]["limits"]["memory"]
    assert "# backtest: 21 d learned" in made["shop-deployment-web.yaml"]
    scaler = yaml.safe_load(made["shop-horizontalpodautoscaler-web.yaml"])
    target = scaler["spec"]["metrics"][0]["resource"]["target"]
    milli = float(app["resources"]["requests"]["cpu"].removesuffix("m"))
    assert target["averageUtilization"] * milli / 100 == pytest.approx(70, rel=0.05)


def test_files_of_samples_bring_their_own_time_and_a_limit_goes(tmp_path: Path) -> None:
    chunks = (
        Chunk(c.of, c.metric, c.times[::10], c.values[::10])
        for c in families.chunks("daily", 3, 10)
    )
    csv_file.append(tmp_path / "use.csv", chunks)
    (tmp_path / "web.yaml").write_text(WEB)
    words = ("-f", "web.yaml", "--samples", "use.csv", "--write", "out")
    document = _document(*words, cwd=tmp_path)
    (one,) = document["containers"]
    assert one["advice"]["limits"]["cpu"] is None
    assert one["confidence"]["level"] == "medium"
    text = (tmp_path / "out" / "daily-deployment-daily3.yaml").read_text()
    resources = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources["limits"]["cpu"] is None  # strategic merge takes it away
    alone = _document("--samples", "use.csv", cwd=tmp_path)
    assert "without -f or --context nobody says what is set today" in alone["notes"]


def test_a_custom_kind_gets_a_patch_that_keeps_the_rest(tmp_path: Path) -> None:
    chunks = (
        Chunk(
            msgspec.structs.replace(c.of, workload="rollout/daily3"),
            c.metric,
            c.times[::10],
            c.values[::10],
        )
        for c in families.chunks("daily", 3, 10)
    )
    csv_file.append(tmp_path / "use.csv", chunks)
    text = WEB.replace("apps/v1", "argoproj.io/v1alpha1").replace("Deployment", "Rollout")
    (tmp_path / "web.yaml").write_text(text)
    _document("-f", "web.yaml", "--samples", "use.csv", "--write", "out", cwd=tmp_path)
    test, add = yaml.safe_load((tmp_path / "out" / "daily-rollout-daily3.yaml").read_text())
    place = "/spec/template/spec/containers/0"
    assert test == {"op": "test", "path": f"{place}/name", "value": "app"}
    assert (add["op"], add["path"]) == ("add", f"{place}/resources")
    assert "cpu" not in add["value"]["limits"]
    (one,) = yaml.safe_load((tmp_path / "out" / "kustomization.yaml").read_text())["patches"]
    assert one["target"] == {
        "group": "argoproj.io",
        "version": "v1alpha1",
        "kind": "Rollout",
        "name": "daily3",
        "namespace": "daily",
    }


def test_names_of_an_attacker_are_text_on_the_page(tmp_path: Path) -> None:
    of = Owned("a", "x<b>-0", "<script>", "sts/x<b>")
    times = families.BEGIN + np.arange(0, 3 * 86_400, 300.0)
    chunks = [
        Chunk(of, "cpu", times, times - times[0]),
        Chunk(of, "memory", times, times * 0 + 1e9),
    ]
    csv_file.append(tmp_path / "use.csv", chunks)
    words = ("resources", "advise", "--samples", "use.csv")
    done = ask(*words, "-o", "text", "-o", "html=page.html", cwd=tmp_path)
    assert done.code == 0
    page = (tmp_path / "page.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--samples", "none.csv"), 2, "cannot read none.csv"),
        ((), 2, "nothing says what was used"),
        (("-f", "demo", "--prometheus", "http://x", "--samples", "demo"), 2, "two sources"),
        (("-f", "demo", "--since", "forever"), 2, "no length of time"),
        (("-f", "demo", "--until", "soon"), 2, "is no time"),
        (("-f", "demo", "--until", "1990-01-01", "mail", "--all"), 3, "no data"),
        (("-f", "demo", "a/b/c/d"), 2, "is no workload"),
        (("-f", "demo", "nobody"), 2, "no samples of nobody"),
        (("-f", "demo", "wbe"), 2, "the nearest is deploy/web"),
        (("-f", "demo", "--prometheus", "http://127.0.0.1:9"), 4, "127.0.0.1"),
        (("-f", "demo", "--prometheus", "ftp://x"), 2, "no URL"),
    ],
)
def test_what_goes_wrong_is_said(
    words: tuple[str, ...], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    given = words or ("-f", "web.yaml")
    (tmp_path / "web.yaml").write_text(WEB)
    done = ask("resources", "advise", *given, cwd=tmp_path)
    assert done.code == code, done.out + done.err
    assert says in done.out + done.err


def test_a_link_in_the_place_of_a_patch_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kustomization.yaml").symlink_to(tmp_path / "elsewhere")
    done = ask("resources", "advise", "-f", "demo", "--write", "out", "web", cwd=tmp_path)
    assert done.code == 2
    assert "is no plain file" in done.err
    assert not (tmp_path / "elsewhere").exists()


def test_namespaces_that_were_finished_are_told_when_the_server_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = prometheus_settings.settings

    def quickly(*words: Any, **more: Any) -> Any:
        return msgspec.structs.replace(real(*words, **more), sleep=lambda _: None)

    monkeypatch.setattr(prometheus_settings, "settings", quickly)
    times = families.BEGIN + np.arange(0, 2 * 86_400, 300.0)
    truth = []
    for at in ("a/db-0/db", "b/db-0/db"):
        counter = (times - times[0]) * 0.1
        truth += [
            container("container_cpu_usage_seconds_total", times, counter, at, cpu="total"),
            container("container_memory_working_set_bytes", times, times * 0 + 1e9, at),
        ]

    def dead(path: str, params: Mapping[str, str]) -> prometheus_fake.Reply | None:
        gone = path == "query" and 'namespace="b"' in params["query"]
        return prometheus_fake.error(503, "unavailable", "going down") if gone else None

    (tmp_path / "web.yaml").write_text(WEB)
    until = str(int(times[-1]) + 1)
    with prometheus_fake.serving(truth) as fake:
        fake.instead = dead
        words = ("-f", "web.yaml", "--prometheus", fake.url, "--since", "2d", "--until", until)
        done = ask("resources", "advise", *words, cwd=tmp_path, columns=0)
    assert done.code == 4
    assert done.out.startswith("a/sts/db db")
    assert "b/sts/db" not in done.out
    assert "it ended early" in done.out
    assert "503" in done.err


def test_a_real_prometheus_end_to_end(tmp_path: Path) -> None:
    prometheus_server.skip_without()
    made = families.series("daily", 3, 4)
    times, pods = made.times[::4], ("daily3-7d9c5b6f4-x2x7q", "daily3-7d9c5b6f4-b8x7q")
    truth = [of_set("daily", "daily3-7d9c5b6f4", "Deployment", "daily3", times[::20])]
    for pod in pods:
        at = f"daily/{pod}/app"
        counter = np.cumsum(made.cores[::4] * 120)
        truth += [
            container("container_cpu_usage_seconds_total", times, counter, at, cpu="total"),
            container("container_memory_working_set_bytes", times, made.memory[::4], at),
            owner("daily", pod, "ReplicaSet", "daily3-7d9c5b6f4", times[::20]),
        ]
    (tmp_path / "web.yaml").write_text(WEB)
    until = str(int(times[-1]) + 1)
    with prometheus_server.running(truth) as server:
        words = ("-f", "web.yaml", "--prometheus", server.url, "--since", "4d", "--until", until)
        document = _document(*words, cwd=tmp_path)
        (one,) = document["containers"]
        assert one["workload"] == "deploy/daily3"
        assert one["replicas"] == 2
        assert one["confidence"]["level"] == "low"
        peak = float(made.memory[::4].max())
        assert peak <= one["advice"]["requests"]["memory"] <= 1.5 * peak
        assert one["backtest"]["contenders"]["advice"]["kills"] == 0
        server.kill()
        gone = ask("resources", "advise", *words[:-4], "--until", until, cwd=tmp_path)
        assert gone.code == 4


def test_a_word_that_means_nothing_beside_one_that_does_is_no_pass() -> None:
    words = ("-f", "demo", "--samples", "demo", "--allow-incomplete")
    done = ask("resources", "advise", "deploy/web", "deploy/wbe", "-n", "shop", *words[:-1])
    assert done.code == 3
    assert "deploy/wbe: no samples of it, and no such workload" in done.out
    assert (
        ask("resources", "advise", "deploy/web", "-n", "shop", "-n", "shpo", *words[:-1]).code == 3
    )
    assert ask("resources", "advise", "deploy/web", "deploy/wbe", *words).code == 0


def test_a_size_of_today_beyond_64_bits_is_told(tmp_path: Path) -> None:
    text = WEB.replace('cpu: "1", memory: 512Mi', "cpu: 1e400, memory: 1e400")
    (tmp_path / "web.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "use.csv").write_text(
        "time,namespace,pod,container,metric,value\n1e9,a,b,c,cpu,1\n"
    )
    document = _document("-f", "web.yaml", "--samples", "use.csv", cwd=tmp_path)
    assert {one["container"] for one in document["containers"]} >= {"app"}


GUARDS = """
apiVersion: v1
kind: LimitRange
metadata: {name: small, namespace: shop}
spec: {limits: [{type: Container, max: {memory: 200Mi}}]}
"""


def test_what_would_be_refused_is_said_and_not_written(tmp_path: Path) -> None:
    (tmp_path / "guards.yaml").write_text(GUARDS)
    words = ("-f", "demo", "-f", "guards.yaml", "-n", "shop", "web", "--write", "out")
    document = _document(*words, "--allow-incomplete", cwd=tmp_path)
    (one,) = (one for one in document["containers"] if one["workload"] == "deploy/web")
    assert document["exit"] == 1
    assert one["refused"].startswith("LimitRange shop/small would refuse it: maximum memory usage")
    assert one["advice"]["limits"]["memory"] > 200 * 2**20
    assert document["left"] == [f"shop/deploy/web: {one['refused']}"]
    assert document["written"] == []
    assert not (tmp_path / "out").exists()
    done = ask("resources", "advise", *words, "cart", cwd=tmp_path, columns=0)
    assert done.code == 1
    assert "  careful     LimitRange shop/small would refuse it" in done.out
    assert "not written: shop/deploy/web: LimitRange shop/small" in done.out
    assert "exit 1: the sizes of 2 workloads would be refused" in done.out


def test_what_is_admitted_is_written_beside_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "guards.yaml").write_text(GUARDS.replace("200Mi", "300Mi"))
    words = ("-f", "demo", "-f", "guards.yaml", "-n", "shop", "web", "cart", "--write", "out")
    done = ask("resources", "advise", *words, cwd=tmp_path, columns=0)
    assert done.code == 1
    names = {"kustomization.yaml", "shop-deployment-cart.yaml"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names
    component = yaml.safe_load((tmp_path / "out" / "kustomization.yaml").read_text())
    assert component["patches"] == [{"path": "shop-deployment-cart.yaml"}]
    assert "not written: shop/deploy/web" in done.out
    assert "2 files written to out" in done.out


def test_a_quota_that_the_roll_out_would_exceed_is_told_of(tmp_path: Path) -> None:
    quota = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: compute, namespace: shop}
spec: {hard: {requests.memory: 900Mi}}
"""
    (tmp_path / "quota.yaml").write_text(quota)
    words = ("-f", "demo", "-f", "quota.yaml", "-n", "shop", "web", "--write", "out")
    (one,) = _document(*words, cwd=tmp_path)["containers"]
    assert one["refused"].startswith("ResourceQuota shop/compute ")
    assert "exceeded quota: compute, requested: requests.memory=396Mi" in one["refused"]
    assert not (tmp_path / "out").exists()
