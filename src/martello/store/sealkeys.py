"""K5: the key that signs checkpoints, Ed25519, in a file for its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from martello.core.errors import BadInput
from martello.store.files import disk_error


class SealKey:
    """A private key."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """A signature, in hexadecimal."""
        return self._private.sign(message).hex()

    def public_pem(self) -> str:
        """The public key, for those who verify."""
        told = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        return self._private.public_key().public_bytes(*told).decode()


def signed(public: str, signature: str, message: bytes) -> bool:
    """Whether the key signed the message. All but the message are in hexadecimal."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def make_key(path: Path) -> SealKey:
    """A new key in a file that was not there, and its public half beside it. Raises BadInput."""
    key = SealKey(Ed25519PrivateKey.generate())
    content = key._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, text, mode in (
            (path, content, 0o600),
            (path.with_suffix(".pub"), key.public_pem().encode(), 0o644),
        ):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(file, flags, mode), "wb") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
    except FileExistsError as error:
        raise BadInput(f"cannot write {error.filename}", "it is there already") from error
    except OSError as error:
        raise disk_error(f"cannot write {path}", error) from error
    return key


def read_key(path: Path) -> SealKey:
    """A private key from its file. Raises BadInput: also where others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            why = "others than its owner may read it"
            raise BadInput(f"cannot use {path}", why, f"chmod 600 {path}")
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise BadInput(f"cannot read {path}", error.strerror or "") from error
    except (ValueError, TypeError):
        raise BadInput(f"cannot use {path}", "it is no private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"cannot use {path}", "it is no Ed25519 key")
    return SealKey(key)


def open_key(path: Path) -> SealKey:
    """The key of an installation: made when it is first needed."""
    if path.exists():
        return read_key(path)
    try:
        return make_key(path)
    except BadInput:  # another process was faster
        return read_key(path)


def read_public(path: Path) -> str:
    """A public key from its file, in hexadecimal. Raises BadInput."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise BadInput(f"cannot read {path}", error.strerror or "") from error
    except ValueError:
        raise BadInput(f"cannot use {path}", "it is no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(f"cannot use {path}", "it is no Ed25519 key")
    return key.public_bytes_raw().hex()
