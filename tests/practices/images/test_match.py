"""Matching, rule by rule, on a small database in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from martello.core.package import Inventory, Package, System
from martello.core.vulnerability import Affected, Events, Feed, Match, Vulnerability
from martello.practices.images.ecosystems import family, normalise
from martello.practices.images.match import Matches, Settings, compared, looked_up, match, named

DEBIAN = System("debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)")


class Records:
    """A database in memory: rows by (ecosystem, name), records by id, alias groups."""

    def __init__(
        self,
        rows: Iterable[Affected],
        records: Iterable[Vulnerability] = (),
        groups: Iterable[tuple[str, ...]] = (),
    ) -> None:
        self.rows = tuple(rows)
        self.records = {record.id: record for record in records}
        self.groups = {name: group for group in groups for name in group}
        self.feeds: tuple[Feed, ...] = ()

    def covers(self, ecosystem: str) -> bool:
        return any(row.ecosystem == ecosystem for row in self.rows)

    def about(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Affected]]:
        wanted = set(pairs)
        found: dict[tuple[str, str], list[Affected]] = {}
        for row in self.rows:
            if (row.ecosystem, row.name) in wanted:
                found.setdefault((row.ecosystem, row.name), []).append(row)
        return found

    def artefacts(self, names: Iterable[str]) -> frozenset[str]:
        """Artefacts that rows of Maven name."""
        return frozenset(n for n in names for row in self.rows if row.name.endswith(f":{n}"))

    def vulnerabilities(self, ids: Iterable[str]) -> dict[str, Vulnerability]:
        return {id: self.records[id] for id in ids if id in self.records}

    def products(self, repository: str) -> tuple[str, ...]:
        return ()

    def group(self, id: str) -> tuple[str, ...]:
        return self.groups.get(id, (id,))


def until(fixed: str = "", begun: str = "0") -> tuple[Events, ...]:
    """Affected from `begun` on, up to a fix."""
    end = (("fixed", fixed),) if fixed else ()
    return (Events("ECOSYSTEM", (("introduced", begun), *end)),)


def row(id: str, name: str = "openssl", fixed: str = "", **more: Any) -> Affected:
    """A row of Debian's own tracker, unless told otherwise."""
    given = {"ecosystem": "Debian:12", "feed": "debian-tracker", **more}
    given.setdefault("ranges", until(fixed))
    given.setdefault("status", "fixed" if fixed else "affected")
    return Affected(id=id, name=name, **given)


def libssl(version: str = "3.0.9-1", **more: Any) -> Package:
    """A binary package of Debian with another source."""
    given: dict[str, Any] = {"source": "openssl", "source_version": version, "arch": "amd64"}
    return Package("deb", "libssl3", version, "Debian:12", **{**given, **more})


def requests(version: str = "2.0") -> Package:
    """A Python package."""
    return Package("pypi", "Requests", version, "PyPI", path="app/METADATA")


def matched(
    package: Package | Iterable[Package], records: Records, settings: Settings | None = None
) -> Matches:
    """What matches in an image of these packages."""
    packages = (package,) if isinstance(package, Package) else tuple(package)
    return match(Inventory("image", system=DEBIAN, packages=packages), records, settings)


def only(result: Matches) -> Match:
    """The one match of a result."""
    (found,) = result.found
    return found


def test_distribution_packages_are_looked_up_by_their_source_and_its_version() -> None:
    package = libssl("3.0.9-1+b1", source_version="3.0.9-1")
    found = only(matched(package, Records([row("CVE-1", fixed="3.0.11-1")])))
    assert (found.compared, found.fixed, found.status) == ("3.0.9-1", "3.0.11-1", "fixed")
    assert found.range == "< 3.0.11-1"
    assert looked_up(package) == "openssl"


def test_a_record_on_the_binary_name_means_nothing_to_debian() -> None:
    assert matched(libssl(), Records([row("CVE-1", "libssl3"), row("CVE-2", "zlib")])).found == ()


