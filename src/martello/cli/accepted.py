"""What was accepted beforehand: waiver files, other tools' exception files, the baseline."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from martello.core.errors import BadInput
from martello.core.waiver import KIND, Waiver, waiver_of

if TYPE_CHECKING:
    from martello.catalogue.baseline import Baseline
    from martello.catalogue.exceptions import Exemption

_TRIVY = (".trivyignore", ".trivyignore.yaml")


def read_accepted(
    files: Sequence[str], foreign: bool
) -> tuple[tuple[Waiver, ...], tuple[Exemption, ...]]:
    """Waivers, and the exceptions of other tools. A .trivyignore of the current directory counts
    too while other tools' skips are honoured. Raises BadInput: what was named must be readable.
    """
    waivers: list[Waiver] = []
    exemptions: list[Exemption] = []
    found = [name for name in _TRIVY if foreign and os.path.isfile(name)]
    for file in (*files, *found):
        if _others(file):
            from martello.catalogue.exceptions import read_exceptions

            exemptions += read_exceptions(_text(file), file)
        else:
            waivers += _waivers(file)
    return tuple(waivers), tuple(exemptions)


def _others(file: str) -> bool:
    """Whether a file is another tool's: Trivy's by its name, kubescape's by being JSON that holds
    no Kubernetes objects.
    """
    name = os.path.basename(file)
    if name in _TRIVY or not name.endswith(".json") or os.path.isdir(file):
        return name in _TRIVY
    return '"apiVersion"' not in _text(file)


def _waivers(file: str) -> list[Waiver]:
    from martello.adapters.manifests import read_paths

    reading = read_paths([file])
    for entry in reading.unassessed:
        raise BadInput(f"cannot read the waivers in {entry.location}", entry.reason, "mend it")
    waivers = [waiver_of(r) for r in reading.resources if r.ref.group_kind == KIND]
    if not waivers:
        raise BadInput(f"no waivers in {file}", f"it holds no object of kind {KIND}", "")
    return waivers


def read_known(file: str) -> Baseline:
    """The baseline that was named; empty where none was. Raises BadInput."""
    from martello.catalogue.baseline import NOTHING, read_baseline

    return read_baseline(_text(file), file) if file else NOTHING


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as source:
            return source.read(16 * 1024 * 1024)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise BadInput(f"cannot read {file}", why or "", "check the name") from error
