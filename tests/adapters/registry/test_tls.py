"""TLS: no step down to plain HTTP, private authorities, client certificates, secrets of a host."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority
from tests.support.fake_registry import FakeRegistry, fake
from tests.support.registry_settings import settings

from martello.adapters.registry.client import connect
from martello.adapters.registry.credentials import Given
from martello.adapters.registry.settings import Credential
from martello.core.artifact import OCI_MANIFEST, Descriptor, Repository
from martello.core.errors import MartelloError, NotPermitted, Unreachable
from martello.core.secret import Secret

RAW = b'{"schemaVersion": 2, "config": {}, "layers": []}'


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def server(authority: Authority, *, clients: str = "") -> ssl.SSLContext:
    """A server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = authority.server("fake", "127.0.0.1", "localhost")
    context.load_cert_chain(certificate, key)
    if clients:
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED if clients == "must" else ssl.CERT_OPTIONAL
    return context


@pytest.fixture
def there(authority: Authority) -> Iterator[FakeRegistry]:
    with fake(server(authority)) as registry:
        registry.put("a/b", "1", RAW, OCI_MANIFEST)
        yield registry


def trusting(authority: Authority, **more: Any) -> Any:
    """Settings with the private authority."""
    return settings(authority=str(authority.file), **more)


def test_a_private_authority(there: FakeRegistry, authority: Authority) -> None:
    with connect(f"{there.url}/a/b:1", trusting(authority)) as ours:
        place: Repository = ours
        assert place.manifest("1") == (RAW, OCI_MANIFEST)
    with connect(f"{there.url}/a/b:1", settings()) as ours, pytest.raises(Unreachable) as caught:
        ours.manifest()
    assert "certificate" in caught.value.why
    assert there.count("GET", "manifests") == 1


def test_N6_a_redirect_from_https_to_http_is_refused(
    there: FakeRegistry, authority: Authority
) -> None:
    with fake() as plain:
        digest = there.put_blob("a/b", b"x")
        plain.put_blob("a/b", b"x")
        there.redirect = lambda path: f"http://{plain.url}{path}?sig=secret-sig"
        with connect(f"{there.url}/a/b:1", trusting(authority)) as ours:
            with pytest.raises(NotPermitted) as caught:
                list(ours.blob(Descriptor("", digest, 1)))
            assert "secret-sig" not in str(caught.value)
            there.answer = lambda asked: (
                (202, {"Location": f"http://{plain.url}/upload"}, b"")
                if asked.method == "POST"
                else None
            )
            with pytest.raises(NotPermitted):
                ours.upload_bytes(b"new")
        assert plain.asked == []


def test_N5_no_password_goes_to_a_token_service_without_tls(
    there: FakeRegistry, authority: Authority
) -> None:
    there.bearer = True
    with fake() as plain:
        there.realm = f"http://{plain.url}/token"
        ring = Given("", Credential("a file", "ann", Secret("password")))
        with (
            connect(f"{there.url}/a/b:1", trusting(authority, keyrings=(ring,))) as ours,
            pytest.raises(NotPermitted) as caught,
        ):
            ours.manifest()
        assert "without TLS" in caught.value.why
        assert plain.asked == []


def test_N6_http_to_https_loses_the_authorization(authority: Authority) -> None:
    with fake() as plain, fake(server(authority)) as secure:
        plain.bearer = True
        digest = plain.put_blob("a/b", b"x")
        secure.put_blob("a/b", b"x")
        plain.redirect = lambda path: f"https://{secure.url}{path}"
        with connect(f"{plain.url}/a/b:1", trusting(authority)) as ours:
            assert list(ours.blob(Descriptor("", digest, 1))) == [b"x"]
        [asked] = secure.asked
        assert "authorization" not in asked.headers


def test_a_client_certificate_is_shown_to_its_host_only(
    authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.client("ann")
    with (
        fake(server(authority, clients="must")) as registry,
        fake(server(authority, clients="may")) as other,
    ):
        registry.put("a/b", "1", RAW, OCI_MANIFEST)
        with (
            connect(f"{registry.url}/a/b:1", trusting(authority)) as ours,
            pytest.raises(MartelloError) as caught,
        ):
            ours.manifest()
        assert "client certificate" in caught.value.why
        place = tmp_path / "certs.d" / registry.url
        place.mkdir(parents=True)
        for name, file in (("ca.crt", authority.file), ("a.cert", certificate), ("a.key", key)):
            (place / name).write_bytes(file.read_bytes())
        own = settings(certificates=(str(tmp_path / "certs.d"),))
        digest = registry.put_blob("a/b", b"x")
        other.put_blob("a/b", b"x")
        registry.redirect = lambda path: f"https://localhost:{other.port}{path}"
        with connect(f"{registry.url}/a/b:1", own) as ours:
            assert ours.manifest()[0] == RAW
            assert list(ours.blob(Descriptor("", digest, 1))) == [b"x"]
        assert all(registry.shown)
        assert other.shown == [False]


def test_a_hosts_own_headers_stay_with_it(tmp_path: Path) -> None:
    with fake() as itself, fake() as other:
        digest = itself.put_blob("a/b", b"x")
        other.put_blob("a/b", b"x")
        itself.redirect = lambda path: f"http://{other.url}{path}"
        place = tmp_path / "certs.d" / "reg.local"
        place.mkdir(parents=True)
        text = f'server = "http://{itself.url}"\n[header]\nX-Key = "secret-key"\n'
        (place / "hosts.toml").write_text(text)
        with connect("reg.local/a/b", settings(certificates=(str(tmp_path / "certs.d"),))) as ours:
            assert list(ours.blob(Descriptor("", digest, 1))) == [b"x"]
            assert "secret-key" not in repr(ours._lines[0].endpoint)
        assert itself.asked[0].headers["x-key"] == "secret-key"
        assert "x-key" not in other.asked[0].headers


def test_an_insecure_host_may_have_a_certificate_nobody_checks(there: FakeRegistry) -> None:
    with connect(f"{there.url}/a/b:1", settings(insecure=(there.url,))) as ours:
        assert ours.manifest()[0] == RAW
