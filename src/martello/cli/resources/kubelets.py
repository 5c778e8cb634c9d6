"""What kubelets are set to: from files that --kubelet names, or asked of a live cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from martello.core.errors import BadInput, MartelloError
from martello.core.reading import Reading
from martello.practices.resources.node.model import Use
from martello.practices.resources.node.summary import uses

_MOST = 10_000  # files of one directory


class Kubelets(msgspec.Struct, frozen=True):
    """Configurations and summaries by node, the use of pods, and what could not be had."""

    configurations: dict[str, dict[str, Any]] = {}
    stats: dict[str, dict[str, Any]] = {}
    use: dict[str, Use] = {}
    notes: tuple[str, ...] = ()


def kubelets(files: Sequence[str], reading: Reading, flags: Mapping[str, Any]) -> Kubelets:
    """What is known of the kubelets of a world. Raises BadInput for files that are none."""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        found.update(_read(Path(file)))
    live = Kubelets()
    words = flags["files"]
    if not words or any(word.partition(":")[0] == "cluster" for word in words):
        live = _live(reading, flags)
    return Kubelets({**live.configurations, **found}, live.stats, live.use, live.notes)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    from martello.adapters.kubelet.files import read_configuration

    if not path.is_dir():
        return {"": read_configuration(path)}
    try:
        inside = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml", ".json"))
    except OSError as error:
        raise BadInput(f"cannot read {path}", error.strerror or "it cannot be listed") from error
    if not inside:
        raise BadInput(
            f"no kubelet configuration in {path}",
            "it holds no .yaml, .yml or .json file",
            "one file a node, called as the node is: worker-1.yaml",
        )
    if len(inside) > _MOST:
        raise BadInput(f"too many files in {path}", f"{len(inside)} of at most {_MOST}")
    return {file.stem: read_configuration(file) for file in inside}


def _live(reading: Reading, flags: Mapping[str, Any]) -> Kubelets:
    """Asks the API server to pass the question on; who may not is told so."""
    from martello.adapters.cluster.kubeconfig import access
    from martello.adapters.kubelet.live import ask

    names = [one.ref.name for one in reading.resources if one.ref.group_kind == "Node"]
    if not names:
        return Kubelets()
    try:
        context = flags.get("context") or _context(flags.get("files") or ())
        found = ask(access(context, kubeconfig=flags["kubeconfig"]), names)
    except MartelloError as error:
        return Kubelets(notes=(f"kubelets were not asked: {error.what}",))
    use: dict[str, Use] = {}
    for summary in found.stats.values():
        use.update(uses(summary))
    notes = [f"{name}: {why}" for name, why in found.unread.items()][:3]
    more = len(found.unread) - len(notes)
    if more > 0:
        notes.append(f"and {more} more kubelets")
    return Kubelets(found.configurations, found.stats, use, tuple(notes))


def _context(words: Sequence[str]) -> str | None:
    """The context of `-f cluster:CONTEXT`."""
    for word in words:
        if word.startswith("cluster:"):
            return word.removeprefix("cluster:") or None
    return None
