"""`image gate`: names, data, unknowns, exceptions, several policies, the verdict in a file."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support import shop
from tests.support.images import image, layer, write_layout
from tests.support.pipeline import FIXED, good, inside, laid_out, policy
from tests.support.registry import or_skip

LENIENT = "  system: {secrets: warn}\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images in every form, a database, keys."""
    there = laid_out(tmp_path_factory.mktemp("gating"))
    old = there / "old"
    old.mkdir()
    shop.database(old, datetime.now(UTC) - timedelta(hours=80))
    gems = {"etc/os-release": shop.RELEASE, "var/lib/dpkg/status": FIXED, shop.GEM: shop.GEMSPEC}
    write_layout(there / "gems", {"1": image(layer(gems), config={"User": "1"})})
    return there


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("docker.io/shop/api:1", 1),
        ("shop/api", 1),
        ("quay.io/shop/api:1", 1),
        ("ghcr.io/shop/api:1", 1),
        ("reg.local/shop/api:1", 0),
        ("127.0.0.1:5000/shop/api", 0),
        ("", 0),
    ],
)
def test_without_a_list_public_registries_are_refused(place: Path, name: str, code: int) -> None:
    words = ("--as", name) if name else ()
    done = inside(place, "gate", "oci:good", *words)
    assert done.code == code, done.out
    assert ("is a public registry" in done.out) == bool(code)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("reg.local/shop/api:1", 0),
        ("reg.local/shopping/api:1", 1),
        ("reg.local.evil.example/shop/api:1", 1),
        ("docker.io/shop/api:1", 1),
    ],
)
def test_with_a_list_only_what_is_on_it_passes(place: Path, name: str, code: int) -> None:
    listed = policy(place, "listed", "  repositories: [reg.local/shop/*]\n")
    done = inside(place, "gate", "oci:good", "-p", listed, "--as", name)
    assert done.code == code, done.out
    if code:
        assert "IMG-006" in done.out
        assert done.out.splitlines()[-1].startswith("exit 1: denied by no policy: none lists")
        assert "spec.repositories" in done.out.splitlines()[-1]


def test_a_name_that_is_none_is_told(place: Path) -> None:
    done = inside(place, "gate", "oci:good", "--as", "Not A Name")
    assert (done.code, done.out) == (2, "")
    for word in ("sbom:x.json", "rootfs:.", "dir:."):
        (place / "x.json").write_text("{}")
        assert inside(place, "gate", word).code == 2, word


@pytest.mark.parametrize("unknown", ["deny", "warn", "allow"])
@pytest.mark.parametrize("case", ["none", "old", "broken"])
def test_without_fresh_advisories_nothing_is_approved(place: Path, case: str, unknown: str) -> None:
    lenient = policy(place, f"unknown-{unknown}", f"  onUnknown: {unknown}\n")
    (place / "broken.db").write_bytes(b"no database at all")
    file = {"none": "nothing.db", "old": "old/advisories.db", "broken": "broken.db"}[case]
    env = {"MARTELLO_DATABASE": str(place / file)}
    done = inside(place, "gate", "oci:good", "-p", lenient, env=env)
    if case == "broken":
        assert (done.code, done.out) == (2, "")
        return
    assert done.code == 3, done.out
    assert "martello db update" in done.out
    pushed = inside(
        place, "promote", "oci:good", "127.0.0.1:1/a/b:1", "--key", "release.pem", "-p", lenient,
        env=env,
    )  # fmt: skip
    assert pushed.code == 3  # and nobody was asked: nothing listens there
    assert pushed.err.splitlines()[-1] == "nothing was pushed to 127.0.0.1:1/a/b"


def test_a_policy_may_allow_older_advisories(place: Path) -> None:
    patient = policy(place, "patient", "  vulnerabilities: {maxDatabaseAge: 5d}\n")
    env = {"MARTELLO_DATABASE": str(place / "old" / "advisories.db")}
    assert inside(place, "gate", "oci:good", "-p", patient, env=env).code == 0


@pytest.mark.parametrize(("unknown", "code"), [("deny", 3), ("warn", 0), ("allow", 0)])
def test_what_was_not_assessed_is_told_whatever_becomes_of_it(
    place: Path, unknown: str, code: int
) -> None:
    rule = policy(place, f"gems-{unknown}", f"  onUnknown: {unknown}\n")
    done = inside(place, "gate", "oci:gems", "-p", rule)
    assert done.code == code, done.out
    assert "not assessed: " in done.out
    assert "RubyGems" in done.out


