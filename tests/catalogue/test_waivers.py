"""Waivers hide what they name until their day; other tools' skips too, never what is critical."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.objects import check, judged, reading

from martello.catalogue.exceptions import read_exceptions
from martello.core.check import Check
from martello.core.errors import BadInput
from martello.core.finding import Scan
from martello.core.waiver import waiver_of

ALIASES = (
    "aliases: {checkov: [CKV_K8S_20], trivy: [KSV-0001], kubescape: [C-0016], "
    "kube-linter: [privilege-escalation-container], polaris: [privilegeEscalationAllowed]}\n"
)
RULE = (
    "each: containers\nvalidations: [{expression: container.image.startsWith('good'), "
    "message: bad image, path: image}]\n"
)
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: agent-1
  namespace: logging
  labels: {app: agent}
  annotations: {ANNOTATIONS}
spec:
  containers:
    - name: one
      image: bad/one
    - name: two
      image: bad/two
"""
WAIVER = """\
---
apiVersion: martello.dev/v1alpha1
kind: Waiver
metadata: {name: w}
spec:
  checks: [POD-900]
  reason: known
  owner: sre@example.com
  until: 2026-07-01
"""


def made(**keys: str) -> Check:
    lines = "".join(f"{key}: {value}\n" for key, value in keys.items())
    return check(lines + ALIASES + RULE)


def scanned(text: str, subject: Check | None = None, **options: Any) -> Scan:
    return judged(text.replace("ANNOTATIONS", ""), subject or made(), **options)


def annotated(annotation: str, **options: Any) -> Scan:
    return judged(POD.replace("ANNOTATIONS", annotation), options.pop("subject", made()), **options)


def matching(match: str) -> str:
    return f"{POD}{WAIVER}  match: {match}\n"


def test_a_waiver_hides_until_its_last_day() -> None:
    (finding,) = scanned(POD + WAIVER).findings
    assert finding.waived is not None
    waived = finding.waived
    assert (waived.by, waived.reason, waived.until) == ("sre@example.com", "known", "2026-07-01")
    assert waived.foreign is False
    assert waived.source.startswith("<stdin>:")
    assert scanned(POD + WAIVER).groups == ()
    late = scanned(POD + WAIVER.replace("2026-07-01", "2026-06-30"))
    assert late.findings[0].waived is None


def test_waivers_hide_critical_findings_too_for_they_have_an_owner() -> None:
    assert scanned(POD + WAIVER, made(severity="critical")).findings[0].waived is not None


@pytest.mark.parametrize(
    ("match", "hidden"),
    [
        ("{namespaces: [logging], kinds: [Pod], names: ['agent-*']}", True),
        ("{namespaces: ['log*']}", True),
        ("{namespaces: [shop]}", False),
        ("{kinds: [DaemonSet]}", False),
        ("{names: [agent]}", False),
        ("{labels: {app: agent}}", True),
        ("{labels: {app: web}}", False),
        ("{images: ['bad/*']}", True),
        ("{expression: object.metadata.name.startsWith('agent')}", True),
        ("{expression: object.metadata.name == 'web'}", False),
        ("{expression: object.spec.nothing == 'web'}", False),
        ("{expression: pod.containers.size() == 2}", True),
    ],
)
def test_all_parts_of_a_match_must_hold(match: str, hidden: bool) -> None:
    (finding,) = scanned(matching(match)).findings
    assert (finding.waived is not None) is hidden


def test_a_waiver_of_one_image_leaves_the_other_container() -> None:
    findings = scanned(matching("{images: [bad/one]}")).findings
    assert {f.elements: f.waived is not None for f in findings} == {("one",): True, ("two",): False}


@pytest.mark.parametrize("name", ["C-0016", "CKV_K8S_20", "AVD-KSV-0001", "test-check", "pod-900"])
def test_a_waiver_may_use_anybodys_name(name: str) -> None:
    result = scanned(POD + WAIVER.replace("POD-900", name))
    assert result.findings[0].waived is not None


