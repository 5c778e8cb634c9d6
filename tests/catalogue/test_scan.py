"""A scan over checks made for the purpose: hits, passes, what has no verdict, and their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.support.objects import TODAY, check, judged, reading

from martello.catalogue.scan import scan
from martello.core.check import Check, Hit
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.resource import Resource

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop}
spec:
  containers:
    - {name: one, image: x}
    - {name: two, securityContext: {privileged: true}}
"""
PRIVILEGED = """\
each: containers
validations:
  - expression: "!container.?securityContext.?privileged.orValue(false)"
    message: is privileged
    path: securityContext.privileged
"""


def python(function: Any, **options: Any) -> Check:
    made = check("validations: [{expression: 'true', message: m}]\n")
    return msgspec.structs.replace(made, rule=None, function=function, **options)


def test_a_hit_is_a_finding_with_its_place() -> None:
    result = judged(POD, check(PRIVILEGED))
    (finding,) = result.findings
    assert finding.where == "spec.containers[1].securityContext.privileged"
    assert finding.location.line == 7
    assert finding.elements == ("two",)
    assert finding.severity == "medium"
    assert (result.objects, result.workloads, result.checks, result.passed) == (1, 1, 1, 0)


def test_hits_of_one_object_are_one_finding_that_points_at_what_exists() -> None:
    made = check(
        "each: containers\nvalidations: [{expression: has(container.resources.limits), "
        "message: no limits, path: resources.limits.memory}]\n"
    )
    (finding,) = judged(POD, made).findings
    assert finding.elements == ("one", "two")
    assert finding.where == "spec.containers[0]"
    assert len(finding.parts) == 2


def test_objects_of_other_kinds_are_not_judged() -> None:
    made = check("scope: [Service]\nvalidations: [{expression: 'false', message: m}]\n")
    result = judged(POD, made)
    assert (result.findings, result.passed) == ((), 0)


def test_an_engine_error_is_no_verdict() -> None:
    made = check("validations: [{expression: pod.hostPID, message: m, path: hostPID}]\n")
    result = judged(POD, made)
    assert result.findings == ()
    assert result.passed == 0
    (entry,) = result.unassessed
    assert (entry.check, entry.asked) == ("POD-900", True)
    assert "hostPID" in entry.reason


def test_a_wrong_type_is_no_pass() -> None:
    text = POD.replace("privileged: true", "privileged: 'yes'")
    result = judged(text, check(PRIVILEGED))
    assert result.passed == 0
    assert result.findings == ()
    assert any("privileged" in u.reason for u in result.unassessed)


@pytest.mark.parametrize("value", ["3", "[3]", "{a: b}", "x", "[{name: 3}]"])
def test_malformed_pods_are_unassessed(value: str) -> None:
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: {value}}}\n"
    result = judged(text, check(PRIVILEGED))
    assert result.passed == 0
    assert result.unassessed


def test_null_is_absent() -> None:
    text = POD.replace("{privileged: true}", "null")
    result = judged(text, check(PRIVILEGED))
    assert (result.findings, result.unassessed, result.passed) == ((), (), 1)


def test_a_namespace_that_is_not_here_leaves_the_check_open() -> None:
    made = check(
        "validations: [{expression: namespaceObject.metadata.name == 'shop', message: m}]\n"
    )
    assert "no Namespace object shop" in judged(POD, made).unassessed[0].reason
    there = POD + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    assert judged(there, made).passed == 1


def test_the_newest_entry_not_above_the_version_counts() -> None:
    made = check(
        "versions:\n"
        "  - {since: '1.20', validations: [{expression: 'false', message: old}]}\n"
        "  - {since: '1.30', validations: [{expression: 'false', message: new}]}\n"
    )
    said = {
        version: [f.message for f in judged(POD, made, kubernetes=version).findings]
        for version in (19, 20, 29, 30, 40)
    }
    assert said == {19: [], 20: ["old"], 29: ["old"], 30: ["new"], 40: ["new"]}


def test_variables_are_computed_where_they_are_read() -> None:
    made = check(
        "each: containers\n"
        "variables:\n"
        "  - {name: image, expression: container.image}\n"
        "  - {name: known, expression: variables.image == 'x'}\n"
        "validations: [{expression: container.name == 'two' || variables.known, message: m}]\n"
    )
    result = judged(POD, made)
    assert (result.unassessed, result.passed) == ((), 1)