WAIVERS = {
    ".trivyignore": f"{shop.CVE}\n{shop.OTHER}\n{shop.OPEN}\n",
    "w.yaml": "apiVersion: martello.dev/v1alpha1\nkind: Waiver\nmetadata: {name: w}\nspec:\n"
    f"  checks: [{shop.CVE}, {shop.OTHER}, {shop.OPEN}]\n  owner: sre@example.com\n"
    "  reason: not reachable\n  until: 2999-01-01\n",
    "named.yaml": "apiVersion: martello.dev/v1alpha1\nkind: Waiver\nmetadata: {name: w}\nspec:\n"
    f"  checks: [{shop.CVE}, {shop.OTHER}, {shop.OPEN}]\n  owner: sre@example.com\n"
    "  reason: not reachable\n  match: {images: ['reg.local/shop/*']}\n  until: 2999-01-01\n",
    "late.yaml": "apiVersion: martello.dev/v1alpha1\nkind: Waiver\nmetadata: {name: w}\nspec:\n"
    f"  checks: [{shop.CVE}, {shop.OTHER}, {shop.OPEN}]\n  owner: sre@example.com\n"
    "  reason: not reachable\n  until: 2020-01-01\n",
}
VEX = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://example.com/vex/1",
    "author": "sre",
    "timestamp": "2031-01-01T00:00:00Z",
    "version": 1,
    "statements": [
        {
            "vulnerability": {"name": name},
            "products": [{"@id": f"pkg:oci/api@{shop.shop().digest.replace(':', '%3A')}"}],
            "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path",
        }
        for name in (shop.CVE, shop.OTHER, shop.OPEN)
    ],
}


@pytest.mark.parametrize(
    ("file", "code"),
    [(".trivyignore", 0), ("w.yaml", 0), ("named.yaml", 0), ("late.yaml", 1), ("vex", 0), ("", 1)],
)
def test_exceptions_count_at_the_gate(place: Path, tmp_path: Path, file: str, code: int) -> None:
    lenient = policy(place, "lenient", LENIENT)
    words: tuple[str, ...] = ()
    if file == "vex":
        (tmp_path / "vex.json").write_text(json.dumps(VEX))
        words = ("--vex", str(tmp_path / "vex.json"), "--as", "reg.local/shop/api:1")
    elif file:
        (tmp_path / file).write_text(WAIVERS[file])
        words = ("--ignore", str(tmp_path / file))
    if file == "named.yaml":
        assert inside(place, "gate", "oci:bad", "-p", lenient, *words).code == 1
        words = (*words, "--as", "reg.local/shop/api:1")
    done = inside(place, "gate", "oci:bad", "-p", lenient, *words)
    assert done.code == code, done.out
    if file == "vex":
        assert " settled by VEX · " in " ".join(done.out.split())
    if file == "late.yaml":
        assert "ran out on 2020-01-01" in " ".join(done.out.split())


def test_what_an_image_without_a_name_is_not_asked_is_told(place: Path) -> None:
    listing = policy(place, "listing", "  repositories: [reg.other/shop/*]\n")
    nameless = inside(place, "gate", "oci:good", "-p", listing)
    assert "spec.repositories of listing was not asked (--as REF)" in nameless.out
    named = inside(place, "gate", "oci:good", "-p", listing, "--as", "reg.other/shop/api:1")
    assert "was not asked" not in named.out


def test_all_policies_that_are_meant_must_approve(place: Path) -> None:
    lenient = policy(place, "any", "  repositories: [reg.local/**]\n  system: {user: any}\n")
    strict = policy(place, "base", "  repositories: [reg.local/shop]\n"
                    "  system: {baseMaxAge: 30d}\n")  # fmt: skip
    both = ("-p", lenient, "-p", strict)
    done = inside(place, "gate", "oci:good", *both, "--as", "reg.local/shop/api:1")
    assert done.code == 1
    assert "approved by policy any" in done.out
    assert "denied by policy base" in done.out
    assert done.out.splitlines()[-1].startswith("exit 1: denied by base: 1 reason")
    words = ("--as", "reg.local/shop/api:1", "-o", "json")
    (told,) = inside(place, "gate", "oci:good", *both, *words).report["images"]
    assert [one["policy"] for one in told["judgements"]] == ["base", "any"]
    assert told["judgement"] == told["judgements"][0]
    other = inside(place, "gate", "oci:good", *both, "--as", "reg.local/other/api:1")
    assert (other.code, "base" in other.out) == (0, False)