def test_a_waiver_may_name_a_check_that_does_not_run() -> None:
    other = check("id: POD-901\n" + RULE, "other")
    text = POD + WAIVER.replace("[POD-900]", "[POD-901]")
    assert scanned(text, known=(made(), other)).notes == ()
    assert len(scanned(text).notes) == 1


def test_unknown_names_and_stale_waivers_are_noted() -> None:
    unknown = scanned(POD + WAIVER.replace("POD-900", "POD-901"))
    assert unknown.notes[0] == "waiver w names the unknown check POD-901, did you mean POD-900?"
    stale = scanned(matching("{names: [other]}"))
    assert any("matches nothing" in note for note in stale.notes)
    assert scanned(POD + WAIVER).notes == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  reason: known\n", "", "spec.reason is required"),
        ("  owner: sre@example.com\n", "", "spec.owner is required"),
        ("  until: 2026-07-01\n", "", "spec.until is required"),
        ("2026-07-01", "next year", "is no date"),
        ("2026-07-01", "2027-07-02", "more than 365 days"),
        ("[POD-900]", "POD-900", "no list of texts"),
        ("  reason: known\n", "  reason: known\n  because: x\n", "spec.because is unknown"),
        ("  reason: known\n", "  reason: known\n  match: {kind: Pod}\n", "match.kind is unknown"),
        ("  reason: known\n", "  reason: x\n  match: {expression: objct.x}\n", "undeclared"),
    ],
)
def test_what_is_no_waiver_hides_nothing_and_is_said(old: str, new: str, said: str) -> None:
    assert old in WAIVER
    result = scanned(POD + WAIVER.replace(old, new))
    assert result.findings[0].waived is None
    (about,) = (u for u in result.unassessed if said in u.reason)
    assert about.location is not None
    assert about.location.line > 12


def test_waivers_from_elsewhere_count_and_run_out() -> None:
    expired_check = check(
        "id: POD-090\nscope: [Pod]\nvalidations: [{expression: 'true', message: m}]\n", "expired"
    )
    (resource,) = reading(WAIVER).resources
    waiver = waiver_of(resource)
    assert scanned(POD, waivers=[waiver]).findings[0].waived is not None
    late = reading(WAIVER.replace("2026-07-01", "2026-06-30")).resources[0]
    result = judged(
        POD.replace("ANNOTATIONS", ""), made(), expired_check, waivers=[waiver_of(late)]
    )
    assert {f.check: f.waived for f in result.findings} == {"POD-900": None, "POD-090": None}
    about = next(f for f in result.findings if f.check == "POD-090")
    assert (str(about.ref), about.location.line) == ("Waiver/w", 2)


@pytest.mark.parametrize(
    ("annotation", "hidden"),
    [
        ('martello/waive: "POD-900 until 2026-12-31: why"', True),
        ('martello/waive: "POD-1, C-0016 until 2026-12-31: why"', True),
        ('martello/waive: "POD-1 until 2026-12-31: a; POD-900 until 2026-12-31: b"', True),
        ('martello/waive: "POD-900 until 2026-06-30: late"', False),
        ('martello/waive: "POD-901 until 2026-12-31: other"', False),
        ("ignore-check.kube-linter.io/privilege-escalation-container: why", True),
        ("ignore-check.kube-linter.io/other: why", False),
        ("kube-linter.io/ignore-all: why", True),
        ("checkov.io/skip1: CKV_K8S_20=why", True),
        ("bridgecrew.io/skip12: CKV_K8S_20", True),
        ("checkov.io/skip1: CKV_K8S_21=why", False),
        ('polaris.fairwinds.com/privilegeEscalationAllowed-exempt: "true"', True),
        ('polaris.fairwinds.com/privilege-escalation-allowed-exempt: "true"', True),
        ('polaris.fairwinds.com/privilegeEscalationAllowed-exempt: "yes"', False),
        ('polaris.fairwinds.com/exempt: "true"', True),
    ],
)
def test_annotations(annotation: str, hidden: bool) -> None:
    (finding,) = annotated(annotation).findings
    assert (finding.waived is not None) is hidden
    foreign = annotated(annotation, foreign_waivers=False).findings[0]
    assert (foreign.waived is not None) is (hidden and annotation.startswith("martello/"))
    if hidden:
        assert finding.waived is not None
        assert finding.waived.foreign is not annotation.startswith("martello/")
    critical = annotated(annotation, subject=made(severity="critical")).findings[0]
    assert (critical.waived is not None) is (hidden and annotation.startswith("martello/"))


