"""Reads an image or a file tree into an inventory: configuration, layers, facts, the whole.

Each layer is read once, as a stream. Kept facts spare even that: a rescan reads no layer at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.adapters import tar
from martello.adapters.layers import LayerStream, Measured
from martello.adapters.tar import Entry, Limits, TarTrouble
from martello.core import plain_json
from martello.core.artifact import Descriptor, Manifest, Platform, Repository, read_blob
from martello.core.body import Body
from martello.core.errors import BadInput, Refused
from martello.core.package import Inventory, LayerOrigin, Leak, Package, Unread
from martello.practices.images.evidence.model import Parsed, Reader
from martello.practices.images.evidence.readers import IMAGE_READERS, Choice, choice
from martello.practices.images.facts import (
    MOST_EVIDENCE,
    MOST_SAID,
    FactStore,
    LayerFacts,
    analyze,
    reread,
    room,
    said,
)
from martello.practices.images.inventory import Wanted, lay, merge, wanted
from martello.practices.images.secrets import blacked, scan_config

Progress = Callable[[str], None]  # told what is read now, in a few words
_LARGEST_CONFIG: Final = 4 << 20  # bytes: what other tools take, too
_MOST_SETTINGS: Final = 50_000  # variables, labels and steps of one configuration
_MOST_LAYERS: Final = 50_000
_MOST_NAMES: Final = 128 << 20  # bytes, of all layers
_MOST_PACKAGES: Final = MOST_SAID // 4  # of one image, each once: all of Debian has a quarter
_FOREIGN: Final = ("nondistributable", "foreign")
_ABSENT: Final = LayerFacts(whole=False)


class _History(msgspec.Struct, frozen=True):
    created: str = ""
    created_by: str = ""


class _Config(msgspec.Struct, frozen=True):
    platform: Platform
    user: str
    created: str
    labels: tuple[tuple[str, str], ...]
    history: tuple[_History, ...]  # of the steps that made a layer
    diff_ids: tuple[str, ...]


def scan_image(
    manifest: Manifest,
    repository: Repository,
    facts: FactStore | None = None,
    *,
    name: str,
    index: str = "",
    progress: Progress | None = None,
    readers: tuple[Reader, ...] = IMAGE_READERS,
    config_leaks: Callable[[Mapping[str, Any]], tuple[Leak, ...]] = scan_config,
    limits: Limits = tar.DEFAULT,
) -> Inventory:
    """The inventory of one image, with the secrets that `config_leaks` finds in its configuration
    (a reader of `readers` finds those in files). A layer that cannot be read is told. Raises
    BadInput where the configuration is none, Refused where bytes are not what their digest says,
    and whatever the repository raises.
    """
    settings = _settings(read_blob(repository, manifest.config, _LARGEST_CONFIG), name)
    config = _configuration(settings)
    reading = _Reading(manifest, repository, facts, config, choice(readers), limits, progress)
    layers = [reading.facts(number) for number in range(len(manifest.layers))]
    overlay = lay(layers)
    missing = wanted(overlay, layers, reading.choice)
    if missing:
        for number in sorted({one.layer for one in missing}):
            more = reading.again(number, [one for one in missing if one.layer == number])
            layers[number] = _with(layers[number], more)
        overlay = lay(layers)
    inventory = merge(layers, name=name, overlay=overlay)
    return msgspec.structs.replace(
        inventory,
        leaks=(*config_leaks(settings), *inventory.leaks),
        digest=manifest.digest,
        index=index,
        config=manifest.config.digest,
        platform=config.platform,
        layers=_origins(manifest, config, reading.diff_ids),
        user=config.user,
        created=config.created,
        labels=config.labels,
        bytes_read=reading.bytes_read,
    )


def scan_tree(
    walk: Callable[[], Iterable[tuple[Entry, Body]]],
    *,
    name: str,
    readers: tuple[Reader, ...] = IMAGE_READERS,
    settle: Callable[[Mapping[str, Parsed]], Mapping[str, Parsed]] | None = None,
) -> Inventory:
    """The inventory of a file tree (`rootfs:`, `dir:`). `walk` gives its entries anew each time;
    `settle` joins what several files say together, as lock files need it.
    """
    chosen = choice(readers)
    layer = analyze(walk(), chosen, name, layered=False)
    missing = wanted(lay([layer]), [layer], chosen)
    if missing:
        layer = _with(layer, reread(walk(), chosen, {one.path: one.alias for one in missing}))
    if settle is not None:
        layer = msgspec.structs.replace(layer, evidence=settle(layer.evidence))
    inventory = merge([layer], name=name)
    packages = (msgspec.structs.replace(one, layer=-1) for one in inventory.packages)
    leaks = (msgspec.structs.replace(one, layer=-1) for one in inventory.leaks)
    return msgspec.structs.replace(inventory, packages=tuple(packages), leaks=tuple(leaks))


class _Reading:
    """The layers of one image while they are read."""

    def __init__(
        self,
        manifest: Manifest,
        repository: Repository,
        store: FactStore | None,
        config: _Config,
        choice: Choice,
        limits: Limits,
        progress: Progress | None,
    ) -> None:
        if len(manifest.layers) > _MOST_LAYERS:
            raise BadInput(f"cannot read {manifest.digest}", f"more than {_MOST_LAYERS:,} layers")
        self.choice = choice
        self.bytes_read = 0
        self.diff_ids: dict[int, str] = {}
        self._layers = manifest.layers
        self._repository = repository
        self._store = store
        self._limits = limits
        self._progress = progress
        same = len(config.diff_ids) == len(manifest.layers)
        self._promised = config.diff_ids if same else ("",) * len(manifest.layers)
        self._packages: dict[Package, Package] = {}
        self._left = 2 * MOST_SAID
        self._room = _MOST_NAMES
        self._evidence = MOST_EVIDENCE

    def facts(self, number: int) -> LayerFacts:
        """The facts of a layer, kept or read. A diff-id counts only as we computed it."""
        layer = self._layers[number]
        if any(word in layer.media for word in _FOREIGN):
            why = "its bytes lie elsewhere (a foreign layer), and are never fetched from there"
            return msgspec.structs.replace(_ABSENT, unread=(Unread("layer", layer.digest, why),))
        return self._bounded(layer, self._obtain(number, layer, self.choice.version, self._first))

    def again(self, number: int, missing: Sequence[Wanted]) -> LayerFacts:
        """The facts of a second pass for files that only links make evidence."""
        paths = {one.path: one.alias for one in missing}
        words = "\n".join(f"{path}\0{alias}" for path, alias in sorted(paths.items()))
        version = f"{self.choice.version}-{hashlib.sha256(words.encode()).hexdigest()[:16]}"

        def second(entries: Iterable[tuple[Entry, Body]], _: str) -> LayerFacts:
            return reread(entries, self.choice, paths)

        return self._obtain(number, self._layers[number], version, second)

    def _first(self, entries: Iterable[tuple[Entry, Body]], where: str) -> LayerFacts:
        return analyze(entries, self.choice, where)

    def _obtain(
        self,
        number: int,
        layer: Descriptor,
        version: str,
        read: Callable[[Iterable[tuple[Entry, Body]], str], LayerFacts],
    ) -> LayerFacts:
        promised = self._promised[number]
        diff_id = self._store.diff_id(layer.digest) if self._store else None
        if promised and diff_id is not None and promised != diff_id:
            what = f"layer {number + 1} is not what the configuration promises"
            raise Refused(what, f"{promised} is really {diff_id}")
        if self._store and diff_id is not None:
            kept = self._store.get(diff_id, version)
            if kept is not None:
                self.diff_ids[number] = diff_id
                return kept
        if self._progress:
            size = f"{layer.size / 1e6:,.1f} MB"
            self._progress(f"reading layer {number + 1} of {len(self._layers)}, {size}")
        blob = self._repository.blob(layer)
        with LayerStream(blob, expected=layer, diff_id=promised, limits=self._limits) as stream:
            try:
                found = read(stream.walk(), layer.digest)
                measured = _finished(stream)
                if found.whole and measured is not None:
                    self.diff_ids[number] = measured.diff_id
                    if self._store:
                        self._store.put(layer.digest, measured.diff_id, version, found)
            finally:
                self.bytes_read += stream.compressed
        return found

    def _bounded(self, layer: Descriptor, facts: LayerFacts) -> LayerFacts:
        """The facts with one object for each package, as layer after layer repeats the database of
        the distribution; told instead where all layers together say too much.
        """
        known = self._packages
        self._left -= sum(map(said, facts.evidence.values()))
        self._room -= room(facts)
        self._evidence -= len(facts.evidence)
        evidence = {
            path: msgspec.structs.replace(
                parsed, packages=tuple(known.setdefault(one, one) for one in parsed.packages)
            )
            if parsed.packages
            else parsed
            for path, parsed in facts.evidence.items()
        }
        if min(self._left, self._room, self._evidence) < 0 or len(known) > _MOST_PACKAGES:
            why = "with those below it holds too many packages, files or secrets"
            return msgspec.structs.replace(_ABSENT, unread=(Unread("layer", layer.digest, why),))
        return msgspec.structs.replace(facts, evidence=evidence)


def _finished(stream: LayerStream) -> Measured | None:
    """What a layer turned out to be; None where it cannot be read to its end. Raises Refused."""
    try:
        return stream.finish()
    except TarTrouble:
        return None


def _with(facts: LayerFacts, more: LayerFacts) -> LayerFacts:
    return msgspec.structs.replace(
        facts,
        evidence={**facts.evidence, **more.evidence},
        aliases=more.aliases,
        unread=(*facts.unread, *more.unread),
    )


def _origins(
    manifest: Manifest, config: _Config, diff_ids: Mapping[int, str]
) -> tuple[LayerOrigin, ...]:
    steps = config.history
    if len(steps) != len(manifest.layers):
        steps = (_History(),) * len(manifest.layers)  # which step made which layer is not known
    promised = config.diff_ids
    return tuple(
        LayerOrigin(
            layer.digest,
            diff_ids.get(number) or (promised[number] if number < len(promised) else ""),
            layer.media,
            layer.size,
            steps[number].created_by,
            steps[number].created,
        )
        for number, layer in enumerate(manifest.layers)
    )


def _settings(raw: bytes, name: str) -> Mapping[str, Any]:
    body = plain_json.read(raw, plain_json.CONFIGURATION, f"the configuration of {name}")
    if not isinstance(body, dict):
        raise BadInput(f"cannot read {name}", "its configuration is no JSON object")
    inner = _mapping(body.get("config"))
    settings = len(_list(body.get("history"))) + len(_list(inner.get("Env")))
    if settings + len(_mapping(inner.get("Labels"))) > _MOST_SETTINGS:
        why = f"its configuration has more than {_MOST_SETTINGS:,} variables, labels and steps"
        raise BadInput(f"cannot read {name}", why)
    return body


def _configuration(body: Mapping[str, Any]) -> _Config:
    inner = _mapping(body.get("config"))
    rootfs = _mapping(body.get("rootfs"))
    return _Config(
        Platform(_text(body, "os"), _text(body, "architecture"), _text(body, "variant")),
        _text(inner, "User"),
        _text(body, "created"),
        _labels(_mapping(inner.get("Labels"))),
        tuple(
            _History(_text(step, "created"), blacked(_text(step, "created_by")))
            for step in map(_mapping, _list(body.get("history")))
            if not step.get("empty_layer")
        ),
        tuple(text for text in _list(rootfs.get("diff_ids")) if type(text) is str),
    )


def _labels(labels: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Labels that are texts; of one that holds a secret, what is left of it."""
    found: list[tuple[str, str]] = []
    for name, value in labels.items():
        if isinstance(value, str):
            whole = f"{name}={value}"
            shown = blacked(whole)
            if shown != whole:
                name, _, value = shown.partition("=")
            found.append((name, value))
    return tuple(sorted(found))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key, "")
    return value if isinstance(value, str) else ""