def test_rpm_packages_are_looked_up_by_their_own_name() -> None:
    package = Package("rpm", "openssl-libs", "1:3.0.7-2", "AlmaLinux:9", source="openssl")
    rows = [row("ALSA-1", "openssl-libs", "1:3.0.7-3", ecosystem="AlmaLinux:9", feed="osv:Alma")]
    assert only(matched(package, Records(rows))).compared == "1:3.0.7-2"


def test_a_fixed_version_is_no_match_and_is_set_aside_with_the_reason() -> None:
    result = matched(libssl("3.0.11-1"), Records([row("CVE-1", fixed="3.0.11-1")]))
    assert result.found == ()
    assert [(a.kind, a.why) for a in result.aside] == [
        ("version", "3.0.11-1 is in none of its ranges")
    ]


def test_names_of_ecosystems_are_normalised() -> None:
    records = Records([row("GHSA-1", "requests", "2.1", ecosystem="PyPI", feed="osv:PyPI")])
    assert only(matched(requests(), records)).fixed == "2.1"


def test_an_alias_group_is_one_match_named_by_its_cve() -> None:
    rows = [
        row("GHSA-a", "requests", "2.1", ecosystem="PyPI", feed="osv:PyPI"),
        row("PYSEC-1", "requests", "2.2", ecosystem="PyPI", feed="osv:PyPI"),
    ]
    records = Records(rows, groups=[("CVE-2031-1", "GHSA-a", "PYSEC-1")])
    found = only(matched(requests(), records))
    assert (found.id, found.aliases) == ("CVE-2031-1", ("GHSA-a", "PYSEC-1"))
    assert found.fixed == "2.2", "one must go to the highest to be rid of all of them"
    assert {found.advisory.id, *(a.id for a in found.also)} == {"GHSA-a", "PYSEC-1"}


def test_the_distribution_decides_where_feeds_disagree() -> None:
    rows = [
        row("CVE-1", status="not-affected", note="the code is not built"),
        row("DSA-1", fixed="9", feed="osv:Debian"),
    ]
    result = matched(libssl(), Records(rows, groups=[("CVE-1", "DSA-1")]))
    assert result.found == ()
    assert {(a.advisory.id, a.why) for a in result.aside} == {
        ("CVE-1", "the code is not built"),
        ("DSA-1", "the distribution's own feed says otherwise, and decides"),
    }


def test_a_withdrawn_record_is_no_match() -> None:
    withdrawn = Vulnerability("GHSA-a", withdrawn="2031-02-03T00:00:00Z")
    rows = [row("GHSA-a", "requests", ecosystem="PyPI", feed="osv:PyPI")]
    result = matched(requests(), Records(rows, [withdrawn]))
    assert result.found == ()
    assert [a.why for a in result.aside] == ["the record was withdrawn on 2031-02-03"]


def test_a_withdrawn_record_does_not_hide_its_alias() -> None:
    rows = [
        row("GHSA-a", "requests", ecosystem="PyPI", feed="osv:PyPI"),
        row("PYSEC-1", "requests", ecosystem="PyPI", feed="osv:PyPI"),
    ]
    records = Records(rows, [Vulnerability("GHSA-a", withdrawn="2031-02-03T00:00:00Z")],
                      [("GHSA-a", "PYSEC-1")])  # fmt: skip
    assert only(matched(requests(), records)).advisory.id == "PYSEC-1"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (("distro", "advisory", "nvd"), ("low", "debian-tracker")),
        (("advisory", "nvd"), ("high", "debian-tracker")),
        (("nvd", "distro"), ("critical", "nvd")),
        (("ubuntu", "nvd"), ("critical", "nvd")),
        (("ubuntu",), ("unknown", "")),
    ],
)
def test_whose_severity_counts(sources: tuple[str, ...], expected: tuple[str, str]) -> None:
    record = Vulnerability("CVE-1", severity="high", severities=(("nvd", "critical"),))
    records = Records([row("CVE-1", severity="low")], [record])
    found = only(matched(libssl(), records, Settings(severity_from=sources)))
    assert (found.severity, found.severity_from) == expected


