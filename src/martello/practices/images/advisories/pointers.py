"""From an address that stays to the file that it leads to today: feeds whose files have the date or
a digest in their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Protocol
from urllib.parse import urljoin, urlsplit
from xml.parsers import expat

import msgspec

from martello.core.errors import BadInput

_LARGEST: Final = 4 << 20  # bytes of a pointer
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*\Z")


class Fetched(msgspec.Struct, frozen=True):
    """An answer: the bytes, and what the server says of them. `size` -1: it does not say."""

    content: Iterator[bytes]
    size: int = -1
    etag: str = ""
    time: str = ""  # RFC 3339, of Last-Modified


class Fetch(Protocol):
    """Whoever reads addresses. None: not changed since `etag`. Raises MartelloError."""

    def __call__(self, url: str, etag: str) -> Fetched | None:
        """The answer to a request for an address."""
        ...


def followed(url: str, way: tuple[str, ...], fetch: Fetch) -> str:
    """The address at the end of a way, each step of which reads what lies at the last one: `line`,
    the name of a file beside it; `mirror`, the address of a repository; `updateinfo`, the place
    of the advisories in the metadata of a repository. Raises BadInput, and what `fetch` raises.
    """
    for step in way:
        content = _whole(url, fetch)
        if step == "mirror":
            url = urljoin(_mirror(content, url), "repodata/repomd.xml")
        elif step == "updateinfo":
            url = urljoin(url, f"../{_name(_advisories(content, url), url)}")
        else:
            url = urljoin(url, _name(_first_line(content), url))
    return url


def _whole(url: str, fetch: Fetch) -> bytes:
    answer = fetch(url, "")
    found = b""
    for part in answer.content if answer is not None else ():
        found += part
        if len(found) > _LARGEST:
            raise BadInput(f"cannot follow {url}", "it is too large to name another address")
    return found


def _first_line(content: bytes) -> str:
    return content.decode("ascii", "replace").strip().partition("\n")[0].strip()


def _mirror(content: bytes, url: str) -> str:
    """The first repository that the list names; what came by https leads to no http."""
    line = _first_line(content)
    if url.startswith("https:"):
        line = line.replace("http:", "https:", 1) if line.startswith("http:") else line
    target = urlsplit(line)
    if target.scheme not in ("https", urlsplit(url).scheme) or not target.netloc:
        raise BadInput(f"cannot follow {url}", "it names no repository")
    return line.rstrip("/") + "/"


def _name(name: str, url: str) -> str:
    if not _NAME.match(name) or ".." in name:
        raise BadInput(f"cannot follow {url}", "it names no file")
    return name


def _advisories(content: bytes, url: str) -> str:
    """The place of the advisories, from the root of the repository on."""
    found: list[str] = []
    within: list[str] = []

    def start(tag: str, given: dict[str, str]) -> None:
        if tag == "data":
            within[:] = [given.get("type", "")]
        elif tag == "location" and within == ["updateinfo"]:
            found.append(given.get("href", ""))

    def refused(*_: object) -> None:
        raise ValueError("it declares a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refused
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BadInput(f"cannot follow {url}", f"it is no usable XML ({error})") from None
    return found[0] if found else ""
