"""Keys: what is read, what is refused by name, and that a second program agrees with signatures."""

from __future__ import annotations

import base64
import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from martello.core.errors import BadInput
from martello.core.secret import Secret
from martello.practices.images.attest import secretbox
from martello.practices.images.attest.keys import PrivateKey, new_key, private_key, public_keys
from martello.practices.images.attest.secretbox import open_box, open_cosign

PEM = serialization.Encoding.PEM
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def _openssl(*arguments: str) -> str:
    if shutil.which("openssl") is None:
        pytest.skip("needs the Debian package openssl")
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_openssl_verifies_what_we_sign(tmp_path: Path) -> None:
    private, public = new_key()
    key = private_key(private, "k")
    message = b"DSSEv1 1 a 3 abc"
    (tmp_path / "k.pub").write_bytes(public)
    (tmp_path / "sig").write_bytes(key.sign(message))
    (tmp_path / "message").write_bytes(message)
    arguments = ["dgst", "-sha256", "-verify", str(tmp_path / "k.pub")]
    arguments += ["-signature", str(tmp_path / "sig"), str(tmp_path / "message")]
    assert "Verified OK" in _openssl(*arguments)
    (tmp_path / "message").write_bytes(message + b"!")
    assert "Verified OK" not in _openssl(*arguments)


def test_we_verify_what_openssl_signs(tmp_path: Path) -> None:
    file = str(tmp_path / "k.pem")
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file)
    (tmp_path / "message").write_bytes(b"some bytes")
    sig = str(tmp_path / "sig")
    _openssl("dgst", "-sha256", "-sign", file, "-out", sig, str(tmp_path / "message"))
    key = private_key(Path(file).read_bytes(), "k")  # SEC1: EC PRIVATE KEY
    assert key.public.verifies(Path(sig).read_bytes(), b"some bytes")
    assert not key.public.verifies(Path(sig).read_bytes(), b"some byteS")


def test_the_hint_is_what_cosign_writes() -> None:
    _, public = new_key()
    (key,) = public_keys(public, "k")
    der = base64.b64decode("".join(public.decode().splitlines()[1:-1]))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    assert base64.b64decode(key.hint) == digest.finalize()


def test_signing_twice_gives_the_same_signature() -> None:
    key = private_key(new_key()[0], "k")
    assert key.sign(b"a") == key.sign(b"a")
    assert key.sign(b"a") != key.sign(b"b")


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
@pytest.mark.parametrize("own", [True, False])
def test_larger_curves_verify(curve: ec.EllipticCurve, own: bool) -> None:
    made = ec.generate_private_key(curve)
    hashed = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
    scheme = ec.ECDSA(hashed[curve.key_size] if own else hashes.SHA256())
    (key,) = public_keys(made.public_key().public_bytes(PEM, SPKI), "k")
    assert key.verifies(made.sign(b"m", scheme), b"m")
    assert not key.verifies(made.sign(b"n", scheme), b"m")


def test_rsa_and_ed25519_verify() -> None:
    one = rsa.generate_private_key(65537, 2048)
    (key,) = public_keys(one.public_key().public_bytes(PEM, SPKI), "k")
    signature = one.sign(b"m", padding.PKCS1v15(), hashes.SHA256())
    assert key.verifies(signature, b"m")
    assert not key.verifies(signature, b"n")
    two = ed25519.Ed25519PrivateKey.generate()
    (key,) = public_keys(two.public_key().public_bytes(PEM, SPKI), "k")
    assert key.verifies(two.sign(b"m"), b"m")
    assert not key.verifies(two.sign(b"m"), b"n")
    assert not key.verifies_digest(two.sign(b"m"), b"\0" * 32)


def test_an_encrypted_key_needs_its_password() -> None:
    private, _ = new_key(Secret("open sesame"))
    assert b"ENCRYPTED PRIVATE KEY" in private
    assert private_key(private, "k", Secret("open sesame")).public.name == "k"
    with pytest.raises(BadInput, match="cannot use the key k") as caught:
        private_key(private, "k")
    assert "COSIGN_PASSWORD" in caught.value.next
    with pytest.raises(BadInput) as caught:
        private_key(private, "k", Secret("open sesamE"))
    assert "sesam" not in str(caught.value)


def test_a_password_for_a_plain_key_is_ignored() -> None:
    assert private_key(new_key()[0], "k", Secret("unused"))


def test_no_key_shows_itself() -> None:
    private, _ = new_key()
    key = private_key(private, "k")
    assert repr(key) == "PrivateKey(k, redacted)"


# NaCl's own test of secretbox ("Cryptography in NaCl", section 10).
KEY = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389"
NONCE = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37"
MESSAGE = (
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c"
    "61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f"
    "21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705"
)
BOX = (
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1"
    "186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab9321645"
    "48e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b"
    "1f654cb45a74e355a5"
)


def test_secretbox_opens_its_published_vector() -> None:
    box, nonce, key = (bytes.fromhex(text) for text in (BOX, NONCE, KEY))
    assert open_box(box, nonce, key).hex() == MESSAGE
    for place in (0, 15, 16, len(box) - 1):
        altered = bytearray(box)
        altered[place] ^= 1
        with pytest.raises(ValueError, match="another key"):
            open_box(bytes(altered), nonce, key)


