"""Kubelets' settings and figures from files: a KubeletConfiguration (YAML or JSON, as the kubelet
reads it or as `configz` answers), and a summary as /stats/summary answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from martello.adapters.kubelet.shape import Foreign, configuration, summary
from martello.adapters.manifests import parse_documents
from martello.core.errors import BadInput

_LARGEST: Final = 16 << 20  # bytes
_NEXT: Final = "give a file with a KubeletConfiguration, or the answer of configz"


def read_configuration(file: str | Path) -> dict[str, Any]:
    """The one KubeletConfiguration of a file; other documents beside it (kubeadm's) are passed
    over. Raises BadInput.
    """
    found: list[dict[str, Any]] = []
    why = "it holds no KubeletConfiguration"
    for document in _documents(file):
        try:
            found.append(configuration(document))
        except Foreign as foreign:
            if "entries" in str(foreign):
                why = str(foreign)
    if len(found) == 1:
        return found[0]
    if found:
        why = f"it holds {len(found)} KubeletConfigurations"
    raise BadInput(f"cannot use {file}", why, _NEXT)


def read_summary(file: str | Path) -> tuple[str, dict[str, Any]]:
    """The name of the node and its summary. Raises BadInput."""
    documents = _documents(file)
    why = f"it holds {len(documents)} documents" if len(documents) != 1 else ""
    if not why:
        try:
            found = summary(documents[0])
            name = found["node"].get("nodeName")
            if isinstance(name, str) and name:
                return name, found
            why = "it does not name its node"
        except Foreign as foreign:
            why = str(foreign)
    raise BadInput(f"cannot use {file}", why, "give one answer of a kubelet's /stats/summary")


def _documents(file: str | Path) -> list[Any]:
    """Raises BadInput for what cannot be read at all, or in part."""
    try:
        with open(file, "rb") as source:
            text = source.read(_LARGEST + 1)
    except OSError as error:
        why = error.strerror or "it cannot be opened"
        raise BadInput(f"cannot read {file}", why, "check the name of the file") from None
    if len(text) > _LARGEST:
        raise BadInput(f"cannot read {file}", f"it is larger than {_LARGEST >> 20} MiB", _NEXT)
    parsed = parse_documents(text, str(file))
    for broken in parsed.broken:
        where = f"{broken.location}: " if broken.location is not None else ""
        raise BadInput(f"cannot read {file}", f"{where}{broken.reason}", "correct the file")
    return [document.value for document in parsed.documents]
