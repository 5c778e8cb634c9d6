"""Certificates: made once, verified by a strict client, renewed in time and for other names."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from martello.core.errors import BadInput
from martello.gate.certs import ensure, not_after

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_they_verify_for_their_hosts_and_stay(tmp_path: Path) -> None:
    files = ensure(tmp_path, ["gate.martello.svc", "127.0.0.1"], NOW)
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names: list[x509.DNSName | x509.IPAddress] = [
        x509.DNSName("gate.martello.svc"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    for name in names:
        builder = PolicyBuilder().store(Store([authority])).time(NOW)
        builder.build_server_verifier(name).verify(leaf, [])
    before = files.certificate.read_bytes(), files.authority.read_bytes()
    again = ensure(tmp_path, ["127.0.0.1", "gate.martello.svc"], NOW + 200 * DAY)
    assert (again.certificate.read_bytes(), again.authority.read_bytes()) == before


def test_they_are_renewed_at_two_thirds_and_for_other_names(tmp_path: Path) -> None:
    first = ensure(tmp_path, ["a"], NOW)
    authority, old = first.authority.read_bytes(), first.certificate.read_bytes()
    for hosts, later in ((["a"], 250 * DAY), (["a", "b"], DAY)):
        files = ensure(tmp_path, hosts, NOW + later)
        assert files.authority.read_bytes() == authority
        assert files.certificate.read_bytes() != old
        assert not_after(files.certificate) == NOW + later + 365 * DAY
        old = files.certificate.read_bytes()


def test_a_leaf_never_outlives_its_authority(tmp_path: Path) -> None:
    ensure(tmp_path, ["a"], NOW)
    files = ensure(tmp_path, ["a"], NOW + 3600 * DAY)
    assert not_after(files.certificate) == NOW + 3650 * DAY


def test_what_is_no_certificate_is_said(tmp_path: Path) -> None:
    ensure(tmp_path, ["a"], NOW)
    (tmp_path / "tls.crt").write_text("nothing")
    with pytest.raises(BadInput):
        ensure(tmp_path, ["a"], NOW)
    with pytest.raises(BadInput):
        not_after(tmp_path / "tls.crt")
