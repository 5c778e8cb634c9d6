"""Ecosystems, releases and package URLs."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from martello.core.errors import BadInput
from martello.core.package import Package, System
from martello.practices.images.ecosystems import (
    LANGUAGES,
    canonical,
    ecosystem_of,
    family,
    normalise,
    parse_purl,
    purl,
)

SYSTEMS = [
    ("deb", System("debian", "12", "bookworm"), "Debian:12"),
    ("deb", System("debian", "", "trixie"), "Debian:13"),
    ("deb", System("debian", "", "sid"), "Debian:14"),
    ("deb", System("debian", "", "", "Debian GNU/Linux forky/sid"), "Debian:14"),
    ("deb", System("ubuntu", "22.04"), "Ubuntu:22.04"),
    ("apk", System("alpine", "3.19.1"), "Alpine:v3.19"),
    ("apk", System("alpine", "3.21.0_alpha20240807"), "Alpine:edge"),
    ("apk", System("wolfi", "20230201"), "Wolfi"),
    ("apk", System("chainguard", "20230214"), "Chainguard"),
    ("rpm", System("rhel", "9.4"), "Red Hat:9"),
    ("rpm", System("rocky", "9.3"), "Rocky Linux:9"),
    ("rpm", System("almalinux", "8.10"), "AlmaLinux:8"),
    ("rpm", System("ol", "9.4"), "Oracle Linux:9"),
    ("rpm", System("amzn", "2"), "Amazon Linux:2"),
    ("rpm", System("amzn", "2023"), "Amazon Linux:2023"),
    ("rpm", System("amzn", "2018.03"), "Amazon Linux:1"),
    ("rpm", System("sles", "15.5"), "SUSE:Linux Enterprise Server 15.5"),
    ("rpm", System("opensuse-leap", "15.6"), "openSUSE:Leap 15.6"),
    ("rpm", System("opensuse-tumbleweed", "20240801"), "openSUSE:Tumbleweed"),
    ("rpm", System("centos", "7", name="CentOS Linux 7 (Core)"), "Red Hat:7"),
    ("rpm", System("centos", "8", name="CentOS Linux 8"), "Red Hat:8"),
    ("rpm", System("fedora", "41"), "Fedora:41"),
    ("rpm", System("photon", "5.0"), "Photon OS:5.0"),
    ("rpm", System("azurelinux", "3.0"), "Azure Linux:3"),
    ("rpm", System("mariner", "2.0"), "Azure Linux:2"),
    ("rpm", System("mageia", "9"), "Mageia:9"),
    (
        "rpm",
        System("openEuler", "22.03", name="openEuler 22.03 (LTS-SP3)"),
        "openEuler:22.03-LTS-SP3",
    ),
]


@pytest.mark.parametrize(("kind", "system", "wanted"), SYSTEMS)
def test_a_distribution_has_its_release(kind: str, system: System, wanted: str) -> None:
    assert ecosystem_of(kind, system) == wanted
    assert canonical(wanted) == wanted


@pytest.mark.parametrize("name", ["kali", "raspbian", "linuxmint", "centos", "pop", "postmarketos"])
def test_a_derivative_is_not_its_parent(name: str) -> None:
    system = System(name, "12", "bookworm", like=("debian", "rhel", "alpine"))
    assert [ecosystem_of(kind, system) for kind in ("deb", "rpm", "apk")] == ["", "", ""]


@pytest.mark.parametrize("version", ["8", "9", ""])
def test_centos_stream_is_not_red_hat(version: str) -> None:
    assert ecosystem_of("rpm", System("centos", version, name=f"CentOS Stream {version}")) == ""


def test_a_foreign_package_of_a_system_has_no_ecosystem() -> None:
    assert ecosystem_of("rpm", System("debian", "12")) == ""
    assert ecosystem_of("deb", None) == ""
    assert ecosystem_of("deb", System("debian")) == ""


def test_languages_need_no_system() -> None:
    assert ecosystem_of("pypi", System("debian", "12")) == "PyPI"
    assert ecosystem_of("cargo", None) == "crates.io"


@pytest.mark.parametrize(
    ("osv", "ours"),
    [
        ("Ubuntu:22.04:LTS", "Ubuntu:22.04"),
        ("Ubuntu:Pro:18.04:LTS", "Ubuntu:Pro:18.04"),
        ("Ubuntu:24.10", "Ubuntu:24.10"),
        ("Alpine:v3.19", "Alpine:v3.19"),
        ("Red Hat:enterprise_linux:9::appstream", "Red Hat:9"),
        ("Red Hat:rhel_eus:9.2::baseos", "Red Hat:9"),
        ("SUSE:Linux Enterprise Server 15 SP5", "SUSE:Linux Enterprise Server 15.5"),
        (
            "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
            "SUSE:Linux Enterprise Server 15.5",
        ),
        ("SUSE:Linux Enterprise Server 15 SP4-LTSS", "SUSE:Linux Enterprise Server 15.4-LTSS"),
        ("Rocky Linux:9", "Rocky Linux:9"),
        ("npm", "npm"),
    ],
)
def test_osv_spellings(osv: str, ours: str) -> None:
    assert canonical(osv) == ours
    assert family(ours) == osv.partition(":")[0]


def test_names_are_compared_as_their_ecosystem_does() -> None:
    assert normalise("PyPI", "Zope.Interface__x") == "zope-interface-x"
    assert normalise("NuGet", "Newtonsoft.Json") == "newtonsoft.json"
    assert normalise("Packagist", "Symfony/Http") == "symfony/http"
    assert normalise("npm", "JSONStream") == "JSONStream"
    assert normalise("SwiftURL", "https://github.com/Apple/Swift-NIO.git") == (
        "github.com/apple/swift-nio"
    )


@pytest.mark.parametrize(
    ("package", "system", "wanted"),
    [
        (
            Package("deb", "libssl3", "3.0.9-1", source="openssl", arch="amd64"),
            System("debian", "12"),
            "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12&upstream=openssl",
        ),
        (
            Package("rpm", "perl", "4:5.32.1-481.el9", arch="x86_64"),
            System("rhel", "9.4"),
            "pkg:rpm/redhat/perl@5.32.1-481.el9?arch=x86_64&distro=rhel-9.4&epoch=4",
        ),
        (Package("npm", "@angular/core", "1.0+b"), None, "pkg:npm/%40angular/core@1.0%2Bb"),
        (Package("maven", "org.a:b", "1"), None, "pkg:maven/org.a/b@1"),
        (
            Package("golang", "github.com/A/b/v2", "v2.0.0"),
            None,
            "pkg:golang/github.com/A/b/v2@v2.0.0",
        ),
        (Package("pypi", "Zope_Interface", "1"), None, "pkg:pypi/zope-interface@1"),
        (Package("composer", "Symfony/Http", "1"), None, "pkg:composer/symfony/http@1"),
    ],
)
def test_package_urls(package: Package, system: System | None, wanted: str) -> None:
    assert purl(package, system) == wanted
    assert PackageURL.from_string(wanted).to_string() == wanted


_words = st.text(
    st.characters(codec="ascii", min_codepoint=33, exclude_characters="/@:"),
    min_size=1,
    max_size=12,
)
_clean = _words.map(str.strip).filter(bool)


@given(st.sampled_from(sorted(LANGUAGES)), _clean, _clean)
def test_like_packageurl_python(kind: str, name: str, version: str) -> None:
    if kind in ("hackage", "pub", "julia", "swift", "conan", "cran", "bioconductor", "opam"):
        return  # rules of their own in the library's younger versions
    ours = purl(Package(kind, name, version), None)
    theirs = PackageURL(kind, None, name, version).to_string()
    if name not in (".", "..") and kind not in ("hex",):
        # the library lowers its own escapes with the name: %3b
        escapes = partial(re.sub, "%..", lambda match: match[0].upper())
        assert ours == escapes(theirs)


@pytest.mark.parametrize(
    ("kind", "system", "ecosystem"), [case for case in SYSTEMS if case[1].version]
)
def test_a_package_comes_back_from_its_url(kind: str, system: System, ecosystem: str) -> None:
    if ecosystem.startswith("openEuler"):
        return  # its service pack stands in no part of a package URL
    made = Package(kind, "lib+x", "1:2.0-3", ecosystem, "src", "1:2.0-2", "amd64")
    assert parse_purl(purl(made, system)) == made


@pytest.mark.parametrize(
    ("text", "ecosystem", "version"),
    [
        ("pkg:deb/debian/a@1-1?distro=bookworm", "Debian:12", "1-1"),
        ("pkg:deb/debian/a@1-1?distro=debian-12.5&epoch=2", "Debian:12", "2:1-1"),
        ("pkg:apk/alpine/a@1-r0?distro=3.19.1", "Alpine:v3.19", "1-r0"),
        ("pkg:rpm/redhat/a@1-1?distro=redhat-9.4", "Red Hat:9", "1-1"),
        (
            "pkg:rpm/opensuse/a@1-1?distro=opensuse-tumbleweed-20240101",
            "openSUSE:Tumbleweed",
            "1-1",
        ),
        ("pkg:deb/kali/a@1", "", "1"),
        ("pkg:npm/@scope/a", "npm", ""),
    ],
)
def test_urls_of_other_tools(text: str, ecosystem: str, version: str) -> None:
    package = parse_purl(text)
    assert (package.ecosystem, package.version) == (ecosystem, version)


def test_a_source_rpm_names_source_and_version() -> None:
    package = parse_purl(
        "pkg:rpm/redhat/openssl-libs@3.0.7-1.el9?upstream=openssl-3.0.7-1.el9.src.rpm"
    )
    assert (package.source, package.source_version) == ("openssl", "3.0.7-1.el9")


@pytest.mark.parametrize(
    "text", ["", "pkg:", "pkg:npm", "npm/a@1", "pkg:/a", "pkg:n m/a", "pkg:npm//"]
)
def test_no_package_url(text: str) -> None:
    with pytest.raises(BadInput):
        parse_purl(text)


@pytest.mark.parametrize(
    ("osv", "ours"),
    [
        ("Red Hat:rhel_eus:9.2::baseos", "Red Hat:9"),
        ("Red Hat:rhel_els:7", "Red Hat:7"),
        ("Red Hat:rhel_software_collections:3::el7", "Red Hat:7"),
        ("Red Hat:openshift:4.12::el9", "Red Hat:9"),
        ("Red Hat:enterprise_linux:8::crb", "Red Hat:8"),
        ("Red Hat:enterprise_linux:10.0", "Red Hat:10"),
        ("Red Hat:ansible_automation_platform:2", "Red Hat:ansible_automation_platform:2"),
    ],
)
def test_streams_and_products_of_red_hat_are_of_a_release(osv: str, ours: str) -> None:
    assert canonical(osv) == ours


@pytest.mark.parametrize(
    ("url", "ecosystem", "source_version"),
    [
        (
            "pkg:rpm/rocky/openssl-libs@3.0.7-6.el9?distro=rocky-9.3&epoch=1"
            "&upstream=openssl-3.0.7-6.el9.src.rpm",
            "Rocky Linux:9",
            "1:3.0.7-6.el9",
        ),
        (
            "pkg:rpm/rocky/perl-Pod@1.04-1.el9?distro=rocky-9.3&epoch=1"
            "&upstream=perl-5.16-2.el9.src.rpm",
            "Rocky Linux:9",
            "5.16-2.el9",
        ),
        (
            "pkg:rpm/rocky/openssl-libs@1:3.0.7-6.el9?distro=rocky-9.3"
            "&upstream=openssl-3.0.7-6.el9.src.rpm",
            "Rocky Linux:9",
            "1:3.0.7-6.el9",
        ),
        ("pkg:rpm/amazon/curl@1?distro=amazon-2%20%28Karoo%29", "Amazon Linux:2", ""),
        (
            "pkg:rpm/suse/bash@5.1-1?distro=suse%20linux%20enterprise%20server-15.5",
            "SUSE:Linux Enterprise Server 15.5",
            "",
        ),
    ],
)
def test_package_urls_of_other_tools(url: str, ecosystem: str, source_version: str) -> None:
    package = parse_purl(url)
    assert (package.ecosystem, package.source_version) == (ecosystem, source_version)


def test_a_scope_of_npm_has_its_sign_in_every_spelling() -> None:
    urls = ("pkg:npm/%40a/b@1", "pkg:npm/@a/b@1", "pkg:npm/a/b@1")
    assert {parse_purl(url).name for url in urls} == {"@a/b"}
