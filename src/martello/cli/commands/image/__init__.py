"""`martello image VERB`: what images hold, whether they may pass, who vouches for them."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "scan": ("scan", "What is wrong with images: packages, secrets, system, user."),
    "gate": ("gate", "Judge images by a policy: exit code, and a signed verdict."),
    "promote": ("promote", "Gate, sign, attest, and push to a registry; nothing arrives else."),
    "sign": ("sign", "Sign an image in a registry by its digest."),
    "verify": ("verify", "Who vouches for an image: signatures and attestations."),
    "key": ("key", "Make a key pair for signing."),
    "sbom": ("sbom", "What is in images, as CycloneDX or SPDX."),
    "explain": ("explain", "Why a vulnerability is reported; or the layers of an image."),
    "why-not": ("why_not", "Why a vulnerability is not reported."),
    "approve": ("approve", "Write an approval (or a denial) into the ledger by hand."),
    "ledger": ("ledger", "Who decided what of images, and whether the ledger is whole."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.image"


@click.group("image", cls=_Verbs)
def command() -> None:
    """Images: scan, gate, sign, promote.

    TARGET is a reference (local engine first, then the registry), docker:NAME, podman:NAME,
    registry:REF, oci:DIR[:TAG], docker-archive:FILE, oci-archive:FILE, rootfs:DIR, dir:DIR,
    sbom:FILE, or - for the stream of `docker save`.
    """
