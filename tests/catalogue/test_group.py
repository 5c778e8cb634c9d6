"""One cause is one line: a check over many objects, or several that miss parts of a mapping."""

from __future__ import annotations

from tests.support.objects import check, judged

from martello.catalogue.load import load


def security(id: str, field: str) -> str:
    return (
        f"id: {id}\neach: containers\nvalidations: [{{expression: "
        f"container.?securityContext.?{field}.orValue(false), message: m, "
        f"path: securityContext.{field}}}]\n"
        f"fix: {{text: t, edits: [{{set: securityContext.{field}, value: true}}]}}\n"
    )


ONE = check(security("POD-900", "one"), "one")
TWO = check(security("POD-901", "two"), "two")


def pods(*contexts: str) -> str:
    return "---\n".join(
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p{i}}}\n"
        f"spec: {{containers: [{{name: c, securityContext: {context}}}]}}\n"
        for i, context in enumerate(contexts)
    )


def test_the_same_check_over_many_objects_is_one_group() -> None:
    (group,) = judged(pods("{}", "{}", "{one: true}"), ONE).groups
    assert group.checks == ("POD-900",)
    assert group.title == "Test"
    assert [f.ref.name for f in group.findings] == ["p0", "p1"]


def test_fields_missing_from_one_mapping_are_one_group() -> None:
    (group,) = judged(pods("{}", "{three: true}"), ONE, TWO).groups
    assert group.checks == ("POD-900", "POD-901")
    assert group.title == "securityContext is missing or incomplete"
    assert len(group.findings) == 4


def test_what_somebody_wrote_is_a_cause_of_its_own() -> None:
    groups = judged(pods("{one: false}"), ONE, TWO).groups
    assert [g.checks for g in groups] == [("POD-900",), ("POD-901",)]


def test_the_worst_group_comes_first_and_bears_the_worst_severity() -> None:
    worse = check("severity: high\n" + security("POD-902", "three"), "three")
    groups = judged(pods("{one: false}"), ONE, TWO, worse).groups
    assert [(g.severity, g.checks) for g in groups] == [
        ("high", ("POD-902", "POD-901")),
        ("medium", ("POD-900",)),
    ]


def test_an_ordinary_deployment_is_at_most_three_groups() -> None:
    text = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1.2.3
          ports: [{containerPort: 8080}]
          resources: {limits: {memory: 1Gi}, requests: {memory: 1Gi, cpu: 1}}
          livenessProbe: {httpGet: {path: /, port: 8080}}
          readinessProbe: {httpGet: {path: /, port: 8080}}
"""
    assert len(judged(text, *load(), ids=()).groups) <= 3


STAR = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: r}
rules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: b}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}
subjects: [{kind: ServiceAccount, name: web, namespace: shop}]
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop}
spec: {serviceAccountName: web, containers: [{name: c, image: "web:1"}]}
"""
RIGHTS = tuple(c for c in load() if c.id.startswith("ACC-"))


def test_what_follows_from_a_binding_is_in_its_group() -> None:
    result = judged(STAR, *RIGHTS)
    (group,) = (g for g in result.groups if "ACC-001" in g.checks)
    assert group.checks[0] == group.findings[0].check == "ACC-001"
    assert group.title == "Somebody is given every right"
    assert group.severity == "critical"
    assert len(group.checks) > 10
    assert {f.ref.kind for f in group.findings} == {"ClusterRoleBinding", "Pod"}
    (token,) = (f for f in group.findings if f.check == "ACC-029")
    assert token.because == ("ACC-012", group.findings[0].ref)


def test_a_right_and_the_token_that_has_it_are_one_group() -> None:
    text = STAR.replace('verbs: ["*"], apiGroups: ["*"], resources: ["*"]', "%s")
    text %= 'verbs: [get], apiGroups: [""], resources: [secrets]'
    found = [g.checks for g in judged(text, *RIGHTS).groups]
    assert ("ACC-008", "ACC-029") in found


def test_a_cause_that_does_not_count_leaves_what_follows_from_it_alone() -> None:
    note = 'metadata: {name: b, annotations: {martello/waive: "ACC-001 until 2026-12-31: known"}}'
    result = judged(STAR.replace("metadata: {name: b}", note), *RIGHTS)
    assert [f.check for f in result.findings if f.waived] == ["ACC-001"]
    (group,) = (g for g in result.groups if "ACC-029" in g.checks)
    assert group.checks == ("ACC-012", "ACC-029")
    assert group.findings[0].because is None


def test_a_role_that_nothing_binds_is_one_cause_with_its_rights() -> None:
    result = judged(STAR.split("---")[0], *RIGHTS)
    assert [g.checks[0] for g in result.groups] == ["ACC-007", "ACC-006"]
