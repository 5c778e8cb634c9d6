"""A live cluster is judged as its manifests are."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.command import Done
from tests.support.filled import EVERYTHING, Filled
from tests.support.forked import martello

pytestmark = pytest.mark.apiserver

Finding = dict[str, Any]
Identity = tuple[str, ...]

# Every difference between files and server, by check, kind, namespace and name, and why it is none.
ONLY_LIVE = {
    ("NET-001", "Namespace", "", "default"): "the server made this namespace",
    ("RES-008", "Namespace", "", "default"): "the server made this namespace",
    ("RES-009", "Namespace", "", "default"): "the server made this namespace",
    ("RES-024", "Job", "ci", "nightly"): "1.20 drops ttlSecondsAfterFinished, alpha there",
    ("RES-004", "Deployment", "corner", "written"): "quantities in canonical form",
}
ONLY_WRITTEN = {
    ("POD-052", "Deployment", "corner", "written"): "the server fills in serviceAccountName",
    ("RES-004", "Deployment", "corner", "written"): "quantities in canonical form",
}
# Paths lead over nodes: where files list none there is some node, and this server has none.
OVER_NODES = ("ACC-900", "ACC-901", "ACC-902", "ACC-903")
# What the server fills in, so that a finding about something absent points at it, not above it.
FILLED_IN = {
    ".resources": "an empty mapping in every container",
    ".metadata": "an empty mapping in every template",
    ".namespace": "default, where none was named",
    ".replicas": "1, where none was written",
    ".imagePullPolicy": "by the image's tag",
    ".labels": "of a Job, from its template",
    ".annotations": "of a DaemonSet: the generation of its template",
}
# Rules without a name are known by their content, which is another with `protocol: TCP` in it.
NAMELESS = "NetworkPolicy"


@pytest.fixture(scope="module")
def live(cluster: Filled) -> Done:
    """What the administrator sees."""
    return cluster.live


@pytest.fixture(scope="module")
def written(cluster: Filled) -> Done:
    """What the manifests say, judged for the version that the server runs."""
    version = cluster.server.request("GET", "/version")
    judged_for = f"{version['major']}.{version['minor'].rstrip('+')}"
    words = ("scan", str(cluster.manifests), *EVERYTHING, "--kubernetes", judged_for)
    return martello(*words)


def _subject(finding: Finding) -> tuple[str, str, str, str]:
    ref = finding["object"]
    namespace = ref["namespace"]
    if ref["name"] == "homeless":
        namespace = "default"  # where objects go that name no namespace
    return finding["check"], ref["kind"], namespace, ref["name"]


def _identity(finding: Finding) -> Identity:
    """Everything about a finding but its place: check, object, outcome, message, elements."""
    return (*_subject(finding), finding["outcome"], finding["message"], *finding["elements"])


def _by_identity(done: Done) -> dict[Identity, Finding]:
    findings = [f for f in done.report["findings"] if f["check"] not in OVER_NODES]
    found = {_identity(finding): finding for finding in findings}
    assert len(found) == len(findings), "two findings with one identity"
    return found


def test_the_same_findings(live: Done, written: Done) -> None:
    ours, theirs = _by_identity(written), _by_identity(live)
    assert len(ours) > 10_000
    assert {_subject(ours[i]) for i in ours.keys() - theirs.keys()} == ONLY_WRITTEN.keys()
    assert {_subject(theirs[i]) for i in theirs.keys() - ours.keys()} == ONLY_LIVE.keys()
    assert (live.code, live.missed) == (0, [])
    assert (written.code, written.missed) == (0, [])


def test_the_same_places(live: Done, written: Done) -> None:
    ours, theirs = _by_identity(written), _by_identity(live)
    filled_in = set()
    for identity in ours.keys() & theirs.keys():
        mine, its = ours[identity], theirs[identity]
        assert its["path"].startswith(mine["path"])
        if its["path"] != mine["path"]:
            filled_in.add(its["path"].removeprefix(mine["path"]))
        if mine["object"]["namespace"] and mine["object"]["kind"] != NAMELESS:
            assert its["fingerprint"] == mine["fingerprint"], identity
    assert filled_in == FILLED_IN.keys()
