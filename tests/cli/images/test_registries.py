"""The commands against registries that want to know who asks, or fail: three lines, no secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.fake_registry import FakeRegistry, fake
from tests.support.pipeline import good, inside, laid_out, stored
from tests.support.registry import or_skip, running

SECRET = "hunter2-and-more"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, keys, a database."""
    return laid_out(tmp_path_factory.mktemp("registries"))


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    """A registry in this process."""
    with fake() as found:
        yield found


def signed_in(directory: Path, host: str, password: str = SECRET) -> dict[str, str]:
    """The environment of somebody who did `docker login`."""
    told = base64.b64encode(f"ci:{password}".encode()).decode()
    (directory / "config.json").write_text(json.dumps({"auths": {host: {"auth": told}}}))
    return {"DOCKER_CONFIG": str(directory)}


def test_a_registry_with_passwords_and_an_authority_of_its_own(place: Path, tmp_path: Path) -> None:
    or_skip("docker-registry", "docker-registry")
    or_skip("htpasswd", "apache2-utils")
    with running(users={"ci": SECRET}, tls=True) as registry:
        target = f"{registry.url}/shop/api:1"
        words = ("promote", "oci:good", target, "--key", "release.pem")
        env = signed_in(tmp_path, registry.url)
        ca = ("--ca", str(registry.ca))
        untrusted = inside(place, *words, env=env)
        assert (untrusted.code, untrusted.err.splitlines()[0]) == (
            4,
            f"cannot trust {registry.url}",
        )
        unknown = inside(place, *words, *ca, env={"DOCKER_CONFIG": str(place)})
        assert unknown.code == 4
        assert f"{registry.url} does not accept who we are (401)" in unknown.err
        wrong = inside(place, *words, *ca, env=signed_in(tmp_path, registry.url, "wrong-one"))
        assert (wrong.code, "wrong-one" in wrong.err) == (4, False)
        assert stored(registry) == set()
        env = signed_in(tmp_path, registry.url)
        done = inside(place, *words, *ca, env=env)
        assert done.code == 0, done.err
        assert SECRET not in done.out + done.err
        for verb in (("verify", target, "--key", "release.pub"), ("gate", target)):
            assert inside(place, *verb, *ca, env=env).code == 0
            assert inside(place, *verb, "--insecure", env=env).code == 0
            assert inside(place, *verb, env=env).code == 4


STATUSES = [
    (401, 4, "does not accept who we are (401)"),
    (403, 4, "refuses it (403)"),
    (404, 4, "does not have it (404)"),
    (500, 4, "it failed inside (500)"),
    (418, 2, "does not take it (418)"),
]


@pytest.mark.parametrize(("status", "code", "said"), STATUSES)
def test_every_refusal_names_the_host_and_the_status(
    place: Path, tmp_path: Path, server: FakeRegistry, status: int, code: int, said: str
) -> None:
    env = signed_in(tmp_path, server.url)
    body = json.dumps({"errors": [{"code": "X", "message": "\x1b[31mno\nway"}]}).encode()
    server.answer = lambda asked: (status, {}, body)
    target = f"{server.url}/shop/api:1"
    for words in (
        ("verify", target, "--key", "release.pub"),
        ("sign", target, "--key", "release.pem"),
        ("gate", target),
        ("promote", f"registry:{target}", f"{server.url}/b/c:1", "--key", "release.pem"),
    ):
        done = inside(place, *words, env=env)
        assert done.code == code, (words, done.err)
        what, because, following = done.err.splitlines()
        assert server.url in because or status == 404, because
        assert said in because or "push it first" in following, because
        assert following.startswith("next: ")
        assert SECRET not in what + because
        assert "\x1b" not in done.err


@pytest.mark.parametrize(("status", "code", "said"), [s for s in STATUSES if s[0] not in (404,)])
def test_a_push_that_is_refused_says_so(
    place: Path, server: FakeRegistry, status: int, code: int, said: str
) -> None:
    server.answer = lambda asked: (status, {}, b"{}") if asked.method == "POST" else None
    done = inside(place, "promote", "oci:good", f"{server.url}/shop/api:1", "--key", "release.pem")
    assert done.code == code, done.err
    assert done.err.splitlines()[0].startswith("cannot put sha256:")
    assert said in done.err
    assert server.manifests == {}


def test_patience_with_a_busy_registry_ends(place: Path, server: FakeRegistry) -> None:
    server.busy = [(429, "0"), (503, "0")]
    target = f"{server.url}/shop/api:1"
    assert inside(place, "promote", "oci:good", target, "--key", "release.pem").code == 0
    server.answer = lambda asked: (429, {"Retry-After": "3600"}, b"{}")
    done = inside(place, "verify", target, "--key", "release.pub")
    assert (done.code, "it asks for fewer requests (429)" in done.err) == (4, True)


def test_a_registry_that_lies_is_refused(place: Path, server: FakeRegistry) -> None:
    target = f"{server.url}/shop/api:1"
    assert inside(place, "promote", "oci:good", target, "--key", "release.pem").code == 0
    server.wrong = good().manifest.raw.replace(b"layer", b"layed", 1)
    by_digest = f"{server.url}/shop/api@{good().digest}"
    for words in (("verify", by_digest, "--key", "release.pub"), ("gate", by_digest)):
        done = inside(place, *words)
        assert (done.code, done.out) == (1, "")
        assert "does not hold what it promises" in done.err


def test_a_registry_that_does_not_delete_keeps_what_is_older(
    place: Path, server: FakeRegistry
) -> None:
    target = f"{server.url}/shop/api:1"
    for _ in range(2):
        assert inside(place, "promote", "oci:good", target, "--key", "release.pem").code == 0
    count = len(server.manifests)
    server.asked.clear()
    assert inside(place, "promote", "oci:good", target, "--key", "release.pem").code == 0
    assert (len(server.manifests), server.count("POST"), server.count("DELETE")) == (count, 0, 0)


@pytest.mark.parametrize(
    "words",
    [
        ("promote", "oci:good", "127.0.0.1:1/a@sha256:" + "0" * 64, "--key", "release.pem"),
        ("promote", "oci:good", "Not A Name", "--key", "release.pem"),
        ("promote", "oci:nothing", "127.0.0.1:1/a:1", "--key", "release.pem"),
        ("promote", "oci:good", "127.0.0.1:1/a:1", "--key", "nothing.pem"),
        ("promote", "oci:good", "127.0.0.1:1/a:1", "--key", "release.pub"),
        ("sign", "127.0.0.1:1/a:1", "--key", "release.pub"),
        ("verify", "127.0.0.1:1/a:1"),
        ("verify", "127.0.0.1:1/a:1", "--key", "release.pem"),
        ("verify", "127.0.0.1:1/a:1", "--key", "release.pub", "--type", "nonsense"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anybody_is_asked(
    place: Path, words: tuple[str, ...]
) -> None:
    done = inside(place, *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("next: ")
    assert "PRIVATE" not in done.err
