"""Keys that sign and keys that verify: PEM in, bytes signed or checked."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from martello.core.errors import BadInput
from martello.core.secret import NOTHING, Secret
from martello.practices.images.attest.secretbox import open_cosign

_LARGEST: Final = 64 << 10
_PUBLIC: Final = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----\s*", re.DOTALL)
_COSIGN: Final = re.compile(
    rb"-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----(.+?)"
    rb"-----END ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----",
    re.DOTALL,
)
_CURVES: Final = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}
_Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies. `hint` is what cosign writes into bundles: base64 of the SHA-256 of its
    DER form; nothing is decided by it.
    """

    name: str  # of its file, for people
    pem: bytes
    hint: str
    key: _Public

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature is this key's over the message. ECDSA (ASN.1) and RSA (PKCS#1 1.5)
        hash with SHA-256; larger curves also with their own hash; Ed25519 does not hash.
        """
        key = self.key
        if isinstance(key, ed25519.Ed25519PublicKey):
            return _holds(lambda: key.verify(signature, message))
        if isinstance(key, rsa.RSAPublicKey):
            scheme = padding.PKCS1v15()
            return _holds(lambda: key.verify(signature, message, scheme, hashes.SHA256()))
        kinds = dict.fromkeys((hashes.SHA256, _CURVES[key.curve.name]))
        return any(_holds(lambda k=k: key.verify(signature, message, ec.ECDSA(k()))) for k in kinds)

    def verifies_digest(self, signature: bytes, digest: bytes) -> bool:
        """The same over a message of which only the SHA-256 is known. Ed25519 cannot do that."""
        key, hashed = self.key, Prehashed(hashes.SHA256())
        if isinstance(key, ec.EllipticCurvePublicKey):
            return _holds(lambda: key.verify(signature, digest, ec.ECDSA(hashed)))
        if isinstance(key, rsa.RSAPublicKey):
            return _holds(lambda: key.verify(signature, digest, padding.PKCS1v15(), hashed))
        return False


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs: ECDSA on P-256."""

    key: ec.EllipticCurvePrivateKey
    public: PublicKey

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.name}, redacted)"

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256, ASN.1, deterministic (RFC 6979) where the library can: the same
        message then has the same signature, and to sign twice changes nothing.
        """
        try:
            scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        except UnsupportedAlgorithm:
            scheme = ec.ECDSA(hashes.SHA256())
        return self.key.sign(message, scheme)


def public_keys(pem: bytes, name: str) -> tuple[PublicKey, ...]:
    """The public keys of a PEM file, one or more. Raises BadInput."""
    blocks = _PUBLIC.findall(pem) if len(pem) <= _LARGEST else []
    if not blocks:
        raise BadInput(f"cannot use the key {name}", "it holds no PUBLIC KEY in PEM")
    return tuple(_public(block, name) for block in blocks)


def private_key(pem: bytes, name: str, password: Secret = NOTHING) -> PrivateKey:
    """The private key of a PEM file, also an encrypted one, also one that cosign made. Raises
    BadInput; neither the key nor the password is ever part of it.
    """
    what = f"cannot use the key {name}"
    if len(pem) > _LARGEST:
        raise BadInput(what, "it is no key: it is too large")
    made_by_cosign = _COSIGN.search(pem)
    try:
        if made_by_cosign:
            der = open_cosign(base64.b64decode(made_by_cosign[1]), password)
            key = serialization.load_der_private_key(der, None)
        else:
            secret = password.reveal().encode() if b"ENCRYPTED" in pem else None
            key = serialization.load_pem_private_key(pem, secret or None)
    except TypeError:
        why = "it is encrypted, and there is no password"
        raise BadInput(what, why, "set MARTELLO_KEY_PASSWORD or COSIGN_PASSWORD") from None
    except (ValueError, UnsupportedAlgorithm):
        why = "the password is wrong, or it is no private key in PEM"
        raise BadInput(what, why) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        why = "it is no ECDSA key on P-256, the only kind that signs here"
        raise BadInput(what, why, "make one: martello image key new")
    return PrivateKey(key, _public(_pem_of(key.public_key()), name))


def new_key(password: Secret = NOTHING) -> tuple[bytes, bytes]:
    """A new key pair as PEM: the private key (PKCS#8, encrypted if there is a password), and the
    public one. The private one belongs into a file of mode 0600.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.reveal().encode())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return private, _pem_of(key.public_key())


def _public(pem: bytes, name: str) -> PublicKey:
    what = f"cannot use the key {name}"
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(what, "it is no public key in PEM") from None
    if isinstance(key, rsa.RSAPublicKey):
        if not 2048 <= key.key_size <= 8192:
            raise BadInput(what, f"RSA keys of {key.key_size} bits are not used")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise BadInput(what, f"the curve {key.curve.name} is not used")
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        raise BadInput(what, "it is neither ECDSA, RSA nor Ed25519")
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    hint = base64.b64encode(hashlib.sha256(der).digest()).decode()
    return PublicKey(name, _pem_of(key), hint, key)


def _pem_of(key: _Public) -> bytes:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _holds(check: object) -> bool:
    assert callable(check)
    try:
        check()
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True
