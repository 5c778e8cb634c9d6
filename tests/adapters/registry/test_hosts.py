"""Mirrors, insecure registries, authorities and proxies, from the machine's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.certificates import Authority
from tests.support.fake_registry import FakeRegistry, fake
from tests.support.registry_settings import settings

from martello.adapters.registry import trust
from martello.adapters.registry.client import connect
from martello.adapters.registry.hosts import Endpoint, endpoints
from martello.adapters.registry.network import Network
from martello.adapters.registry.proxies import proxy_for
from martello.adapters.registry.settings import Settings
from martello.core.artifact import OCI_MANIFEST, Descriptor, digest_of
from martello.core.errors import BadInput, NotPermitted, Refused, Unreachable
from martello.core.image import parse_image

RAW = b'{"schemaVersion": 2, "config": {}, "layers": []}'


def found(name: str, with_settings: Settings) -> tuple[Endpoint, ...]:
    """The endpoints of an image."""
    image = parse_image(name)
    assert image is not None
    return endpoints(image, with_settings)


def conf(directory: Path, text: str) -> Settings:
    """Settings with a registries.conf."""
    path = directory / "registries.conf"
    path.write_text(text)
    return settings(registries=str(path))


def hosts(directory: Path, name: str, text: str) -> Settings:
    """Settings with a hosts.toml."""
    place = directory / "certs.d" / name
    place.mkdir(parents=True)
    (place / "hosts.toml").write_text(text)
    return settings(certificates=(str(directory / "certs.d"),))


def test_without_configuration_a_registry_is_itself() -> None:
    [one] = found("reg.local:5000/a/b:1", settings())
    assert (one.host, one.address, one.repository) == ("reg.local:5000",) * 2 + ("a/b",)
    assert (one.scheme, one.verify) == ("https", True)
    [hub] = found("nginx", settings())
    assert (hub.host, hub.address) == ("docker.io", "registry-1.docker.io")
    assert hub.name == "docker.io/library/nginx"


def test_plain_http_is_for_loopback_and_what_is_declared() -> None:
    for name in ("localhost:5000/a", "127.0.0.1:5000/a", "127.9.9.9/a"):
        assert found(name, settings())[0].scheme == ""
        assert found(name, settings())[0].verify
    assert found("reg.local/a", settings(insecure=("reg.local",)))[0].scheme == ""
    assert found("reg.local:1/a", settings(insecure=("reg.local",)))[0].scheme == "https"
    assert found("127.0.0.1.evil.example/a", settings())[0].scheme == "https"


def test_registries_conf_mirrors_and_prefixes(tmp_path: Path) -> None:
    machine = conf(
        tmp_path,
        """
        unqualified-search-registries = ["ignored.example"]
        [[registry]]
        prefix = "reg.local/team"
        location = "other.local/moved"
        insecure = true
        mirror-by-digest-only = true
        [[registry.mirror]]
        location = "mirror.local/cache"
        [[registry.mirror]]
        location = "tags.local"
        pull-from-mirror = "tag-only"
        insecure = true
        [[registry]]
        location = "reg.local"
        [[registry]]
        prefix = "*.wild.example"
        blocked = true
        """,
    )
    first, second, last = found("reg.local/team/app:1", machine)
    assert (first.name, first.when) == ("mirror.local/cache/app", "digest-only")
    assert (second.name, second.when, second.verify) == ("tags.local/app", "tag-only", False)
    assert (last.name, last.verify, last.mirror) == ("other.local/moved/app", False, False)
    assert "push" not in first.abilities
    [plain] = found("reg.local/team-x/app", machine)
    assert plain.name == "reg.local/team-x/app"
    with pytest.raises(NotPermitted, match=r"a\.wild\.example"):
        found("a.wild.example/x", machine)
    assert len(found("wild.example/x", machine)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[[registry]]\nlocation = 5",
        "[[registry]]\nprefix = 'x'",
        "registry = 5",
        "[registries.search]\nregistries = []",
        "[[registry]]\nlocation = 'https://x'",
        "[[registry]]\nlocation = 'x'\ninsecure = 'yes'",
        "[[registry]]\nlocation = 'x'\n[[registry.mirror]]\nlocation = ''",
        "[[registry]]\nlocation = 'x'\n[[registry.mirror]]\nlocation = 'y'\npull-from-mirror = 'z'",
        "nonsense",
        "a = " + "[" * 5000,
    ],
)
def test_a_broken_registries_conf_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match=r"registries\.conf"):
        found("reg.local/a", conf(tmp_path, text))


def test_the_machines_own_files_are_found_by_home(tmp_path: Path) -> None:
    own = tmp_path / ".config" / "containers"
    (own / "registries.conf.d").mkdir(parents=True)
    (own / "registries.conf").write_text("[[registry]]\nprefix='a.local'\nlocation='b.local'")
    (own / "registries.conf.d" / "1.conf").write_text(
        "[[registry]]\nprefix='a.local'\nlocation='c.local'"
    )
    machine = settings(registries=None, environ={"HOME": str(tmp_path)})
    assert found("a.local/x", machine)[-1].name == "c.local/x"
    with pytest.raises(BadInput):
        found("a.local/x", settings(registries=str(tmp_path / "missing")))


def test_hosts_toml_in_order(tmp_path: Path) -> None:
    machine = hosts(
        tmp_path,
        "reg.local_5000_",
        """
        server = "https://reg.local:5000"
        [host."http://mirror.local:80/v2"]
        capabilities = ["pull"]
        [host."https://other.local/base"]
        capabilities = ["pull", "resolve"]
        skip_verify = true
        ca = "ca.pem"
        client = [["c.cert", "c.key"]]
        [host."https://other.local/base".header]
        x-key = ["a", "b"]
        [host."https://odd.local/api"]
        override_path = true
        """,
    )
    first, second, third, last = found("reg.local:5000/a/b", machine)
    assert (first.host, first.scheme, first.root) == ("mirror.local", "http", "/v2")
    assert first.params == {"ns": "reg.local:5000"}
    assert (second.root, second.verify) == ("/base/v2", False)
    place = tmp_path / "certs.d" / "reg.local_5000_"
    assert second.authorities == (str(place / "ca.pem"),)
    assert second.clients == ((str(place / "c.cert"), str(place / "c.key")),)
    assert second.headers["x-key"].reveal() == "a, b"
    assert "a, b" not in repr(second)
    assert third.root == "/api"
    assert (last.name, last.params, last.mirror) == ("reg.local:5000/a/b", {}, False)
    assert len(found("reg.local/a", machine)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "server = 5",
        "host = 5",
        "[host.'ftp://x']",
        "[host.'https://u:p@x']",
        "[host.'https://x']\ncapabilities = ['fly']",
        "[host.'https://x']\nca = [5]",
        "[host.'https://x']\nclient = [['a']]",
        "[host.'https://x'.header]\nx = \"a\\nb\"",
        "[host.'https://x']\nskip_verify = 1",
    ],
)
def test_a_broken_hosts_toml_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match=r"hosts\.toml"):
        found("reg.local/a", hosts(tmp_path, "_default", text))


def mirrored(directory: Path, mirror: FakeRegistry, itself: FakeRegistry, able: str) -> Settings:
    """A mirror before a registry, by hosts.toml."""
    text = f"""
    server = "http://{itself.url}"
    [host."http://{mirror.url}"]
    capabilities = {able}
    """
    return hosts(directory, "reg.local", text)


def test_a_mirror_is_asked_first_and_the_registry_after_it(tmp_path: Path) -> None:
    with fake() as mirror, fake() as itself:
        itself.put("a/b", "1", RAW, OCI_MANIFEST)
        digest = itself.put_blob("a/b", b"layer")
        machine = mirrored(tmp_path, mirror, itself, '["pull", "resolve"]')
        with connect("reg.local/a/b:1", machine) as ours:
            assert ours.manifest()[0] == RAW
            assert mirror.asked[0].query == {"ns": ["reg.local"]}
            mirror.put_blob("a/b", b"layer")
            assert b"".join(ours.blob(Descriptor("", digest, 5))) == b"layer"
            assert itself.count("GET", "/blobs/") == 0
            ours.upload_bytes(b"new")
            assert mirror.count("POST") == 0
            mirror.put("a/b", "1", b"{}", OCI_MANIFEST)
            mirror.wrong = b"[]"
            with pytest.raises(Refused):
                ours.manifest()


def test_a_mirror_that_may_not_resolve_is_not_asked_for_tags(tmp_path: Path) -> None:
    with fake() as mirror, fake() as itself:
        for each in (mirror, itself):
            each.put("a/b", "1", RAW, OCI_MANIFEST)
        machine = mirrored(tmp_path, mirror, itself, '["pull"]')
        with connect("reg.local/a/b:1", machine) as ours:
            ours.manifest()
            assert mirror.asked == []
            ours.manifest(digest_of(RAW))
            assert len(mirror.asked) == 1


def test_a_failure_names_the_mirrors_too(tmp_path: Path) -> None:
    with fake() as mirror, fake() as itself:
        mirror.answer = lambda asked: (500, {}, b"")
        machine = mirrored(tmp_path, mirror, itself, '["pull", "resolve"]')
        with connect("reg.local/a/b:1", machine) as ours, pytest.raises(BadInput) as caught:
            ours.manifest()
    assert mirror.url in caught.value.why
    assert itself.url in caught.value.why


def test_plain_http_is_not_spoken_to_a_name(tmp_path: Path) -> None:
    with Network(settings()) as network:
        [one] = found("reg.local/a", settings())
        assert network.scheme(one) == "https"
        assert network.scheme(Endpoint("x", "x", "a", scheme="http")) == "http"


def test_authorities_and_clients_are_files_that_must_hold_them(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.client("ann")
    place = tmp_path / "certs.d" / "reg.local"
    place.mkdir(parents=True)
    for name, file in (("ca.crt", authority.file), ("ann.cert", certificate), ("ann.key", key)):
        (place / name).write_bytes(file.read_bytes())
    machine = settings(certificates=(str(tmp_path / "certs.d"),))
    [one] = found("reg.local/a", machine)
    assert trust.context(machine, one).verify_mode.name == "CERT_REQUIRED"
    for name in ("ca.crt", "ann.key"):
        kept = (place / name).read_bytes()
        (place / name).write_bytes(b"nonsense")
        with pytest.raises(BadInput):
            trust.context(machine, one)
        (place / name).write_bytes(kept)
    for more in ({"authority": str(key)}, {"environ": {"SSL_CERT_FILE": str(tmp_path / "no")}}):
        values: dict[str, Any] = dict(more)
        with pytest.raises(BadInput):
            trust.context(settings(**values))


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://reg.local/", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://reg.local/", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://reg.local/", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("http://reg.local/", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://127.0.0.1/", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://localhost:5/", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://reg.local/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("https://reg.local/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x, reg.local"}, None),
        ("https://a.reg.local/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "reg.local"}, None),
        ("https://a.reg.local/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".reg.local"}, None),
        ("https://a.reg.local/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.reg.local"}, None),
        ("https://evilreg.local/", {"HTTPS_PROXY": "p:1", "NO_PROXY": "reg.local"}, "http://p:1"),
        ("https://reg.local:5/", {"HTTPS_PROXY": "p:1", "NO_PROXY": "reg.local:5"}, None),
        ("https://reg.local/", {"HTTPS_PROXY": "p:1", "NO_PROXY": "reg.local:5"}, "http://p:1"),
        ("https://10.1.2.3/", {"HTTPS_PROXY": "p:1", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://11.1.2.3/", {"HTTPS_PROXY": "p:1", "NO_PROXY": "10.0.0.0/8"}, "http://p:1"),
        ("https://[fd00::1]/", {"HTTPS_PROXY": "p:1", "NO_PROXY": "fd00::/8"}, None),
        ("https://[fd00::1]/", {"HTTPS_PROXY": "p:1", "NO_PROXY": "[fd00::1]:443"}, None),
    ],
)
def test_proxies_of_the_environment(url: str, environ: dict[str, str], proxy: str | None) -> None:
    used = proxy_for(httpx.URL(url), environ)
    assert (str(used) if used is not None else None) == proxy


def test_a_proxy_is_really_asked() -> None:
    with fake() as proxy:
        proxy.put("a/b", "1", RAW, OCI_MANIFEST)
        environ = {"HTTP_PROXY": f"http://user:pw@{proxy.url}"}
        one = Endpoint("reg.local", "reg.local", "a/b", scheme="http")
        with Network(settings(environ=environ)) as network:
            answer = network.client(one, httpx.URL("http://reg.local/v2/")).get(
                "http://reg.local/v2/"
            )
        assert answer.status_code == 200
        assert proxy.asked[0].headers["host"] == "reg.local"
        assert proxy.asked[0].headers["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize("proxy", ["socks5://p:1", "http://", "http://u:secret-pw@[", "ftp://p"])
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(proxy: str) -> None:
    with pytest.raises(BadInput) as caught:
        proxy_for(httpx.URL("https://reg.local/"), {"HTTPS_PROXY": proxy})
    assert "secret-pw" not in str(caught.value)


def test_a_proxy_that_is_away() -> None:
    environ = {"HTTPS_PROXY": "http://127.0.0.1:1"}
    with (
        connect("reg.local/a/b:1", settings(environ=environ)) as ours,
        pytest.raises(Unreachable),
    ):
        ours.manifest()
