"""Credentials from files, helpers and Kubernetes' pull secrets."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.adapters.registry.credentials import ConfigFile, Given, keyrings
from martello.adapters.registry.pull_secrets import from_pull_secret, matches
from martello.adapters.registry.settings import Credential, Settings
from martello.core.errors import BadInput, MartelloError, NotPermitted
from martello.core.secret import Secret


def packed(user: str, password: str) -> dict[str, str]:
    """An entry of `auths`."""
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def config(directory: Path, body: Any, environ: Mapping[str, str] | None = None) -> ConfigFile:
    """A config.json with a body."""
    path = directory / "config.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    return ConfigFile(str(path), environ or {}, seconds=30.0)


def users(found: tuple[Credential, ...]) -> list[str]:
    """Who the credentials are for."""
    return [credential.user for credential in found]


def helper(directory: Path, name: str, script: str) -> dict[str, str]:
    """Writes a helper; the environment that finds it."""
    path = directory / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"PATH": f"{directory}:{os.environ['PATH']}"}


def test_the_most_specific_entry_of_a_file_wins(tmp_path: Path) -> None:
    ring = config(
        tmp_path,
        {
            "auths": {
                "https://reg.local/v1/": packed("host", "a:b"),
                "reg.local/team": packed("team", "x"),
                "reg.local:5000": packed("port", "x"),
                "https://index.docker.io/v1/": packed("hub", "x"),
                "empty.local": {},
                "token.local": {"identitytoken": "secret-one"},
                "ready.local": {"registrytoken": "secret-two"},
                "plain.local": {"username": "plain", "password": "secret-three"},
                "odd.local": packed("<token>", "secret-four"),
            }
        },
    )
    assert users(ring.find("reg.local/other/app")) == ["host"]
    assert ring.find("reg.local/other/app")[0].password.reveal() == "a:b"
    assert users(ring.find("reg.local/team/app")) == ["team"]
    assert users(ring.find("reg.local/team-x/app")) == ["host"]
    assert users(ring.find("reg.local:5000/a")) == ["port"]
    assert users(ring.find("docker.io/library/nginx")) == ["hub"]
    assert ring.find("reg.local.evil.example/a") == ()
    assert ring.find("empty.local/a") == ()
    assert ring.find("token.local/a")[0].identity.reveal() == "secret-one"
    assert ring.find("ready.local/a")[0].bearer.reveal() == "secret-two"
    assert users(ring.find("plain.local/a")) == ["plain"]
    assert ring.find("odd.local/a")[0].identity.reveal() == "secret-four"
    assert "secret" not in repr(ring.find("token.local/a")) + repr(ring)


def test_helpers_come_before_entries(tmp_path: Path) -> None:
    script = (
        'read host; echo "{\\"Username\\":\\"for $host\\",\\"Secret\\":\\"s\\"}"; echo x >> calls'
    )
    environ = helper(tmp_path, "mine", f"cd {tmp_path}; {script}")
    body = {"credHelpers": {"reg.local": "mine"}, "auths": {"reg.local": packed("file", "x")}}
    ring = config(tmp_path, body, environ)
    for _ in range(3):
        assert users(ring.find("reg.local/a/b")) == ["for reg.local", "file"]
    assert (tmp_path / "calls").read_text() == "x\n"
    assert ring.find("other.local/a") == ()
    ring = config(tmp_path, {"credsStore": "mine"}, environ)
    assert users(ring.find("docker.io/a/b")) == ["for https://index.docker.io/v1/"]
    [found] = ring.find("other.local/a")
    assert found.source == f"docker-credential-mine ({tmp_path}/config.json)"


def test_a_helper_hands_out_identity_tokens(tmp_path: Path) -> None:
    environ = helper(tmp_path, "id", 'echo \'{"Username":"<token>","Secret":"refresh"}\'')
    [found] = config(tmp_path, {"credsStore": "id"}, environ).find("reg.local/a")
    assert (found.user, found.identity.reveal()) == ("", "refresh")


def test_a_helper_that_has_nothing_is_no_failure(tmp_path: Path) -> None:
    environ = helper(tmp_path, "no", "echo credentials not found in native keychain; exit 1")
    assert config(tmp_path, {"credsStore": "no"}, environ).find("reg.local/a") == ()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo secret-word; exit 3", "code 3"),
        ("echo secret-word", "no credential"),
        ("echo '{\"Username\": 5}'", "no credential"),
        ("sleep 60", "within 0.5 s"),
        ("sleep 60 & sleep 60", "within 0.5 s"),
        ("setsid sleep 5 & exit 0", "within 0.5 s"),
        ("yes secret-word", "1 MiB"),
        ("exec >&-; exit 0", "no credential"),
        ("kill -9 $$", "code -9"),
    ],
)
def test_a_failing_helper_is_named_and_nothing_it_says(
    tmp_path: Path, script: str, why: str
) -> None:
    environ = helper(tmp_path, "bad", script)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": "bad"}))
    started = time.monotonic()
    with pytest.raises(NotPermitted) as caught:
        ConfigFile(str(path), environ, 0.5).find("reg.local/a")
    assert time.monotonic() - started < 4
    assert "docker-credential-bad" in caught.value.why
    assert why in caught.value.why
    assert "secret-word" not in str(caught.value)


def test_a_missing_or_misnamed_helper(tmp_path: Path) -> None:
    for name in ("nowhere", "../../bin/sh", "a b", ""):
        ring = config(tmp_path, {"credHelpers": {"reg.local": name}}, {"PATH": str(tmp_path)})
        if not name:
            assert ring.find("reg.local/a") == ()
            continue
        with pytest.raises(NotPermitted) as caught:
            ring.find("reg.local/a")
        assert "reg.local" in str(caught.value)


def test_a_helper_gets_no_loader_variables(tmp_path: Path) -> None:
    environ = helper(
        tmp_path, "env", 'echo "{\\"Username\\":\\"$LD_PRELOAD|$CLOUD\\",\\"Secret\\":\\"s\\"}"'
    )
    environ |= {"LD_PRELOAD": "/x.so", "CLOUD": "kept"}
    assert users(config(tmp_path, {"credsStore": "env"}, environ).find("r.local/a")) == ["|kept"]


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"auths": 5}', '{"auths": {"reg.local": {"auth": "%%"}}}', "[" * 99999]
)
def test_broken_files_are_named(tmp_path: Path, body: str) -> None:
    ring = config(tmp_path, body)
    try:
        found, text = ring.find("reg.local/a"), str(tmp_path)
    except BadInput as error:
        found, text = (), str(error)
    assert found == ()
    assert str(tmp_path) in text


def test_the_files_of_the_environment_in_order(tmp_path: Path) -> None:
    places = {
        "podman.json": {"REGISTRY_AUTH_FILE": str(tmp_path / "podman.json")},
        "docker/config.json": {"DOCKER_CONFIG": str(tmp_path / "docker")},
        "run/containers/auth.json": {"XDG_RUNTIME_DIR": str(tmp_path / "run")},
        "home/.config/containers/auth.json": {"HOME": str(tmp_path / "home")},
    }
    environ: dict[str, str] = {}
    for place, variables in places.items():
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"auths": {"reg.local": packed(place, "x")}}))
        environ |= variables
    rings = keyrings(Settings(environ=environ))
    assert [users(ring.find("reg.local/a")) for ring in rings] == [[place] for place in places]
    assert keyrings(Settings(environ={})) == ()


def test_given_credentials_are_for_what_lies_below() -> None:
    given_one = Given("reg.local/team", Credential("flag", "ann", Secret("pw-secret")))
    assert users(given_one.find("reg.local/team/app")) == ["ann"]
    assert given_one.find("reg.local/team-x") == ()
    assert "pw-secret" not in repr(given_one)


# The table of "Pull an Image from a Private Registry", and what the kubelet's code adds.
@pytest.mark.parametrize(
    ("key", "name", "fits"),
    [
        ("*.kubernetes.io", "abc.kubernetes.io/a", True),
        ("*.kubernetes.io", "kubernetes.io/a", False),
        ("*.*.kubernetes.io", "abc.kubernetes.io/a", False),
        ("*.*.kubernetes.io", "abc.def.kubernetes.io/a", True),
        ("prefix.*.io", "prefix.kubernetes.io/a", True),
        ("*-good.kubernetes.io", "prefix-good.kubernetes.io/a", True),
        ("my-registry.example/images", "my-registry.example/images/my-app", True),
        ("my-registry.example/images", "my-registry.example/other", False),
        ("my-registry.example/images", "my-registry.example/images-more", True),
        ("*.my-registry.example/images", "sub.my-registry.example/images/my-app", True),
        ("reg.local", "reg.local:5000/a", False),
        ("reg.local:5000", "reg.local:5000/a", True),
        ("reg.local:5000", "reg.local/a", False),
        ("reg.local", "reg.local.evil.example/a", False),
        ("a[bc].local", "ab.local/x", True),
        ("a[^bc].local", "ab.local/x", False),
        ("a[.local", "ab.local/x", False),
        ("[::1]:5000", "[::1]:5000/a", True),
    ],
)
def test_pull_secrets_match_as_the_kubelet_matches(key: str, name: str, fits: bool) -> None:
    assert matches(key, name) is fits


def secret(auths: Any, key: str = ".dockerconfigjson") -> dict[str, str]:
    """The data of a Secret."""
    body = {"auths": auths} if key == ".dockerconfigjson" else auths
    return {key: base64.b64encode(json.dumps(body).encode()).decode()}


def test_all_fitting_entries_are_tried_longest_first() -> None:
    auths = {
        "*.local": packed("glob", "x"),
        "reg.local": packed("host", "x"),
        "https://reg.local/v2/": packed("again", "x"),
        "reg.local/team/app": packed("app", "x"),
        "reg.local/team": packed("team", "x"),
        "http://%zz:no[": packed("broken", "x"),
    }
    ring = from_pull_secret(secret(auths), "default/pull")
    assert users(ring.find("reg.local/team/app")) == ["app", "team", "host", "again", "glob"]
    assert users(ring.find("reg.local/other")) == ["host", "again", "glob"]
    assert "default/pull" in repr(ring)


def test_the_default_registry_and_the_old_form() -> None:
    auths = {"https://index.docker.io/v1/": packed("hub", "x")}
    for key in (".dockerconfigjson", ".dockercfg"):
        ring = from_pull_secret(secret(auths, key))
        assert users(ring.find("docker.io/library/nginx")) == ["hub"]
        assert ring.find("reg.local/a") == ()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {".dockerconfigjson": "%"},
        {".dockerconfigjson": 5},
        {".dockerconfigjson": base64.b64encode(b"[]").decode()},
        {".dockercfg": base64.b64encode(b"{").decode()},
        {".dockerconfigjson": base64.b64encode(b'{"auths": []}').decode()},
        {".dockerconfigjson": base64.b64encode(b"[" * 100_000).decode()},
        secret({"reg.local": {"auth": "bm9jb2xvbg=="}}),
    ],
)
def test_broken_pull_secrets_are_named(data: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="shop/pull"):
        from_pull_secret(data, "shop/pull")


@given(st.dictionaries(st.text(max_size=30), st.fixed_dictionaries({"auth": st.just("YTpi")})))
def test_no_pull_secret_raises_anything_else(auths: dict[str, Any]) -> None:
    try:
        ring = from_pull_secret(secret(auths))
    except MartelloError:
        return
    for name in ("reg.local/a", "docker.io/a"):
        assert len(ring.find(name)) <= len(auths)
