"""From an address that stays to the file of today."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from martello.core.errors import BadInput, Unreachable
from martello.practices.images.advisories.pointers import Fetched, followed

REPOMD = b"""<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo">
<data type="primary"><location href="repodata/1-primary.xml.gz"/></data>
<data type="updateinfo"><checksum type="sha256">1</checksum>
<location href="repodata/2-updateinfo.xml.gz"/></data></repomd>"""


class Server:
    """Answers from memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def __call__(self, url: str, etag: str) -> Fetched | None:
        if url not in self.files:
            raise Unreachable(f"cannot reach {url}", "404 not found")
        return Fetched(iter([self.files[url]]))


def test_a_file_named_beside_it() -> None:
    server = Server({"https://r/csaf/latest.txt": b"csaf_vex_2026-11-01.tar.zst\n"})
    found = followed("https://r/csaf/latest.txt", ("line",), server)
    assert found == "https://r/csaf/csaf_vex_2026-11-01.tar.zst"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_mirror_and_its_metadata(scheme: str) -> None:
    server = Server(
        {
            "https://a/mirror.list": f"{scheme}://cdn/2/core/abc\nhttps://other/\n".encode(),
            "https://cdn/2/core/abc/repodata/repomd.xml": REPOMD,
        }
    )
    found = followed("https://a/mirror.list", ("mirror", "updateinfo"), server)
    assert found == "https://cdn/2/core/abc/repodata/2-updateinfo.xml.gz"


def test_without_a_way_nothing_is_asked() -> None:
    assert followed("https://a/b.json", (), Server({})) == "https://a/b.json"


@pytest.mark.parametrize(
    ("step", "content"),
    [
        ("line", b""),
        ("line", b"../../etc/passwd"),
        ("line", b"https://elsewhere/x"),
        ("line", b"<html>"),
        ("line", b"a" * (5 << 20)),
        ("mirror", b"file:///etc"),
        ("mirror", b""),
        ("updateinfo", b"<repomd/>"),
        ("updateinfo", b"<repomd"),
        ("updateinfo", b'<!DOCTYPE a [<!ENTITY b "c">]><repomd/>'),
        ("updateinfo", REPOMD.replace(b"repodata/2", b"../../../2")),
        ("updateinfo", REPOMD.replace(b"repodata/2", b"https://elsewhere/2")),
    ],
)
def test_what_leads_nowhere(step: str, content: bytes) -> None:
    with pytest.raises(BadInput):
        followed("https://a/b", (step,), Server({"https://a/b": content}))


def test_a_pointer_that_cannot_be_had() -> None:
    with pytest.raises(Unreachable):
        followed("https://a/b", ("line",), Server({}))
