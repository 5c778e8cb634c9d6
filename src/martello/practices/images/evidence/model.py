"""What a reader of evidence is: which files it wants, and what it makes of their bytes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from martello.core.body import Body as Body
from martello.core.body import TooLarge as TooLarge
from martello.core.package import Leak, Package, System, Unread


class Claim(msgspec.Struct, frozen=True):
    """A distribution package says that these evidence files are its own."""

    package: str  # its name; empty: the package of the database file that lists it
    paths: tuple[str, ...]


class Licence(msgspec.Struct, frozen=True):
    """The licences of a distribution package, where they stand in a file of their own."""

    package: str
    licences: tuple[str, ...]


class Sibling(msgspec.Struct, frozen=True):
    """What a lock file or manifest says only together with others near it: `locks.settle` joins
    them. Nodes are `name@version` of packages or, in between, what asks for them.
    """

    kind: str  # cargo.lock, cargo.toml, go.mod, …
    packages: tuple[Package, ...] = ()  # that count only if a sibling says so
    needs: tuple[tuple[str, tuple[str, ...]], ...] = ()  # node → nodes
    wanted: tuple[str, ...] = ()  # by the project itself, at run time
    wanted_dev: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()  # names of the project's own packages


class Parsed(msgspec.Struct, frozen=True):
    """What one evidence file says. Packages of distributions have no ecosystem yet: it depends on
    the image's os-release. Paths and layers are filled in by whoever read the file.
    """

    packages: tuple[Package, ...] = ()
    system: System | None = None
    claims: tuple[Claim, ...] = ()
    licences: tuple[Licence, ...] = ()
    leaks: tuple[Leak, ...] = ()
    unread: tuple[Unread, ...] = ()
    content_sets: tuple[str, ...] = ()
    projects: tuple[Package, ...] = ()  # what a lock file belongs to: no dependency of its own
    sibling: Sibling | None = None


NOTHING = Parsed()


class Reader(msgspec.Struct, frozen=True):
    """One kind of evidence. A file is wanted if its name is in `names`, or its path ends with one
    of `suffixes` or lies below one of `under`, and `accepts(path)` holds; for `programs`, if it is
    an executable regular file of at least 4 KiB that no other reader wants.
    """

    name: str
    read: Callable[[str, Body], Parsed]  # (path, body); may raise TooLarge, ValueError, KeyError …
    names: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    accepts: Callable[[str], bool] | None = None
    programs: bool = False
    version: int = 1  # counted up when its answers change: kept facts of layers are made anew
