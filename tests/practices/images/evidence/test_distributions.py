"""dpkg, apk, os-release, content sets: what distributions say is installed (E1, E2, E7)."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.evidence import Stored

from martello.core.package import Package, System
from martello.practices.images.evidence import apk, dpkg, osrelease, redhat, rpmdb
from martello.practices.images.evidence.model import Claim, Licence, Parsed, TooLarge
from martello.practices.images.evidence.ownership import may_be_evidence
from martello.practices.images.evidence.readers import (
    IMAGE_READERS,
    LOCK_READERS,
    Choice,
    choice,
    version_of,
)

_DISTRIBUTIONS = {
    one.name for module in (apk, dpkg, osrelease, redhat, rpmdb) for one in module.READERS
}


def parsed(path: str, text: str) -> Parsed:
    """By the reader that images choose."""
    reader, *_ = choice(IMAGE_READERS).wanting(path)  # those of secrets come last
    return reader.read(path, Stored(text.encode()))


STATUS = """Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.0.9-1)
Version: 3.0.9-1+b2
Description: about
 Version: 9 is no field here

Package: kept
Status: hold ok installed
Version: 1:2-3
Architecture: all

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install ok unpacked
Version: 2
Source: whole

Package: nameless-version
Status: install ok installed

Package: stateless
Version: 3
"""


def test_e1_only_packages_whose_files_are_there() -> None:
    found = parsed("var/lib/dpkg/status", STATUS)
    assert [(p.name, p.version, p.source, p.source_version, p.arch) for p in found.packages] == [
        ("libssl3", "3.0.9-1+b2", "openssl", "3.0.9-1", "amd64"),
        ("kept", "1:2-3", "kept", "1:2-3", "all"),
        ("half", "2", "whole", "2", ""),
    ]
    assert [str(one) for one in found.unread] == [
        "dpkg paragraph var/lib/dpkg/status no. 5: it names no package or no version",
        "dpkg paragraph var/lib/dpkg/status no. 6: it has no state that is known",
    ]


def test_e1_a_half_installed_package_has_files_and_a_strange_state_is_told() -> None:
    status = (
        "Package: half\nStatus: install reinstreq half-installed\nVersion: 1\n \n"
        "Package: new\nStatus: install reinstreq half-installed\n\t\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\n"
        "Package: odd\nStatus: install ok\nVersion: 1\n"
    )
    found = parsed("var/lib/dpkg/status", status)
    assert [p.name for p in found.packages] == ["half"]
    why = "dpkg paragraph var/lib/dpkg/status no. 4: it has no state that is known"
    assert [str(one) for one in found.unread] == [why]


def test_e1_distroless_has_a_file_a_package_and_no_state() -> None:
    found = parsed("var/lib/dpkg/status.d/base", "Package: base-files\r\nVersion: 12.4\r\n")
    assert [(p.name, p.version) for p in found.packages] == [("base-files", "12.4")]
    listed = parsed(
        "var/lib/dpkg/status.d/tool.md5sums",
        "0cc175b9c0f1b6a831c399e269772661  usr/bin/tool\n"
        "92eb5ffee6ae2fec3ad71c777531578f  usr/share/doc/tool/copyright\n",
    )
    assert listed.claims == (Claim("tool", ("usr/bin/tool",)),)
    assert not listed.packages


def test_a_file_list_keeps_files_that_may_be_evidence() -> None:
    text = "/.\n/usr\n/usr/bin\n/usr/bin/npm\n/usr/lib\n/usr/lib/node_modules\n"
    text += "/usr/lib/node_modules/npm\n/usr/lib/node_modules/npm/package.json\n/etc/npmrc\n"
    found = parsed("var/lib/dpkg/info/npm:amd64.list", text)
    kept = ("usr/bin/npm", "usr/lib/node_modules/npm/package.json")
    assert found.claims == (Claim("npm", kept),)
    long = "/usr/bin/" + "x" * 5000
    found = parsed("var/lib/dpkg/info/npm.list", f"{long}\n/usr/bin/npm\n{long * 100}")
    assert found.claims == (Claim("npm", ("usr/bin/npm",)),)  # no file has so long a path


@pytest.mark.parametrize(
    ("text", "licences"),
    [
        ("Format: x\n\nFiles: *\nLicense: GPL-2+ or Artistic,\n text\n\nLicense: MIT\n",
         ("GPL-2+ or Artistic", "MIT")),
        ("On Debian see /usr/share/common-licenses/LGPL-2.1.\n", ("LGPL-2.1",)),
        ("Free for all.\n", ()),
    ],
)  # fmt: skip
def test_copyright_files(text: str, licences: tuple[str, ...]) -> None:
    found = parsed("usr/share/doc/x/copyright", text)
    assert found.licences == ((Licence("x", licences),) if licences else ())


def test_e2_apk() -> None:
    text = (
        "C:Q1abc=\nP:libcrypto3\nV:3.1.4-r5\nA:x86_64\nL:Apache-2.0\no:openssl\nF:lib\n"
        "R:libcrypto.so.3\na:0:0:755\nF:usr/share/doc\nR:README\n\n"
        "P:own\nV:1-r0\nF:\nR:app\n\nP:broken\n\n"
    )
    for path in ("lib/apk/db/installed", "usr/lib/apk/db/installed"):
        found = parsed(path, text)
        assert found.packages == (
            Package("apk", "libcrypto3", "3.1.4-r5", "", "openssl", "3.1.4-r5", "x86_64",
                    licences=("Apache-2.0",)),
            Package("apk", "own", "1-r0", "", "own", "1-r0"),
        )  # fmt: skip
        claims = (Claim("libcrypto3", ("lib/libcrypto.so.3",)), Claim("own", ("app",)))
        assert found.claims == claims
        assert [one.what for one in found.unread] == ["apk entry"]


@pytest.mark.parametrize(
    ("path", "text", "system"),
    [
        ("etc/os-release",
         "# c\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID='12'\n"
         "VERSION_CODENAME=bookworm\n",
         System("debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)")),
        ("usr/lib/os-release",
         'NAME="Rocky \\"Linux\\""\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.3"\n'
         'CPE_NAME="cpe:/o:rocky:rocky:9::baseos"\n',
         System("rocky", "9.3", "", 'Rocky "Linux"', ("rhel", "centos", "fedora"),
                "cpe:/o:rocky:rocky:9::baseos")),
        ("etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=14.04\nDISTRIB_CODENAME=trusty\n",
         System("ubuntu", "14.04", "trusty")),
        ("etc/alpine-release", "3.19.1\n", System("alpine", "3.19.1", "", "Alpine Linux 3.19.1")),
        ("etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n",
         System("centos", "7.9.2009", "core", "CentOS Linux release 7.9.2009 (Core)")),
        ("etc/redhat-release", "CentOS Stream release 8\n",
         System("centos", "8", "", "CentOS Stream release 8")),
        ("etc/redhat-release", "something else\n", None),
        ("etc/os-release", "VERSION_ID=1\n\x00\xff=\n", System("linux", "1")),
    ],
)  # fmt: skip
def test_e7_systems(path: str, text: str, system: System | None) -> None:
    assert parsed(path, text).system == system


def test_content_sets() -> None:
    body = msgspec.json.encode({"metadata": {}, "content_sets": ["a-rpms", "b-rpms", 3, "a-rpms"]})
    found = parsed("root/buildinfo/content_manifests/ubi8.json", body.decode())
    assert found.content_sets == ("a-rpms", "b-rpms")
    with pytest.raises(ValueError, match="not of this kind"):
        parsed("root/buildinfo/content_manifests/ubi8.json", "[")


def test_l10_a_file_has_a_limit() -> None:
    class Huge(Stored):
        size = 65 << 20

    for read, path in (
        (dpkg.read_status, "var/lib/dpkg/status"),
        (apk.read_installed, "lib/apk/db/installed"),
        (osrelease.read_release, "etc/os-release"),
        (redhat.read_manifest, "x.json"),
    ):
        with pytest.raises(TooLarge):
            read(path, Huge(b""))


@pytest.mark.parametrize(
    "path",
    [
        "lib/dpkg/status", "opt/status", "srv/lib/apk/db/installed", "home/etc/os-release",
        "usr/share/doc/copyright", "usr/share/doc/a/b/copyright", "tmp/rpmdb.sqlite",
        "var/lib/rpm/Name", "var/lib/dpkg/info/x.md5sums", "etc/passwd", "README",
    ],
)  # fmt: skip
def test_other_places_are_not_wanted(path: str) -> None:
    assert choice(IMAGE_READERS).wanting(path) == ()


@pytest.mark.parametrize("readers", [IMAGE_READERS, LOCK_READERS], ids=["images", "locks"])
def test_the_choice_is_what_the_readers_say(readers: tuple[object, ...]) -> None:
    """The quick choice against the sentence in `Reader`, on paths made of the readers' words."""
    real = IMAGE_READERS if readers is IMAGE_READERS else LOCK_READERS
    words = {name for one in real for name in one.names} | {"x", ".json", "a.b"}
    words |= {f"x{suffix}" for one in real for suffix in one.suffixes}
    places = {"", "x/", "usr/lib/", "node_modules/p/", "p-1.dist-info/", "var/lib/dpkg/"}
    places |= {f"{folder.strip('/')}/" for one in real for folder in one.under}
    some = choice(real)
    for path in (place + word for place in places for word in words):
        name = path.rpartition("/")[2]
        expected = [
            one
            for one in real
            if (
                name in one.names
                or path.endswith(one.suffixes)
                or any(path.startswith(f"{folder.strip('/')}/") for folder in one.under)
            )
            and (one.accepts is None or one.accepts(path))
        ]
        assert set(some.wanting(path)) == set(expected), path


