"""`resources admit` and `resources quota`: what a person reads, exit codes, and bad input."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.asked import ask

SCHEMA = json.loads(
    files("martello.report.resources").joinpath("martello-resources-v1.schema.json").read_text()
)
GUARDS = """\
apiVersion: v1
kind: LimitRange
metadata: {name: defaults, namespace: shop}
spec:
  limits:
    - {type: Container, default: {memory: 512Mi}, max: {memory: 1Gi}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: compute, namespace: shop}
spec:
  hard:
    limits.memory: 1600Mi
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 5
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
"""
BIG = """\
apiVersion: v1
kind: Pod
metadata: {name: big}
spec:
  containers:
    - name: big
      resources:
        requests: {memory: 2Gi}
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with a guarded namespace, and two files to be admitted."""
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "guards.yaml").write_text(GUARDS)
    (tmp_path / "web.yaml").write_text(WEB)
    (tmp_path / "big.yaml").write_text(BIG)
    return tmp_path


def test_three_of_five_pods(here: Path) -> None:
    done = ask("resources", "admit", "web.yaml", "-f", "world", cwd=here, columns=100)
    assert done.code == 1
    assert "refused  Deployment shop/web  web.yaml:1  3 of 5 pods  Burstable" in done.out
    assert '403 by ResourceQuota: pods "web" is forbidden: exceeded quota: compute' in done.out
    assert "ResourceQuota shop/compute  world/guards.yaml:13" in done.out
    assert "LimitRange shop/defaults" in done.out
    assert "world/guards.yaml:6" in done.out
    assert "note: quota compute has no status here" in done.out
    done = ask("resources", "admit", "web.yaml", "--replicas", "2", "-f", "world", cwd=here)
    assert done.code == 0
    assert "2 of 2 pods" in done.out


def test_numbers_are_written_in_one_way(here: Path) -> None:
    text = WEB.replace("replicas: 5", "replicas: 2000000000")
    (here / "web.yaml").write_text(text)
    done = ask("resources", "admit", "web.yaml", "-f", "demo", cwd=here, columns=0)
    assert "2,000,000,000 of 2,000,000,000 pods" in done.out


@pytest.mark.parametrize(
    ("replicas", "told"),
    [
        ("999999999999999999999", '400 by decoding: Deployment in version "v1" cannot be handled'),
        ("1.5", '400 by decoding: Deployment in version "v1" cannot be handled'),
        ("-1", '422 by validation: Deployment.apps "web" is invalid: spec.replicas: Invalid value'),
    ],
)
def test_a_number_that_is_refused_makes_no_pods(here: Path, replicas: str, told: str) -> None:
    (here / "web.yaml").write_text(WEB.replace("replicas: 5", f"replicas: {replicas}"))
    done = ask("resources", "admit", "web.yaml", "-f", "demo", cwd=here, columns=0)
    assert done.code == 1
    assert told in done.out
    assert "web.yaml:5" in done.out
    assert "pod" not in done.out.splitlines()[0]


def test_a_namespace_for_objects_that_name_none(here: Path) -> None:
    done = ask("resources", "admit", "big.yaml", "-n", "shop", "-f", "world", cwd=here)
    assert done.code == 1
    assert "422 by validation" in done.out
    assert "big.yaml:8" in done.out
    done = ask("resources", "admit", "big.yaml", "-f", "world", cwd=here)
    assert (done.code, "Pod default/big" in done.out) == (0, True)


def test_guards_of_the_same_files_come_first(here: Path) -> None:
    whole = here / "all.yaml"
    whole.write_text(f"{WEB}---\n{GUARDS}")
    done = ask("resources", "admit", "all.yaml", "-f", "demo", "-o", "json", cwd=here)
    names = [one["object"]["name"] for one in json.loads(done.out)["objects"]]
    assert names == [
        "LimitRange shop/defaults",
        "ResourceQuota shop/compute",
        "Deployment shop/web",
    ]
    assert done.code == 1


def test_who_may_still_change_it(here: Path) -> None:
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "injector"},
        "webhooks": [
            {"rules": [{"operations": ["CREATE"], "apiGroups": [""], "resources": ["pods"]}]}
        ],
    }
    scaler = {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": "fit", "namespace": "shop"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}},
    }
    (here / "world" / "hook.json").write_text(json.dumps(hook))
    (here / "world" / "scaler.json").write_text(json.dumps(scaler))
    done = ask("resources", "admit", "web.yaml", "-f", "world", cwd=here, columns=0)
    assert "may still be changed by MutatingWebhookConfiguration injector" in done.out
    assert "may still be changed by VerticalPodAutoscaler shop/fit" in done.out
    scaler["spec"] = {
        "targetRef": {"kind": "Deployment", "name": "web"},
        "updatePolicy": {"updateMode": "Off"},
    }
    hook["webhooks"] = [
        {"rules": [{"operations": ["UPDATE"], "apiGroups": [""], "resources": ["pods"]}]}
    ]
    (here / "world" / "hook.json").write_text(json.dumps(hook))
    (here / "world" / "scaler.json").write_text(json.dumps(scaler))
    done = ask("resources", "admit", "web.yaml", "-f", "world", cwd=here, columns=0)
    assert "may still be changed" not in done.out


def test_what_is_limited_by_the_servers_configuration(here: Path) -> None:
    (here / "admission.yaml").write_text(
        "apiVersion: apiserver.config.k8s.io/v1\n"
        "kind: AdmissionConfiguration\n"
        "plugins:\n"
        "- name: ResourceQuota\n"
        "  configuration:\n"
        "    limitedResources:\n"
        "    - {resource: pods, matchContains: [requests.memory]}\n"
    )
    words = ("resources", "admit", "big.yaml", "-f", "world", "--admission-config")
    done = ask(*words, "admission.yaml", cwd=here, columns=0)
    assert done.code == 1
    assert "insufficient quota to consume: requests.memory" in done.out
    done = ask(*words, "big.yaml", cwd=here)
    assert done.code == 2
    assert "no admission configuration" in done.err


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (BIG.replace("2Gi", "2 GiB"), 1, "regular expression"),
        (BIG.replace("2Gi", "'-1'"), 1, "must be greater than or equal to 0"),
        (BIG.replace("2Gi", "1e9999999"), 1, "is no quantity"),
        (BIG.replace("requests: {memory: 2Gi}", "[]"), 1, "400 by decoding"),
        (BIG.replace("resources:", "resources: {limits: nonsense}\n      other:"), 1, "a mapping"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: 7\n", 1, "400 by decoding"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", 1, "400 by decoding"),
        ("no: object\n", 2, "nothing to admit"),
        ("{", 2, "nothing to admit"),
    ],
)
def test_bad_input_is_told_with_its_place(here: Path, text: str, code: int, told: str) -> None:
    (here / "bad.yaml").write_text(text)
    done = ask("resources", "admit", "bad.yaml", "-n", "shop", "-f", "world", cwd=here, columns=0)
    assert done.code == code
    assert told in done.out + done.err
    if code == 1:
        assert "bad.yaml:" in done.out


@pytest.mark.parametrize("kind", ["LimitRange", "ResourceQuota"])
def test_guards_that_no_server_takes_leave_it_unassessed(here: Path, kind: str) -> None:
    spec: dict[str, Any] = {"hard": {"pods": "many"}}
    if kind == "LimitRange":
        spec = {"limits": [{"type": "Container", "max": {"cpu": "much"}}]}
    bad = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "b", "namespace": "shop"}}
    (here / "world" / "bad.json").write_text(json.dumps({**bad, "spec": spec}))
    for words in (("admit", "web.yaml"), ("quota",)):
        done = ask("resources", *words, "-f", "world", cwd=here, columns=0)
        assert done.code == 3
        assert "unassessed" in done.out
        assert "is no quantity" in done.out
        assert "world/bad.json:1" in done.out


def test_what_quotas_bound(here: Path) -> None:
    done = ask("resources", "quota", "-f", "world", cwd=here, columns=0)
    assert done.code == 1
    assert "memory used  0 of 1600Mi  ResourceQuota shop/compute  world/guards.yaml:13" in done.out
    assert "a limit of 0 satisfies the quota" in done.out
    assert "no bound" in done.out
    done = ask("resources", "quota", "-n", "lost", "-f", "world", cwd=here)
    assert done.code == 2
    assert "there is no namespace lost" in done.err


def test_a_world_without_namespaces_is_nothing_to_judge(tmp_path: Path) -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n"
    (tmp_path / "role.yaml").write_text(role)
    done = ask("resources", "quota", "-f", "role.yaml", cwd=tmp_path)
    assert done.code == 3
    assert "nothing to judge: no namespaces here" in done.out
    assert "no holes" not in done.out
    done = ask("resources", "quota", "-f", "role.yaml", "--allow-incomplete", cwd=tmp_path)
    assert done.code == 0


@pytest.mark.parametrize(
    "words",
    [
        "admit web.yaml big.yaml -n shop -f world",
        "admit web.yaml -f demo",
        "quota -f world",
        "quota -f demo",
    ],
)
def test_documents_keep_to_the_schema(here: Path, words: str) -> None:
    done = ask("resources", *words.split(), "-o", "json", cwd=here)
    document = json.loads(done.out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid({**document, "more": 1})


@pytest.mark.parametrize(("kind", "code"), [("Banana", 404), ("ComponentStatus", 405)])
def test_what_no_api_makes_keeps_to_the_schema(here: Path, kind: str, code: int) -> None:
    text = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}\n"
    (here / "odd.yaml").write_text(text, encoding="utf-8")
    done = ask("resources", "admit", "odd.yaml", "-f", ".", "-o", "json", cwd=here)
    document = json.loads(done.out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    (one,) = document["objects"]
    assert (one["verdict"], one["code"], one["step"]) == ("refused", code, "the API")


def test_the_demo_gives_a_screen_for_both() -> None:
    demo = Path(__file__).parents[3] / "src" / "martello" / "demo" / "cluster" / "ci.yaml"
    done = ask("resources", "admit", str(demo), "-f", "demo")
    assert (done.code, "7 objects: 7 admitted" in done.out) == (0, True)
    done = ask("resources", "quota", "-f", "demo")
    assert (done.code, "4 of 20" in done.out) == (1, True)


SCALED = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  minReplicas: 1
  maxReplicas: 9
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
"""


