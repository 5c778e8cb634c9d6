"""One repository of one registry: manifests, blobs and tags, read and written.

Source: the OCI distribution specification 1.1. A manifest is what its bytes hash to; what a header
says of it is only compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from martello.adapters.registry import referrers, transfer
from martello.adapters.registry.failure import Missing
from martello.adapters.registry.hosts import Endpoint, endpoints
from martello.adapters.registry.line import Line, Reply
from martello.adapters.registry.network import Network
from martello.adapters.registry.pages import pages
from martello.adapters.registry.settings import Settings
from martello.core.artifact import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    LARGEST_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    digest_of,
    parse_digest,
    parse_manifest,
    verified,
)
from martello.core.closing import Closing
from martello.core.errors import BadInput, MartelloError, Refused
from martello.core.image import ImageReference, parse_image

# Schema 1 is listed so that a registry that has nothing else says so by name.
ACCEPT: Final = ", ".join(
    (
        OCI_INDEX,
        OCI_MANIFEST,
        DOCKER_INDEX,
        DOCKER_MANIFEST,
        "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1",
    )
)
_SCHEMA_1: Final = (
    "docker.distribution.manifest.v1+prettyjws",
    "docker.distribution.manifest.v1+json",
)
_TAG: Final = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_MOST_TAGS: Final = 200_000
T = TypeVar("T")


class Head(msgspec.Struct, frozen=True):
    """What a registry says of a manifest without sending it: a claim."""

    digest: str
    media: str
    size: int


class Registry(Closing):
    """A repository, as core's Repository and more. Thread safe."""

    def __init__(
        self,
        image: ImageReference,
        settings: Settings | None = None,
        *,
        network: Network | None = None,
    ) -> None:
        self.image = image
        self.where = image.name
        self._own = network is None
        self._network = network or Network(settings or Settings())
        found = endpoints(image, self._network.settings)
        self._lines = tuple(Line(endpoint, self._network) for endpoint in found)

    def close(self) -> None:
        """Closes its connections, if they are its own."""
        if self._own:
            self._network.close()

    @property
    def reference(self) -> str:
        """What the image's own name asks for: its digest, else its tag, else `latest`."""
        return self.image.digest or self.image.tag or "latest"

    def manifest(self, reference: str = "") -> tuple[bytes, str]:
        """The bytes of a manifest or index by tag or digest, and its media type."""
        wanted = _reference(reference or self.reference)
        return self._first(wanted, "resolve", lambda line: _manifest(line, wanted))

    def resolve(self, tag: str = "") -> str:
        """The digest of what a tag holds, from the bytes themselves."""
        wanted = _reference(tag or self.reference)
        raw, _ = self.manifest(wanted)
        return wanted if ":" in wanted else digest_of(raw)

    def held(self, reference: str) -> tuple[bytes, str] | None:
        """The same from the registry itself, whatever mirrors say; None where it has none."""
        try:
            return _manifest(self._target(), _reference(reference))
        except Missing:
            return None

    def head(self, reference: str = "") -> Head | None:
        """What the registry claims a reference to be, None where it has none: cheap enough to ask
        often, too weak to build a verdict on.
        """
        wanted = _reference(reference or self.reference)
        line = self._lines[-1]
        reply = line.call(
            f"cannot look for {wanted} in {self.where}",
            "HEAD",
            line.url(f"manifests/{wanted}"),
            scopes=line.scope("pull"),
            headers={"Accept": ACCEPT},
            wanted=(200, 404),
        )
        if reply.status == 404:
            return None
        stated = reply.headers.get("docker-content-digest", "")
        size = reply.headers.get("content-length", "")
        return Head(
            parse_digest(stated) if stated else "",
            reply.headers.get("content-type", "").partition(";")[0].strip(),
            int(size) if size.isdecimal() and len(size) < 19 else -1,
        )

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """The bytes of a blob. A cut connection is taken up again; the digest is the reader's to
        check. The `urls` of a foreign layer are never asked.
        """

        def begun(line: Line) -> tuple[bytes, Iterator[bytes]]:
            parts = transfer.download(line, descriptor)
            return next(parts, b""), parts

        first, rest = self._first(descriptor.digest, "pull", begun)
        if first:
            yield first
        yield from rest

    def tags(self) -> Iterator[str]:
        """All tags, page by page. Raises BadInput for a repository that the registry has not."""
        line, count = self._lines[-1], 0
        what = f"cannot list the tags of {self.where}"
        for body, _ in pages(line, what, line.url("tags/list", n="1000"), line.scope("pull")):
            listed = body.get("tags")
            for tag in listed if isinstance(listed, list) else ():
                count += 1
                if count > _MOST_TAGS:
                    raise BadInput(what, f"{line.host} lists more than {_MOST_TAGS} tags")
                if isinstance(tag, str) and re.fullmatch(_TAG, tag, re.ASCII):
                    yield tag

    def has(self, digest: str) -> bool:
        """Whether a blob is there."""
        return transfer.blob_size(self._target(), digest) is not None

    def upload(
        self,
        digest: str,
        size: int,
        source: Callable[[], Iterator[bytes]],
        *,
        mount_from: str = "",
        chunk: int = 0,
    ) -> str:
        """Puts a blob there unless it is: "there", "mounted" or "sent". See transfer.upload."""
        line = self._target()
        return transfer.upload(line, digest, size, source, mount_from=mount_from, chunk=chunk)

    def upload_bytes(self, content: bytes, *, mount_from: str = "") -> str:
        """Puts a small blob there; its digest."""
        digest = digest_of(content)
        self.upload(digest, len(content), lambda: iter((content,)), mount_from=mount_from)
        return digest

    def put(self, raw: bytes, media: str = "", *, tag: str = "") -> str:
        """Puts a manifest whose blobs are there: by digest, then, where one is given, under the
        tag. Its digest. Where it has a subject and the registry keeps no referrers, the index of
        the fall-back tag gets it too.
        """
        digest, line = digest_of(raw), self._target()
        manifest = parse_manifest(raw, media, f"the manifest for {self.where}")
        reply = _put(line, raw, manifest.media, digest, digest)
        if manifest.subject is not None and not reply.headers.get("oci-subject"):
            referrers.remember(line, manifest)
        if tag:
            self.point(tag, raw, manifest.media)
        return digest

    def point(self, tag: str, raw: bytes, media: str) -> None:
        """Moves a tag to a manifest: the last step of a push."""
        if not re.fullmatch(_TAG, tag, re.ASCII):
            raise BadInput(f"no usable tag: {tag[:130]!r}", "a tag has 1 to 128 word characters")
        _put(self._target(), raw, media, tag, digest_of(raw))

    def delete(self, digest: str) -> bool:
        """Deletes a manifest; False where it was not there. Raises NotPermitted where the registry
        does not delete.
        """
        line = self._target()
        reply = line.call(
            f"cannot delete {digest} from {self.where}",
            "DELETE",
            line.url(f"manifests/{parse_digest(digest)}"),
            scopes=line.scope("delete"),
            wanted=(200, 202, 204, 404),
        )
        return reply.status != 404

    def discard(self, digest: str, tag: str) -> bool:
        """Deletes a manifest that a tag has left; False where it stays."""
        return referrers.discard(self._target(), parse_digest(digest), tag)

    def withdraw(self, subject: str, digests: Collection[str]) -> None:
        """Takes attached artefacts away: out of the list, and where the registry deletes, whole."""
        line = self._target()
        referrers.forget(line, parse_digest(subject), digests)
        for digest in digests:
            referrers.discard(line, parse_digest(digest))

    def attached(self, digest: str) -> referrers.Attached:
        """Everything that is attached to a manifest or index: referrers and cosign's tags, each
        opened. See referrers.attached.
        """
        return referrers.attached(self._lines[-1], parse_digest(digest))

    def _target(self) -> Line:
        return next(
            (ln for ln in reversed(self._lines) if "push" in ln.endpoint.abilities), self._lines[-1]
        )

    def _first(self, reference: str, ability: str, ask: Callable[[Line], T]) -> T:
        """The answer of the first host that has one; wrong bytes end the search."""
        wanted = [line for line in self._lines if _serves(line.endpoint, reference, ability)]
        troubles: list[tuple[str, MartelloError]] = []
        for line in wanted or self._lines[-1:]:
            try:
                return ask(line)
            except Refused:
                raise
            except MartelloError as error:
                troubles.append((line.host, error))
        raise _combined(troubles)


