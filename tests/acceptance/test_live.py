"""A live cluster is judged as its manifests are, as far as one may read it, and offline too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.support.apiserver import ApiServer, Missing, run
from tests.support.command import Done, martello
from tests.support.corners import corners
from tests.support.generated import objects

from martello.demo import texts

pytestmark = pytest.mark.apiserver

COUNT = 2_000
EVERYTHING = ("-o", "json", "--fail-on", "never", "--profile", "all")
Finding = dict[str, Any]
Identity = tuple[str, ...]


class Filled(NamedTuple):
    """A cluster, and the manifests that were applied to it."""

    server: ApiServer
    admin: Path
    manifests: Path


def _applied() -> Iterator[dict[str, Any]]:
    for text in texts().values():
        for document in yaml.safe_load_all(text):
            if not document["apiVersion"].startswith("audit.k8s.io/"):  # a file of the server's
                yield document
    yield from corners()
    yield from objects(COUNT)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """An API server of its own: what other tests create would be found here too."""
    manifests = tmp_path_factory.mktemp("manifests")
    made = list(_applied())
    for number, start in enumerate(range(0, len(made), 20)):
        text = yaml.dump_all(made[start : start + 20], Dumper=yaml.CSafeDumper)
        (manifests / f"{number:03}.yaml").write_text(text, encoding="utf-8")
    try:
        with run() as server:
            server.apply(made)
            yield Filled(server, server.kubeconfig(), manifests)
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def live(filled: Filled) -> Done:
    """What the administrator sees."""
    return martello("scan", "cluster", *EVERYTHING, kubeconfig=filled.admin)


@pytest.fixture(scope="module")
def written(filled: Filled) -> Done:
    """What the manifests say, judged for the version that the server runs."""
    version = filled.server.request("GET", "/version")
    judged_for = f"{version['major']}.{version['minor'].rstrip('+')}"
    words = ("scan", str(filled.manifests), *EVERYTHING, "--kubernetes", judged_for)
    return martello(*words)


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
    ("RES-022", "Deployment", "default", "homeless"): "the server writes replicas: 1",
    ("RES-022", "StatefulSet", "corner", "one"): "the server writes replicas: 1",
    ("RES-004", "Deployment", "corner", "written"): "quantities in canonical form",
}
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
# A list's element without a name is known by its content, which is other with `protocol: TCP`.
CONTENT = {("NET-007", "NetworkPolicy", "corner", "out")}


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
    report = done.report
    found = {_identity(finding): finding for finding in report["findings"]}
    assert len(found) == len(report["findings"]), "two findings with one identity"
    return found


def test_the_same_findings(live: Done, written: Done) -> None:
    ours, theirs = _by_identity(written), _by_identity(live)
    assert len(ours) > 10_000
    assert {_subject(ours[i]) for i in ours.keys() - theirs.keys()} == ONLY_WRITTEN.keys()
    assert {_subject(theirs[i]) for i in theirs.keys() - ours.keys()} == ONLY_LIVE.keys()
    assert (live.code, live.report["unassessed"]) == (0, [])
    assert (written.code, written.report["unassessed"]) == (0, [])


def test_the_same_places(live: Done, written: Done) -> None:
    ours, theirs = _by_identity(written), _by_identity(live)
    filled_in = set()
    for identity in ours.keys() & theirs.keys():
        mine, its = ours[identity], theirs[identity]
        assert its["path"].startswith(mine["path"])
        if its["path"] != mine["path"]:
            filled_in.add(its["path"].removeprefix(mine["path"]))
        if mine["object"]["namespace"] and _subject(mine) not in CONTENT:
            assert its["fingerprint"] == mine["fingerprint"], identity
    assert filled_in == FILLED_IN.keys()
