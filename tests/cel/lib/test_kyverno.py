"""Kyverno's functions: look-ups reach the provider or say what they need; the rest compute."""

from __future__ import annotations

from typing import Any

import pytest

from martello.cel.lib import kyverno
from martello.cel.lib.kyverno_image import is_image, parse
from martello.cel.values import Duration, EvalError, Timestamp


def find(name: str, count: int) -> Any:
    """The function of a name with so many parameters."""
    overloads = kyverno.LIBRARY.overloads
    return next(o for o in overloads if o.name == name and len(o.params) == count).function


def test_look_ups_ask_the_provider() -> None:
    asked: list[tuple[str, tuple[Any, ...]]] = []

    def provider(function: str, args: tuple[Any, ...]) -> Any:
        asked.append((function, args))
        return {"data": {}}

    context = kyverno.ResourceContext(provider)
    for spelled in ("Get", "get"):
        assert find(spelled, 5)(context, "v1", "configmaps", "default", "x") == {"data": {}}
    find("ToGVR", 3)(context, "v1", "Pod")
    find("toGVR", 3)(context, "v1", "Pod")
    assert asked[0] == asked[1] == ("Get", ("v1", "configmaps", "default", "x"))
    assert asked[2] == asked[3]


@pytest.mark.parametrize(
    ("context", "needs"),
    [
        (kyverno.ResourceContext(), "resource.Get"),
        (kyverno.HttpContext(), "http.Get"),
        (kyverno.GlobalContext(), "globalContext.Get"),
        (kyverno.ImageContext(), "image.Get"),
    ],
)
def test_without_a_provider_the_verdict_needs_one(context: kyverno.Context, needs: str) -> None:
    with pytest.raises(EvalError) as caught:
        context.ask("Get", ())
    assert caught.value.needs == needs


@pytest.mark.parametrize("name", ["time.now", "random", "x509.decode"])
def test_functions_that_need_the_caller(name: str) -> None:
    function = find(name, 1 if name == "x509.decode" else 0)
    with pytest.raises(EvalError) as caught:
        function(*(("x",) if name == "x509.decode" else ()))
    assert caught.value.needs == name


def test_the_clock_is_what_the_caller_says() -> None:
    now = Timestamp(1_700_000_000)
    with kyverno.answering(now):
        assert find("time.now", 0)() == now
    with pytest.raises(EvalError):
        find("time.now", 0)()


def test_times() -> None:
    moment = Timestamp(1_700_000_000, 5)  # 2023-11-14T22:13:20Z, a Tuesday
    assert kyverno.to_cron(moment) == "13 22 14 11 2"
    assert kyverno.truncate(moment, Duration(3600 * 10**9)) == Timestamp(1_699_999_200)
    assert kyverno.truncate(moment, Duration(0)) == moment


def test_service_accounts() -> None:
    robot = {"Namespace": "prod", "Name": "robot"}
    assert kyverno.parse_service_account("system:serviceaccount:prod:robot") == robot
    nobody = {"Namespace": "", "Name": ""}
    assert kyverno.parse_service_account("alice") == nobody
    assert kyverno.parse_service_account("system:serviceaccount:prod") == nobody


def test_small_functions() -> None:
    assert kyverno.round_to(3.14159, 2) == 3.14
    assert find("sha256", 1)("") == find("hash.sha256", 1)("")
    assert find("md5", 1)("a") == "0cc175b9c0f1b6a831c399e269772661"
    keys, values = [{"n": "a"}, {"n": "b"}], [{"v": 1}, {"v": 2}]
    assert kyverno.list_to_map(keys, values, "n", "v") == {"a": 1, "b": 2}
    bad: list[tuple[list[Any], list[Any]]] = [([], [1]), ([1], [1]), ([{"n": 1}], [{}])]
    for one, other in bad:
        with pytest.raises(EvalError):
            kyverno.list_to_map(one, other, "n", "v")


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("nginx", "index.docker.io", "library/nginx", "latest", ""),
        ("docker.io/nginx:1", "index.docker.io", "library/nginx", "1", ""),
        ("team/app", "index.docker.io", "team/app", "latest", ""),
        ("ghcr.io/a/b:v1", "ghcr.io", "a/b", "v1", ""),
        ("localhost:5000/a/b", "localhost:5000", "a/b", "latest", ""),
        (f"ghcr.io/a/b:v1@{DIGEST}", "ghcr.io", "a/b", "", DIGEST),
    ],
)
def test_images(text: str, registry: str, repository: str, tag: str, digest: str) -> None:
    image = parse(text)
    assert (image.registry, image.repository) == (registry, repository)
    assert (image.tag, image.digest) == (tag, digest)
    assert find("containsDigest", 1)(image) is bool(digest)
    assert find("identifier", 1)(image) == (digest or tag)
    assert len({image, parse(text)}) == 1


@pytest.mark.parametrize(
    "text", ["", "A/B", "a b", "nginx:t@g", f"nginx@{DIGEST[:-1]}", "nginx@md5:0", "nginx:-/", "x"]
)
def test_no_images(text: str) -> None:
    assert is_image(text) is False
