"""Many images in one run: each digest once, by several processes; killed ones are repeated."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.support import shop
from tests.support.command import Done
from tests.support.forked import martello
from tests.support.images import Image, docker_archive, image, layer, write_layout
from tests.support.registry import Missing, RealRegistry, running, skopeo

from martello.cli.images.batch import Batch, Unit, job_of, read_all
from martello.cli.images.opening import open_images
from martello.cli.images.target import parse_image_target
from martello.cli.progress import Progress
from martello.core.package import Inventory
from martello.store import claim
from martello.store.state import State, open_state
from martello.store.tables import work as work_table

FLAGS = {"platform": "", "insecure": False, "ca": "", "mirrors": ""}


def made(number: int) -> Image:
    """One of several images that differ."""
    files = {"etc/os-release": shop.RELEASE, "var/lib/dpkg/status": shop.STATUS}
    return image(layer({**files, "number": str(number)}))


def batch(place: Path, run: str = "r", lease: float = 30.0) -> Batch:
    """A run whose results lie in a directory."""
    return Batch(f"sqlite:///{place / 'state.db'}", job_of(run), "v1", FLAGS, lease=lease)


def units(place: Path, count: int) -> list[Unit]:
    """Layouts, each with an image."""
    found = []
    for number in range(count):
        write_layout(place / f"l{number}", {"1": made(number)})
        found.append(Unit(f"oci:{place / f'l{number}'}", made(number).digest))
    return found


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_digest_is_read_once_and_for_all(tmp_path: Path, jobs: int) -> None:
    wanted = units(tmp_path, 3)
    read = read_all(batch(tmp_path), wanted, jobs, Progress(quiet=True))
    assert list(read) == [unit.digest for unit in wanted]
    for unit in wanted:
        inventory = read[unit.digest]
        assert isinstance(inventory, Inventory)
        assert inventory.digest == unit.digest
        assert len(inventory.packages) == 3
    for number in range(3):
        (tmp_path / f"l{number}" / "index.json").unlink()  # nobody can read them any more
    again = read_all(batch(tmp_path, "another"), wanted, jobs, Progress(quiet=True))
    assert again == read


def test_what_cannot_be_read_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    wanted = [*units(tmp_path, 1), Unit(f"oci:{tmp_path / 'l0'}", f"sha256:{'1' * 64}")]
    wanted.append(Unit(str(tmp_path / "nothing.tar"), f"sha256:{'2' * 64}"))
    good, moved, gone = read_all(batch(tmp_path), wanted, 1, Progress(quiet=True)).values()
    assert isinstance(good, Inventory)
    assert moved == (
        f"given up after 5 attempts: cannot read oci:{tmp_path / 'l0'}: "
        f"it holds sha256:{'1' * 64} no more"
    )
    assert "there is no such file" in str(gone)
    with open_state(batch(tmp_path).state) as state:
        assert len(claim.progress(state, job_of("r")).dead) == 1  # the other is not tried again


def test_a_lease_that_runs_out_is_taken_over(tmp_path: Path) -> None:
    (unit,) = wanted = units(tmp_path, 1)
    work = batch(tmp_path, lease=0.3)
    with open_state(work.state) as state:
        item = f'{{"word":"{unit.word}","digest":"{unit.digest}","platform":""}}'
        claim.enqueue(state, work.job, [item])
        (dead,) = claim.claim(state, work.job, 1, 0.3, "a host that is gone")
        assert isinstance(read_all(work, wanted, 1, Progress(quiet=True))[unit.digest], Inventory)
        assert claim.finish(state, [(dead, "too late")]) == (False,)


def test_what_kills_its_reader_five_times_is_given_up(tmp_path: Path) -> None:
    wanted = units(tmp_path, 2)
    work = batch(tmp_path)
    item = f'{{"word":"{wanted[0].word}","digest":"{wanted[0].digest}","platform":""}}'
    with open_state(work.state) as state:
        claim.enqueue(state, work.job, [item])
        for attempt in range(claim.ATTEMPTS):
            assert claim.claim(state, work.job, 1, 30, f"h{attempt}")
            assert claim.abandon(state, work.job, f"h{attempt}") == 1
    killer, good = read_all(work, wanted, 1, Progress(quiet=True)).values()
    assert str(killer).startswith("given up after 5 attempts: the lease ran out five times")
    assert isinstance(good, Inventory)


def test_a_process_that_is_killed_in_mid_lease_is_replaced(tmp_path: Path) -> None:
    """Its image hangs: an archive that nobody writes. Then it is killed, and the archive comes."""
    archive = tmp_path / "slow.tar"
    os.mkfifo(archive)
    content = docker_archive({"reg.local/slow:1": made(7)})
    (tmp_path / "known.tar").write_bytes(content)
    digest = open_images(parse_image_target(str(tmp_path / "known.tar")), FLAGS)[0].manifest.digest
    slow = Unit(f"docker-archive:{archive}", digest)
    killed: list[int] = []
    work = batch(tmp_path)
    wanted = [*units(tmp_path, 1), slow]

    def kill() -> None:
        with open_state(work.state) as state:
            while (far := claim.progress(state, work.job)).done < 1 or not far.leased:
                time.sleep(0.05)
            reader = next(p for p in multiprocessing.active_children() if _holds(p.pid, state))
        assert reader.pid is not None
        archive.rename(tmp_path / "fifo")
        archive.write_bytes(content)
        os.kill(reader.pid, signal.SIGKILL)
        killed.append(reader.pid)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    read = read_all(work, wanted, 2, Progress(quiet=True))
    thread.join()
    assert killed
    assert all(isinstance(found, Inventory) for found in read.values()), read
    assert not multiprocessing.active_children()


def _holds(pid: int | None, state: State) -> bool:
    """Whether a process holds a lease."""
    query = select(work_table.c.holder).where(work_table.c.state == "leased")
    with state.reading() as connection:
        return str(pid) in connection.execute(query).scalars().all()


class Place:
    """A directory with a database and a registry with three images."""

    def __init__(self, place: Path, registry: RealRegistry) -> None:
        self.place, self.registry = place, registry
        shop.database(place)
        refs = []
        for number in range(3):
            write_layout(place / f"l{number}", {"1": made(number)})
            reference = f"{registry.url}/shop/web:{number}"
            source = f"oci:{place / f'l{number}'}:1"
            skopeo("copy", "--dest-tls-verify=false", source, f"docker://{reference}")
            refs.append(reference)
        skopeo(
            *("copy", "--src-tls-verify=false", "--dest-tls-verify=false"),
            *(f"docker://{refs[0]}", f"docker://{registry.url}/shop/same:0"),
        )
        self.refs = [*refs, f"{registry.url}/shop/same:0"]
        (place / "refs").write_text("# what we run\n" + "\n".join(self.refs) + "\n\n")

    def run(self, *words: str) -> Done:
        """A scan in the directory."""
        own = {
            "MARTELLO_DATABASE": str(self.place / "advisories.db"),
            "MARTELLO_STATE": f"sqlite:///{self.place / 'state.db'}",
            "MARTELLO_LOCAL": "0",
            "HOME": str(self.place / "home"),
        }
        return martello("image", "scan", *words, cwd=self.place, env=own)


def test_references_of_a_file_are_read_in_one_run_that_can_be_resumed(tmp_path: Path) -> None:
    try:
        with running() as registry:
            place = Place(tmp_path, registry)
            first = place.run("--refs", "refs", "-o", "json")
            assert first.code == 1, first
            told, _, run = first.err.strip().rpartition(" ")
            assert told == "3 images; to go on if it breaks off: --resume"
            images = first.report["images"]
            assert [one["name"] for one in images] == place.refs[:3]
            assert images[0]["notes"][-1] == f"the same image is named {place.refs[3]}"
            (tmp_path / "blobs").write_text(str(_blobs(registry)))
            again = place.run("--refs", "refs", "--resume", run, "-o", "json")
            assert again.err == ""
            assert again.report["images"] == images
            assert _blobs(registry) == int((tmp_path / "blobs").read_text())
            (tmp_path / "refs").write_text("\n".join([*place.refs, f"{registry.url}/shop/no:1"]))
            partial = place.run("--refs", "refs", "--fail-on", "never")
            assert partial.code == 3
            assert f"not assessed: {registry.url}/shop/no:1" in partial.out
    except Missing as missing:
        pytest.skip(str(missing))


def test_a_run_that_nobody_began_cannot_be_resumed(tmp_path: Path) -> None:
    write_layout(tmp_path / "l0", {"1": made(0)})
    own = {"MARTELLO_STATE": f"sqlite:///{tmp_path / 'state.db'}", "MARTELLO_LOCAL": "0"}
    done = martello("image", "scan", "oci:l0", "--resume", "monday", cwd=tmp_path, env=own)
    assert done.code == 2
    assert done.err.startswith("there is no run monday\n")


def _blobs(registry: RealRegistry) -> int:
    text = registry.log.read_text(errors="replace")
    return sum(1 for line in text.splitlines() if '"GET ' in line and "/blobs/" in line)
