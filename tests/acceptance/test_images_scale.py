"""Images of any size: memory that does not grow with them, work that grows no faster than they do,
and no layer read twice.

Time is measured by `make bench`, beside the least that any reader of a layer must do.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.support import images, shop, streamed
from tests.support.images import Image, Memory
from tests.support.rootfs import debian_rootfs
from tests.support.streamed import MIB, Piece, Streamed

from martello.core.package import Inventory
from martello.practices.images.advisories.build import build
from martello.practices.images.advisories.db import open_database
from martello.practices.images.advisories.sources import find
from martello.practices.images.facts import LayerFacts
from martello.practices.images.match import match
from martello.practices.images.scan import scan_image
from martello.store.facts import LayerFactStore
from martello.store.state import open_state


@pytest.fixture(scope="module")
def debian_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layer of 180 MB: all of a real Debian, compressed."""
    path = tmp_path_factory.mktemp("layer") / "layer.tar.gz"
    path.write_bytes(gzip.compress(debian_rootfs().read_bytes(), 1, mtime=0))
    return path


@pytest.mark.slow
def test_a_layer_of_180_mb_takes_little_memory(debian_layer: Path) -> None:
    took = streamed.scanned("one", str(debian_layer))
    assert took.memory < 80
    assert took.packages["deb"] > 80
    assert took.unread == []
    assert (took.bytes_read, took.asked) == (debian_layer.stat().st_size, 2)  # one is the config


@pytest.mark.slow
def test_an_image_of_5_gb_takes_little_memory() -> None:
    """Files of 1 GB, 20,000 small ones, programs that are looked into, 2,000 packages."""
    took = streamed.scanned("large")
    assert took.size > 2.6e9  # half of it does not compress
    assert took.memory < 100
    assert took.packages == {"deb": 300, "npm": 2000}
    assert took.unread == []
    assert (took.bytes_read, took.asked) == (took.size, 6)


@pytest.mark.slow
def test_10_000_layers_take_little_memory() -> None:
    """1,000 of them bring the whole database of packages again."""
    took = streamed.scanned("layers")
    assert took.memory < 100
    assert took.packages == {"deb": 100}
    assert took.unread == []
    assert (took.bytes_read, took.asked) == (took.size, 10_001)


def calls(image: Image | Streamed) -> int:
    """How many calls a scan takes: the same on every machine."""
    place = image if isinstance(image, Streamed) else Memory({"1": image}, part=1 << 20)
    count = 0

    def one_more(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(one_more)
    try:
        scan_image(image.image, place, name="x")
    finally:
        sys.setprofile(None)
    return count


def of_files(count: int) -> Image:
    return images.image(images.layer({f"srv/{n % 7}/file-{n}": b"x" * 100 for n in range(count)}))


def of_packages(count: int) -> Image:
    status = "".join(
        f"Package: p{n}\nStatus: install ok installed\nVersion: 1-{n}\n\n" for n in range(count)
    )
    lists = {
        f"var/lib/dpkg/info/p{n}.list": f"/.\n/usr\n/usr/bin\n/usr/bin/p{n}\n" for n in range(count)
    }
    return images.image(images.layer({"var/lib/dpkg/status": status, **lists}))


def of_layers(count: int) -> Image:
    return images.image(
        *(
            images.layer(
                {f"app/node_modules/m{n}/package.json": f'{{"name":"m{n}","version":"1"}}'}
            )
            for n in range(count)
        )
    )


@pytest.mark.parametrize("of", [of_files, of_packages, of_layers])
def test_work_grows_no_faster_than_the_image(of: Callable[[int], Image]) -> None:
    calls(of(4))  # imports and compiles what is needed
    some, twice = calls(of(300)), calls(of(600))
    assert twice < 2.1 * some


def test_a_file_that_no_reader_wants_costs_few_calls() -> None:
    calls(of_files(4))
    more = calls(of_files(2_000)) - calls(of_files(1_000))
    assert more / 1_000 < 50


def test_large_files_cost_what_their_parts_cost() -> None:
    """A MiB more is a few calls more: decompressed, hashed, passed over. Making it is counted, and
    so is handing parts to the thread that hashes where a core is free.
    """

    def of_size(size: int) -> Streamed:
        return Streamed((streamed.layer(lambda: iter((Piece("srv/x", size),))),))

    calls(of_size(MIB))
    more = calls(of_size(65 * MIB)) - calls(of_size(33 * MIB))
    assert more / 32 < 500


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LayerFactStore[LayerFacts]]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as state:
        yield LayerFactStore(state, LayerFacts)


def found(inventory: Inventory, folder: Path, *records: dict[str, Any]) -> set[str]:
    """The vulnerabilities that a database of these records finds."""
    (folder / "Debian").mkdir(parents=True)
    with zipfile.ZipFile(folder / "Debian" / "all.zip", "w") as archive:
        for record in records:
            archive.writestr(f"{record['id']}.json", json.dumps(record))
    build(find(folder).sources, folder / "advisories.db")
    database = open_database(folder / "advisories.db")
    try:
        return {one.id for one in match(inventory, database).found}
    finally:
        database.close()


def test_newer_advisories_need_no_layer(tmp_path: Path, store: LayerFactStore[LayerFacts]) -> None:
    """What was read once is judged anew by other data; only the configuration is asked for."""
    image = shop.shop()
    place = Memory({"1": image})
    first = scan_image(image.image, place, store, name="x")
    assert first.bytes_read == sum(layer.size for layer in image.image.layers)
    old = shop.record("CVE-2031-1000", "Debian:12", "openssl", "3.0.8-1")
    new = shop.record("CVE-2031-1001", "Debian:12", "openssl", "3.0.10-1")
    assert found(first, tmp_path / "older", old) == set()

    place.asked.clear()
    again = scan_image(image.image, place, store, name="x")
    assert again.bytes_read == 0
    assert place.asked == [image.image.config.digest]
    assert again.packages == first.packages
    assert found(again, tmp_path / "newer", old, new) == {new["id"]}


def test_an_image_over_a_known_base_costs_its_own_layers(
    store: LayerFactStore[LayerFacts],
) -> None:
    base = images.layer({"etc/os-release": shop.RELEASE, "var/lib/dpkg/status": shop.STATUS})
    noise = os.urandom(50_000)
    for number in range(3):
        own = images.layer({f"app/{number}": noise})
        image = images.image(base, own)
        inventory = scan_image(image.image, Memory({"1": image}), store, name="x")
        assert inventory.bytes_read == len(own) + (0 if number else len(base))
        assert {one.name for one in inventory.packages} == {"libssl3", "openssl", "zlib1g"}