def test_an_annotation_holds_no_longer_than_a_waiver_may() -> None:
    result = annotated('martello/waive: "POD-900 until 2999-12-31: why"')
    assert result.findings[0].waived is None
    (told,) = result.unassessed
    assert "until 2999-12-31, more than 365 days" in told.reason
    assert told.location is not None
    assert told.location.line == 7


def test_an_annotation_that_names_no_check_is_noted() -> None:
    result = annotated('martello/waive: "POD-90 until 2026-12-31: why"')
    assert result.findings[0].waived is None
    assert "names the unknown check POD-90, did you mean POD-900?" in result.notes[0]


def test_an_annotation_that_is_no_waiver_is_said() -> None:
    result = annotated("martello/waive: POD-900 for ever")
    assert result.findings[0].waived is None
    assert any("is not usable" in u.reason for u in result.unassessed)


@pytest.mark.parametrize(
    ("before", "comment", "elements"),
    [
        ("apiVersion", "# checkov:skip=CKV_K8S_20:why", ("one", "two")),
        ("    - name: two", "    # checkov:skip=CKV_K8S_20", ("one", "two")),
        ("apiVersion", "# trivy:ignore:KSV001", ("one", "two")),
        ("      image: bad/two", "      # trivy:ignore:AVD-KSV-0001", ("two",)),
        ("    - name: two", "    # trivy:ignore:KSV-0001\n    # more", ("two",)),
        ("  containers", "  # trivy:ignore:KSV-0001:exp:2026-07-01", ("one", "two")),
        ("  containers", "  # trivy:ignore:KSV-0001:exp:2026-06-30", ()),
        ("  containers", "  # trivy:ignore:KSV-0002", ()),
    ],
)
def test_comments(before: str, comment: str, elements: tuple[str, ...]) -> None:
    text = POD.replace(before, f"{comment}\n{before}", 1)
    waived = [f for f in scanned(text).findings if f.waived is not None]
    assert tuple(e for f in waived for e in f.elements) == elements


@pytest.mark.parametrize(
    ("file", "text", "hidden"),
    [
        (".trivyignore", "# all\nKSV-0001\n", True),
        (".trivyignore", "AVD-KSV-0001 exp:2026-06-30 # late\n", False),
        (".trivyignore", "KSV-0002", False),
        (".trivyignore", "*", False),
        (".trivyignore.yaml", "misconfigurations: [{id: '*'}]", False),
        (".trivyignore.yaml", "misconfigurations: [{id: KSV-0001, statement: why}]", True),
        (".trivyignore.yaml", "misconfigurations: [{id: KSV-0001, paths: ['b/*']}]", False),
        ("exceptions.json", '[%s"name": "agent-.*"}}]}]', True),
        ("exceptions.json", '[%s"name": "agent-1", "kind": "pod"}}]}]', True),
        ("exceptions.json", '[%s"namespace": "shop"}}]}]', False),
        ("exceptions.json", '[%s"name": "(a+)+$"}}]}]', False),
    ],
)
def test_exception_files(file: str, text: str, hidden: bool) -> None:
    head = '{"name": "n", "posturePolicies": [{"controlID": "C-0016"}], "resources": '
    filled = text.replace("%s", head + '[{"designatorType": "Attributes", "attributes": {')
    exemptions = read_exceptions(filled, file)
    (finding,) = scanned(POD, exemptions=exemptions).findings
    assert (finding.waived is not None) is hidden
    critical = scanned(POD, made(severity="critical"), exemptions=exemptions).findings[0]
    assert critical.waived is None
    assert scanned(POD, exemptions=exemptions, foreign_waivers=False).findings[0].waived is None


@pytest.mark.parametrize("text", ["[1]", "{", '[{"resources": [3]}]', '{"resources": [{}]}', "{}"])
def test_what_is_no_exception_file_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_exceptions(text, "exceptions.json")