def test_an_unscored_vulnerability_stays_unknown() -> None:
    assert only(matched(libssl(), Records([row("CVE-1")]))).severity == "unknown"


@pytest.mark.parametrize("status", ["will-not-fix", "deferred", "end-of-life", "disputed"])
def test_the_status_of_the_feed_is_kept(status: str) -> None:
    assert only(matched(libssl(), Records([row("CVE-1", status=status)]))).status == status


def test_what_a_distribution_package_owns_is_matched_only_there() -> None:
    owned = Package("pypi", "idna", "3.3", "PyPI", owner="python3-idna")
    owner = Package("deb", "python3-idna", "3.3-1", "Debian:12", "python-idna", "3.3-1")
    told = row("CVE-9", "python-idna", "3.2-1")
    records = Records([row("GHSA-a", "idna", ecosystem="PyPI", feed="osv:PyPI"), told])
    result = match(Inventory("i", system=DEBIAN, packages=(owned, owner)), records)
    assert result.found == ()
    assert [a.kind for a in result.aside] == ["version", "owner"]


def test_what_a_package_from_elsewhere_owns_is_not_left_to_a_feed_that_does_not_know_it() -> None:
    owned = Package("npm", "lodash", "4.17.20", "npm", owner="docker-ce")
    owner = Package("deb", "docker-ce", "5:24", "Debian:12", "docker-ce", "5:24")
    advisory = row("GHSA-a", "lodash", "4.17.21", ecosystem="npm", feed="osv:npm")
    records = Records([advisory, row("CVE-9", "openssl", "3")])
    inventory = Inventory("i", system=DEBIAN, packages=(owned, owner))
    assert [m.id for m in match(inventory, records).found] == ["GHSA-a"]


def test_a_feed_of_binary_packages_knows_those_whose_source_or_sibling_it_names() -> None:
    owned = Package("pypi", "idna", "3.3", "PyPI", owner="python3-idna")
    owner = Package("rpm", "python3-idna", "3.3-1", "AlmaLinux:9", "python-idna", "3.3-1")
    advisory = row("GHSA-a", "idna", "3.7", ecosystem="PyPI", feed="osv:PyPI")
    for name in ("python3-idna", "python-idna", "python-idna-doc"):
        told = row("ALSA-1", name, "3.1-1", ecosystem="AlmaLinux:9", feed="osv:AlmaLinux")
        sibling = Package("rpm", "python-idna-doc", "3.3-1", "AlmaLinux:9", "python-idna", "3.3-1")
        inventory = Inventory("i", packages=(owned, owner, sibling))
        assert match(inventory, Records([advisory, told])).found == ()


def test_kernel_headers_in_a_container_are_set_aside() -> None:
    headers = libssl(source="linux", source_version="6.1.1-1")
    records = Records([row("CVE-1", "linux")])
    assert [a.kind for a in matched(headers, records).aside] == ["kernel"]
    assert only(matched(headers, records, Settings(container=False))).id == "CVE-1"


def test_informational_records_count_on_request_only() -> None:
    crate = Package("cargo", "time", "0.1.0", "crates.io")
    rows = [row("RUSTSEC-1", "time", ecosystem="crates.io", feed="osv:crates.io",
                status="informational")]  # fmt: skip
    assert matched(crate, Records(rows)).found == ()
    found = only(matched(crate, Records(rows), Settings(informational=True)))
    assert found.status == "informational"


def test_development_dependencies_count_on_request_only() -> None:
    jest = Package("npm", "jest", "1.0.0", "npm", dev=True)
    records = Records([row("GHSA-a", "jest", ecosystem="npm", feed="osv:npm")])
    assert [a.kind for a in matched(jest, records).aside] == ["dev"]
    assert only(matched(jest, records, Settings(dev=True))).id == "GHSA-a"


