"""Images made to harm whoever scans them, end to end through the command line: bounded memory and
time, an error in words or a gap that is told (exit 3), never a clean verdict, nothing left behind.
"""

from __future__ import annotations

import io
import json
import os
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support import images, shop, tars
from tests.support.forked import Ended, Forking, forking
from tests.support.images import Content, Device, Directory, Hard, Image, Link
from tests.support.pipeline import environment

from martello.adapters.tar import Limits
from martello.core.artifact import OCI_INDEX, OCI_MANIFEST, Manifest, parse_manifest
from martello.practices.images.facts import LayerFacts
from martello.practices.images.scan import scan_image

MEMORY = 200.0  # MiB, Python and all imports (some 70) included
SECONDS = 12.0  # of CPU; most take a tenth
PARAGRAPH = "Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\n\n"
CLEAN: Mapping[str, Content] = {
    "etc/os-release": shop.RELEASE,
    "var/lib/dpkg/status": PARAGRAPH % "base-files",
}
STATUS = "var/lib/dpkg/status"


class Place:
    """A directory of layouts, and a process that scans them."""

    def __init__(self, directory: Path, forking: Forking) -> None:
        self.directory = directory
        self._forking = forking
        self._made = 0

    def scan(self, image: Image, spoil: Callable[[Path], None] | None = None) -> Ended:
        """Scans one image twice: what could not be read is told again when facts are kept."""
        self._made += 1
        name = f"image-{self._made}"
        images.write_layout(self.directory / name, {"1": image})
        if spoil is not None:
            spoil(self.directory / name)
        return self.target(f"oci:{name}:1")

    def target(self, target: str) -> Ended:
        """Scans what lies here already, with a state of its own."""
        env = environment(self.directory, {"MARTELLO_STATE": "sqlite:///state.db"})
        (self.directory / "state.db").unlink(missing_ok=True)
        first = self._run(target, env)
        again = self._run(target, env)
        assert (first.code, first.err) == (again.code, again.err)
        if first.out:
            assert first.unassessed == again.unassessed
        return first

    def _run(self, target: str, env: Mapping[str, str]) -> Ended:
        words = ("image", "scan", target, "-o", "json", "--fail-on", "never")
        ended = self._forking.run(*words, cwd=self.directory, env=env)
        figures = f"{target}: {ended.memory:.0f} MiB, {ended.cpu:.1f} s of CPU"
        assert ended.memory < MEMORY, figures
        assert ended.cpu < SECONDS, figures
        assert not ended.left, "it left something in TMPDIR"
        return ended


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("hostile")
    shop.database(directory)
    with forking(directory) as process:
        yield Place(directory, process)


def over(*layers: images.Entries | bytes) -> Image:
    """An image of these layers over a clean Debian."""
    blobs = (one if isinstance(one, bytes) else images.layer(one) for one in layers)
    return images.image(images.layer(CLEAN), *blobs, config={"User": "1"})


def blob_of(image: Image, number: int) -> str:
    """Where a layer lies in a layout."""
    return f"blobs/sha256/{image.image.layers[number].digest[7:]}"


def told(ended: Ended, *words: str) -> None:
    """A gap, and no more: exit 3, with the words in what was not assessed."""
    assert ended.code == 3, ended
    for word in words:
        assert word in ended.unassessed, ended.unassessed


def remade(image: Image, change: Callable[[dict[str, Any]], None]) -> Image:
    """The same image with another manifest."""
    body = json.loads(image.manifest.raw)
    change(body)
    return _raw(image, json.dumps(body).encode())


def configured(raw: bytes, image: Image | None = None) -> Image:
    """An image with these bytes for a configuration."""
    image = image or over()
    config = {"digest": images.digest(raw), "size": len(raw)}
    made = remade(image, lambda body: body["config"].update(config))
    return Image(made.manifest, {**made.blobs, images.digest(raw): raw})


def _raw(image: Image, raw: bytes) -> Image:
    assert isinstance(image.manifest, Manifest)
    manifest = Manifest(
        raw, OCI_MANIFEST, images.digest(raw), image.manifest.config, image.manifest.layers
    )
    return Image(manifest, {**image.blobs, images.digest(raw): raw})


def test_the_clean_image_of_these_tests_is_clean(place: Place) -> None:
    """Else no test here could say that a gap was told because of what it adds."""
    ended = place.scan(over({"app/x": "1"}))
    assert (ended.code, ended.report["unassessed"]) == (0, []), ended


