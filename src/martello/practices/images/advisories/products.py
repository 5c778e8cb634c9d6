"""Which of Red Hat's products an image's packages come from (M8): an advisory counts only where it
is of a repository that the image was built from.

Source: Red Hat's `repository-to-cpe.json`, which names the CPEs of each repository (content set).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Protocol

import msgspec

from martello.core.errors import BadInput
from martello.core.package import System
from martello.practices.images.advisories.archive import whole
from martello.practices.images.ecosystems import ecosystem_of

LARGEST: Final = 64 << 20
_MINOR: Final = re.compile(r"(?<=redhat:enterprise_linux:)(\d+)\.\d+")
# What every subscription has; used where the image does not say what it was built from.
_EDITIONS: Final = {
    "5": ("o:{}::server", "o:{}::client"),
    "6": ("o:{}::server", "o:{}::client", "o:{}::workstation", "o:{}::computenode"),
    "7": ("o:{}::server", "o:{}::client", "o:{}::workstation", "o:{}::computenode"),
}
_NEWER: Final = ("o:{}::baseos", "a:{}::appstream", "a:{}::crb")


class Repositories(Protocol):
    """What is asked of an advisory database."""

    def products(self, repository: str) -> tuple[str, ...]:
        """The CPEs of a repository."""
        ...


class _Repository(msgspec.Struct, frozen=True):
    cpes: list[str] | None = None


class _Mapping(msgspec.Struct, frozen=True):
    data: dict[str, _Repository]


def repositories(path: Path) -> dict[str, tuple[str, ...]]:
    """Repository to CPEs, out of a `repository-to-cpe.json`. Raises BadInput."""
    content = whole(path, LARGEST)
    try:
        found = msgspec.json.decode(content, type=_Mapping).data
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"cannot read {path}", f"it maps no repositories ({error})") from None
    return {
        name: tuple(sorted({product(cpe.strip()) for cpe in repository.cpes or ()}))
        for name, repository in found.items()
    }


def product(cpe: str) -> str:
    """The CPE as advisories and repositories are compared by it: of Red Hat Enterprise Linux only
    the major release counts (documents of release 10 write `10.0` and `10.1`).
    """
    return _MINOR.sub(r"\1", cpe)


def products_of(system: System | None, database: Repositories) -> frozenset[str] | None:
    """The CPEs of all repositories that an image of Red Hat's (or CentOS Linux) was built from, by
    its content sets, else those of a usual subscription; None for any other system.
    """
    name, _, major = ecosystem_of("rpm", system).partition(":")
    if name != "Red Hat" or system is None:
        return None
    found = {cpe for content in system.content_sets for cpe in database.products(content)}
    return frozenset(found) if found else usual(major)


def usual(major: str) -> frozenset[str]:
    """The CPEs of what every subscription to a release has."""
    patterns = _EDITIONS.get(major, _NEWER)
    release = f"redhat:enterprise_linux:{major}"
    whole_release = {f"cpe:/o:{release}", f"cpe:/a:{release}"}
    return frozenset(
        {f"cpe:/{p.replace(':', ':redhat:enterprise_linux:', 1).format(major)}" for p in patterns}
        | whole_release
    )
