"""Whether a record is meant for an installed package at all, before versions are compared: module,
architecture, product, build, and the kernel that a container does not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from martello.core.package import Package
from martello.core.vulnerability import ANY_MODULE, Affected
from martello.practices.images.advisories.products import usual
from martello.practices.images.ecosystems import family

DISTRIBUTIONS: Final = frozenset(("deb", "rpm", "apk"))
# Header and documentation packages of a kernel: a container runs the kernel of its node.
_KERNELS: Final = frozenset(("linux", "kernel", "linux-lts", "kernel-headers", "linux-headers"))
_KERNEL_STARTS: Final = ("linux-image", "linux-headers", "linux-modules", "linux-signed", "kernel-")
USUAL: Final = "usual"
_MODULAR: Final = re.compile(r"\.module[_+]")  # in the release of what is built as one
_BUILD: Final = re.compile(r"\.(ksplice\d+)(?=\.|\Z)|_(fips)\Z", re.IGNORECASE)


def kernel(package: Package) -> bool:
    """Whether a package is of a kernel, which a container does not run."""
    if package.type not in DISTRIBUTIONS:
        return False
    name = package.source or package.name
    return name in _KERNELS or name.startswith(_KERNEL_STARTS)


def meant_for_another(
    affected: Affected, package: Package, products: frozenset[str] | None
) -> tuple[str, str] | None:
    """The kind of an Aside and why, where the record is of another module, architecture, build or
    product; None where it is of the package.
    """
    if not _same_module(affected.module, package.module):
        why = f"the record is of module {affected.module or 'none'}"
        return "module", f"{why}, the package of {package.module or 'none'}"
    if affected.arches and package.arch not in (*affected.arches, "noarch", "all", ""):
        return "arch", f"the record is of {', '.join(affected.arches)}"
    if family(package.ecosystem) == "Oracle Linux":
        builds = _builds(affected)
        if builds and build(package.version) not in builds:
            return "status", f"the record is of the {' or '.join(sorted(builds))} build"
    if affected.cpes and products is None and family(package.ecosystem) == "Red Hat":
        products = usual(package.ecosystem.partition(":")[2])  # of a list without its system
    if affected.cpes and products is not None and not _in_products(affected.cpes, products):
        return "status", "the record is of another product or repository"
    return None


def unclear(package: Package, said: Sequence[Affected]) -> str:
    """Why these records cannot tell about a package; empty where they can."""
    if package.type != "rpm":
        return ""
    if not package.module and _MODULAR.search(package.version) and any(a.module for a in said):
        return "it was built as part of a module that is not stated, and advisories are of modules"
    if family(package.ecosystem) == "Oracle Linux":
        own = build(package.version)
        if own != USUAL and not any(own in _builds(affected) for affected in said):
            return f"it is a {own} build, and no advisory is of those"
    return ""


def build(version: str) -> str:
    """Which of Oracle's builds a version is of. Its live-patched (`ksplice1`) and certified
    (`fips`) ones have epochs that put them above each usual one, and are mended by themselves.
    """
    found = _BUILD.search(version)
    return (found[1] or found[2]).lower() if found else USUAL


def _builds(affected: Affected) -> frozenset[str]:
    """The builds that a record's fixes are of; none where nothing is fixed."""
    bounds = (bound for events in affected.ranges for bound in events.events)
    return frozenset(build(version) for kind, version in bounds if kind == "fixed")


def _same_module(said: str, installed: str) -> bool:
    """By `name:stream`: a label may go on with version and context."""
    if said == ANY_MODULE:
        return bool(installed)
    return said.split(":")[:2] == installed.split(":")[:2]


def _in_products(cpes: Iterable[str], products: frozenset[str]) -> bool:
    """A CPE without an edition means all repositories of its product."""
    return any(
        cpe in products or ("::" not in cpe and any(p.startswith(f"{cpe}::") for p in products))
        for cpe in cpes
    )