def test_paths_that_lead_out_are_told_and_prove_nothing(place: Place) -> None:
    out: dict[str, Content] = {
        f"../../{STATUS}": PARAGRAPH % "evil",
        f"app/../../{STATUS}": PARAGRAPH % "evil",
        "app/../.wh.etc": "",
    }
    told(place.scan(over(out)), "leads out of the image")
    through: dict[str, Content] = {
        "up": Link("../../../../../.."),
        f"up/{STATUS}": PARAGRAPH % "own",
    }
    told(place.scan(over(through)), "nothing in it was recognised")  # it lies over the database


@pytest.mark.parametrize(
    "content",
    [Device(), Device(fifo=True), Hard(STATUS), Directory(), Link("status"), Link("/nowhere")],
    ids=["device", "fifo", "own-hard-link", "directory", "own-link", "dangling"],
)
def test_what_lies_over_the_database_of_packages_is_no_empty_database(
    place: Place, content: Content
) -> None:
    path = f"{STATUS}/" if isinstance(content, Directory) else STATUS
    ended = place.scan(over([(path, content), ("app/node_modules/x/package.json", "{}")]))
    told(ended)


@pytest.mark.parametrize("path", [".wh..wh..opq", "var/lib/.wh.dpkg", ".wh.var"])
def test_a_layer_that_hides_all_packages_leaves_a_gap(place: Place, path: str) -> None:
    told(place.scan(over({path: ""})))


def test_long_names_of_pax_and_gnu_are_evidence_all_the_same(place: Place) -> None:
    folder = "srv/" + "/".join("d" * 60 for _ in range(8))
    wheel = {f"{folder}/idna-3.4.dist-info/METADATA": shop.METADATA}
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        ended = place.scan(over(images.compressed(images.tar(wheel, form))))
        assert "idna 3.4" in ended.out, form


def test_blobs_that_were_cut_are_a_gap_each_time(place: Place) -> None:
    image = over({"data": random.Random(1).randbytes(100_000)})

    def cut(layout: Path) -> None:
        os.truncate(layout / blob_of(image, 1), 50_000)

    told(place.scan(image, cut), "ends after 50,000 of")


@pytest.mark.parametrize("number", [0, 1])
def test_blobs_of_another_digest_are_refused(place: Place, number: int) -> None:
    image = over({"data": random.Random(1).randbytes(10_000)})

    def flip(layout: Path) -> None:
        path = layout / blob_of(image, number)
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)

    told(place.scan(image, flip), "digest promises")


@pytest.mark.parametrize(
    ("size", "code", "words"),
    [
        (5, 3, "larger than promised"),
        (1 << 62, 3, "ends after"),
        (10**40, 3, "ends after"),
        (-1, 2, "has no size"),
        (1.5, 2, "has no size"),
        ("9", 2, "has no size"),
    ],
)
def test_sizes_that_a_manifest_lies_about(place: Place, size: Any, code: int, words: str) -> None:
    image = over({"a": "b" * 9000})
    ended = place.scan(remade(image, lambda body: body["layers"][1].update(size=size)))
    assert ended.code == code, ended
    assert words in ended.out + ended.err


def test_foreign_layers_are_a_gap(place: Place) -> None:
    media = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    told(
        place.scan(
            remade(over({"a": "b"}), lambda body: body["layers"][1].update(mediaType=media))
        ),
        "foreign layer",
    )


CONFIGS: dict[str, Callable[[], bytes]] = {
    "no JSON": lambda: b"\x7fELF" * 1000,
    "deep": lambda: b'{"config":' * 100_000 + b"1" + b"}" * 100_000,
    "deep lists": lambda: b'{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    "too large": lambda: b'{"a":"' + b"x" * (16 << 20) + b'"}',
}


@pytest.mark.parametrize("raw", CONFIGS.values(), ids=CONFIGS)
def test_configurations_that_are_none(place: Place, raw: Callable[[], bytes]) -> None:
    ended = place.scan(configured(raw()))
    assert ended.code == 2, ended
    assert "cannot read" in ended.err


LARGE: dict[str, Callable[[], bytes]] = {
    "lists": lambda: b'{"os":"linux","a":[' + b"[]," * 1_390_000 + b"[]]}",
    "names": lambda: b'{"a":{' + b",".join(b'"%x":1' % n for n in range(400_000)) + b"}}",
    "history": lambda: b'{"history":[' + b'{"created_by":"RUN x"},' * 49_000 + b"{}]}",
    "steps": lambda: b'{"history":[' + b'{"created_by":"RUN x"},' * 51_000 + b"{}]}",
    "secrets": lambda: b'{"config":{"Env":["' + b"PASSWORD=aA1bB2cC3dD4 " * 190_000 + b'"]}}',
}


