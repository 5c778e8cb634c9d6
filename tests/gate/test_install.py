"""What is printed for a cluster: narrow rules, exemptions, and files of the plug-in."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml
from tests.gate.test_images import API, SHOP
from tests.support.forked import martello
from tests.support.gate import BAD, GOOD, NEW, Ledger, containers, made

from martello.core.approval import DENY
from martello.core.errors import BadInput
from martello.gate import install

PEM = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"


def test_rules_are_narrow_and_name_their_subresources() -> None:
    where = install.at_url("https://gate.example:8443/")
    hooks = install.webhooks(where, PEM.encode(), exempt=["martello", "kube-system"])
    kinds = [hook["kind"] for hook in hooks]
    assert kinds == ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
    for whole, path in zip(hooks, ("/mutate", "/validate"), strict=True):
        (hook,) = whole["webhooks"]
        assert hook["clientConfig"]["url"] == f"https://gate.example:8443{path}"
        assert base64.b64decode(hook["clientConfig"]["caBundle"]).decode() == PEM
        assert (hook["failurePolicy"], hook["timeoutSeconds"]) == ("Fail", 3)
        assert hook["sideEffects"] == "NoneOnDryRun"
        (expression,) = hook["namespaceSelector"]["matchExpressions"]
        assert expression["values"] == ["kube-system", "martello"]
        words = [word for rule in hook["rules"] for word in rule["resources"]]
        assert "pods/ephemeralcontainers" in words
        assert not [word for word in words if "*" in word]
    (only,) = install.webhooks(where, b"", exempt=[], fail_open=True, pin=False)
    assert only["webhooks"][0]["failurePolicy"] == "Ignore"


def test_where_the_gate_is() -> None:
    service = install.at_service("martello/gate:8443").client("/validate", b"")
    assert service == {
        "service": {"namespace": "martello", "name": "gate", "path": "/validate", "port": 8443}
    }
    for url in ("http://a", "https://", "https://u@a", "https://a?x", "https://a#b", "https://a:x"):
        with pytest.raises(BadInput):
            install.at_url(url)
    for text in ("gate", "a/", "/b", "a/b:c"):
        with pytest.raises(BadInput):
            install.at_service(text)
    with pytest.raises(BadInput):
        install.kubeconfig(install.at_service("a/b"), b"")


def test_the_command_prints_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(PEM)
    words = ("gate", "install", "--url", "https://gate.example", "--data", str(tmp_path))
    done = martello(*words)
    assert done.code == 0
    assert len(list(yaml.safe_load_all(done.out))) == 2
    config = yaml.safe_load(martello(*words, "-o", "kubeconfig").out)
    assert config["clusters"][0]["cluster"]["server"] == "https://gate.example/imagereview"
    admission = yaml.safe_load(martello("gate", "install", "-o", "admission").out)
    policy = admission["plugins"][0]["configuration"]["imagePolicy"]
    assert policy["defaultAllow"] is False
    assert martello("gate", "install").code == 2
    assert martello("gate", "install", "--url", "https://a", "--ca", "/none").code == 2


def test_manifests_are_judged_by_the_ledger_offline(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, SHOP)
    ledger.decide(GOOD)
    ledger.decide(BAD, DENY, "CVE-2031-1111 in openssl")
    policy = tmp_path / "policy.yaml"
    head = {"apiVersion": "martello.dev/v1alpha1", "kind": "ImagePolicy"}
    spec = {"repositories": ["reg.local/shop"]}
    policy.write_text(yaml.safe_dump({**head, "metadata": {"name": "shop"}, "spec": spec}))
    words = ("--state", ledger.url, "--approver", str(ledger.public), "--image-policy", str(policy))
    objects = [
        made("Pod", containers(f"{API}@{GOOD}"), "good"),
        made("Deployment", containers(f"{API}@{BAD}"), "bad"),
        made("CronJob", containers(f"{API}@{NEW}"), "new"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}},
    ]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects))
    done = martello("gate", "images", str(tmp_path / "all.yaml"), *words)
    assert done.code == 1
    assert "admitted  Pod shop/good" in done.out
    assert "denied    Deployment shop/bad" in done.out
    assert "CVE-2031-1111 in openssl" in done.out
    assert "3 objects with images: 2 denied, 0 warned, 1 admitted; 0 not read" in done.out
    told = json.loads(martello("gate", "images", str(tmp_path), *words, "-o", "json").out)
    verdicts = {one["name"]: one["verdict"] for one in told["objects"]}
    assert verdicts == {"good": "admitted", "bad": "denied", "new": "denied"}
    assert next(o for o in told["objects"] if o["name"] == "new")["ask"] == [f"{API}@{NEW}"]
    (tmp_path / "good.yaml").write_text(yaml.safe_dump(objects[0]))
    assert martello("gate", "images", str(tmp_path / "good.yaml"), *words).code == 0
    (tmp_path / "bad.yaml").write_text("a: [")
    assert martello("gate", "images", str(tmp_path / "bad.yaml"), *words).code == 3
    assert martello("gate", "images", str(tmp_path / "good.yaml"), "--state", ledger.url).code == 2
