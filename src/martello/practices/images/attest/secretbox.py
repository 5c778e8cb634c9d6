"""Opens the private keys that `cosign generate-key-pair` writes: scrypt, then NaCl's secretbox.

Sources: "Extending the Salsa20 nonce" (XSalsa20), "Salsa20 specification", NaCl's secretbox. The
library that signs has Poly1305 and scrypt, and not this cipher; a key has a few hundred bytes.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from martello.core.secret import Secret

_SIGMA: Final = struct.unpack("<4I", b"expand 32-byte k")
_MASK: Final = 0xFFFFFFFF
_ROUNDS: Final = (  # of one double round: columns, then rows
    *((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)),
    *((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)),
)
_MEMORY: Final = 1 << 28  # bytes that scrypt may take: 128 · N · r


class _Params(msgspec.Struct):
    n: int = msgspec.field(name="N")
    r: int
    p: int


class _Derivation(msgspec.Struct):
    name: str
    params: _Params
    salt: bytes


class _Cipher(msgspec.Struct):
    name: str
    nonce: bytes


class _Sealed(msgspec.Struct):
    kdf: _Derivation
    cipher: _Cipher
    ciphertext: bytes


def open_cosign(sealed: bytes, password: Secret) -> bytes:
    """The PKCS#8 key inside. Raises TypeError without a password, ValueError for a wrong one and
    for anything that is no such key.
    """
    if not password:
        raise TypeError("encrypted")
    try:
        box = msgspec.json.decode(sealed, type=_Sealed)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("no sealed key") from None
    params = box.kdf.params
    if (box.kdf.name, box.cipher.name) != ("scrypt", "nacl/secretbox"):
        raise ValueError("another way to seal")
    sane = params.n > 1 and params.r > 0 and 0 < params.p <= 16
    if not sane or params.n * params.r * 128 > _MEMORY or len(box.cipher.nonce) != 24:
        raise ValueError("parameters out of bounds")
    derive = Scrypt(salt=box.kdf.salt, length=32, n=params.n, r=params.r, p=params.p)
    return open_box(box.ciphertext, box.cipher.nonce, derive.derive(password.reveal().encode()))


def open_box(sealed: bytes, nonce: bytes, key: bytes) -> bytes:
    """The message of a secretbox. Raises ValueError where it was sealed with another key, or was
    altered.
    """
    if len(sealed) < 16 or len(sealed) > 1 << 16:
        raise ValueError("no secretbox")
    inner = _derived(key, nonce[:16])
    blocks = (len(sealed) + 16 + 63) // 64
    stream = b"".join(_block(inner, nonce[16:] + struct.pack("<Q", n)) for n in range(blocks))
    tag, ciphertext = sealed[:16], sealed[16:]
    try:
        Poly1305.verify_tag(stream[:32], ciphertext, tag)
    except InvalidSignature:
        raise ValueError("another key") from None
    return bytes(a ^ b for a, b in zip(ciphertext, stream[32:], strict=False))


def _derived(key: bytes, nonce: bytes) -> bytes:
    """HSalsa20: the key for the second half of the long nonce."""
    words = _mixed(_state(key, nonce))
    return struct.pack("<8I", *(words[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def _block(key: bytes, counted: bytes) -> bytes:
    """64 bytes of the key stream of Salsa20."""
    state = _state(key, counted)
    mixed = _mixed(state)
    return struct.pack("<16I", *((a + b) & _MASK for a, b in zip(state, mixed, strict=True)))


def _state(key: bytes, middle: bytes) -> list[int]:
    k = struct.unpack("<8I", key)
    m = struct.unpack("<4I", middle)
    s = _SIGMA
    return [s[0], *k[:4], s[1], *m, s[2], *k[4:], s[3]]


def _mixed(state: list[int]) -> list[int]:
    x = list(state)
    for _ in range(10):
        for a, b, c, d in _ROUNDS:
            x[b] ^= _turned((x[a] + x[d]) & _MASK, 7)
            x[c] ^= _turned((x[b] + x[a]) & _MASK, 9)
            x[d] ^= _turned((x[c] + x[b]) & _MASK, 13)
            x[a] ^= _turned((x[d] + x[c]) & _MASK, 18)
    return x


def _turned(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (32 - bits))) & _MASK
