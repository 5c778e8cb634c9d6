"""From many targets to inventories: each digest once, whoever names it, by as many processes as are
wanted. What cannot be read is told, and the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.adapters.registry.client import Registry
from martello.cli.images.batch import Batch, Unit, job_of, read_all
from martello.cli.images.inventories import facts_kept, inventories_of, inventory_of
from martello.cli.images.opening import Opened, open_images
from martello.cli.images.running import Running
from martello.cli.images.target import parse_image_target
from martello.cli.progress import Progress
from martello.core.errors import BadInput, MartelloError, NotPermitted, Refused
from martello.core.finding import Unassessed
from martello.core.package import Inventory
from martello.core.resource import Location

_WHOLE: Final = ("sbom", "rootfs", "dir")  # targets without a digest


class Found(msgspec.Struct, frozen=True):
    """One image that was read. `reference` is empty where it came from no registry."""

    inventory: Inventory
    reference: str = ""
    index: str = ""
    used: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Gathered(msgspec.Struct, frozen=True):
    """Everything that was read, and what could not be."""

    found: tuple[Found, ...]
    missing: tuple[Unassessed, ...] = ()


class _Image(msgspec.Struct):
    """One digest, with everybody who names it."""

    opened: Opened
    word: str
    wanted: list[Running]


class Gathering:
    """Collects what targets lead to, and reads it. Errors of single targets are kept; where nothing
    at all could be read, the first one is raised, unless it says that bytes are not what they
    should be: that is known of the image, and no verdict.
    """

    def __init__(self, flags: Mapping[str, Any], state: str, progress: Progress) -> None:
        self._flags = flags
        self._state = state
        self._progress = progress
        self._images: dict[str, _Image] = {}
        self._whole: list[Found] = []
        self._missing: list[Unassessed] = []
        self._errors: list[MartelloError] = []

    def words(self, words: Sequence[str]) -> None:
        """Targets as they are typed. One that cannot be meant is an error of the command line."""
        for word in words:
            parse_image_target(word)
        self.running([Running(word, "", word, ()) for word in words])

    def running(self, wanted: Sequence[Running]) -> None:
        """Targets, or what runs in a cluster with the secrets to pull it."""
        for number, one in enumerate(wanted):
            self._progress("images looked up", number, len(wanted))
            try:
                self._add(one)
            except MartelloError as error:
                self._fail(one.image, _with_secrets(error, one))

    def read(self, version: str, jobs: int, run: str) -> Gathered:
        """Reads every image once; `run` names work that can be resumed, where there is more than
        one of them.
        """
        read = self._read_many(version, jobs, run) if run else self._read_each()
        found = [*self._whole, *read]
        if not found and self._errors and not isinstance(self._errors[0], Refused):
            raise self._errors[0]
        return Gathered(tuple(found), tuple(self._missing))

    def __len__(self) -> int:
        return len(self._images)

    def _add(self, one: Running) -> None:
        target = parse_image_target(one.word)
        if target.kind in _WHOLE:
            for inventory in inventories_of(target, self._flags, None, self._progress):
                self._whole.append(Found(inventory))
            return
        opened = open_images(target, self._flags, *one.keyrings)
        if one.digest and one.bare:
            opened = _configured(opened, one)
        for image in opened:
            held = self._images.setdefault(image.manifest.digest, _Image(image, one.word, []))
            held.wanted.append(one)

    def _read_each(self) -> Iterator[Found]:
        with facts_kept(self._state, self._flags) as store:
            for image in self._images.values():
                try:
                    yield self._found(image, inventory_of(image.opened, store, self._progress))
                except MartelloError as error:
                    self._fail(image.opened.name, error)

    def _read_many(self, version: str, jobs: int, run: str) -> Iterator[Found]:
        units = {
            digest: Unit(image.word, digest, self._flags.get("platform", "") or "")
            for digest, image in self._images.items()
        }
        keyrings = {
            digest: tuple(ring for one in image.wanted for ring in one.keyrings)
            for digest, image in self._images.items()
        }
        batch = Batch(self._state, job_of(run), version, dict(self._flags), keyrings)
        read = read_all(batch, list(units.values()), jobs, self._progress)
        for digest, answer in read.items():
            image = self._images[digest]
            if isinstance(answer, str):
                self._fail(image.wanted[0].image, NotPermitted(answer))
            else:
                yield self._found(image, answer)

    def _found(self, image: _Image, inventory: Inventory) -> Found:
        opened = image.opened
        index = opened.index.digest if opened.index is not None else ""
        name = opened.name if not image.wanted[0].digest else image.wanted[0].image
        names = dict.fromkeys(one.image for one in image.wanted)
        others = [other for other in names if other not in (name, f"registry:{name}")]
        notes = tuple(f"the same image is named {other}" for other in others)
        used = tuple(dict.fromkeys(user for one in image.wanted for user in one.used))
        plain = isinstance(opened.place, Registry) and not image.wanted[0].digest
        return Found(
            msgspec.structs.replace(inventory, name=name, index=index),
            opened.name if plain else "",
            index,
            used,
            notes,
        )

    def _fail(self, name: str, error: MartelloError) -> None:
        self._errors.append(error)
        why = f"{error.what}: {error.why}" if error.why else error.what
        self._missing.append(Unassessed(why, Location(name)))


def _configured(opened: Sequence[Opened], one: Running) -> tuple[Opened, ...]:
    """Some nodes name an image by its configuration, which no registry can be asked for: it is what
    the reference means, if that has not moved since (A9).
    """
    meant = [
        image
        for image in opened
        if one.digest in (image.manifest.config.digest, image.manifest.digest)
    ]
    if not meant:
        why = f"its registry has nothing of {one.digest} under that name any more"
        raise BadInput(f"cannot read what runs as {one.image}", why)
    return tuple(meant)


def _with_secrets(error: MartelloError, one: Running) -> MartelloError:
    """The error, with the pull secrets that might have helped."""
    if not one.unread:
        return error
    why = "; ".join(part for part in (error.why, *one.unread) if part)
    return type(error)(error.what, why, error.next)
