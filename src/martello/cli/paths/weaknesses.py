"""What scans of images said that an attacker could use: from the ledger, where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from martello.core.cluster import Cluster
from martello.core.reading import Reading
from martello.paths.model import Weakness

if TYPE_CHECKING:
    from martello.practices.images.ledger import ImageFacts, ImageSummary

EXPLOITED: Final = "known to be exploited"
_MOST: Final = 3  # weaknesses of one image: a path needs one


def weaknesses(reading: Reading) -> tuple[tuple[Weakness, ...] | None, tuple[str, ...]]:
    """The weaknesses of the images that a cluster runs; None where no image was ever scanned here.
    The second part says what could not be told.
    """
    from martello.cli.images.known import ImageSettings, world

    known = world(reading, ImageSettings())
    reasons = tuple(entry.reason for entry in known.unassessed if not entry.check)
    images = known.facts.get("images")
    if images is None:
        return None, reasons or ("no image was scanned here: martello image scan",)
    return of_images(reading.world(), images), reasons


def of_images(cluster: Cluster, images: ImageFacts) -> tuple[Weakness, ...]:
    """What the ledger says of each container's image: what is known to be exploited, else what is
    critical. An image that was never scanned is a doubt, never harmless.
    """
    from martello.practices.images.ledger import uses

    found: dict[Weakness, None] = {}
    for workload in cluster.workloads():
        for use in uses(workload, images):
            name = use.container.name
            if not use.summaries:
                why = f"{use.image[:200]} was never scanned"
                found[Weakness(use.image, "a weakness of its image", "", name, because=why)] = None
            for summary in use.summaries:
                found.update(dict.fromkeys(_weak(use.image, name, summary)))
    return tuple(found)


def _weak(image: str, container: str, summary: ImageSummary) -> Iterator[Weakness]:
    exploited = [(one, EXPLOITED) for one in summary.exploited]
    critical = [(one, "critical") for one in summary.worst if one.severity == "critical"]
    for one, how in (exploited + critical)[:_MOST]:
        fixed = f", fixed in {one.fixed}" if one.fixed else ", no fix"
        says = f"{one.package} {one.version} ({how}{fixed})"
        yield Weakness(image, one.id, says, container)