def test_a_workload_makes_its_own_number_of_pods_before_an_autoscaler_lowers_it(here: Path) -> None:
    (here / "world" / "scaled.yaml").write_text(SCALED, encoding="utf-8")
    done = ask("resources", "admit", "web.yaml", "-f", "world", cwd=here)
    assert "3 of 5 pods" in done.out


def test_what_is_filled_in_is_written_as_json(here: Path) -> None:
    runtime = """
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: kata}
handler: kata
overhead: {podFixed: {cpu: 10m}}
"""
    (here / "world" / "runtime.yaml").write_text(runtime, encoding="utf-8")
    pod = "      runtimeClassName: kata\n      containers:"
    (here / "web.yaml").write_text(WEB.replace("      containers:", pod), encoding="utf-8")
    done = ask("resources", "admit", "web.yaml", "-f", "world", cwd=here, columns=0)
    assert 'overhead: {"cpu":"10m"}' in done.out


@pytest.mark.parametrize("amounts", ["{min: {cpu: 1m}, max: {cpu: 1e400}}", "{min: {cpu: 1m}}"])
def test_a_ratio_of_any_size_is_compared(here: Path, amounts: str) -> None:
    item = amounts[:-1] + ", type: Container, maxLimitRequestRatio: {cpu: 2}}"
    text = GUARDS.replace("{type: Container, default: {memory: 512Mi}, max: {memory: 1Gi}}", item)
    (here / "world" / "guards.yaml").write_text(text, encoding="utf-8")
    pod = BIG.replace("requests: {memory: 2Gi}", "{requests: {cpu: 1m}, limits: {cpu: 1e400}}")
    (here / "big.yaml").write_text(pod, encoding="utf-8")
    done = ask("resources", "admit", "big.yaml", "world", "-n", "shop", "-f", "world", cwd=here)
    assert done.code == 1
    assert "provided ratio is inf" in done.out