def connect(
    text: str, settings: Settings | None = None, *, network: Network | None = None
) -> Registry:
    """The repository that an image name leads to. Raises BadInput for what no runtime takes."""
    image = parse_image(text)
    if image is None:
        raise BadInput(
            f"no image name: {text[:200]!r}",
            "it is not host/repository:tag or host/repository@digest",
            "write it as in `docker pull`",
        )
    if image.digest:
        parse_digest(image.digest)
    return Registry(image, settings, network=network)


def _serves(endpoint: Endpoint, reference: str, ability: str) -> bool:
    by_digest = ":" in reference
    needed = "pull" if by_digest else ability
    return needed in endpoint.abilities and endpoint.when in (
        "all",
        "digest-only" if by_digest else "tag-only",
    )


def _combined(troubles: Sequence[tuple[str, MartelloError]]) -> MartelloError:
    """The trouble with the registry itself, and what its mirrors said before."""
    _, last = troubles[-1]
    for host, error in troubles[:-1]:
        last.why += f"; its mirror {host}: {error.why or error.what}"
    return last


def _manifest(line: Line, wanted: str) -> tuple[bytes, str]:
    where = line.endpoint.name
    reply = line.call(
        f"cannot read {where}{'@' if ':' in wanted else ':'}{wanted}",
        "GET",
        line.url(f"manifests/{wanted}"),
        scopes=line.scope("pull"),
        headers={"Accept": ACCEPT},
    )
    media = reply.headers.get("content-type", "").partition(";")[0].strip()
    if media.endswith(_SCHEMA_1):
        raise BadInput(
            f"cannot read {where}:{wanted}",
            "it is of schema 1, which names no configuration and cannot be verified",
            "push the image again with a current tool",
        )
    if ":" in wanted:
        verified(reply.content, wanted, where)
    _agree(reply, reply.content, where)
    return reply.content, media