def test_params_come_from_the_check_or_the_user() -> None:
    made = check(
        "params: {names: {type: array, items: {type: string}, default: [], doc: d}}\n"
        "each: containers\n"
        "validations: [{expression: container.name in params.names, message: m}]\n"
    )
    assert judged(POD, made).findings[0].elements == ("one", "two")
    given = {"POD-900": {"names": ["one", "two"]}}
    assert judged(POD, made, params=given).findings == ()
    with pytest.raises(BadInput, match="no parameter"):
        judged(POD, made, params={"POD-900": {"nmes": []}})
    with pytest.raises(BadInput, match="must be an array"):
        judged(POD, made, params={"POD-900": {"names": "one"}})


@pytest.mark.parametrize(
    ("path", "text", "elements"),
    [
        ("spec.rules", "{rules: [{host: a}, {host: b}]}", ("spec.rules[0]", "spec.rules[1]")),
        ("spec.in[].from", "{in: [{from: [{a: b}]}, {}]}", ("spec.in[0].from[0]",)),
        ("spec.rules", "{}", ()),
    ],
)
def test_each_walks_lists(path: str, text: str, elements: tuple[str, ...]) -> None:
    made = check(
        f"scope: [Thing]\neach: {path}\nas: item\n"
        "validations: [{expression: item.size() == 0, message: m}]\n"
    )
    result = judged(f"apiVersion: v1\nkind: Thing\nmetadata: {{name: t}}\nspec: {text}\n", made)
    assert tuple(e for f in result.findings for e in f.elements) == elements


def test_each_walks_lists_within_containers() -> None:
    made = check(
        "each: containers.ports\nas: port\n"
        "validations: [{expression: port.containerPort > 1, message: m, path: containerPort}]\n"
    )
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
        "  initContainers: [{name: i, ports: [{containerPort: 0}]}]\n"
        "  containers: [{name: c}, {name: d, ports: [{containerPort: 2}, {containerPort: 1}]}]\n"
    )
    found = judged(pod, made).findings[0]
    assert found.elements == ("d", "i")
    assert found.path == ("spec", "containers", 1, "ports", 1, "containerPort")
    result = judged(pod.replace("[{containerPort: 0}]", "none"), made)
    assert "spec.initContainers[0].ports is a string" in result.unassessed[0].reason


def test_each_walks_several_lists_and_those_of_the_pod_spec() -> None:
    made = check(
        'scope: [Thing]\neach: ["spec.in[].from", spec.out]\nas: item\n'
        "validations: [{expression: item.size() == 0, message: m}]\n"
    )
    text = "{in: [{}, {from: [{a: b}]}], out: [{}, {c: d}]}"
    result = judged(f"apiVersion: v1\nkind: Thing\nmetadata: {{name: t}}\nspec: {text}\n", made)
    assert [f.elements for f in result.findings] == [("spec.in[1].from[0]", "spec.out[1]")]
    made = check(
        "each: pod.hostAliases\nas: item\n"
        "validations: [{expression: item.ip == '::1', message: m, path: ip}]\n"
    )
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {%s}}}\n"
    found = judged(job % "hostAliases: [{ip: '::1'}, {ip: '::2'}], containers: []", made)
    path = ("spec", "template", "spec", "hostAliases", 1, "ip")
    assert [f.path for f in found.findings] == [path]


@pytest.mark.parametrize(
    ("on", "path"),
    [
        ("", ("spec", "template", "spec")),
        ("on: pod, ", ("spec", "template", "spec")),
        ("on: metadata, ", ("spec", "template", "metadata", "labels")),
        ("on: object, ", ("labels",)),
    ],
)
def test_a_path_begins_where_on_says(on: str, path: tuple[str, ...]) -> None:
    made = check(f"validations: [{{{on}expression: 'false', message: m, path: labels}}]\n")
    text = (
        "apiVersion: batch/v1\nkind: Job\nlabels: {}\nmetadata: {name: j}\n"
        "spec: {template: {metadata: {labels: {}}, spec: {containers: []}}}\n"
    )
    assert judged(text, made).findings[0].path == path


def test_each_over_something_else_has_no_verdict() -> None:
    made = check(
        "scope: [Thing]\neach: spec.rules\nas: rule\n"
        "validations: [{expression: 'true', message: m}]\n"
    )
    result = judged(
        "apiVersion: v1\nkind: Thing\nmetadata: {name: t}\nspec: {rules: {a: b}}\n", made
    )
    assert result.passed == 0
    assert "spec.rules is a mapping, not a list" in result.unassessed[0].reason