@pytest.mark.parametrize("name", LARGE)
def test_large_configurations(place: Place, name: str) -> None:
    raw = LARGE[name]()
    assert len(raw) < 4 << 20
    ended = place.scan(configured(raw))
    assert ended.code == (2 if name == "steps" else 0), ended.err
    assert "aA1bB2cC3dD4" not in ended.out
    assert "more than 50,000 variables" in ended.err or name != "steps"


def nested(depth: int, width: int) -> Image:
    """Indexes within indexes, each of which lists the one below `width` times."""
    found = over()
    blobs = dict(found.blobs)
    entry = found.descriptor()
    for level in range(depth):
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry] * width}
        raw = json.dumps({**body, "annotations": {"level": str(level)}}).encode()
        blobs[images.digest(raw)] = raw
        entry = {"mediaType": OCI_INDEX, "digest": images.digest(raw), "size": len(raw)}
    return Image(parse_manifest(raw), blobs)


def test_indexes_nested_too_deeply(place: Place) -> None:
    ended = place.scan(nested(20, 1))
    assert (ended.code, "nested too deeply" in ended.err) == (2, True), ended


def test_indexes_that_list_the_same_again_and_again(place: Place) -> None:
    ended = place.scan(nested(4, 300))
    assert ended.code in (0, 2, 3)


def test_an_index_that_is_its_own_child(place: Place) -> None:
    """No digest can be made so: what claims it is refused."""
    name = "sha256:" + "1" * 64
    entry = {"mediaType": OCI_INDEX, "digest": name, "size": 500}
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode()
    layout = images.write_layout(place.directory / "looped", {"1": over()})
    (layout / "index.json").write_bytes(raw)
    (layout / "blobs" / "sha256" / name[7:]).write_bytes(raw)
    ended = place.target("oci:looped")
    assert ended.code == 3, ended
    assert "is really" in ended.out


def filled(path: str, size: int, member: bytes, plain: int) -> bytes:
    """A layer with one file of `size` bytes: a member of `plain` bytes, again and again."""
    assert size % plain == plain % 512 == 0
    head = tars.head(path, size=tars.octal(size, 12))
    return images.compressed(head) + member * (size // plain) + images.compressed(tars.END)


def repeated(path: str, line: bytes, size: int) -> bytes:
    """A layer with one file of about `size` bytes that repeats a line."""
    plain = line * (-(-(1 << 20) // len(line) // 512) * 512)
    count = size // len(plain)
    return filled(path, count * len(plain), images.compressed(plain), len(plain))


def jar(levels: int) -> bytes:
    """A jar of jars of jars, each of ten that are the same."""
    content = b"\0" * (40 << 20)
    name = "META-INF/maven/a/b/pom.properties"
    for _ in range(levels):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(name if name[0] == "M" else f"{number}.jar", content)
                if name[0] == "M":
                    break
        content, name = out.getvalue(), "x.jar"
    return content


PARAGRAPHS = (PARAGRAPH % "x").encode()
DEEP = b'{"name":"x","version":"1","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
SQLITE = b"SQLite format 3\0" + random.Random(1).randbytes(100_000)
RPM = "var/lib/rpm"
MODULES = "app/node_modules/x/package.json"
COMPOSER = "app/vendor/composer/installed.json"

BOMBS: dict[str, Callable[[], images.Entries | bytes]] = {
    "dpkg 512 MiB": lambda: repeated(STATUS, PARAGRAPHS, 512 << 20),
    "dpkg wide": lambda: repeated(STATUS, PARAGRAPHS + b"\xf0\x9f\x98\x80" * 500, 30 << 20),
    "dpkg, many": lambda: repeated(STATUS, PARAGRAPHS, 30 << 20),
    "dpkg, one": lambda: repeated(STATUS, b"X: \xf0\x9f\x98\x80\n", 30 << 20),
    "dpkg file list": lambda: repeated("var/lib/dpkg/info/x.list", b"/usr/lib/a\n", 30 << 20),
    "dpkg md5sums": lambda: repeated("var/lib/dpkg/status.d/x.md5sums", b"1 usr/a\n", 30 << 20),
    "apk": lambda: repeated("lib/apk/db/installed", b"F:usr/lib\nR:abc\n", 30 << 20),
    "apk, many": lambda: repeated("lib/apk/db/installed", b"P:a\nV:1\nR:abc\n\n", 30 << 20),
    "os-release": lambda: {"etc/os-release": "ID=debian\n" * 1_000_000},
    "jar": lambda: {"app/x.jar": jar(4)},
    "package.json": lambda: {MODULES: DEEP},
    "composer, wide": lambda: repeated(COMPOSER, b"[[],[],[],[],[],[]],", 30 << 20),
    "rpm Berkeley": lambda: {f"{RPM}/Packages": random.Random(2).randbytes(1 << 20)},
    "rpm sqlite": lambda: {f"{RPM}/rpmdb.sqlite": SQLITE},
    "rpm ndb": lambda: {f"{RPM}/Packages.db": b"RpmP" + random.Random(3).randbytes(1 << 20)},
}


@pytest.mark.parametrize("name", BOMBS)
def test_evidence_that_takes_too_much_is_a_gap(place: Place, name: str) -> None:
    told(place.scan(over(BOMBS[name]())))


def sparse(path: str, size: int, start: bytes) -> bytes:
    """An executable file of which an archive holds no more than the start."""
    area = tars.octal(0, 12) + tars.octal(len(start), 12)
    rest = bytes(41) + area.ljust(96, b"\0") + b"\0" + tars.octal(size, 12)
    kind, magic, mode = b"S", b"ustar  \0", b"0000755\0"
    head = tars.head(path, size=len(start), kind=kind, magic=magic, rest=rest, mode=mode)
    return head + tars.filled(start)


@pytest.mark.parametrize(
    ("path", "size", "start", "code"),
    [
        (STATUS, 512 << 20, b"Package: x\n", 3),
        (STATUS, 60 << 20, b"Package: x\n", 3),
        (f"{RPM}/rpmdb.sqlite", 500 << 20, b"SQLite format 3\0", 3),
        (f"{RPM}/Packages.db", 500 << 20, b"RpmP", 3),
        ("app/%d.jar", 500 << 20, b"PK\3\4", 3),
        ("app/node_modules/m%d/package.json", 60 << 20, b"{", 3),
        ("usr/bin/%d", 1 << 30, b"\x7fELF\2\1\1" + bytes(57), 0),
        ("var/lib/dpkg/info/p%d.list", 63 << 20, b"/x\n", 0),
    ],
)
def test_sparse_files_cost_little_more_than_what_is_stored(
    place: Place, path: str, size: int, start: bytes, code: int
) -> None:
    """40 GB of programs in 4 KB; 2.5 GB that are one path."""
    paths = [path % number for number in range(40)] if "%" in path else [path]
    content = b"".join(sparse(one, size, start) for one in paths)
    ended = place.scan(over(images.compressed(content + tars.END)))
    assert ended.code == code, ended


TREES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "one line": ("requirements.txt", lambda: b"idna==3.4 # " + b"x" * (64 << 20)),
    "one name": ("requirements.txt", lambda: b"x" * (20 << 20)),
    "many lines": ("requirements.txt", lambda: b"idna==3.4 \\\n" * 1_000_000),
    "deep": ("package-lock.json", lambda: DEEP),
    "deep yaml": ("pnpm-lock.yaml", lambda: b"a: " + b"[" * 50_000),
    "yaml of yaml": (
        "pnpm-lock.yaml",
        lambda: (
            b"a0: &a0 [x]\n"
            + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b"*a%d," % (n - 1) * 9) for n in range(1, 40))
        ),
    ),
    "deep toml": ("poetry.lock", lambda: b"a = " + b"[" * 50_000),
}


