"""What one layer says by itself: evidence, links, whiteouts, and which paths it lays over others.

Facts do not depend on the layers below, so that they can be kept by the layer's digest. Of the
many files that prove nothing only a hash of the path stays: it tells later what they replace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from martello.adapters.tar import Entry, TarTrouble
from martello.core.body import Body, TooLarge
from martello.core.errors import BadInput, MartelloError
from martello.core.package import Unread
from martello.practices.images.evidence.model import NOTHING, Parsed, Reader
from martello.practices.images.evidence.readers import Choice, leaks_only
from martello.practices.images.evidence.shared import shared

WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"
_HASH_BYTES: Final = 8  # one number of an array of type Q
MOST_EVIDENCE: Final = 250_000
_MOST_LINKS: Final = 250_000
_MOST_WHITEOUTS: Final = 250_000
MOST_SAID: Final = 1_000_000  # as `said` counts it: a large layer says a twentieth of that
_TOO_MUCH: Final = "it names too many packages, or too many of their files"
_MOST_NAMES: Final = 64 << 20  # characters of paths that are kept
_MOST_TOLD: Final = 50
_MOST_UNREAD: Final = 1000  # files that a reader could not read
_MOST_LEAKS: Final = 5000
_LONGEST: Final = 400  # characters of a reason
_MOST_CLASHES: Final = 1000  # of files and directories in one layer: each costs a pass


class LayerFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """The facts of one layer, paths as its archive has them."""

    evidence: Mapping[str, Parsed] = {}
    links: Mapping[str, str] = {}  # symbolic links, targets as written
    hardlinks: Mapping[str, str] = {}  # paths that a reader wants: their bytes are elsewhere
    aliases: Mapping[str, str] = {}  # evidence that was read under another path, and that path
    whiteouts: tuple[str, ...] = ()  # with a slash at the end: all that lower layers have in it
    implied: tuple[str, ...] = ()  # directories that only files in them prove
    others: bytes = b""  # hashes of all that is no directory
    directories: bytes = b""  # hashes of directories with an entry
    unread: tuple[Unread, ...] = ()
    files: int = 0
    whole: bool = True  # the archive was read to its end


class FactStore(Protocol):
    """Where facts are kept. A diff-id counts only if we computed it from the blob (L11)."""

    def diff_id(self, blob: str) -> str | None:
        """The diff-id of a blob that was read once, by the blob's digest."""
        ...

    def get(self, diff_id: str, version: str) -> LayerFacts | None:
        """Facts kept by an analyzer of this version."""
        ...

    def put(self, blob: str, diff_id: str, version: str, facts: LayerFacts) -> None:
        """Keeps facts, and that this blob has this diff-id."""
        ...


