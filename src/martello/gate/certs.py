"""A certificate authority of the gate's own, and the leaf that it serves with."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from martello.core.errors import BadInput

_AUTHORITY: Final = timedelta(days=3650)
_LEAF: Final = timedelta(days=365)
_SLACK: Final = timedelta(hours=1)  # clocks differ
_Key = ec.EllipticCurvePrivateKey


class Files(msgspec.Struct, frozen=True):
    """PEM files: what clients trust, what the server shows, its key."""

    authority: Path
    certificate: Path
    key: Path


def ensure(directory: Path, hosts: Sequence[str], now: datetime) -> Files:
    """The files in a directory, made where they are missing; the leaf is made anew after two thirds
    of its life, and for other hosts. The authority stays, for it is what is trusted. Raises
    BadInput.
    """
    files = Files(directory / "ca.crt", directory / "tls.crt", directory / "tls.key")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not files.authority.exists():
            _make_authority(directory, files, now)
        if _due(files, hosts, now):
            _make_leaf(directory, files, hosts, now)
    except (OSError, ValueError, TypeError) as error:
        why = str(error) if not isinstance(error, OSError) else error.strerror or ""
        raise BadInput(f"cannot use the certificates in {directory}", why) from error
    return files


def not_after(certificate: Path) -> datetime:
    """When a certificate runs out. Raises BadInput."""
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot use the certificate {certificate}", str(error)) from error


def _due(files: Files, hosts: Sequence[str], now: datetime) -> bool:
    if not files.certificate.exists() or not files.key.exists():
        return True
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    if now > leaf.not_valid_before_utc + life * 2 / 3:
        return True
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names) != set(_names(hosts))


def _make_authority(directory: Path, files: Files, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "martello gate authority")])
    builder = _builder(name, name, key.public_key(), now, _AUTHORITY)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    _write(directory / "ca.key", _pem(key))
    _write(files.authority, _crt(builder.sign(key, hashes.SHA256())))


def _make_leaf(directory: Path, files: Files, hosts: Sequence[str], now: datetime) -> None:
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    signer = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
    if not isinstance(signer, _Key):
        raise ValueError("ca.key is no ECDSA key")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "martello gate")])
    life = min(_LEAF, authority.not_valid_after_utc - now)
    builder = _builder(name, authority.subject, key.public_key(), now, life)
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    for extension, critical in (
        (x509.BasicConstraints(False, None), True),
        (_usage(authority=False), True),
        (purpose, False),
        (x509.SubjectAlternativeName(_names(hosts)), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    _write(files.key, _pem(key))
    _write(files.certificate, _crt(builder.sign(signer, hashes.SHA256())))


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: _Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _crt(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes) -> None:
    """Aside, then renamed; for its owner alone."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    os.replace(aside, path)