@pytest.mark.parametrize("name", TREES)
def test_lock_files_that_take_too_much_are_a_gap(place: Place, name: str) -> None:
    file, content = TREES[name]
    folder = place.directory / f"tree {name}"
    folder.mkdir()
    (folder / file).write_bytes(content())
    told(place.target(f"dir:{folder.name}"), file)


class _Kept:
    """A store of facts that says which blobs were kept."""

    def __init__(self) -> None:
        self.diff_ids: dict[str, str] = {}

    def diff_id(self, blob: str) -> str | None:
        return None

    def get(self, diff_id: str, version: str) -> LayerFacts | None:
        return None

    def put(self, blob: str, diff_id: str, version: str, facts: LayerFacts) -> None:
        self.diff_ids[blob] = diff_id


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_layers_that_unpack_to_too_much_are_a_gap(form: images.Compression) -> None:
    """With small limits: those of users are some GiB, which a test would hash for long."""
    content = images.layer({"app/zero": bytes(64 << 20), "z": b""}, form)
    image = over(content, {"app/node_modules/x/package.json": '{"name":"x","version":"1"}'})
    kept = _Kept()
    for limits, words in (
        (Limits(ratio=100, lenient=1 << 20), "more than 100 times its size"),
        (Limits(size=32 << 20), "more than 32 MiB"),
        (Limits(entries=0), "more than 0 entries"),
    ):
        inventory = scan_image(
            image.image, images.Memory({"1": image}), kept, name="x", limits=limits
        )
        assert words in str(inventory.unread[0])
        assert {one.name for one in inventory.packages} <= {"base-files", "x"}
        assert image.image.layers[1].digest not in kept.diff_ids  # nothing is kept of half a layer
