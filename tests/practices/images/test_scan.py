"""Images read from layers to inventory: caching, ownership, attribution, what cannot be read."""

from __future__ import annotations

import json
import subprocess
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.support import images
from tests.support.images import File, Hard, Image, Link, Memory
from tests.support.rootfs import debian_rootfs

from martello.adapters.tar import Entry
from martello.adapters.tree import walk_tree
from martello.core.body import Body
from martello.core.errors import BadInput, Refused
from martello.core.package import Inventory, Leak, Package, System
from martello.practices.images.evidence.locks import settle
from martello.practices.images.evidence.model import Parsed, Reader
from martello.practices.images.evidence.readers import (
    IMAGE_READERS,
    LOCK_READERS,
    choice,
)
from martello.practices.images.facts import LayerFacts, analyze
from martello.practices.images.scan import scan_image, scan_tree

OS = "ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian\n"


def paragraph(name: str, version: str) -> str:
    return f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n"


def metadata(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText\n"


class Kept:
    """Facts in memory, through JSON as a store on disk would have them."""

    def __init__(self) -> None:
        self.diff_ids: dict[str, str] = {}
        self.facts: dict[tuple[str, str], bytes] = {}

    def diff_id(self, blob: str) -> str | None:
        return self.diff_ids.get(blob)

    def get(self, diff_id: str, version: str) -> LayerFacts | None:
        raw = self.facts.get((diff_id, version))
        return msgspec.json.decode(raw, type=LayerFacts) if raw is not None else None

    def put(self, blob: str, diff_id: str, version: str, facts: LayerFacts) -> None:
        self.diff_ids[blob] = diff_id
        self.facts[diff_id, version] = msgspec.json.encode(facts)


def scanned(image: Image, facts: Kept | None = None, **options: object) -> Inventory:
    place = Memory({"x": image})
    return scan_image(image.image, place, facts, name="x", **options)  # type: ignore[arg-type]


def of(*layers: images.Entries) -> Inventory:
    """The inventory of an image of these layers, the same with facts that were kept."""
    image = images.image(*(images.layer(entries) for entries in layers))
    kept = Kept()
    first, place = scanned(image, kept), Memory({"x": image})
    again = scan_image(image.image, place, kept, name="x")
    assert again == msgspec.structs.replace(first, bytes_read=0)
    assert place.asked == [image.image.config.digest]
    return first


def shown(inventory: Inventory) -> set[tuple[str, str, int]]:
    return {(one.name, one.version, one.layer) for one in inventory.packages}


def test_a_debian_root_file_system_as_dpkg_says(tmp_path: Path) -> None:
    archive = debian_rootfs()
    image = images.image(images.compressed(archive.read_bytes(), "plain"), config={"User": "app"})
    inventory = scanned(image)
    with tarfile.open(archive) as opened:
        for name in ("./var/lib/dpkg/status", "./etc/debian_version"):
            opened.extract(name, tmp_path, filter="data")
    form = "${binary:Package}|${Version}|${Architecture}|${source:Package}|${source:Version}\n"
    command = ["dpkg-query", f"--admindir={tmp_path}/var/lib/dpkg", "-W", f"-f={form}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    expected = {line.replace(":amd64|", "|", 1) for line in said.splitlines()}
    found = {
        f"{one.name}|{one.version}|{one.arch}|{one.source}|{one.source_version}"
        for one in inventory.packages
    }
    assert found == expected
    assert len(found) > 80
    assert {one.ecosystem for one in inventory.packages} == {"Debian:12"}
    assert inventory.system is not None
    assert (inventory.system.id, inventory.system.codename) == ("debian", "bookworm")
    assert not inventory.unread
    assert inventory.user == "app"
    licensed = [one.name for one in inventory.packages if one.licences]
    assert len(licensed) > 0.9 * len(found)


def test_l11_a_rescan_reads_no_layer() -> None:
    image = images.image(
        images.layer({"etc/os-release": OS, "var/lib/dpkg/status": paragraph("a", "1")}),
        images.layer({"app/x-1.dist-info/METADATA": metadata("x", "1")}),
    )
    kept = Kept()
    first = scanned(image, kept)
    assert first.bytes_read == sum(layer.size for layer in image.image.layers)
    told: list[str] = []
    again = scanned(image, kept, progress=told.append)
    assert again.bytes_read == 0
    assert not told
    newer = tuple(msgspec.structs.replace(one, version=one.version + 1) for one in IMAGE_READERS)
    assert scanned(image, kept, readers=newer).bytes_read == first.bytes_read


def test_l11_a_diff_id_that_an_image_claims_lends_it_nothing() -> None:
    """An image that names the diff-id of a clean layer is refused, not taken for clean."""
    clean = images.image(images.layer({"etc/os-release": OS}))
    dirty = images.image(images.layer({"var/lib/dpkg/status": paragraph("bad", "1")}))
    kept = Kept()
    scanned(clean, kept)
    body = json.loads(dirty.blobs[dirty.image.config.digest])
    body["rootfs"]["diff_ids"] = list(kept.diff_ids.values())
    raw = json.dumps(body).encode()
    config = msgspec.structs.replace(dirty.image.config, digest=images.digest(raw), size=len(raw))
    manifest = msgspec.structs.replace(dirty.image, config=config)
    place = Memory({"x": dirty})
    place.blobs[config.digest] = raw
    with pytest.raises(Refused):
        scan_image(manifest, place, kept, name="x")
    scanned(dirty, kept)  # its layer is known now by its true diff-id
    with pytest.raises(Refused, match="not what the configuration promises"):
        scan_image(manifest, place, kept, name="x")


def test_packages_belong_to_the_layer_that_first_brought_them() -> None:
    base = {"etc/os-release": OS, "var/lib/dpkg/status": paragraph("a", "1") + paragraph("b", "1")}
    second = {"var/lib/dpkg/status": paragraph("a", "1") + paragraph("b", "2")}
    third = {"var/lib/dpkg/status": "".join(paragraph(n, v) for n, v in ("a1", "b2", "c3"))}
    assert shown(of(base, second, third)) == {("a", "1", 0), ("b", "2", 1), ("c", "3", 2)}


def test_e5_a_package_of_a_language_that_the_distribution_owns() -> None:
    npm = '{"name": "%s", "version": "%s"}'
    entries: dict[str, images.Content] = {
        "etc/os-release": OS,
        "lib": Link("usr/lib"),
        "var/lib/dpkg/status": paragraph("python3-idna", "3.3-1") + paragraph("node-x", "1-1"),
        "var/lib/dpkg/info/python3-idna.list": "/.\n/lib\n/lib/python3\n"
        "/lib/python3/idna-3.3.dist-info\n/lib/python3/idna-3.3.dist-info/METADATA\n",
        "var/lib/dpkg/info/gone.list": "/srv/y-1.dist-info/METADATA\n",
        "var/lib/dpkg/info/node-x.list": "/usr/lib/node_modules/x/package.json\n",
        "usr/lib/python3/idna-3.3.dist-info/METADATA": metadata("idna", "3.3"),
        "usr/lib/node_modules/x/package.json": npm % ("x", "1"),
        "srv/y-1.dist-info/METADATA": metadata("y", "1"),
    }
    later: images.Entries = {"usr/lib/node_modules/x/package.json": npm % ("x", "2")}
    found = {one.name: one.owner for one in of(entries).packages if one.type != "deb"}
    assert found == {"idna": "python3-idna", "x": "node-x", "y": ""}
    upgraded = {one.name: one.owner for one in of(entries, later).packages if one.type == "npm"}
    assert upgraded == {"x": ""}  # written over by something that is not dpkg


def test_l5_evidence_behind_links_costs_a_second_pass() -> None:
    links: dict[str, images.Content] = {
        "etc/os-release": Link("/odd/release"),
        "var/lib/dpkg": Link("../../odd/dpkg"),
        "usr/share/doc/a/copyright": Hard("store/1"),
        "store/1": "License: MIT\n",
    }
    inventory = of({"odd/release": OS, "odd/dpkg/status": paragraph("a", "1")}, links)
    assert inventory.system is not None
    assert inventory.system.id == "debian"
    (package,) = inventory.packages
    assert (package.name, package.path, package.layer) == ("a", "var/lib/dpkg/status", 0)
    assert package.ecosystem == "Debian:12"
    assert package.licences == ("MIT",)
    assert not inventory.unread


def test_l3_hard_links_to_files_that_nothing_wants() -> None:
    text = '{"name": "left-pad", "version": "1.3.0"}'
    path = "app/node_modules/left-pad/package.json"
    inventory = of({"store/ab": text}, {path: Hard("store/ab")}, {"store/.wh.ab": ""})
    assert [(one.name, one.path) for one in inventory.packages] == [("left-pad", path)]
    nowhere = of({path: Hard("store/ab")})
    assert "hard link to store/ab" in nowhere.unread[0].why


def test_l3_many_hard_links_cost_one_pass() -> None:
    """As a package manager with a common store leaves them: time is not asserted, the pass is."""
    count = 3000
    entries: dict[str, images.Content] = {}
    for number in range(count):
        entries[f"store/{number:x}"] = json.dumps({"name": f"p{number}", "version": "1"})
    for number in range(count):
        path = f"app/node_modules/p{number}/package.json"
        entries[path] = Hard(f"store/{number:x}")
    image = images.image(images.layer(entries), images.layer({"x": "y"}))
    place = Memory({"x": image})
    inventory = scan_image(image.image, place, None, name="x")
    assert len(inventory.packages) == count
    first, second = (layer.digest for layer in image.image.layers)
    assert place.asked[1:] == [first, second, first]


def test_e6_nothing_recognised_is_told_and_an_empty_image_has_nothing_to_tell() -> None:
    assert [one.what for one in of({"data": "x"}).unread] == ["image"]
    assert of().unread == ()
    assert of({}).unread == ()
    only_system = of({"etc/os-release": OS, "app/x-1.dist-info/METADATA": metadata("x", "1")})
    assert [one.why for one in only_system.unread] == ["no database of its packages was found"]


@pytest.mark.parametrize("system", ["arch", "nixos", "openwrt", "gentoo"])
def test_a_system_whose_packages_no_reader_knows_is_told(system: str) -> None:
    found = of(
        {"etc/os-release": f"ID={system}\n", "app/x-1.dist-info/METADATA": metadata("x", "1")}
    )
    assert [(one.what, one.where) for one in found.unread] == [("system", system)]


def test_e7_a_derivative_is_not_read_as_its_parent() -> None:
    text = 'ID=neon\nID_LIKE="ubuntu debian"\nVERSION_ID=22.04\n'
    inventory = of({"etc/os-release": text, "var/lib/dpkg/status": paragraph("a", "1")})
    assert inventory.system == System("neon", "22.04", like=("ubuntu", "debian"))
    assert [one.ecosystem for one in inventory.packages] == [""]


def test_e9_history_skips_steps_without_a_layer() -> None:
    image = images.image(images.layer({"a": "x"}), images.layer({"b": "x"}))
    body = json.loads(image.blobs[image.image.config.digest])
    body["history"] = [
        {"created_by": "FROM", "created": "2024-01-01T00:00:00Z"},
        {"created_by": "ENV x=1", "empty_layer": True},
        {"created_by": "RUN y"},
    ]
    body["config"] = {"User": "1000", "Labels": {"b": "2", "a": "1", "c": 3}}
    raw = json.dumps(body).encode()
    config = msgspec.structs.replace(image.image.config, digest=images.digest(raw), size=len(raw))
    place = Memory({"x": image})
    place.blobs[config.digest] = raw
    manifest = msgspec.structs.replace(image.image, config=config)
    inventory = scan_image(manifest, place, None, name="x", index="sha256:i")
    assert [layer.created_by for layer in inventory.layers] == ["FROM", "RUN y"]
    assert inventory.layers[0].diff_id == body["rootfs"]["diff_ids"][0]
    assert (inventory.user, inventory.labels) == ("1000", (("a", "1"), ("b", "2")))
    assert (str(inventory.platform), inventory.index) == ("linux/amd64", "sha256:i")
    assert (inventory.digest, inventory.config) == (manifest.digest, config.digest)


def test_n16_foreign_layers_are_told() -> None:
    image = images.image(images.layer({"etc/os-release": OS}), images.layer({"x": "y"}))
    media = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    foreign = msgspec.structs.replace(
        image.image.layers[1], media=media, urls=("http://other.example/layer",)
    )
    manifest = msgspec.structs.replace(image.image, layers=(image.image.layers[0], foreign))
    place = Memory({"x": image})
    inventory = scan_image(manifest, place, None, name="x")
    assert foreign.digest not in place.asked
    assert [one.where for one in inventory.unread if one.what == "layer"] == [foreign.digest]


def test_l9_a_cut_layer_is_told_and_what_came_before_counts() -> None:
    found = {"etc/os-release": OS, "app/x-1.dist-info/METADATA": metadata("x", "1")}
    archive = images.tar({**found, "big": "x" * 9000})
    image = images.image(images.compressed(archive[:-12000], "plain"))
    kept = Kept()
    inventory = scanned(image, kept)
    assert [one.name for one in inventory.packages] == ["x"]
    assert [one.what for one in inventory.unread] == ["layer", "system"]
    assert not kept.facts


def test_l9_bytes_of_another_digest_are_refused() -> None:
    image = images.image(images.layer({"a": "x"}))
    place = Memory({"x": image})
    digest = image.image.layers[0].digest
    good = place.blobs[digest]
    place.blobs[digest] = images.layer({"b": "y"}).ljust(len(good), b"\0")[: len(good)]
    with pytest.raises(Refused):
        scan_image(image.image, place, None, name="x")


def test_l10_a_file_that_is_too_large_is_told() -> None:
    def read(_path: str, body: Body) -> Parsed:
        return Parsed((), leaks=(Leak("r", body.whole(4).decode(), "high", ""),))

    readers = (Reader("small", read, names=frozenset(("a", "b"))),)
    image = images.image(images.layer({"a": "12345", "b": "1234"}), images.layer({".wh.b": ""}))
    inventory = scanned(image, readers=readers)
    assert "small a: it is too large" in str(inventory.unread[0])
    assert [(one.path, one.layer, one.removed) for one in inventory.leaks] == [("b", 0, True)]


def test_l10_layers_that_name_too_many_packages_are_told() -> None:
    """One layer that names a million, or all together; what lower layers name still counts."""
    many = tuple(Package("npm", f"p{n}", "1") for n in range(100_000))

    def read(path: str, body: Body) -> Parsed:
        return Parsed(many if path.startswith("many") else (Package("npm", path, "1"),))

    readers = (Reader("packages", read, under=("",)),)
    one = images.image(images.layer({"a": "1"}), images.layer({f"many{n}": "1" for n in range(3)}))
    inventory = scanned(one, readers=readers)
    assert "too many packages" in str(inventory.unread[0])
    assert ("npm", "a") in {(package.type, package.name) for package in inventory.packages}
    layers = (images.layer({"many": f"{n}"}) for n in range(6))
    inventory = scanned(images.image(images.layer({"a": "1"}), *layers), readers=readers)
    assert [str(one).partition(": ")[2] for one in inventory.unread] == [
        "with those below it holds too many packages, files or secrets"
    ] * 2
    assert len(inventory.packages) == 100_001


def test_l10_very_many_gaps_and_secrets_are_counted() -> None:
    """A thousand files that cannot be read, and 5,000 secrets, of each layer are told."""
    leak = Leak("r", "a secret", "high", "")

    def read(path: str, body: Body) -> Parsed:
        if path.startswith("bad"):
            raise ValueError("odd")
        return Parsed((Package("npm", path, "1"),), leaks=(leak,) * 100)

    readers = (Reader("all", read, under=("",)),)
    bad = {f"bad{n}": "1" for n in range(1200)}
    inventory = scanned(images.image(images.layer(bad), images.layer({"a": "1"})), readers=readers)
    assert len(inventory.unread) == 1001
    assert "200 more could not be read" in str(inventory.unread[0])
    assert {one.name for one in inventory.packages} == {"a"}
    layers = (images.layer({f"bad{k}-{n}": "1" for n in range(1000)}) for k in range(6))
    inventory = scanned(images.image(*layers), readers=readers)
    assert len(inventory.unread) == 5001
    assert "1,001 more parts of it could not be read" in str(inventory.unread[-1])

    files = {f"f{n}": "1" for n in range(60)}
    inventory = scanned(images.image(images.layer(files)), readers=readers)
    assert len(inventory.leaks) == 5000
    assert "more than 5,000, and was not searched for others" in str(inventory.unread[0])
    assert len(inventory.packages) == 60
    layers = (images.layer({f"f{k}-{n}": "1" for n in range(60)}) for k in range(3))
    inventory = scanned(images.image(*layers), readers=readers)
    assert len(inventory.leaks) == 10_000
    assert "secrets, of which 10,000 are told" in str(inventory.unread[-1])


def test_l10_deep_directories_are_told_before_they_fill_the_memory() -> None:
    """Each level of each path is a directory: 1,500 of them with 3,000 characters are 2 MB."""
    deep = "z/" * 1500
    files = {f"{n}/{deep}node_modules/x/package.json": b"{}" for n in range(100)}
    inventory = scanned(images.image(images.layer(files)))
    assert "its names take more than 64 MiB" in str(inventory.unread[0])


def test_secrets_of_files_and_of_the_configuration_are_told_also_removed_ones() -> None:
    token = "ghp_" + "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX"
    config = {"Env": [f"GITHUB_TOKEN={token}"]}
    below, above = images.layer({"app/.env": f"T={token}\n"}), images.layer({"app/.wh..env": ""})
    leaks = scanned(images.image(below, above, config=config)).leaks
    assert [(one.path.partition("/")[0], one.layer, one.removed) for one in leaks] == [
        ("config:Env", -1, False),
        ("app", 0, True),
    ]
    assert token not in repr(leaks)


def test_a_reader_that_meets_what_it_does_not_know_is_told() -> None:
    def read(_path: str, body: Body) -> Parsed:
        raise KeyError(body.size)

    readers = (Reader("new", read, names=frozenset(("a",))),)
    unread = scanned(images.image(images.layer({"a": "1"})), readers=readers).unread
    assert str(unread[0]) == "new a: it cannot be read: 1"
    assert of({"etc/os-release": OS, "var/lib/rpm/Packages": "x" * 90}).unread


def test_several_readers_may_want_one_file() -> None:
    def read(_path: str, body: Body) -> Parsed:
        return Parsed(leaks=(Leak("r", body.head(1).decode() + body.whole(9).decode(), "low", ""),))

    def spool(_path: str, body: Body) -> Parsed:
        with body.spooled(9) as file:
            return Parsed(leaks=(Leak("s", file.read().decode(), "low", ""),))

    readers = (
        Reader("one", read, names=frozenset(("a",))),
        Reader("all", spool, under=("",)),
        Reader("three", read, suffixes=(".x",)),
    )
    inventory = scanned(images.image(images.layer({"a": "12", "d/b.x": "3"})), readers=readers)
    assert [(one.rule, one.title) for one in inventory.leaks] == [
        ("r", "112"), ("s", "12"), ("s", "3"), ("r", "33"),
    ]  # fmt: skip


@pytest.mark.parametrize("raw", [b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_a_configuration_that_is_none(raw: bytes) -> None:
    image = images.image(images.layer({"a": "x"}))
    config = msgspec.structs.replace(image.image.config, digest=images.digest(raw), size=len(raw))
    place = Memory({"x": image})
    place.blobs[config.digest] = raw
    with pytest.raises(BadInput, match=r"cannot read .*x"):
        scan_image(msgspec.structs.replace(image.image, config=config), place, None, name="x")


def test_odd_configurations_are_read_as_far_as_they_go() -> None:
    image = images.image(images.layer({"a": "x"}))
    body = {"os": 3, "config": [], "history": {"a": 1}, "rootfs": {"diff_ids": [1, None]}}
    raw = json.dumps(body).encode()
    config = msgspec.structs.replace(image.image.config, digest=images.digest(raw), size=len(raw))
    place = Memory({"x": image})
    place.blobs[config.digest] = raw
    inventory = scan_image(
        msgspec.structs.replace(image.image, config=config), place, None, name="x"
    )
    assert inventory.layers[0].created_by == ""


def test_trees(tmp_path: Path) -> None:
    for path, text in {
        "etc/os-release": OS,
        "odd/status": paragraph("a", "1"),
        "app/x-1.dist-info/METADATA": metadata("x", "1"),
        "app/.wh.x-1.dist-info": "",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg").symlink_to("/odd")
    inventory = scan_tree(lambda: walk_tree(tmp_path), name="here")
    assert shown(inventory) == {("a", "1", -1), ("x", "1", -1)}
    assert not inventory.unread
    (tmp_path / "requirements.txt").write_text("django==4.2\n")
    locks = scan_tree(lambda: walk_tree(tmp_path), name="d", readers=LOCK_READERS, settle=settle)
    assert {one.name for one in locks.packages} == {"django"}


def _many(count: int) -> Iterator[tuple[Entry, Body]]:
    from tests.support.evidence import Stored

    body = Stored(b"")
    for folder in range(count // 100):
        yield Entry(f"usr/share/app/{folder}", "dir", mode=0o755), body
        for number in range(99):
            path = f"usr/share/app/{folder}/file-{number}.txt"
            yield Entry(path, "file", size=10, mode=0o644), body


def test_the_facts_of_a_large_layer_are_small() -> None:
    """Counted: memory while it is read, and bytes that are kept, for each of 100,000 entries."""
    tracemalloc.start()
    try:
        facts = analyze(_many(100_000), choice(IMAGE_READERS))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert facts.files == 100_000
    assert peak < 8 << 20
    assert len(msgspec.json.encode(facts)) < 1.2 * (1 << 20)


def test_ten_thousand_layers_are_one_image() -> None:
    """Time is not asserted: it would not end within a test's limit were it quadratic."""
    blob = images.layer({"var/lib/dpkg/status": paragraph("a", "1"), "etc/os-release": OS})
    image = images.image(*([blob] * 10_000))
    inventory = scanned(image, Kept())
    assert shown(inventory) == {("a", "1", 0)}
    assert len(inventory.layers) == 10_000


def test_programs_are_found_by_what_they_are() -> None:
    """A script of the same name that comes later hides the program below."""
    go = Path("/usr/bin/skopeo")
    if not go.is_file():
        pytest.skip("no program of Go: apt-get install skopeo")
    content = File(go.read_bytes())
    below = images.layer({"usr/bin/tool": content})
    found = scanned(images.image(below))
    assert {one.type for one in found.packages} == {"golang"}
    named = scanned(images.image(images.layer({"app/tool.conf": content})))
    assert {one.type for one in named.packages} == {"golang"}
    above = scanned(images.image(below, images.layer({"usr/bin/tool": "#!/bin/sh\n"})))
    assert not above.packages


def test_mapping_of_a_store_is_all_that_is_trusted() -> None:
    """Facts under a diff-id are used only for blobs that the store itself has read."""
    image = images.image(images.layer({"var/lib/dpkg/status": paragraph("a", "1")}))
    kept = Kept()
    version = choice(IMAGE_READERS).version
    diff_id = json.loads(image.blobs[image.image.config.digest])["rootfs"]["diff_ids"][0]
    kept.facts[diff_id, version] = msgspec.json.encode(LayerFacts())
    assert shown(scanned(image, kept)) == {("a", "1", 0)}


def test_no_secret_of_the_configuration_gets_into_the_inventory() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    image = images.image(
        images.layer({"etc/os-release": OS}),
        config={"Labels": {"deploy": f"curl -H {token}", "API_TOKEN": "k8Qz81nVw0pX", "by": "us"}},
        history=[f"RUN |1 DB_PASSWORD=hunter22 /bin/sh -c git clone https://{token}@example.com/x"],
    )
    inventory = scan_image(image.image, Memory({"x": image}), name="x")
    told = msgspec.json.encode(inventory).decode()
    assert not [secret for secret in (token, "hunter22", "k8Qz81nVw0pX") if secret in told]
    assert dict(inventory.labels)["by"] == "us"
    assert "git clone https://****" in inventory.layers[0].created_by
    assert {leak.path for leak in inventory.leaks} == {
        "config:Labels/deploy",
        "config:Labels/API_TOKEN",
        "config:history/0",
    }