# Made by theupdateframework's Go library, whose form cosign took over.
SEALED = (
    b'{"kdf":{"name":"scrypt","params":{"N":32768,"r":8,"p":1},'
    b'"salt":"N9a7x5JFGbrtB2uBR81jPwp0eiLR4A7FV3mjVAQrg1g="},"cipher":{"name":"nacl/secretbox",'
    b'"nonce":"2h8HxMmgRfuYdpswZBQaU3xJ1nkA/5Ik"},'
    b'"ciphertext":"SEW6sUh0jf2wfdjJGPNS9+bkk2uB+Cxamf32zR8XkQ=="}'
)


def test_the_form_of_cosigns_keys_is_opened() -> None:
    assert open_cosign(SEALED, Secret("supersecret")) == b"reallyimportant"
    with pytest.raises(ValueError, match="another key"):
        open_cosign(SEALED, Secret("supersecreT"))
    with pytest.raises(TypeError):
        open_cosign(SEALED, Secret(""))


@pytest.mark.parametrize(
    "alter",
    [
        lambda text: text.replace(b"32768", b"4294967296"),
        lambda text: text.replace(b"32768", b"0"),
        lambda text: text.replace(b"32768", b"3000"),
        lambda text: text.replace(b'"p":1', b'"p":100000'),
        lambda text: text.replace(b"scrypt", b"argon2"),
        lambda text: text.replace(b"nacl/secretbox", b"aes"),
        lambda text: text.replace(b"2h8HxMmg", b""),
        lambda text: b"[]",
        lambda text: b"[" * 100_000,
    ],
)
def test_sealed_keys_with_other_parameters_are_refused(alter: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match=r"parameters|another|no sealed|power"):
        open_cosign(alter(SEALED), Secret("supersecret"))


def test_a_key_sealed_by_cosign_is_refused_as_such_without_password() -> None:
    text = base64.encodebytes(SEALED).decode()
    name = "ENCRYPTED SIGSTORE PRIVATE KEY"
    pem = f"-----BEGIN {name}-----\n{text}-----END {name}-----\n".encode()
    with pytest.raises(BadInput, match="cannot use the key k") as caught:
        private_key(pem, "k")
    assert "no password" in caught.value.why
    with pytest.raises(BadInput) as caught:  # opened, and no key inside
        private_key(pem, "k", Secret("supersecret"))
    assert "no private key" in caught.value.why


@pytest.mark.parametrize(
    "pem", [b"", b"garbage", b"-----BEGIN PUBLIC KEY-----\nAAAA\n", b"x" * 99999]
)
def test_garbage_is_no_key(pem: bytes) -> None:
    with pytest.raises(BadInput):
        public_keys(pem, "k")
    with pytest.raises(BadInput):
        private_key(pem, "k")


def test_keys_that_are_not_used_are_named() -> None:
    weak = rsa.generate_private_key(65537, 1024).public_key().public_bytes(PEM, SPKI)
    with pytest.raises(BadInput) as caught:
        public_keys(weak, "k")
    assert "1024 bits" in caught.value.why
    other = ec.generate_private_key(ec.SECP384R1())
    pem = other.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(BadInput) as caught:
        private_key(pem, "k")
    assert "P-256" in caught.value.why


def test_a_file_may_hold_several_keys() -> None:
    pems = [new_key()[1] for _ in range(3)]
    keys = public_keys(b"# release keys\n" + b"\n".join(pems), "k")
    assert [key.pem for key in keys] == pems


@pytest.mark.parametrize("name", ["SIGSTORE", "COSIGN"])  # the newer and the older header
def test_a_key_in_cosigns_form_signs(name: str) -> None:
    key = private_key(new_key()[0], "k")
    pem = _sealed(key, f"ENCRYPTED {name} PRIVATE KEY")
    opened = private_key(pem, "cosign.key", Secret("open sesame"))
    assert opened.public.hint == key.public.hint
    assert key.public.verifies(opened.sign(b"m"), b"m")
    with pytest.raises(BadInput):
        private_key(pem, "cosign.key", Secret("open sesamE"))


def _sealed(key: PrivateKey, name: str) -> bytes:
    """The key as cosign would write it."""
    der = key.key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    salt, nonce = b"s" * 32, b"n" * 24
    secret = Scrypt(salt=salt, length=32, n=32768, r=8, p=1).derive(b"open sesame")
    inner = secretbox._derived(secret, nonce[:16])
    blocks = (secretbox._block(inner, nonce[16:] + struct.pack("<Q", n)) for n in range(9))
    stream = b"".join(blocks)
    ciphertext = bytes(a ^ b for a, b in zip(der, stream[32:], strict=False))
    box = Poly1305.generate_tag(stream[:32], ciphertext) + ciphertext

    def text(value: bytes) -> str:
        return base64.b64encode(value).decode()

    body = {
        "kdf": {"name": "scrypt", "params": {"N": 32768, "r": 8, "p": 1}, "salt": text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": text(nonce)},
        "ciphertext": text(box),
    }
    encoded = base64.encodebytes(json.dumps(body).encode()).decode()
    return f"-----BEGIN {name}-----\n{encoded}-----END {name}-----\n".encode()