def test_where_signatures_cannot_be_looked_for_nothing_is_recorded(place: Path) -> None:
    asking = policy(place, "asking", "  signed: {by: [{key: release.pub}]}\n")
    done = inside(place, "gate", "oci:good", "-p", asking)
    assert done.code == 0
    assert "where signatures could be looked for (IMG-007)" in " ".join(done.out.split())
    kept = inside(place, "gate", "oci:good", "-p", asking, "--record", "--key", "release.pem")
    assert kept.code == 3
    table = "select outcome from approval"
    with sqlite3.connect(place / "state.db") as state:
        assert {row[0] for row in state.execute(table)} == {"unassessed"}


def test_of_one_platform_nothing_follows_for_the_index(place: Path, tmp_path: Path) -> None:
    state = {"MARTELLO_STATE": f"sqlite:///{tmp_path / 'state.db'}"}
    words = ("gate", "oci:mixed", "--record", "--key", "release.pem")
    assert inside(place, *words, "--platform", "linux/amd64", env=state).code == 0
    table = "select digest, outcome from approval"
    with sqlite3.connect(tmp_path / "state.db") as opened:
        assert opened.execute(table).fetchall() == [(good().digest, "approve")]
    assert inside(place, *words, env=state).code == 1
    with sqlite3.connect(tmp_path / "state.db") as opened:
        rows = dict(opened.execute(table).fetchall())
    assert sorted(rows.values()) == ["approve", "deny", "deny"]


def test_the_verdict_is_verified_by_openssl_alone(place: Path, tmp_path: Path) -> None:
    or_skip("openssl", "openssl")
    file = tmp_path / "verdict.jsonl"
    words = ("gate", "oci:mixed", "--key", "release.pem", "--verdict", str(file))
    assert inside(place, *words).code == 1
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 3  # two images, and the index
    outcomes = []
    for line in lines:
        kind, payload = line["payloadType"].encode(), base64.b64decode(line["payload"])
        pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        (tmp_path / "pae").write_bytes(pae)
        (tmp_path / "sig").write_bytes(base64.b64decode(line["signatures"][0]["sig"]))
        command = ["openssl", "dgst", "-sha256", "-verify", str(place / "release.pub")]
        done = subprocess.run(
            [*command, "-signature", str(tmp_path / "sig"), str(tmp_path / "pae")],
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == "Verified OK", done.stderr
        outcomes += [p["outcome"] for p in json.loads(payload)["predicate"]["policies"]]
    assert sorted(outcomes) == ["approve", "deny", "deny"]


@pytest.mark.parametrize(
    "words",
    [
        ("--verdict", "v.json"),
        ("--record",),
        ("--key", "release.pem"),
        ("--key", "missing.pem", "--record"),
        ("--key", "release.pub", "--record"),
        ("--key", "release.pem", "--verdict", "no/such/v.json"),
        ("-p", "nothing.yaml"),
        ("-p", "good.tar"),
        ("--vex", "nothing.json"),
        ("--ignore", ".trivyignore.none"),
    ],
)
def test_flags_of_no_use_are_told_in_three_lines(place: Path, words: tuple[str, ...]) -> None:
    done = inside(place, "gate", "oci:good", *words)
    assert done.code == 2
    what, because, following, *more = done.err.splitlines()
    assert (because[:8], following[:6], more) == ("because ", "next: ", []), what


def test_keys_may_be_locked_by_a_password(place: Path, tmp_path: Path) -> None:
    env = {"MARTELLO_KEY_PASSWORD": "correct horse"}
    made = inside(tmp_path, "key", "locked", env=env)
    assert made.code == 0
    assert (tmp_path / "locked.pem").stat().st_mode & 0o777 == 0o600
    assert "ENCRYPTED" in (tmp_path / "locked.pem").read_text()
    again = inside(tmp_path, "key", "locked", env=env)
    assert (again.code, again.err.splitlines()[0]) == (2, "cannot write locked.pem")
    (tmp_path / "half.pub").write_text("x")
    assert inside(tmp_path, "key", "half").code == 2
    assert not (tmp_path / "half.pem").exists()
    words = ("gate", "oci:good", "--key", str(tmp_path / "locked.pem"), "--verdict", "v.json")
    for name in ("MARTELLO_KEY_PASSWORD", "COSIGN_PASSWORD"):
        assert inside(place, *words, env={name: "correct horse"}).code == 0
    for wrong in ({}, {"COSIGN_PASSWORD": "battery staple"}):
        done = inside(place, *words, env=wrong)
        assert done.code == 2
        assert "battery" not in done.err + done.out
        assert "PRIVATE" not in done.err + done.out
