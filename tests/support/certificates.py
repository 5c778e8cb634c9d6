"""Certificates for test servers and test users, signed by an authority made on the spot."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """A certificate authority in a directory: `ca.crt` there is what clients trust."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "ca.crt"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "martello test authority")])
        public = self._key.public_key()
        builder = _builder(self._name, self._name, public)
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        builder = builder.add_extension(_usage(authority=True), critical=True)
        self._write(self.file, builder.sign(self._key, hashes.SHA256()))

    def server(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Certificate and key files of a server that answers under these names and addresses."""
        names: list[x509.GeneralName] = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        extension = x509.SubjectAlternativeName(names)
        return self._leaf(name, subject, ExtendedKeyUsageOID.SERVER_AUTH, extension)

    def client(self, user: str, *groups: str) -> tuple[Path, Path]:
        """Certificate and key files of a Kubernetes user: common name and organisations."""
        words = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        words.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
        file = f"client-{user.replace(':', '-').replace('/', '-')}"
        return self._leaf(file, x509.Name(words), ExtendedKeyUsageOID.CLIENT_AUTH)

    def _leaf(
        self,
        file: str,
        subject: x509.Name,
        purpose: x509.ObjectIdentifier,
        *extensions: x509.ExtensionType,
    ) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self._name, key.public_key())
        builder = builder.add_extension(_usage(authority=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        certificate, private = self.directory / f"{file}.crt", self.directory / f"{file}.key"
        self._write(certificate, builder.sign(self._key, hashes.SHA256()))
        write_key(private, key)
        return certificate, private

    @staticmethod
    def _write(file: Path, certificate: x509.Certificate) -> None:
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def write_key(file: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """The private key as an unencrypted PEM file."""
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    file.write_bytes(text)
    file.chmod(0o600)


def write_signing_key(file: Path) -> None:
    """A fresh RSA key, as service account tokens are signed with."""
    write_key(file, rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
