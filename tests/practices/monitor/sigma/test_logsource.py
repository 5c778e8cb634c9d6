"""S10, S11, S14: log sources, fields of audit events, and the rules that could never fire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from martello.adapters.audit.columns import Origin, read
from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.sigma.read import load
from martello.practices.monitor.validation.check import judge

AUDIT = "product: kubernetes\n    service: audit"


def rule(detection: str, logsource: str = AUDIT, **options: Any) -> Rule:
    indented = "\n".join("    " + line for line in detection.strip("\n").splitlines())
    text = f"title: t\nlogsource:\n    {logsource}\ndetection:\n{indented}\n    condition: s\n"
    (found,) = load({"rule.yml": text}, **options).pack
    return found


def event(**changed: Any) -> dict[str, Any]:
    """An audit event as the API server writes it, through the reader."""
    raw = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "0f1c",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods",
        "verb": "create",
        "user": {"username": "ana", "groups": ["dev", "system:authenticated"]},
        "sourceIPs": ["10.0.0.9", "192.0.2.1"],
        "userAgent": "kubectl/v1.31",
        "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
        "responseStatus": {"code": 201},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.000000Z",
        "stageTimestamp": "2026-01-02T03:04:05.100000Z",
        "annotations": {"authorization.k8s.io/decision": "allow", "x.y/z": "v"},
    } | changed
    (found,) = read(json.dumps(raw).encode(), Origin(b"\0" * 32))
    assert isinstance(found, dict)
    return found


def fires(one: Rule, found: dict[str, Any]) -> bool:
    assert not one.unassessed, one.unassessed
    assert found["kind"] in one.kinds
    return holds(one.tree, found) is True


POD = {
    "kind": "Pod",
    "spec": {
        "volumes": [{"name": "v", "hostPath": {"path": "/etc"}}],
        "containers": [
            {"name": "c", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}},
        ],
    },
}


@pytest.mark.parametrize(
    ("logsource", "kinds"),
    [
        ("product: kubernetes\n    service: audit", ("audit",)),
        ("category: application\n    product: kubernetes\n    service: audit", ("audit",)),
        ("category: process_creation\n    product: linux", ("process",)),
        ("category: file_event\n    product: linux", ("file",)),
        ("category: network_connection\n    product: linux", ("network",)),
    ],
)
def test_s10_log_sources_are_kinds(logsource: str, kinds: tuple[str, ...]) -> None:
    assert rule("s:\n  raw: '*'", logsource).kinds == kinds


@pytest.mark.parametrize(
    "logsource",
    [
        "product: windows\n    category: process_creation",
        "product: aws\n    service: cloudtrail",
        "product: linux\n    service: auditd",
        "product: linux",
        "category: process_creation",
        "product: kubernetes",
    ],
)
def test_s10_others_have_no_source(logsource: str) -> None:
    assert rule("s:\n  a: 1", logsource).unassessed.startswith("no source")


@pytest.mark.parametrize(
    ("detection", "host", "wanted"),
    [
        ("Image|endswith: /nc", {"proc_exe": "/bin/nc"}, True),
        ("CommandLine|contains: ' -e '", {"proc_args": "nc -e sh"}, True),
        ("ParentImage: /usr/sbin/cron", {"proc_parent_exe": "/usr/sbin/cron"}, True),
        ("ParentCommandLine|contains: x", {"proc_parent_args": "a x"}, True),
        ("CurrentDirectory: /tmp", {"proc_cwd": "/tmp"}, True),
        ("User: root", {"proc_uid": 0}, True),
        ("User: root", {"proc_uid": 1000}, False),
        ("LogonId: 0", {"proc_auid": 0}, True),
        ("ProcessId: 7", {"proc_pid": 7}, True),
    ],
    ids=str,
)
def test_s10_fields_of_processes(detection: str, host: dict[str, Any], wanted: bool) -> None:
    one = rule(f"s:\n  {detection}", "category: process_creation\n    product: linux")
    assert fires(one, {"kind": "process", **host}) is wanted


def test_s10_users_by_name_are_not_known() -> None:
    one = rule("s:\n  User: www-data", "category: process_creation\n    product: linux")
    assert "only root is known" in one.unassessed


def test_s10_a_field_that_nothing_fills_says_so() -> None:
    one = rule("s:\n  IntegrityLevel: High", "category: process_creation\n    product: linux")
    assert one.unassessed == "no source fills the field IntegrityLevel"


def test_s10_files_and_connections() -> None:
    file = rule(
        "s:\n  TargetFilename|startswith: /etc/", "category: file_event\n    product: linux"
    )
    assert fires(file, {"kind": "file", "file_path": "/etc/passwd"})
    where = "category: network_connection\n    product: linux"
    one = rule("s:\n  DestinationPort: [4444, 5555]\n  Initiated: 'true'", where)
    assert fires(one, {"kind": "network", "net_dst_port": 5555, "action": "connect"})
    assert not fires(one, {"kind": "network", "net_dst_port": 5555, "action": "accept"})
    assert not fires(one, {"kind": "network", "net_dst_port": 80, "action": "connect"})
    one = rule("s:\n  DestinationIp|cidr: 10.0.0.0/8", where)
    assert fires(one, {"kind": "network", "net_dst_ip": "10.1.1.1"})


@pytest.mark.parametrize(
    ("detection", "wanted"),
    [
        ("verb: CREATE", True),
        ("objectRef.resource: pods", True),
        ("objectRef.namespace: Shop", True),
        ("objectRef.apiVersion: v1", True),
        ("user.username: ana", True),
        ("user.groups: dev", True),
        ("user.groups: de", False),
        ("user.groups|startswith: 'system:'", True),
        ("sourceIPs|cidr: 192.0.2.0/24", True),
        ("sourceIPs: 10.0.0.9", True),
        ("responseStatus.code: 201", True),
        ("responseStatus.code: '201'", True),
        ("responseStatus.code|gte: 400", False),
        ("responseStatus.code|contains: '20'", True),
        ("annotations.x.y/z: v", True),
        ("annotations.authorization.k8s.io/decision: allow", True),
        ("requestObject.spec.volumes[].hostPath.path: /etc", True),
        ("requestObject.spec.volumes[0].hostPath.path: /etc", True),
        ("requestObject.spec.volumes[1].hostPath.path: /etc", False),
        ("requestObject.spec.containers[].securityContext.capabilities.add[]: SYS_ADMIN", True),
        ("spec_host_path: /etc", True),
        ("stage: ResponseComplete", True),
        ("auditID: 0f1c", True),
        ("hostPath: '*'", False),
        ("objectRef.subresource: null", True),
    ],
    ids=str,
)
def test_s11_fields_of_audit_events(detection: str, wanted: bool) -> None:
    assert fires(rule(f"s:\n  {detection}"), event(requestObject=POD)) is wanted


DEAD: dict[str, tuple[str, str, dict[str, Any]]] = {
    "hostPath": (
        "verb: create\n  objectRef.resource: pods\n  hostPath: '*'",
        "requestObject.spec.volumes[].hostPath",
        {"requestObject": POD},
    ),
    "capabilities": (
        "verb: create\n  objectRef.resource: pods\n  capabilities: '*'",
        "requestObject.spec.containers[].securityContext.capabilities",
        {"requestObject": POD},
    ),
    "apiGroup of reviews": (
        "verb: create\n  apiGroup: authorization.k8s.io\n"
        "  objectRef.resource: selfsubjectrulesreviews",
        "objectRef.apiGroup",
        {
            "objectRef": {
                "resource": "selfsubjectrulesreviews",
                "apiGroup": "authorization.k8s.io",
                "apiVersion": "v1",
            }
        },
    ),
    "apiGroup of deployments": (
        "verb: patch\n  apiGroup: apps\n  objectRef.resource: deployments",
        "objectRef.apiGroup",
        {
            "verb": "patch",
            "objectRef": {"resource": "deployments", "apiGroup": "apps", "apiVersion": "v1"},
        },
    ),
    "ALLOW": (
        "responseStatus.code: ALLOW\n  userAgent|contains: trufflehog",
        "annotations.authorization.k8s.io/decision: allow",
        {"userAgent": "trufflehog/3"},
    ),
}


@pytest.mark.parametrize("name", DEAD)
def test_s11_j1_dead_rules_are_named_and_corrected(name: str) -> None:
    detection, meant, changed = DEAD[name]
    text = (
        f"title: t\nid: 0c9b3bda-41a6-4442-9345-356ae86343dc\nlogsource:\n    {AUDIT}\n"
        f"detection:\n    s:\n  {'    '.join(('', *detection.splitlines(True)))}\n"
        "    condition: s\n"
    )
    found = event(**changed)
    as_written = load({"r.yml": text})
    (verdict,) = judge(as_written.pack, ["audit"]).verdicts
    assert verdict.state == "never"
    assert verdict.notes[0].means == meant
    assert not fires(verdict.rule, found)
    corrected = load({"r.yml": text}, correct=True)
    (verdict,) = judge(corrected.pack, ["audit"]).verdicts
    assert (verdict.state, verdict.on) == ("fires", ("audit",))
    assert corrected.warnings
    assert fires(verdict.rule, found)
    assert not fires(verdict.rule, event())


def test_s11_exec_is_also_a_get() -> None:
    text = "s:\n  verb: create\n  objectRef.resource: pods\n  objectRef.subresource: exec"
    found = event(
        verb="get", objectRef={"resource": "pods", "subresource": "exec", "apiVersion": "v1"}
    )
    assert not fires(rule(text), found)
    assert fires(rule(text, correct=True), found)


def test_s11_corrections_leave_other_log_sources_alone() -> None:
    one = rule("s:\n  hostPath: x", "category: process_creation\n    product: linux", correct=True)
    assert one.unassessed == "no source fills the field hostPath"


def test_s14_the_author_stays_with_the_rule_and_none_is_shipped() -> None:
    text = (
        "title: t\nauthor: Ada Lovelace\nlevel: informational\ntags: [attack.t1609, attack.x]\n"
        f"logsource:\n    {AUDIT}\ndetection:\n    s: {{verb: list}}\n    condition: s\n"
    )
    (one,) = load({"r.yml": text}).pack
    assert "author:Ada Lovelace" in one.tags
    assert one.attack == ("T1609",)
    assert one.severity == "info"
    assert one.source.line == 1


@pytest.mark.parametrize(
    ("level", "severity"),
    [("critical", "critical"), ("high", "high"), ("low", "low"), ("informational", "info")],
)
def test_i6_severities(level: str, severity: str) -> None:
    text = f"title: t\nlevel: {level}\nlogsource:\n    {AUDIT}\ndetection:\n    s: {{verb: list}}\n"
    (one,) = load({"r.yml": text + "    condition: s\n"}).pack
    assert one.severity == severity
