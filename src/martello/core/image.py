"""Image references, read as container runtimes read them: `nginx` is
`docker.io/library/nginx:latest`.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

# The grammar of the distribution project's reference package.
_HOST: Final = (
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
    r"|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
)
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = (
    rf"(?:({_HOST})/)?({_PART}(?:/{_PART})*)(?::([\w][\w.-]{{0,127}}))?"
    r"(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
)
_GLOB: Final = {"*": ".*", "?": "."}


class ImageReference(msgspec.Struct, frozen=True):
    """A reference in its canonical parts. `tag` and `digest` are empty where they are not
    written.
    """

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else "" if self.digest else ":latest"
        return f"{self.name}{tag}{'@' + self.digest if self.digest else ''}"


def parse_image(text: str) -> ImageReference | None:
    """The canonical parts of a reference, or None where no runtime would take it."""
    match = re.fullmatch(_REFERENCE, text, re.ASCII)
    if match is None or len(text) > 1024:
        return None
    host, repository, tag, digest = (part or "" for part in match.groups())
    if host and not ("." in host or ":" in host or host == "localhost" or host != host.lower()):
        repository, host = f"{host}/{repository}", ""
    if len(repository) > 255 or re.fullmatch(r"[0-9a-f]{64}", text):
        return None
    if host in ("", "docker.io", "index.docker.io"):
        host = "docker.io"
        if "/" not in repository:
            repository = f"library/{repository}"
    return ImageReference(host, repository, tag, digest)


def covers(pattern: str, name: str) -> bool:
    """Whether an allow-list pattern covers an image, component by component.

    `*` and `?` stand for a part of one component, `**` as a component for any number of them. What
    the pattern does not name lies below it: `reg.local` covers all of that registry,
    `reg.local/shop/*` every image below `shop/` and not `shop` itself, and nothing covers
    `reg.local.evil.example` or `team-x` by its first letters. Tag and digest are not compared; a
    pattern without host means the default registry, as in a reference.
    """
    image = parse_image(name)
    if image is None:
        return False
    wanted = pattern.strip().lower().rstrip("/").split("/")
    if "" in wanted:
        return False
    host = wanted[0]
    if host == "index.docker.io":
        wanted[0] = "docker.io"
    elif not ("." in host or ":" in host or host == "localhost" or host in ("*", "**")):
        wanted = ["docker.io", *(["library"] if len(wanted) == 1 else []), *wanted]
    return _leads(wanted, [image.registry.lower(), *image.repository.split("/")])


def _leads(wanted: list[str], found: list[str]) -> bool:
    """Whether the patterns match the first of the components that were found."""
    reached = {0}  # how many components the patterns so far may have matched
    for pattern in wanted:
        if pattern == "**":
            reached = set(range(min(reached), len(found) + 1))
            continue
        glob = re.compile("".join(_GLOB.get(c) or re.escape(c) for c in pattern), re.DOTALL)
        reached = {n + 1 for n in reached if n < len(found) and glob.fullmatch(found[n])}
        if not reached:
            return False
    return True


def needs_pull_always(image: str) -> bool:
    """Whether the server defaults imagePullPolicy to Always: tag `latest`, or neither tag nor
    digest.
    """
    name, _, digest = image.partition("@")
    if digest:
        return False
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag in ("", "latest")
