"""`access identities`: every way to be somebody, with its place, and no secret on the screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.asked import ask
from tests.support.paths.world import bound, made, pod

ROLES = """
- {rolearn: "arn:aws:iam::1:role/ops", username: ops, groups: ["system:masters"]}
- {rolearn: "arn:aws:iam::1:role/dev", username: dev, groups: [dev]}
"""
SECRET = "0123456789abcdef"
API = "apiserver.config.k8s.io/v1"
ADMIN = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]


def _projected(audience: str, seconds: int) -> dict[str, Any]:
    token = {"path": "t", "audience": audience, "expirationSeconds": seconds}
    return {
        "serviceAccountName": "api",
        "automountServiceAccountToken": False,
        "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": token}]}}],
    }


@pytest.fixture
def here(tmp_path: Path) -> Path:
    anonymous = {"enabled": True, "conditions": [{"path": "/livez"}]}
    owner = {"kubernetes.io/service-account.name": "api"}
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/api"}
    objects = [
        made("AuthenticationConfiguration", "c", "", API, anonymous=anonymous),
        made("ConfigMap", "aws-auth", "kube-system", data={"mapRoles": ROLES}),
        made(
            "Secret",
            "bootstrap-token-abcdef",
            "kube-system",
            type="bootstrap.kubernetes.io/token",
            stringData={"token-secret": SECRET},
        ),
        made("ServiceAccount", "api", "shop", metadata={"annotations": role}),
        made(
            "Secret",
            "old",
            "shop",
            type="kubernetes.io/service-account-token",
            metadata={"annotations": owner},
        ),
        pod("vault", _projected("vault", 600)),
        pod("strong", {"serviceAccountName": "strong"}, "kube-system"),
        pod("weak", {"serviceAccountName": "weak"}, "kube-system"),
        *bound("strong", ADMIN, ("account", "kube-system", "strong")),
    ]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects))
    return tmp_path


def _rows(here: Path, *words: str) -> list[dict[str, Any]]:
    done = ask("access", "identities", "-f", ".", *words, "-o", "json", cwd=here)
    assert done.code == 0
    found: list[dict[str, Any]] = json.loads(done.out)["identities"]
    return found


def test_every_way_is_told_with_its_place(here: Path) -> None:
    rows = _rows(here)
    told = {(row["kind"], row["who"]): row for row in rows}
    assert len(told) == len(rows)
    assert told["anonymous", "requests without credentials"]["becomes"] == "may ask for /livez only"
    ops = told["mapped", "arn:aws:iam::1:role/ops"]
    assert (ops["becomes"], ops["grave"]) == ("user ops in system:masters", True)
    assert not told["mapped", "arn:aws:iam::1:role/dev"]["grave"]
    assert told["bootstrap", "bootstrap token abcdef"]["becomes"].startswith("user system:boot")
    assert (
        told["token", "Secret shop/old"]["life"],
        told["token", "Secret shop/old"]["grave"],
    ) == (
        0,
        True,
    )
    vault = told["token", "Pod shop/vault, projected"]
    assert (vault["life"], vault["grave"]) == (600, False)
    assert vault["note"] == "for vault: the API server does not take it"
    strong = told["token", "Pod kube-system/strong, mounted by itself"]
    assert (strong["note"], strong["grave"]) == ("may do everything", True)
    assert told["cloud", "shop/api"]["becomes"] == "arn:aws:iam::1:role/api"
    assert all(row["where"].startswith("all.yaml:") for row in rows)


def test_little_of_the_control_plane_is_folded(here: Path) -> None:
    def names(*words: str) -> set[str]:
        return {row["who"] for row in _rows(here, *words) if row["kind"] == "token"}

    weak = "Pod kube-system/weak, mounted by itself"
    assert weak not in names()
    assert names("--system") == names() | {weak}
    assert names("-n", "shop") == {"Secret shop/old", "Pod shop/vault, projected"}
    assert {row["kind"] for row in _rows(here, "-n", "shop")} == {"token", "cloud"}


def test_the_screen_says_what_is_grave_first_and_no_secret(here: Path) -> None:
    done = ask("access", "identities", "-f", ".", cwd=here, columns=60)
    assert done.code == 0
    assert SECRET not in done.out
    flat = " ".join(done.out.split())
    assert "arn:aws:iam::1:role/ops → user ops in system:masters, passes every authorizer" in flat
    assert flat.index("never expires") < flat.index("lives 10 minutes")
    assert "note: and 1 token of kube-system: --system" in flat
    assert all(len(line) <= 60 for line in done.out.splitlines())


def test_who_can_names_those_whom_no_binding_shows(here: Path) -> None:
    done = ask("access", "who-can", "get", "secrets", "-f", ".", cwd=here, columns=0)
    assert "note: arn:aws:iam::1:role/ops may too: it is mapped to system:masters" in done.out
    assert "role/dev" not in done.out


def test_nothing_said_is_the_default_of_the_server() -> None:
    done = ask("access", "identities", "-f", "demo", columns=0)
    assert "are let in unless the API server is told otherwise" in done.out


def test_what_could_not_be_read_is_three(here: Path) -> None:
    (here / "broken.yaml").write_text("a: [")
    assert ask("access", "identities", "-f", ".", cwd=here).code == 3
    assert ask("access", "identities", "-f", ".", "--allow-incomplete", cwd=here).code == 0
