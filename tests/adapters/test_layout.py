"""OCI layouts and docker archives: read, written, exchanged with skopeo."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import images
from tests.support.images import Memory

from martello.adapters.archive import DockerArchive, open_archive, read_archive
from martello.adapters.files import spooled
from martello.adapters.layers import LayerStream
from martello.adapters.layout import Layout, open_layout, write_layout
from martello.core.artifact import (
    Index,
    Manifest,
    Repository,
    parse_manifest,
    read_blob,
)
from martello.core.errors import BadInput, MartelloError, NotPermitted, Refused

ONE = images.image(images.layer({"etc/one": "1"}), images.layer({"etc/two": "2"}), history=["FROM"])
TWO = images.image(images.layer({"etc/three": "3"}, "zstd"), platform="linux/arm64/v8")
BOTH = images.index(ONE, TWO)


def manifest(place: Repository, reference: str = "") -> Manifest:
    """An image of a place."""
    found = parse_manifest(*place.manifest(reference))
    assert isinstance(found, Manifest)
    return found


def paths(place: Repository, reference: str = "") -> list[str]:
    """What the layers of an image hold, each held to both digests."""
    image = manifest(place, reference)
    config = json.loads(read_blob(place, image.config, 1 << 20))
    found = []
    for layer, diff_id in zip(image.layers, config["rootfs"]["diff_ids"], strict=True):
        stream = LayerStream(place.blob(layer), expected=layer, diff_id=diff_id)
        found += [entry.path for entry, _ in stream.walk()]
    return found


def snapshot(directory: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    found = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


# Layouts


def test_n17_a_layout_is_read_by_tag_digest_or_nothing(tmp_path: Path) -> None:
    layout = open_layout(images.write_layout(tmp_path, {"1.0": ONE, "both": BOTH}))
    assert layout.tags == ("1.0", "both")
    assert [one.digest for one in layout.images] == [ONE.digest, BOTH.digest]
    assert manifest(layout, "1.0").digest == manifest(layout, ONE.digest).digest == ONE.digest
    assert paths(layout, "1.0") == ["etc/one", "etc/two"]
    assert paths(layout, TWO.digest) == ["etc/three"]
    index = parse_manifest(*layout.manifest("both"))
    assert isinstance(index, Index)
    assert [str(one.platform) for one in index.manifests] == ["linux/amd64", "linux/arm64/v8"]
    for reference in ("", "2.0", images.digest(b"")):
        with pytest.raises(BadInput):
            layout.manifest(reference)
    with pytest.raises(BadInput, match=r"it has 1\.0, both"):
        layout.manifest("")


def test_a_layout_without_tags_for_several_platforms_is_an_index(tmp_path: Path) -> None:
    directory = images.write_layout(tmp_path, {"": ONE})
    assert paths(open_layout(directory)) == ["etc/one", "etc/two"]
    body = json.loads((directory / "index.json").read_text())
    body["manifests"].append(TWO.descriptor())
    (directory / "index.json").write_text(json.dumps(body))
    index = parse_manifest(*open_layout(directory).manifest(""))
    assert isinstance(index, Index)
    assert len(index.manifests) == 2


def test_one_tag_for_two_images_is_not_guessed(tmp_path: Path) -> None:
    directory = images.write_layout(tmp_path, {"1": ONE, "2": TWO})
    text = (directory / "index.json").read_text().replace('"2"', '"1"')
    (directory / "index.json").write_text(text)
    with pytest.raises(BadInput, match="several images 1"):
        open_layout(directory).manifest("1")


def test_broken_layouts(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such directory"):
        open_layout(tmp_path / "none")
    with pytest.raises(BadInput, match="no OCI layout"):
        open_layout(tmp_path)
    for text in ("", "[]", "{}", '{"manifests":[{}]}', '{"schemaVersion":1}'):
        (tmp_path / "index.json").write_text(text)
        with pytest.raises(BadInput):
            open_layout(tmp_path)
    directory = images.write_layout(tmp_path, {"1": ONE})
    path = directory / "blobs" / "sha256" / ONE.digest[7:]
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(Refused):
        open_layout(directory).manifest("1")
    path.unlink()
    with pytest.raises(BadInput, match="no such file"):
        open_layout(directory).manifest("1")
    os.mkfifo(path)
    with pytest.raises(BadInput, match="no regular file"):
        open_layout(directory).manifest("1")


def test_a_layout_is_written_the_same_each_time(tmp_path: Path) -> None:
    source = Memory({"a": ONE, "b": BOTH})
    write_layout(tmp_path / "x", source, {"one": "a", "two": "b"})
    write_layout(tmp_path / "y", source, {"two": "b"})
    write_layout(tmp_path / "y", source, {"one": "a"})
    assert snapshot(tmp_path / "x") == snapshot(tmp_path / "y")
    layout = open_layout(tmp_path / "x")
    assert layout.tags == ("one", "two")
    assert paths(layout, TWO.digest) == ["etc/three"]


def test_a_second_writing_moves_no_blob_and_mends_a_spoilt_one(tmp_path: Path) -> None:
    source = Memory({"a": ONE})
    write_layout(tmp_path, source, {"one": "a"})
    before = snapshot(tmp_path)
    source.asked.clear()
    write_layout(tmp_path, source, {"one": "a"})
    assert (source.asked, snapshot(tmp_path)) == ([], before)
    spoilt = ONE.image.layers[0]
    (tmp_path / "blobs" / "sha256" / spoilt.digest[7:]).write_bytes(bytes(spoilt.size))
    write_layout(tmp_path, source, {"one": "a"})
    assert (source.asked, snapshot(tmp_path)) == ([spoilt.digest], before)


def test_a_tag_moves_and_images_without_one_stay(tmp_path: Path) -> None:
    write_layout(tmp_path, Memory({"a": ONE}), {"t": "a", "": "a"})
    write_layout(tmp_path, Memory({"a": TWO}), {"t": "a"})
    layout = open_layout(tmp_path)
    assert manifest(layout, "t").digest == TWO.digest
    assert {one.digest for one in layout.images} == {ONE.digest, TWO.digest}


def test_a_source_that_lies_is_refused_and_nothing_half_is_left(tmp_path: Path) -> None:
    source = Memory({"a": ONE})
    for wrong in (b"short", bytes(ONE.image.layers[1].size), bytes(9999)):
        source.blobs[ONE.image.layers[1].digest] = wrong
        with pytest.raises(Refused):
            write_layout(tmp_path, source, {"one": "a"})
        assert not (tmp_path / "index.json").exists()
        for name in snapshot(tmp_path):
            assert images.digest((tmp_path / name).read_bytes())[7:] == Path(name).name


# Docker archives

ARCHIVES: dict[str, Callable[[], bytes]] = {
    "old": lambda: images.docker_archive({"shop/api:1.4": ONE}),
    "new": lambda: images.docker_archive({"shop/api:1.4": ONE}, old=False),
    "old, gzip": lambda: gzip.compress(images.docker_archive({"shop/api:1.4": ONE})),
}


@pytest.mark.parametrize("form", ARCHIVES)
def test_n17_docker_archives_of_both_forms(tmp_path: Path, form: str) -> None:
    (tmp_path / "saved").write_bytes(ARCHIVES[form]())
    archive = open_archive(tmp_path / "saved")
    assert isinstance(archive, DockerArchive)
    assert archive.tags == ("shop/api:1.4",)
    assert paths(archive) == paths(archive, "shop/api:1.4") == ["etc/one", "etc/two"]
    found = manifest(archive)
    assert found.config.digest == ONE.image.config.digest
    assert all(layer.media.endswith(".tar") for layer in found.layers)
    for reference in ("docker.io/shop/api:1.4", found.digest, found.config.digest):
        assert manifest(archive, reference) == found
    with pytest.raises(BadInput, match=r"it has shop/api:1\.4"):
        archive.manifest("shop/api:1.5")


def test_all_forms_give_the_same_manifest(tmp_path: Path) -> None:
    found = set()
    for make in ARCHIVES.values():
        (tmp_path / "saved").write_bytes(make())
        found.add(open_archive(tmp_path / "saved").manifest("")[0])
        found.add(read_archive(io.BytesIO(make())).manifest("")[0])
    assert len(found) == 1


def test_several_images_in_one_archive_are_chosen_by_tag() -> None:
    archive = read_archive(io.BytesIO(images.docker_archive({"a:1": ONE, "b:2": TWO})))
    assert archive.tags == ("a:1", "b:2")
    assert paths(archive, "b:2") == ["etc/three"]
    assert archive.blob(manifest(archive, "a:1").layers[0])
    with pytest.raises(BadInput, match="several images"):
        archive.manifest("")
    fresh = read_archive(io.BytesIO(images.docker_archive({"a:1": ONE, "b:2": TWO})))
    assert b"".join(fresh.blob(manifest(archive, "b:2").layers[0]))


def test_archives_with_compressed_layers_and_links_between_them() -> None:
    config = ONE.blobs[ONE.image.config.digest]
    first, second = (ONE.blobs[layer.digest] for layer in ONE.image.layers)
    listed = [{"Config": "c.json", "RepoTags": None, "Layers": ["a/layer.tar", "./b/layer.tar"]}]
    members: dict[str, images.Content] = {
        "c.json": config,
        "real.tar.gz": first,
        "a/layer.tar": images.Link("../real.tar.gz"),
        "b/other.tar": images.uncompressed(second),
        "b/layer.tar": images.Hard("b/other.tar"),
        "manifest.json": json.dumps(listed),
    }
    archive = read_archive(io.BytesIO(images.tar(members)))
    assert paths(archive) == ["etc/one", "etc/two"]
    assert manifest(archive).layers[0].digest == images.digest(first)
    assert manifest(archive).layers[0].media.endswith("+gzip")


def test_a_pipe_is_spooled(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = images.docker_archive({"a:1": ONE})
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    archive = open_archive(pipe)
    writer.join()
    assert paths(archive) == ["etc/one", "etc/two"]


def test_a_stream_larger_than_the_limit_is_refused_before_it_fills_a_disk() -> None:
    asked = []

    def endless() -> object:
        while True:
            asked.append(1)
            yield bytes(1 << 16)

    with pytest.raises(BadInput, match="more than 1,000,000 bytes"):
        spooled(endless(), "standard input", 1_000_000)  # type: ignore[arg-type]
    assert len(asked) < 20


def test_an_uncompressed_archive_is_opened_without_reading_its_layers(tmp_path: Path) -> None:
    big = images.image(images.layer({"big": bytes(64 << 20)}, "plain"))
    path = tmp_path / "saved"
    path.write_bytes(images.docker_archive({"a:1": big}))
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from martello.adapters.archive import open_archive\n"
        "def read():\n"
        "    lines = Path('/proc/self/io').read_text().splitlines()\n"
        "    return int(lines[0].split()[1])\n"
        "before = read()\n"
        "open_archive(Path(sys.argv[1])).manifest('')\n"
        "print(read() - before)\n"
    )
    if not Path("/proc/self/io").exists():
        pytest.skip("no /proc/self/io: only Linux counts what a process reads")
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 << 20


def _edited(change: Callable[[dict[str, object]], object]) -> bytes:
    listed: dict[str, object] = {"Config": "c", "RepoTags": ["a:1"], "Layers": ["l", "m"]}
    config = ONE.blobs[ONE.image.config.digest]
    members: dict[str, images.Content] = {"c": config, "l": b"", "m": b"", "bad": b"{"}
    changed = change(listed)
    members["manifest.json"] = json.dumps([listed] if changed is None else changed)
    return images.tar(members)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk" * 1000,
        images.tar({"x": b"1"}),
        images.tar({"manifest.json": b"{"}),
        images.tar({"manifest.json": bytes(5 << 20)}),
        images.tar({"manifest.json": images.Link("manifest.json")}),
        images.docker_archive({"a:1": ONE})[:3000],
        gzip.compress(images.docker_archive({"a:1": ONE}))[:-300],
        _edited(lambda listed: []),
        _edited(lambda listed: {}),
        _edited(lambda listed: listed.update(Config="../../etc/passwd")),
        _edited(lambda listed: listed.update(Config="bad")),
        _edited(lambda listed: listed.update(Config="none")),
        _edited(lambda listed: listed.update(Config=7)),
        _edited(lambda listed: listed.update(Layers=["l"])),
        _edited(lambda listed: listed.update(Layers=["l", "none"])),
        _edited(lambda listed: listed.update(Layers=["l", "../m"])),
        _edited(lambda listed: listed.update(Layers=None)),
    ],
)
def test_broken_archives_say_so(content: bytes) -> None:
    with pytest.raises(BadInput):
        read_archive(io.BytesIO(content)).manifest("")


def test_a_layer_that_is_not_what_the_configuration_says_is_refused() -> None:
    archive = read_archive(io.BytesIO(_edited(lambda listed: None)))
    with pytest.raises(MartelloError) as caught:
        paths(archive)
    assert isinstance(caught.value, Refused)


def test_what_may_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        open_archive(tmp_path / "none")
    with pytest.raises(BadInput):
        open_archive(tmp_path)
    if os.geteuid() == 0:
        return
    (tmp_path / "x").touch(mode=0)
    with pytest.raises(NotPermitted):
        open_archive(tmp_path / "x")


# skopeo


def _skopeo(*words: str) -> bytes:
    if shutil.which("skopeo") is None:
        pytest.skip("no skopeo: apt install skopeo")
    return subprocess.run(("skopeo", *words), check=True, capture_output=True, timeout=60).stdout


PLAIN = images.image(images.layer({"etc/one": "1"}), images.layer({"etc/.wh.two": ""}))


def _reads(place: DockerArchive | Layout, reference: str = "") -> None:
    assert paths(place, reference) == ["etc/one", "etc/.wh.two"]
    assert manifest(place, reference).config.digest == PLAIN.image.config.digest


def test_what_skopeo_wrote_is_read(tmp_path: Path) -> None:
    source = f"oci:{images.write_layout(tmp_path / 'in', {'1': PLAIN})}:1"
    _skopeo("copy", "-q", source, f"oci:{tmp_path}/layout:two")
    _reads(open_layout(tmp_path / "layout"), "two")
    _skopeo("copy", "-q", source, f"docker-archive:{tmp_path}/saved:reg.local/shop/api:1")
    archive = open_archive(tmp_path / "saved")
    assert archive.tags == ("reg.local/shop/api:1",)
    _reads(archive, "reg.local/shop/api:1")
    _skopeo("copy", "-q", source, f"oci-archive:{tmp_path}/packed:three")
    packed = open_archive(tmp_path / "packed")
    assert isinstance(packed, Layout)
    _reads(packed, "three")


@pytest.mark.parametrize("old", [True, False])
def test_skopeo_reads_what_was_written(tmp_path: Path, old: bool) -> None:
    saved = read_archive(io.BytesIO(images.docker_archive({"a:1": PLAIN}, old=old)))
    write_layout(tmp_path / "layout", saved, {"1": "a:1"})
    raw = _skopeo("inspect", "--raw", f"oci:{tmp_path}/layout:1")
    assert raw == saved.manifest("")[0]
    _skopeo("copy", "-q", f"oci:{tmp_path}/layout:1", f"dir:{tmp_path}/dir")
    _skopeo("copy", "-q", f"oci:{tmp_path}/layout:1", f"docker-archive:{tmp_path}/again:a:1")
    with tarfile.open(tmp_path / "again") as archive:
        assert "manifest.json" in archive.getnames()
    _reads(open_archive(tmp_path / "again"))