def _agree(reply: Reply, raw: bytes, where: str) -> None:
    stated = reply.headers.get("docker-content-digest", "").strip()
    algorithm = stated.partition(":")[0]
    if algorithm not in ("sha256", "sha512"):
        return
    found = digest_of(raw, algorithm)
    if found != stated:
        raise Refused(
            f"{where} does not hold what it promises",
            f"its header says {stated[:140]}, the bytes are {found}",
        )


def _put(line: Line, raw: bytes, media: str, reference: str, digest: str) -> Reply:
    what = f"cannot put {reference} into {line.endpoint.name}"
    if len(raw) > LARGEST_MANIFEST:
        raise BadInput(what, f"it is larger than {LARGEST_MANIFEST >> 20} MiB")
    reply = line.call(
        what,
        "PUT",
        line.url(f"manifests/{reference}"),
        scopes=line.scope("pull", "push"),
        headers={"Content-Type": media},
        content=raw,
        wanted=(200, 201),
    )
    stated = reply.headers.get("docker-content-digest", "").strip()
    if stated.startswith("sha256:") and stated != digest:
        raise Refused(what, f"{line.host} says that it holds {stated[:140]} instead")
    return reply


def _reference(text: str) -> str:
    """A tag or a digest. Raises BadInput."""
    if ":" in text:
        return parse_digest(text)
    if not re.fullmatch(_TAG, text, re.ASCII):
        raise BadInput(f"no usable tag: {text[:130]!r}", "a tag has 1 to 128 word characters")
    return text