def test_a_python_check_that_raises_costs_only_itself() -> None:
    def broken(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
        raise KeyError("secret-value")

    made = python(broken, id="POD-901", name="broken", kinds=("Pod",))
    result = judged(POD, made, check(PRIVILEGED))
    assert len(result.findings) == 1
    (entry,) = result.unassessed
    assert entry.reason.startswith("internal error in POD-901: KeyError at test_scan.py:")
    assert "secret-value" not in entry.reason


def test_hits_without_the_kinds_they_need_are_unassessed() -> None:
    def dangling(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
        yield Hit(resource, (), "dangles")

    made = python(dangling, kinds=("Pod",), needs=("Service",))
    result = judged(POD, made)
    assert (result.findings, result.passed) == ((), 0)
    assert [(u.reason, u.asked) for u in result.unassessed] == [("no Service objects", False)]
    service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
    assert len(judged(POD + service, made).findings) == 1
    refused = msgspec.structs.replace(reading(POD), unlisted={"Service": "403"}, cluster="c")
    result = scan(refused, [made], ids=[made.id], today=TODAY)
    assert [(u.reason, u.asked) for u in result.unassessed] == [
        ("needs Service objects: 403", True)
    ]


def test_a_check_whose_facts_nobody_has_does_not_run() -> None:
    def known(cluster: Cluster, *, facts: Any) -> Iterator[Hit]:
        yield Hit(cluster.resources[0], (), f"seen {facts['flows']}")

    made = python(known, kinds=("cluster",), facts=("flows",))
    result = judged(POD, made)
    assert result.checks == 0
    assert result.unassessed[0].asked is False
    assert judged(POD, made, facts={"flows": 7}).findings[0].message == "seen 7"


OWNED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, uid: "1"}
spec: {template: {spec: {containers: [{name: c%s}]}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-1, namespace: shop, uid: "2", ownerReferences: [{controller: true, uid: "1"}]}
spec: {replicas: 1, template: {spec: {containers: [{name: c%s}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1-a, namespace: shop, ownerReferences: [{controller: true, uid: "2"}]}
spec: {containers: [{name: c, securityContext: {privileged: true}}]}
"""


def test_what_a_workload_makes_is_shown_under_it() -> None:
    bad = ", securityContext: {privileged: true}"
    result = judged(OWNED % (bad, bad), check(PRIVILEGED))
    assert [str(f.ref) for f in result.findings] == ["shop/Deployment/web"]
    assert result.workloads == 1


def test_a_pod_that_differs_from_its_owner_is_shown() -> None:
    (finding,) = judged(OWNED % ("", ""), check(PRIVILEGED)).findings
    assert str(finding.ref) == "shop/Pod/web-1-a"
    assert finding.evidence == ("1 made by shop/Deployment/web, whose template differs",)


def test_profiles_ids_and_frameworks_select() -> None:
    strict = check(PRIVILEGED.replace("each", "profile: strict\neach", 1))
    assert judged(POD, strict, ids=()).checks == 0
    assert judged(POD, strict, ids=(), profile="strict").checks == 1
    assert judged(POD, strict, ids=("test-check",)).checks == 1
    assert judged(POD, strict, ids=(), params={"POD-900": {}}).checks == 1
    with pytest.raises(BadInput, match="no profile"):
        judged(POD, strict, ids=(), profile="odd")
    with pytest.raises(BadInput, match="no such check: POD-9000"):
        judged(POD, strict, ids=("POD-9000",))


def test_same_input_same_result() -> None:
    checks = (check(PRIVILEGED), check(PRIVILEGED.replace("each", "id: POD-901\neach", 1), "b"))
    text = POD + "---\n" + POD.replace("name: a", "name: b")
    first, second = judged(text, *checks), judged(text, *reversed(checks))
    assert first == second
    assert [f.check for f in first.findings] == ["POD-900", "POD-900", "POD-901", "POD-901"]


def test_hits_on_another_object_are_its_findings() -> None:
    def blamed(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
        (pod,) = cluster.of_kind("Pod")
        yield Hit(pod, ("spec",), f"blamed by {resource.ref.name}", resource.ref.name)

    made = python(blamed, kinds=("Service",))
    services = "".join(
        f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n" for name in "st"
    )
    (finding,) = judged(POD + services, made).findings
    assert (str(finding.ref), finding.elements) == ("shop/Pod/a", ("s", "t"))
    assert finding.message == "blamed by s; blamed by t"
