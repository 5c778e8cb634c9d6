"""Reports made by hand, for the tests of the formats."""

from __future__ import annotations

from martello.core.check import Check
from martello.core.finding import Finding, Group, Scan, Unassessed, Waived
from martello.core.resource import Location, Ref
from martello.report.model import Report

PRIVILEGED = Check(
    id="POD-001",
    name="privileged-container",
    title="Container is privileged",
    severity="critical",
    profile="default",
    practice="access",
    why="A process in it owns the node.",
    kinds=("workload",),
    fix="Remove privileged: true.",
    frameworks={"mitre-attack": ("T1611",), "pss": {"level": "baseline", "check": "privileged"}},
    aliases={"checkov": ("CKV_K8S_16",)},
    file="privileged-container.yaml",
)
LIMITS = Check(
    id="RES-001",
    name="memory-limit-missing",
    title="Container has no memory limit",
    severity="medium",
    profile="default",
    practice="resources",
    why="One container can take the node's memory.",
    kinds=("workload",),
    fix="Set resources.limits.memory.",
    frameworks={},
    aliases={},
    file="memory-limit-missing.yaml",
)


def finding(
    name: str = "web",
    check: Check = PRIVILEGED,
    message: str = "privileged is true",
    waived: Waived | None = None,
    known: bool = False,
    line: int = 12,
    file: str = "deploy/web.yaml",
) -> Finding:
    """One finding about a Deployment in the namespace shop."""
    return Finding(
        check=check.id,
        ref=Ref("", "apps/v1", "Deployment", "shop", name),
        path=("spec", "template", "spec", "containers", 0, "securityContext", "privileged"),
        location=Location(file, line, 15),
        message=message,
        severity=check.severity,
        elements=("app",),
        fix=check.fix,
        waived=waived,
        fingerprint=f"{check.id}:{name}",
        known=known,
    )


def report(*findings: Finding, unassessed: tuple[Unassessed, ...] = (), exit: int = 1) -> Report:
    """A report of these findings, each a group of its own."""
    counting = [f for f in findings if not f.waived and not f.known]
    groups = tuple(Group(f.message, f.severity, (f.check,), (f,)) for f in counting)
    scan = Scan(
        target="deploy",
        findings=findings,
        groups=groups,
        unassessed=unassessed,
        objects=3,
        workloads=2,
        files=1,
        passed=40,
        checks=2,
    )
    checks = {check.id: check for check in (PRIVILEGED, LIMITS)}
    reason = "1 critical (fail-on high)"
    return Report(scan, checks, exit, reason, "martello explain POD-001", "0.1.0")