def hashed(path: str) -> bytes:
    """The hash by which a path is remembered."""
    return blake2b(path.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()


def analyze(
    entries: Iterable[tuple[Entry, Body]],
    choice: Choice,
    where: str = "",
    *,
    layered: bool = True,
) -> LayerFacts:
    """The facts of a layer (or, not `layered`, of a file tree, where whiteouts mean nothing). What
    cannot be read is told, a layer that breaks off counts up to there. Raises what reading the
    blob raises: Unreachable, NotPermitted, Refused.
    """
    layer = _Layer(choice, layered)
    try:
        for entry, body in entries:
            layer.add(entry, body)
    except TarTrouble as trouble:
        layer.tell(Unread("layer", where, str(trouble)))
        return layer.facts(whole=False)
    return layer.facts(whole=True)


def said(parsed: Parsed) -> int:
    """How much one file says: the paths that its packages claim; as four of them a package or what
    could not be read, as forty a secret.
    """
    claimed = sum(len(claim.paths) for claim in parsed.claims)
    return 4 * (len(parsed.packages) + len(parsed.unread)) + 40 * len(parsed.leaks) + claimed


def room(facts: LayerFacts) -> int:
    """Bytes that the names in facts take, about."""
    names = (facts.implied, facts.whiteouts, facts.evidence, facts.links, facts.links.values())
    hashes = len(facts.others) + len(facts.directories)
    return hashes + sum(len(name) for kind in names for name in kind)


def reread(
    entries: Iterable[tuple[Entry, Body]], choice: Choice, wanted: Mapping[str, str]
) -> LayerFacts:
    """A second pass for files that only links make evidence (L5): `wanted` has the path in the
    archive, and the path that it stands for; both end in a slash for all files of a directory.
    """
    folders = {path: alias for path, alias in wanted.items() if path.endswith("/")}
    evidence: dict[str, Parsed] = {}
    aliases: dict[str, str] = {}
    left = MOST_SAID
    try:
        for entry, body in entries:
            if entry.kind != "file":
                continue
            path = entry.path
            alias = wanted.get(path, "")
            if not alias and folders and not choice.wanting(path):
                at = next((at for at in folders if path.startswith(at)), None)
                alias = folders[at] + path[len(at) :] if at is not None else ""
            readers = choice.wanting(alias) if alias else ()
            if readers:
                evidence[path] = read(readers, alias, body)
                aliases[path] = alias
                left -= said(evidence[path])
                if left < 0:
                    raise TarTrouble(_TOO_MUCH)
    except TarTrouble as trouble:
        unread = (Unread("layer", "", str(trouble)),)
        return LayerFacts(evidence=evidence, aliases=aliases, unread=unread, whole=False)
    return LayerFacts(evidence=evidence, aliases=aliases)


def read(readers: Collection[Reader], path: str, body: Body) -> Parsed:
    """What these readers make of one file; what they cannot read is told."""
    with shared(body, len(readers)) as bodies:
        found = [_read(reader, path, one) for reader, one in zip(readers, bodies, strict=True)]
    some = [parsed for parsed in found if parsed != NOTHING]
    return some[0] if len(some) == 1 else _joined(some)


def _read(reader: Reader, path: str, body: Body) -> Parsed:
    try:
        return reader.read(path, body)
    except TooLarge as error:
        why = f"it is too large: {error}"
    except BadInput as error:
        why = error.why or error.what
    except (TarTrouble, MartelloError):
        raise  # the layer, not the file
    except RecursionError:
        why = "it nests too deep"
    except Exception as error:  # a reader met what it does not know: hostile or new
        why = f"it cannot be read: {str(error)[:_LONGEST] or type(error).__name__}"
    return Parsed(unread=(Unread(reader.name, path, why),))


def _joined(found: Collection[Parsed]) -> Parsed:
    return Parsed(
        packages=tuple(package for one in found for package in one.packages),
        system=next((one.system for one in found if one.system), None),
        claims=tuple(claim for one in found for claim in one.claims),
        licences=tuple(licence for one in found for licence in one.licences),
        leaks=tuple(leak for one in found for leak in one.leaks),
        unread=tuple(unread for one in found for unread in one.unread),
        content_sets=tuple(text for one in found for text in one.content_sets),
        sibling=next((one.sibling for one in found if one.sibling), None),
    )


class _Layer:
    """The facts of a layer while its entries come in their order; the last of a path counts."""

    def __init__(self, choice: Choice, layered: bool) -> None:
        self._choice = choice
        self._layered = layered
        self._evidence: dict[str, Parsed] = {}
        self._links: dict[str, str] = {}
        self._hardlinks: dict[str, str] = {}
        self._whiteouts: dict[str, None] = {}
        self._folders: dict[str, bool] = {"": True}  # whether the directory has an entry
        self._others = bytearray()
        self._unread: list[Unread] = []
        self._untold = 0
        self._files = 0
        self._said = 0
        self._names = 0
        self._unread_files = 0
        self._leaks = 0
        self._clashes = 0

    def add(self, entry: Entry, body: Body) -> None:
        path = entry.path
        self._files += 1
        if entry.trouble:
            self.tell(Unread("entry", path[:200], entry.trouble))
        if entry.kind == "other":
            return
        slash = path.rfind("/")
        if self._layered and path.startswith(WHITEOUT, slash + 1):
            self._hide(path[: max(slash, 0)], path[slash + 1 :])
            return
        parent = path[:slash] if slash > 0 else ""
        if parent not in self._folders:
            self._imply(parent)
        if entry.kind == "dir":
            self._name(path)
            self._folders[path] = True
            self._forget(path)
            return
        if path in self._folders:
            self._replace(path)
        self._others += hashed(path)
        self._forget(path)
        if entry.kind == "symlink":
            self._bound(self._links, _MOST_LINKS, "symbolic links")
            self._name(path)
            self._name(entry.link)
            self._links[path] = entry.link
        elif entry.kind == "hardlink":
            self._link(path, entry.link)
        elif entry.kind == "file":
            readers = self._choice.wanting_file(path, entry.size, entry.mode)
            if self._leaks > _MOST_LEAKS:
                readers = tuple(one for one in readers if not leaks_only(one))
            if readers:
                parsed = self._told(read(readers, path, body))
                if parsed != NOTHING:
                    self._bound(self._evidence, MOST_EVIDENCE, "evidence files")
                    self._name(path)
                    self._said += said(parsed)
                    if self._said > MOST_SAID:
                        raise TarTrouble(_TOO_MUCH)
                    self._evidence[path] = parsed

    def tell(self, unread: Unread) -> None:
        """Keeps what was not read; of very many the number."""
        if len(self._unread) < _MOST_TOLD:
            self._unread.append(unread)
        else:
            self._untold += 1

    def _told(self, parsed: Parsed) -> Parsed:
        """Of very many files that cannot be read, and of very many secrets, only the number."""
        if parsed.unread:
            self._unread_files += 1
            if self._unread_files > _MOST_UNREAD:
                self._untold += len(parsed.unread)
                parsed = msgspec.structs.replace(parsed, unread=())
        if parsed.leaks:
            self._leaks += len(parsed.leaks)
            if self._leaks > _MOST_LEAKS:
                parsed = msgspec.structs.replace(parsed, leaks=())
        return parsed

    def facts(self, *, whole: bool) -> LayerFacts:
        unread = list(self._unread)
        if self._untold:
            unread.append(Unread("entries", "", f"{self._untold} more could not be read"))
        if self._leaks > _MOST_LEAKS:
            why = f"it holds more than {_MOST_LEAKS:,}, and was not searched for others"
            unread.append(Unread("secrets", "", why))
        folders = self._folders.items()
        return LayerFacts(
            evidence=self._evidence,
            links=self._links,
            hardlinks=self._hardlinks,
            whiteouts=tuple(self._whiteouts),
            implied=tuple(path for path, explicit in folders if not explicit),
            others=bytes(self._others),
            directories=b"".join(hashed(path) for path, explicit in folders if explicit and path),
            unread=tuple(unread),
            files=self._files,
            whole=whole,
        )

    def _name(self, path: str) -> None:
        """Counts what a name costs: deep directories cost the square of their depth."""
        self._names += len(path)
        if self._names > _MOST_NAMES:
            raise TarTrouble(f"its names take more than {_MOST_NAMES >> 20} MiB")

    def _hide(self, folder: str, name: str) -> None:
        self._name(folder)
        hidden = name.removeprefix(WHITEOUT)
        if name == OPAQUE:
            self._bound(self._whiteouts, _MOST_WHITEOUTS, "whiteouts")
            self._whiteouts[f"{folder}/"] = None
        elif hidden and not hidden.startswith(WHITEOUT) and hidden not in (".", ".."):
            self._bound(self._whiteouts, _MOST_WHITEOUTS, "whiteouts")
            self._whiteouts[f"{folder}/{hidden}" if folder else hidden] = None

    def _link(self, path: str, target: str) -> None:
        """A hard link counts if a reader wants its path, or has read its target."""
        self._name(path)
        parsed = self._evidence.get(target)
        if parsed is not None:
            self._evidence[path] = parsed
        elif self._choice.wanting(path):
            self._bound(self._hardlinks, _MOST_LINKS, "hard links")
            self._hardlinks[path] = target

    def _imply(self, folder: str) -> None:
        while folder and folder not in self._folders:
            self._name(folder)
            self._folders[folder] = False
            if folder not in self._links:
                self._forget(folder)
            folder = folder.rpartition("/")[0]

    def _forget(self, path: str) -> None:
        for kind in (self._evidence, self._links, self._hardlinks):
            if path in kind:
                del kind[path]

    def _replace(self, path: str) -> None:
        """Something takes the place of a directory that came before it in this archive (L8)."""
        self._clashes += 1
        if self._clashes > _MOST_CLASHES:
            raise TarTrouble("too many of its files replace directories of its own")
        below = path + "/"
        for kind in (self._evidence, self._links, self._hardlinks, self._folders):
            for known in [one for one in kind if one == path or one.startswith(below)]:
                del kind[known]

    def _bound(self, kind: Collection[str], most: int, name: str) -> None:
        if len(kind) >= most:
            raise TarTrouble(f"it has more than {most:,} {name}")
