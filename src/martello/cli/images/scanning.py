"""`martello image scan` from words to examined images: one target, many, or all that runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from martello.cli.images.flow import Judging, end_of_life, examine, read_file
from martello.cli.images.gathering import Found, Gathering
from martello.cli.images.remembering import Remembered, remember
from martello.cli.progress import Progress
from martello.core.errors import BadInput
from martello.core.finding import Unassessed
from martello.report.images.model import Examined

if TYPE_CHECKING:
    from martello.practices.images.advisories.db import Database


class Sought(msgspec.Struct, frozen=True):
    """What is to be scanned, looked up: each digest once."""

    target: str
    gathering: Gathering
    missing: tuple[Unassessed, ...] = ()


def words_of(targets: Sequence[str], flags: Mapping[str, Any]) -> list[str]:
    """The targets that were typed and those of --refs. Raises BadInput where there are none."""
    words = list(targets)
    if flags["refs"]:
        lines = read_file(flags["refs"]).decode("utf-8", "replace").splitlines()
        words += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if flags["running"] and words:
        raise BadInput("--running and targets exclude each other", "", "give one of them")
    if not flags["running"] and not words:
        raise BadInput("no image is named", "", "martello image scan TARGET, or --running")
    return words


def look(words: Sequence[str], flags: Mapping[str, Any], state: str, progress: Progress) -> Sought:
    """Looks up what targets mean now, or what runs. Raises what reading a cluster raises."""
    gathering = Gathering(flags, state, progress)
    if not flags["running"]:
        gathering.words(words)
        return Sought(" ".join(words), gathering)
    from martello.cli.images.running import running_images

    name, wanted, missing = running_images(
        flags["context"],
        kubeconfig=flags["kubeconfig"],
        namespaces=() if flags["all_namespaces"] else flags["namespaces"],
        labels=flags["selector"],
        progress=progress,
    )
    gathering.running(wanted)
    return Sought(name, gathering, missing)


def scan_images(
    sought: Sought,
    flags: Mapping[str, Any],
    state: str,
    database: Database | None,
    how: Judging,
    now: datetime,
) -> tuple[list[Examined], tuple[Unassessed, ...]]:
    """Reads, matches and remembers the images; and tells those that could not be read."""
    run = _run(sought, flags, state, now)
    version = f"{_readers()}/{database.digest if database is not None else 'no advisories'}"
    gathered = sought.gathering.read(version, flags["jobs"], run)
    examined = [_examined(one, database, how, now) for one in gathered.found]
    kept = [
        Remembered(one, found.reference, found.index, end_of_life(one.inventory, database))
        for one, found in zip(examined, gathered.found, strict=True)
    ]
    remember(state, kept, now)
    return examined, (*sought.missing, *gathered.missing)


def _examined(found: Found, database: Database | None, how: Judging, now: datetime) -> Examined:
    one = examine(found.inventory, database, how, now)
    return msgspec.structs.replace(one, used=found.used, notes=(*one.notes, *found.notes))


def _run(sought: Sought, flags: Mapping[str, Any], state: str, now: datetime) -> str:
    """The name of the run, told so that it can be resumed; empty for what is typed word by word."""
    named = flags["resume"]
    if named:
        from martello.cli.images.batch import job_of
        from martello.store import claim
        from martello.store.state import open_state

        with open_state(state) as opened:
            if not claim.exists(opened, job_of(named)):
                next = "a run tells its name when it begins"
                raise BadInput(f"there is no run {named}", f"{opened.where} knows none", next)
        return str(named)
    if len(sought.gathering) < 2 or not (flags["refs"] or flags["running"]):
        return ""
    run = f"{now:%Y%m%d-%H%M%S}-{os.getpid()}"
    click.echo(
        f"{len(sought.gathering)} images; to go on if it breaks off: --resume {run}", err=True
    )
    return run


def _readers() -> str:
    """Which readers read: what others read before does not count."""
    from martello.practices.images.evidence.readers import IMAGE_READERS, version_of

    return version_of(IMAGE_READERS)
