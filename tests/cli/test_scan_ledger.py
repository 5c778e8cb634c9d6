"""`martello scan` with the ledger: what scans, gates and people said of images counts there."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support import shop
from tests.support.command import SRC, Done
from tests.support.forked import martello
from tests.support.images import write_layout
from tests.support.registry import Missing, RealRegistry, running, skopeo

POD = """
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop}
spec: {containers: [{name: api, image: "IMAGE"}]}
"""
LATER = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()


class Shop:
    """A directory with a database, keys, a registry that holds the shop, and a ledger."""

    def __init__(self, place: Path, registry: RealRegistry) -> None:
        self.place = place
        self.reference = f"{registry.url}/shop/api:1.4"
        target = f"docker://{self.reference}"
        skopeo("copy", "--dest-tls-verify=false", f"oci:{place / 'build'}:1.4", target)

    def run(self, *words: str, state: str = "state.db") -> Done:
        """A command in the directory."""
        own = {
            "MARTELLO_DATABASE": str(self.place / "advisories.db"),
            "MARTELLO_STATE": f"sqlite:///{self.place / state}",
            "MARTELLO_LOCAL": "0",
            "HOME": str(self.place / "home"),
        }
        return martello(*words, cwd=self.place, env=own)

    def scan(self, image: str, *words: str, state: str = "state.db") -> dict[str, dict[str, Any]]:
        """The findings about images of a pod, by check."""
        (self.place / "pod.yaml").write_text(POD.replace("IMAGE", image))
        done = self.run("scan", "pod.yaml", "-o", "json", *words, state=state)
        self.unassessed = done.report["unassessed"]
        self.code = done.code
        return {f["check"]: f for f in done.report["findings"] if f["check"].startswith("IMG-")}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    place = tmp_path_factory.mktemp("ledger")
    write_layout(place / "build", {"1.4": shop.shop()})
    shop.database(place)
    try:
        with running() as registry:
            found = Shop(place, registry)
            assert found.run("image", "key", "release").code == 0
            yield found
    except Missing as missing:
        pytest.skip(str(missing))


def test_without_a_ledger_nothing_is_known_and_nothing_is_made(world: Shop) -> None:
    assert not {"IMG-001", "IMG-009"} & set(world.scan(world.reference, state="none.db"))
    reasons = {u["reason"] for u in world.unassessed if not u["asked"]}
    assert reasons == {"no image was scanned here before: martello image scan"}
    assert not (world.place / "none.db").exists()
    assert world.scan(world.reference, "--require", "images", state="none.db") == {}
    assert world.code in (1, 3)


def test_without_a_ledger_nothing_heavy_is_imported(world: Shop) -> None:
    import subprocess

    code = (
        "import sys; from martello.cli.main import cli; "
        "cli(['scan', 'pod.yaml', '--fail-on', 'never', '--allow-incomplete'], "
        "standalone_mode=False); "
        "print(sorted({'sqlalchemy', 'cryptography', 'numpy', 'httpx'} & set(sys.modules)))"
    )
    (world.place / "pod.yaml").write_text(POD.replace("IMAGE", "web:1"))
    nowhere = str(world.place / "nowhere")
    cold = str(world.place / "cold")  # without a cache every check is imported
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=world.place,
        env={"PYTHONPATH": str(SRC), "XDG_STATE_HOME": nowhere, "XDG_CACHE_HOME": cold},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_a_scan_of_the_image_found_counts_in_manifests(world: Shop) -> None:
    assert world.run("image", "scan", world.reference).code == 1
    found = world.scan(world.reference)
    assert {"IMG-001", "IMG-003", "IMG-009"} <= set(found)
    assert shop.CVE in found["IMG-003"]["message"]
    assert found["IMG-003"]["severity"] == "critical"
    assert shop.OTHER in " ".join(found["IMG-001"]["evidence"])
    assert found["IMG-001"]["location"]["file"] == "pod.yaml"
    digest = re.sub(r":1\.4$", f"@{shop.shop().digest}", world.reference)
    assert {"IMG-001", "IMG-003", "IMG-009"} <= set(world.scan(digest))
    other = world.scan(world.reference.replace("1.4", "1.5"))
    assert not {"IMG-001", "IMG-003", "IMG-009"} & set(other)
    assert f"{world.reference.replace('1.4', '1.5')} was never scanned" in {
        u["reason"] for u in world.unassessed
    }
    assert "IMG-019" in world.scan(world.reference.replace("1.4", "1.5"), "--check", "IMG-019")


def test_a_policy_is_an_allow_list_from_flag_variable_and_file(world: Shop) -> None:
    policy = world.place / "images.yaml"
    policy.write_text(
        "apiVersion: martello.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: p}\n"
        f"spec: {{repositories: ['{world.reference.partition('/')[0]}/shop/*']}}\n"
    )
    public = "docker.io/library/web:1@sha256:" + "0" * 64
    assert world.scan(public)["IMG-006"]["severity"] == "low"
    assert "IMG-006" not in world.scan(world.reference)
    assert world.scan(public, "--image-policy", "images.yaml")["IMG-006"]["severity"] == "high"
    assert "IMG-006" not in world.scan(world.reference, "--image-policy", "images.yaml")
    (world.place / "martello.toml").write_text('image-policy = ["images.yaml"]\n')
    try:
        assert world.scan(public)["IMG-006"]["severity"] == "high"
    finally:
        (world.place / "martello.toml").unlink()


def test_approvals_count_if_their_key_is_trusted(world: Shop) -> None:
    key = ("--key", "release.pem")
    who = ("--owner", "sre@example.com", "--reason", "an old friend")
    approver = ("--approver", "release.pub")
    assert "IMG-020" not in world.scan(world.reference, *approver)  # nobody decides anything yet
    gated = world.run("image", "gate", world.reference, "--record", *key)
    assert gated.code == 1
    assert "IMG-020" not in world.scan(world.reference)  # nobody named a key
    found = world.scan(world.reference, *approver)
    assert "was denied by key-" in found["IMG-020"]["message"]
    done = world.run("image", "approve", world.reference, *key, *who, "--until", LATER)
    assert (done.code, done.err) == (0, "")
    assert "IMG-020" not in world.scan(world.reference, *approver)
    done = world.run("image", "approve", shop.shop().digest, *key, *who, "--until", LATER, "--deny")
    assert done.code == 0
    found = world.scan(world.reference, *approver)
    assert found["IMG-020"]["message"].endswith("denied by sre@example.com: an old friend")
    assert (
        "no approval of its image"
        in world.scan(f"{world.reference.rpartition(':')[0]}@sha256:{'1' * 64}", *approver)[
            "IMG-020"
        ]["message"]
    )


def test_the_ledger_is_listed_and_verified(world: Shop) -> None:
    digest = shop.shop().digest
    plain = world.run("image", "ledger", digest)
    assert plain.code == 0
    assert "unproved" in plain.out
    done = world.run("image", "ledger", digest, "--key", "release.pub", "-o", "json")
    (chain,) = done.report["chains"]
    assert chain["verified"]
    assert chain["rows"] == 3
    assert [d["outcome"] for d in done.report["decisions"]] == ["deny", "approve", "deny"]
    told = world.run("image", "ledger", digest, "--key", "release.pub").out
    assert "verified" in told
    assert "3 rows" in told


def test_a_ledger_that_was_edited_is_told_and_gives_no_verdict(world: Shop) -> None:
    import shutil
    import sqlite3

    copy = world.place / "edited"
    copy.mkdir()
    shutil.copy(world.place / "state.db", copy / "state.db")
    with sqlite3.connect(copy / "state.db") as connection:
        connection.execute("UPDATE approval SET outcome = 'approve' WHERE seq = 3")
    done = world.run("image", "ledger", "--key", "release.pub", state="edited/state.db")
    assert done.code == 1
    assert "row 3 was edited" in done.out
    found = world.scan(world.reference, "--approver", "release.pub", state="edited/state.db")
    assert "IMG-020" not in found
    asked = [u for u in world.unassessed if u["asked"]]
    assert {u["check"] for u in asked} == {"IMG-014", "IMG-020"}
    assert all("row 3 was edited" in u["reason"] for u in asked)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("web:1", "--until", "2020-01-01"), "--until 2020-01-01 is past"),
        (("sha256:12", "--until", LATER), "no usable digest: sha256:12"),
        (("sha256:" + "1" * 64, "--until", "soon"), "--until soon is no day"),
        (("sha256:" + "1" * 64, "--until", "2020-01-01"), "--until 2020-01-01 is past"),
    ],
)
def test_an_approval_needs_a_digest_and_an_end(
    world: Shop, words: tuple[str, ...], said: str
) -> None:
    who = ("--owner", "me", "--reason", "why", "--key", "release.pem")
    done = world.run("image", "approve", *words, *who)
    if words[0] == "web:1":
        assert done.code in (2, 4)  # the registry is asked first
    else:
        assert done.code == 2
        assert done.err.startswith(said)


def test_a_tag_that_moved_is_told(world: Shop) -> None:
    reference = world.reference.replace("1.4", "moving")
    for tag in ("1.4", "multi"):
        write_layout(world.place / tag, {"1": shop.shop() if tag == "1.4" else shop.both()})
        source = f"oci:{world.place / tag}:1"
        target = f"docker://{reference}"
        skopeo("copy", "--all", "--dest-tls-verify=false", source, target)
        assert world.run("image", "scan", reference).code == 1
        assert ("IMG-021" in world.scan(reference)) == (tag == "multi")
    assert json.dumps(world.scan(reference)["IMG-001"])  # an index: its images are known


def test_a_signature_that_a_policy_asks_for(world: Shop) -> None:
    policy = world.place / "signed.yaml"
    policy.write_text(
        "apiVersion: martello.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: signed}\n"
        "spec: {signed: {by: [{key: release.pub}]}, vulnerabilities: {failOn: none}}\n"
    )
    words = ("--check", "IMG-007", "--image-policy", "signed.yaml")
    assert world.scan(world.reference, *words) == {}
    assert any("was not gated by the policy signed" in u["reason"] for u in world.unassessed)
    world.run("image", "gate", world.reference, "-p", "signed.yaml")
    assert world.scan(world.reference, *words)["IMG-007"]["severity"] == "high"
    assert world.run("image", "sign", world.reference, "--key", "release.pem").code == 0
    world.run("image", "gate", world.reference, "-p", "signed.yaml")
    assert world.scan(world.reference, *words) == {}
    assert world.unassessed == []