def test_l11_the_version_follows_the_readers() -> None:
    first = dpkg.READERS[0]
    newer = msgspec.structs.replace(first, version=first.version + 1)
    assert version_of(dpkg.READERS) != version_of((newer, *dpkg.READERS[1:]))
    assert version_of(dpkg.READERS) == version_of(tuple(reversed(dpkg.READERS)))
    assert Choice(IMAGE_READERS).version == version_of(IMAGE_READERS)


def test_e5_file_lists_keep_what_languages_want() -> None:
    """Whatever a reader of languages wants must survive the cut of file lists."""
    others = _DISTRIBUTIONS | {"secrets"}
    languages = [one for one in IMAGE_READERS if one.name not in others]
    assert len(languages) < len(IMAGE_READERS)
    names = {name for one in languages for name in one.names}
    names |= {f"x{suffix}" for one in languages for suffix in one.suffixes} - {"x.json"}
    assert {name for name in names if not may_be_evidence(f"usr/share/x/{name}")} == set()
    for path in ("usr/bin/docker", "usr/lib/docker/cli-plugins/docker-buildx", "usr/bin/a.b",
                 "usr/lib/x/libgo.so.1"):  # fmt: skip
        assert may_be_evidence(path)
    for path in ("usr/share/doc/x/README", "etc/passwd", "usr/share/man/man1/x.1.gz"):
        assert not may_be_evidence(path)


def test_apk_entries_are_parted_by_lines_that_seem_empty() -> None:
    found = parsed("lib/apk/db/installed", "P:a\nV:1-r0\n \nP:b\nV:2-r0\n\t\n\n\nP:c\nV:3-r0\n")
    assert [one.name for one in found.packages] == ["a", "b", "c"]
    assert found.unread == ()
