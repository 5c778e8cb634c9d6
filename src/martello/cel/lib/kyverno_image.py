"""Image references as Kyverno's CEL reads them: registry, repository, tag and digest."""

from __future__ import annotations

from typing import Final

from martello.cel.types import BOOL, STRING, Overload, Type
from martello.cel.values import EvalError

_DEFAULT: Final = "index.docker.io"
_REPOSITORY: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-./")
_TAG: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_HOST: Final = _TAG | frozenset(":[]")
_HEX: Final = frozenset("0123456789abcdef")


class Image:
    """An immutable reference with defaults filled in; either `tag` or `digest` is empty."""

    __slots__ = ("digest", "registry", "repository", "tag")

    def __init__(self, registry: str, repository: str, tag: str, digest: str) -> None:
        self.registry = registry
        self.repository = repository
        self.tag = tag
        self.digest = digest

    @property
    def _parts(self) -> tuple[str, str, str, str]:
        return self.registry, self.repository, self.tag, self.digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)


def parse(text: str) -> Image:
    """Read a reference; without tag and digest the tag is `latest`."""
    name, at, digest = text.partition("@")
    base, tag = _split_tag(name)
    if at:
        algorithm, _, octets = digest.partition(":")
        if algorithm != "sha256" or len(octets) != 64 or not _HEX.issuperset(octets):
            raise _bad()
        registry, repository = _repository(base)
        return Image(registry, repository, "", digest)
    registry, repository = _repository(base)
    return Image(registry, repository, tag or "latest", "")


def _bad() -> EvalError:
    return EvalError("this string is no image reference")


def _split_tag(name: str) -> tuple[str, str]:
    base, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, ""
    if tag and (len(tag) > 128 or not _TAG.issuperset(tag)):
        raise _bad()
    return base, tag


def _repository(base: str) -> tuple[str, str]:
    registry, slash, repository = base.partition("/")
    if not slash or not ("." in registry or ":" in registry or registry == "localhost"):
        registry, repository = _DEFAULT, base
    if registry == "docker.io":
        registry = _DEFAULT
    if not 2 <= len(repository) <= 255 or not _REPOSITORY.issuperset(repository):
        raise _bad()
    if not _HOST.issuperset(registry):
        raise _bad()
    if registry == _DEFAULT and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def is_image(text: str) -> bool:
    """Whether `parse` takes the text."""
    try:
        parse(text)
    except EvalError:
        return False
    return True


TYPE: Final = Type("kyverno.image")
_ONE: Final = (TYPE,)

OVERLOADS: Final = (
    Overload("image", "string_to_image_deprecated", (STRING,), TYPE, parse),
    Overload("parseImageReference", "string_to_image", (STRING,), TYPE, parse),
    Overload("isImage", "is_image_string", (STRING,), BOOL, is_image),
    Overload(
        "containsDigest", "image_contains_digest", _ONE, BOOL, lambda i: bool(i.digest), member=True
    ),
    Overload("registry", "image_registry", _ONE, STRING, lambda i: i.registry, member=True),
    Overload("repository", "image_repository", _ONE, STRING, lambda i: i.repository, member=True),
    Overload("tag", "image_tag", _ONE, STRING, lambda i: i.tag, member=True),
    Overload("digest", "image_digest", _ONE, STRING, lambda i: i.digest, member=True),
    Overload(
        "identifier", "image_identifier", _ONE, STRING, lambda i: i.digest or i.tag, member=True
    ),
)
