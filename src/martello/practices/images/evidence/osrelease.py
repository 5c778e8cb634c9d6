"""Which distribution an image is of: os-release, and the older files that say so.

Sources: os-release(5), the Linux Standard Base's lsb-release, and the release files of Alpine and
of Red Hat's family.
"""

from __future__ import annotations

import re
from typing import Final

from martello.core.package import System
from martello.practices.images.evidence.model import NOTHING, Body, Parsed, Reader

# The first one that is there decides: /etc may say what /usr/lib does not know of.
ORDER: Final = (
    "etc/os-release",
    "usr/lib/os-release",
    "etc/lsb-release",
    "etc/alpine-release",
    "etc/redhat-release",
    "etc/centos-release",
)
_LARGEST: Final = 64 << 10
_LONGEST: Final = 200
_RED_HAT: Final = {
    "red hat enterprise linux": "rhel",
    "centos": "centos",
    "fedora": "fedora",
    "rocky linux": "rocky",
    "almalinux": "almalinux",
    "oracle linux": "ol",
    "scientific linux": "scientific",
    "amazon linux": "amzn",
}
_RELEASE: Final = re.compile(r"(.*?)\s+(?:stream\s+)?release\s+(\d[\w.]*)(?:\s+\(([^()]*)\))?")


def read_release(path: str, body: Body) -> Parsed:
    """The distribution of one of these files. Raises TooLarge, and ValueError where a file that
    must name one does not.
    """
    text = body.whole(_LARGEST).decode("utf-8", "replace")
    if path.endswith("os-release"):
        return Parsed(system=_os_release(text))
    if path.endswith("lsb-release"):
        system = _lsb(text)
    elif path.endswith("alpine-release"):
        system = System("alpine", _line(text), name=f"Alpine Linux {_line(text)}")
    else:
        system = _red_hat(_line(text))
    return Parsed(system=system) if system is not None else NOTHING


def _os_release(text: str) -> System:
    found = _assignments(text)
    # a missing ID means `linux`, which has no advisories: said once the packages are matched
    return System(
        id=found.get("ID", "linux").lower(),
        version=found.get("VERSION_ID", ""),
        codename=found.get("VERSION_CODENAME", ""),
        name=found.get("PRETTY_NAME", "") or found.get("NAME", ""),
        like=tuple(found.get("ID_LIKE", "").lower().split()[:16]),
        cpe=found.get("CPE_NAME", ""),
    )


def _lsb(text: str) -> System | None:
    found = _assignments(text)
    identity = found.get("DISTRIB_ID", "").lower()
    if not identity:
        return None
    release, codename = found.get("DISTRIB_RELEASE", ""), found.get("DISTRIB_CODENAME", "")
    return System(identity, release, codename, found.get("DISTRIB_DESCRIPTION", ""))


def _red_hat(line: str) -> System | None:
    match = _RELEASE.match(line.lower())
    if match is None:
        return None
    known = (key for key in _RED_HAT if match[1].startswith(key))
    identity = next((_RED_HAT[key] for key in known), "")
    return System(identity, match[2], match[3] or "", line) if identity else None


def _assignments(text: str) -> dict[str, str]:
    """KEY=value lines, with the shell's quotes undone; the last one of a key counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or not re.fullmatch(r"[A-Z][A-Z0-9_]*", key):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            quote, value = value[0], value[1:-1]
            if quote == '"':
                value = re.sub(r"\\([\"\\$`])", r"\1", value)
        found[key] = _line(value)
    return found


def _line(text: str) -> str:
    line = text.strip().partition("\n")[0].strip()
    return line[:_LONGEST] if line.isprintable() else ""


READERS: Final = (
    Reader(
        "os-release",
        read_release,
        names=frozenset(path.rpartition("/")[2] for path in ORDER),
        accepts=frozenset(ORDER).__contains__,
    ),
)