def test_module_architecture_and_product_must_fit() -> None:
    package = Package(
        "rpm", "nodejs", "1:10.1-1", "Red Hat:8", arch="x86_64", module="nodejs:10:80"
    )
    product = "cpe:/a:redhat:enterprise_linux:8::appstream"

    def kinds(**more: Any) -> list[str]:
        given = {"ecosystem": "Red Hat:8", "feed": "redhat", "module": "nodejs:10", **more}
        settings = Settings(products=frozenset((product,)))
        result = matched(package, Records([row("RHSA-1", "nodejs", **given)]), settings)
        return [a.kind for a in result.aside] or ["match"]

    assert kinds() == ["match"]
    assert kinds(module="nodejs:12") == ["module"]
    assert kinds(module="") == ["module"]
    assert kinds(arches=("s390x",)) == ["arch"]
    assert kinds(arches=("s390x", "x86_64")) == ["match"]
    assert kinds(cpes=(product,)) == ["match"]
    assert kinds(cpes=("cpe:/a:redhat:enterprise_linux:7::server",)) == ["status"]


def test_what_no_feed_covers_is_unread_and_never_clean() -> None:
    gems = [Package("gem", name, "1.0", "RubyGems") for name in ("rake", "rack")]
    result = matched([*gems, libssl()], Records([row("CVE-1")]))
    assert [str(u) for u in result.unread] == [
        "2 RubyGems packages: no RubyGems data in the database"
    ]
    assert result.packages == 1


def test_a_package_without_a_version_is_unread() -> None:
    main = Package("golang", "example.com/shop", "", "Go")
    records = Records([row("GO-1", "example.com/shop", ecosystem="Go", feed="osv:Go")])
    result = matched(main, records)
    assert result.found == ()
    why = "Go package example.com/shop: its version is not known, and advisories speak of it"
    assert [str(u) for u in result.unread] == [why]


def test_without_a_version_a_package_that_no_advisory_names_is_assessed() -> None:
    main = Package("golang", "example.com/own", "", "Go")
    records = Records([row("GO-1", "example.com/shop", ecosystem="Go", feed="osv:Go")])
    result = matched(main, records)
    assert (result.found, result.unread, result.packages) == ((), (), 1)


def test_a_java_library_without_a_group_is_unread_only_where_advisories_may_mean_it() -> None:
    libraries = [Package("maven", name, "1.0", "Maven") for name in ("jackson-databind", "jsr305")]
    name = "com.fasterxml.jackson.core:jackson-databind"
    records = Records([row("GHSA-a", name, "2.0", ecosystem="Maven", feed="osv:Maven")])
    result = matched(libraries, records)
    assert result.found == ()
    assert [str(u) for u in result.unread] == [
        "Java library jackson-databind 1.0: its Maven group is not known, and advisories speak of"
        " such an artefact"
    ]


def test_a_distribution_without_advisories_is_unread_by_its_name() -> None:
    package = Package("deb", "libssl3", "3.0.9-1")
    system = System("kali", "2031.1", name="Kali GNU/Linux Rolling", like=("debian",))
    inventory = Inventory("image", system=system, packages=(package,))
    (unread,) = match(inventory, Records([row("CVE-1")])).unread
    assert str(unread) == "1 deb package: no advisories are known for Kali GNU/Linux Rolling"


def test_exploited_and_grave_ones_come_first() -> None:
    rows = [row("CVE-1", severity="low"), row("CVE-2", severity="high"), row("CVE-3")]
    records = Records(rows, [Vulnerability("CVE-3", exploited="2031-01-02")])
    assert [f.id for f in matched(libssl(), records).found] == ["CVE-2", "CVE-1", "CVE-3"]


def test_the_time_of_the_fix_is_that_of_the_record_which_fixes() -> None:
    rows = [row("CVE-1", fixed="3.0.10-1"), row("CVE-2")]
    times = [Vulnerability(id, published="2031-05-06T07:08:09Z") for id in ("CVE-1", "CVE-2")]
    found = {f.id: f.fixed_at for f in matched(libssl(), Records(rows, times)).found}
    assert found == {"CVE-1": "2031-05-06T07:08:09Z", "CVE-2": ""}


def test_names_prefer_the_cve() -> None:
    assert named(("GHSA-a", "CVE-2", "CVE-1")) == "CVE-1"
    assert named(("RUSTSEC-2", "GHSA-b")) == "GHSA-b"
    assert named(("RUSTSEC-2", "GO-1")) == "GO-1"


