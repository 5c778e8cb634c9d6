"""What scans of images said counts in paths; what nobody scanned is a doubt."""

from __future__ import annotations

from martello.cli.paths.opening import inputs
from martello.cli.paths.weaknesses import of_images
from martello.cli.readings import read_demo
from martello.core.cluster import Cluster
from martello.core.image import parse_image
from martello.paths import Options, facts, find
from martello.paths.find import footholds_of
from martello.paths.model import PathClass, Weakness
from martello.practices.images.ledger import ImageFacts, ImageSummary, Known

IMAGE = "registry.example.com/shop/web:2.4.1"
DIGEST = "sha256:" + "1" * 64
BAD = Known("CVE-2099-0001", "libfoo", "1.2", "critical", "1.3", "2099-01-02")
MILD = Known("CVE-2099-0002", "libbar", "1.0", "medium")


def images(*known: Known) -> ImageFacts:
    """A ledger that has scanned the image of shop/web and no other."""
    summary = ImageSummary(
        IMAGE,
        DIGEST,
        1,
        worst=tuple(one for one in known if not one.exploited),
        exploited=tuple(one for one in known if one.exploited),
    )
    name = str(parse_image(IMAGE))
    return ImageFacts(2, {DIGEST: (summary,)}, running={name: (DIGEST,)})


def demo() -> Cluster:
    return read_demo().world()


def from_internet(weak: tuple[Weakness, ...] | None) -> tuple[PathClass, ...]:
    cluster = demo()
    told, notes = inputs(cluster, weak)
    assert notes == ()
    read = facts(cluster, told)
    assert ("internet",) in footholds_of(read, Options())
    return find(read, footholds=[("internet",)])


def test_a_known_weakness_makes_the_step_sure() -> None:
    weak = of_images(demo(), images(BAD))
    mine = [one for one in weak if one.image == IMAGE]
    assert [(one.id, one.container, one.because) for one in mine] == [(BAD.id, "web", "")]
    path = from_internet(weak)[0].path
    assert path.sure
    told = [fact.says for step in path.steps for fact in step.facts]
    assert f"{BAD.id} in libfoo 1.2 (known to be exploited, fixed in 1.3)" in told


def test_an_image_without_a_grave_weakness_lets_nobody_in() -> None:
    assert from_internet(of_images(demo(), images(MILD))) == ()


def test_an_image_that_nobody_scanned_is_a_doubt() -> None:
    weak = of_images(demo(), ImageFacts(2))
    assert all(one.because.endswith("was never scanned") for one in weak)
    path = from_internet(weak)[0].path
    assert not path.sure
    assert path.because == (f"{IMAGE} was never scanned",)


def test_without_any_scan_every_image_is_a_doubt() -> None:
    assert not from_internet(None)[0].path.sure
