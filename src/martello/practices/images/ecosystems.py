"""How package types, distributions and advisory feeds name each other.

Sources: the OSV schema's list of ecosystems, os-release(5), and the package URL specification.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from martello.core.errors import BadInput
from martello.core.package import Package, System

LANGUAGES: Final = {
    "bioconductor": "Bioconductor",
    "bitnami": "Bitnami",
    "cargo": "crates.io",
    "cocoapods": "CocoaPods",
    "composer": "Packagist",
    "conan": "ConanCenter",
    "cran": "CRAN",
    "gem": "RubyGems",
    "githubactions": "GitHub Actions",
    "golang": "Go",
    "hackage": "Hackage",
    "hex": "Hex",
    "julia": "Julia",
    "maven": "Maven",
    "npm": "npm",
    "nuget": "NuGet",
    "opam": "opam",
    "pub": "Pub",
    "pypi": "PyPI",
    "swift": "SwiftURL",
}
DEBIAN_RELEASES: Final = {
    "buster": "10",
    "bullseye": "11",
    "bookworm": "12",
    "trixie": "13",
    "forky": "14",
    "duke": "15",
}
# Families whose feeds speak of source (or origin) packages; the other ones speak of binary ones.
# The OSV schema says `source` of all of these. Where real records say otherwise than the schema,
# they count: AlmaLinux's list binary packages. Red Hat's list both, SUSE's and openSUSE's list
# the binary packages beside the source (see osv.py), updateinfo files list binary ones.
BY_SOURCE: Final = frozenset(
    ("Debian", "Ubuntu", "Echo", "Alpine", "Alpaquita", "Wolfi", "Chainguard", "MinimOS",
     "Rocky Linux", "Photon OS", "Azure Linux", "Mageia", "openEuler")
)  # fmt: skip
_TESTING: Final = "14"  # what Debian's unstable becomes next
_SERVICE_PACK: Final = re.compile(r" (\d+) SP(\d+)")
# a product for a release (`openshift:4.12::el9`), or the release itself and its streams
_RHEL_PART: Final = re.compile(
    r"Red Hat:(?:[\w:.-]+::el(\d+)|(?:enterprise_linux|rhel_[a-z0-9]+):(\d+)[\w.]*(?:::[\w.-]*)?)\Z"
)
_EULER_PACK: Final = re.compile(r"\((LTS(?:-SP\d+)?)\)")


def family(ecosystem: str) -> str:
    """The ecosystem without its release: `Debian` of `Debian:12`."""
    return ecosystem.partition(":")[0]


@lru_cache(maxsize=4096)
def canonical(osv_ecosystem: str) -> str:
    """OSV's spelling as the database keys it: releases as os-release writes them, and a module of
    SUSE's, or a stream or a product of Red Hat's, as the distribution that it is part of.
    """
    text = " ".join(osv_ecosystem.split())
    name, colon, release = text.partition(":")
    if not colon:
        return text
    if name == "Ubuntu":
        return text.removesuffix(":LTS")
    if name == "Red Hat":
        part = _RHEL_PART.match(text)
        return f"Red Hat:{part[1] or part[2]}" if part else text
    if name in ("SUSE", "openSUSE"):
        release = re.sub(r"^Linux Enterprise Module for .* (?=\d)", "Linux Enterprise Server ",
                         _SERVICE_PACK.sub(r" \1.\2", release))  # fmt: skip
        return f"{name}:{release}"
    if name in ("Azure Linux", "CBL-Mariner"):
        return f"Azure Linux:{_major(release)}"
    if name in ("Rocky Linux", "AlmaLinux", "Oracle Linux"):
        return f"{name}:{_major(release)}"
    return text


def ecosystem_of(type: str, system: System | None) -> str:
    """The ecosystem of packages of a package URL type in a system, spelled as the database keys
    it; empty where no advisories are known for it. A derivative is never read as its parent (E7):
    only the ID of os-release counts, never ID_LIKE.
    """
    if type in LANGUAGES:
        return LANGUAGES[type]
    if system is None:
        return ""
    known = _SYSTEMS.get(system.id.lower())
    return known[1](system) if known and known[0] == type else ""


@lru_cache(maxsize=65536)
def normalise(ecosystem: str, name: str) -> str:
    """A package's name as its ecosystem compares names (M2): PEP 503 for PyPI, without case for
    NuGet, Packagist and GitHub; all others are exact.
    """
    kind = family(ecosystem)
    if kind == "PyPI":
        return re.sub(r"[-_.]+", "-", name).lower()
    if kind in ("NuGet", "Packagist", "GitHub Actions", "Hex"):
        return name.lower()
    if kind == "SwiftURL":
        return re.sub(r"^https?://|\.git$", "", name.lower())
    return name


def _major(release: str) -> str:
    return release.partition(".")[0]


def _numbered(prefix: str, cut: Callable[[str], str] = str) -> Callable[[System], str]:
    return lambda system: f"{prefix}:{cut(system.version)}" if system.version else ""


def _rolling(name: str) -> Callable[[System], str]:
    return lambda _: name


def _debian(system: System) -> str:
    release = _major(system.version) or DEBIAN_RELEASES.get(system.codename.lower(), "")
    if not release and system.codename.lower() in ("sid", "unstable", "testing"):
        release = _TESTING
    if not release:  # older unstable images only say `trixie/sid`
        words = re.findall(r"[a-z]+", system.name.lower())
        release = next((DEBIAN_RELEASES[word] for word in words if word in DEBIAN_RELEASES), "")
    return f"Debian:{release}" if release else ""


def _alpine(system: System) -> str:
    if "_alpha" in system.version or "edge" in (system.version, system.codename):
        return "Alpine:edge"
    release = re.match(r"v?(\d+\.\d+)(?:[._]|\Z)", system.version)
    return f"Alpine:v{release[1]}" if release else ""


def _amazon(system: System) -> str:
    version = _major(system.version).partition(" ")[0]  # package URLs of trivy say `2 (Karoo)`
    if version in ("2016", "2017", "2018"):
        version = "1"
    return f"Amazon Linux:{version}" if version else ""


def _centos(system: System) -> str:
    """CentOS Linux is Red Hat's packages built again, with their names and releases, and has no
    feed of its own. CentOS Stream is not: it runs ahead of Red Hat's releases.
    """
    version = _major(system.version)
    if version not in ("5", "6", "7", "8") or "stream" in system.name.lower():
        return ""
    return f"Red Hat:{version}"


def _leap(system: System) -> str:
    return f"openSUSE:Leap {system.version}" if system.version else ""


def _suse(product: str) -> Callable[[System], str]:
    return lambda system: (
        f"SUSE:Linux Enterprise {product} {system.version}" if system.version else ""
    )


def _euler(system: System) -> str:
    pack = _EULER_PACK.search(system.name)
    if not system.version:
        return ""
    return f"openEuler:{system.version}{'-' + pack[1] if pack else ''}"


_SYSTEMS: Final[dict[str, tuple[str, Callable[[System], str]]]] = {
    "debian": ("deb", _debian),
    "ubuntu": ("deb", _numbered("Ubuntu")),
    "echo": ("deb", _rolling("Echo")),
    "alpine": ("apk", _alpine),
    "wolfi": ("apk", _rolling("Wolfi")),
    "chainguard": ("apk", _rolling("Chainguard")),
    "minimos": ("apk", _rolling("MinimOS")),
    "alpaquita": ("apk", _numbered("Alpaquita")),
    "rhel": ("rpm", _numbered("Red Hat", _major)),
    "centos": ("rpm", _centos),
    "rocky": ("rpm", _numbered("Rocky Linux", _major)),
    "almalinux": ("rpm", _numbered("AlmaLinux", _major)),
    "ol": ("rpm", _numbered("Oracle Linux", _major)),
    "amzn": ("rpm", _amazon),
    "fedora": ("rpm", _numbered("Fedora", _major)),
    "sles": ("rpm", _suse("Server")),
    "sled": ("rpm", _suse("Desktop")),
    "sle-micro": ("rpm", _suse("Micro")),
    "sl-micro": ("rpm", _suse("Micro")),
    "opensuse-leap": ("rpm", _leap),
    "opensuse-tumbleweed": ("rpm", _rolling("openSUSE:Tumbleweed")),
    "photon": ("rpm", _numbered("Photon OS")),
    "azurelinux": ("rpm", _numbered("Azure Linux", _major)),
    "mariner": ("rpm", _numbered("Azure Linux", _major)),
    "mageia": ("rpm", _numbered("Mageia", _major)),
    "openeuler": ("rpm", _euler),
}

# The namespaces that package URLs use for distributions, where they are not the ID of os-release.
_NAMESPACES: Final = {
    "rhel": "redhat",
    "opensuse-leap": "opensuse",
    "opensuse-tumbleweed": "opensuse",
    "sles": "suse",
    "sled": "suse",
}
_IDS: Final = {
    "redhat": "rhel",
    "alma": "almalinux",
    "oracle": "ol",
    "amazon": "amzn",
    "rocky linux": "rocky",
    "suse": "sles",
    "opensuse": "opensuse-leap",
    "opensuse.leap": "opensuse-leap",
    "opensuse.tumbleweed": "opensuse-tumbleweed",
    "cbl-mariner": "mariner",
    "azure": "azurelinux",
    "suse linux enterprise server": "sles",
    "suse linux enterprise micro": "sle-micro",
    "slem": "sle-micro",
}
_LOWER_NAMESPACES: Final = frozenset(("pypi", "composer", "apk", "hex", "github", "luarocks"))
_LOWER_NAMES: Final = _LOWER_NAMESPACES | {"npm", "bitnami"}
_DISTRIBUTIONS: Final = frozenset(("deb", "apk", "rpm"))
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~/:-]*")


def purl(package: Package, system: System | None) -> str:
    """The package URL of a package, as packageurl-python writes it. A package of a distribution
    carries its architecture, its release and, where it has another source, `upstream`.
    """
    kind = package.type
    namespace, name = _split_name(kind, package.name)
    version = package.version
    extra: dict[str, str] = {}
    if kind in _DISTRIBUTIONS:
        if system is not None:
            namespace = _NAMESPACES.get(system.id, system.id)
            release = system.version or system.codename
            extra["distro"] = f"{system.id}-{release}" if release else system.id
        extra["arch"] = package.arch
        extra["upstream"] = _upstream(package)
        if kind == "rpm":
            extra["rpmmod"] = package.module
            epoch, colon, rest = version.partition(":")
            if colon:
                extra["epoch"], version = epoch, rest
    text = f"pkg:{kind}/"
    if namespace:
        lowered = namespace.lower() if kind in _LOWER_NAMESPACES else namespace
        parts = (_encode(part) for part in lowered.split("/") if part.strip())
        text += "/".join(parts) + "/"
    text += _encode(_url_name(kind, name))
    if version:
        text += "@" + _encode(version)
    pairs = [f"{key}={_encode(extra[key])}" for key in sorted(extra) if extra[key]]
    return f"{text}?{'&'.join(pairs)}" if pairs else text


def parse_purl(text: str) -> Package:
    """The package that a package URL names, as far as it says so. Letters keep their case. Raises
    BadInput.
    """
    rest = text.strip()
    if rest[:4].lower() != "pkg:" or len(rest) > 4096:
        raise BadInput(f"no package URL: {text[:90]}", "it does not begin with pkg:")
    rest = rest[4:].lstrip("/").partition("#")[0]
    rest, _, qualifiers = rest.partition("?")
    kind, slash, rest = rest.partition("/")
    path, _, version = _cut_version(rest)
    parts = [unquote(part) for part in path.split("/") if part]
    if not slash or not parts or not re.fullmatch(r"[a-zA-Z.+-][a-zA-Z0-9.+-]*", kind):
        raise BadInput(f"no package URL: {text[:90]}", "it names no type or no package")
    kind, version = kind.lower(), unquote(version)
    pairs = (pair.partition("=") for pair in qualifiers.split("&"))
    extra = {key.lower(): unquote(value) for key, _, value in pairs if value}
    if kind not in _DISTRIBUTIONS:
        if kind == "npm" and parts[:-1] and not parts[0].startswith("@"):
            parts[0] = f"@{parts[0]}"  # only scopes have a slash
        separator = ":" if kind == "maven" else "/"
        name = separator.join(("/".join(parts[:-1]), parts[-1])) if parts[:-1] else parts[-1]
        return Package(type=kind, name=name, version=version, ecosystem=ecosystem_of(kind, None))
    epoch = extra.get("epoch", "0")
    if epoch != "0" and ":" not in version:
        version = f"{epoch}:{version}"
    system = _system(parts[0] if parts[:-1] else "", extra.get("distro", ""))
    source, source_version = _parse_upstream(extra.get("upstream", ""), version)
    if version.partition(":")[2] == source_version:
        source_version = source_version and version  # the file's name alone has no epoch
    return Package(
        type=kind,
        name=parts[-1],
        version=version,
        ecosystem=ecosystem_of(kind, system),
        source=source,
        source_version=source_version,
        arch=extra.get("arch", ""),
        module=extra.get("rpmmod") or extra.get("modularitylabel", ""),
    )


def _split_name(kind: str, name: str) -> tuple[str, str]:
    if kind in _DISTRIBUTIONS:
        return "", name
    namespace, _, last = name.rpartition(":" if kind == "maven" else "/")
    return namespace, last


def _url_name(kind: str, name: str) -> str:
    if kind == "pypi":
        return name.lower().replace("_", "-")
    if kind == "hackage":
        return name.replace("_", "-")
    if kind == "pub":
        return re.sub(r"[^a-z0-9]", "_", name.lower())
    return name.lower() if kind in _LOWER_NAMES else name


def _encode(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


@lru_cache(maxsize=65536)
def _quoted(text: str) -> str:
    # a slash stays as it is, like in packageurl-python
    return quote(text.strip(), safe="/:")


def _upstream(package: Package) -> str:
    if not package.source:
        return ""
    other = package.source_version not in ("", package.version)
    if other:
        return f"{package.source}@{package.source_version}"
    return package.source if package.source != package.name else ""


def _parse_upstream(text: str, version: str) -> tuple[str, str]:
    if text.endswith(".src.rpm"):
        name, _, rest = text.removesuffix(".src.rpm").rpartition("-")
        name, _, head = name.rpartition("-")
        return name, f"{head}-{rest}"
    name, _, other = text.partition("@")
    return name, (other or version) if name else ""


def _cut_version(path: str) -> tuple[str, str, str]:
    head, at, version = path.rpartition("@")
    # an unencoded scope of npm (`@scope/name`) is no version
    return (head, at, version) if at and head and "/" not in version else (path, "", "")


def _system(namespace: str, distro: str) -> System | None:
    match = re.fullmatch(r"([^0-9].*?)-v?(\d.*|edge)", distro)
    if match:
        identity, version = match[1], match[2]
    elif distro and (distro[0].isdigit() or distro in DEBIAN_RELEASES):
        identity, version = namespace, distro
    else:
        head, _, codename = distro.partition("-")
        identity, version = (distro, "") if codename not in DEBIAN_RELEASES else (head, codename)
    identity = (identity or namespace).lower()
    if not identity:
        return None
    codename = version if version in DEBIAN_RELEASES else ""
    return System(_IDS.get(identity, identity), "" if codename else version, codename)