def test_the_version_that_is_compared() -> None:
    assert compared(libssl("1", source_version="")) == "1"
    assert family("Debian:12") == "Debian"
    assert normalise("PyPI", "A.b_C") == "a-b-c"


def test_of_a_list_without_a_system_red_hats_usual_products_count() -> None:
    bash = Package("rpm", "bash", "5.1-1", "Red Hat:9")
    usual = ("cpe:/o:redhat:enterprise_linux:9::baseos",)
    stream = ("cpe:/o:redhat:rhel_eus:9.2::baseos",)
    rows = [
        row(id, "bash", "5.1-2", ecosystem="Red Hat:9", feed="osv:Red Hat", cpes=cpes)
        for id, cpes in (("CVE-1", usual), ("CVE-2", stream))
    ]
    found = match(Inventory("list", packages=(bash,)), Records(rows)).found
    assert [one.id for one in found] == ["CVE-1"]


def test_a_record_of_some_module_is_of_every_module_and_of_nothing_else() -> None:
    fixed = "1:16.2-1.module_el8+1"
    told = row("ALSA-1", "nodejs", fixed, ecosystem="AlmaLinux:8", module="*")
    for module, count in (("nodejs:16", 1), ("nodejs:18:1:abc", 1), ("", 0)):
        node = Package("rpm", "nodejs", "1:16.1-1.el8", "AlmaLinux:8", module=module)
        assert len(matched(node, Records([told])).found) == count


def test_a_modular_package_without_its_module_is_not_silently_clean() -> None:
    fixed = "1:16.2-1.module_el8+1"
    told = row("ALSA-1", "nodejs", fixed, ecosystem="AlmaLinux:8", module="nodejs:16")
    node = Package("rpm", "nodejs", "1:16.1-1.module_el8+1", "AlmaLinux:8")
    result = matched(node, Records([told]))
    assert result.found == ()
    assert [one.where for one in result.unread] == ["nodejs"]


def test_the_fix_is_one_that_no_statement_of_the_vulnerability_holds() -> None:
    """As of GO-2023-2185: what mended it first was mended again."""
    first = until("1.20.11")
    again = (Events("SEMVER", (("introduced", "1.20.11"), ("fixed", "1.20.12"))),)
    other = (Events("SEMVER", (("introduced", "0"), ("last_affected", "1.20.11"))),)
    rows = [
        row("GO-1", "stdlib", ecosystem="Go", feed="osv:Go", ranges=ranges, status="fixed")
        for ranges in (first, again, other)
    ]
    go = Package("golang", "stdlib", "1.19.0", "Go")
    assert only(matched(go, Records(rows))).fixed == "1.20.12"
    never = row("GO-1", "stdlib", ecosystem="Go", feed="osv:Go")
    assert only(matched(go, Records([*rows[:2], never]))).fixed == "1.20.11"


@pytest.mark.parametrize(
    ("installed", "ids"),
    [
        ("2.28-164.el8", {"CVE-1"}),
        ("2.28-200.el8", set()),
        ("2:2.28-100.ksplice1.el8", {"CVE-2"}),
        ("2:2.28-170.ksplice1.el8", set()),
        ("2:2.28-100.ksplice2.el8", set()),
        ("10:2.28-100.el8_fips", {"CVE-3"}),
    ],
)
def test_oracles_builds_are_mended_by_themselves(installed: str, ids: set[str]) -> None:
    fixes = ("2.28-189.el8", "2:2.28-164.ksplice1.el8", "10:2.28-189.el8_fips")
    rows = [
        row(f"CVE-{n}", "glibc", fixed, ecosystem="Oracle Linux:8", feed="oracle")
        for n, fixed in enumerate(fixes, 1)
    ]
    result = matched(Package("rpm", "glibc", installed, "Oracle Linux:8"), Records(rows))
    assert {one.id for one in result.found} == ids
    assert [one.where for one in result.unread] == (["glibc"] if "ksplice2" in installed else [])
