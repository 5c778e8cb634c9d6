"""Advice as files: a patch for each workload and autoscaler, with its reasons as comments, and a
kustomize component that applies them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from martello.cli.resources.folder import free_name, write_files
from martello.core.resource import Ref
from martello.report.text import clean

if TYPE_CHECKING:
    from martello.core.cluster import Cluster
    from martello.core.sizing import Advice, Target

_TEMPLATES: Final = {
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Pod": ("spec",),
}
_FIXED: Final = ("Pod", "Job")  # what is made of them cannot be changed
_SCALER: Final = "HorizontalPodAutoscaler.autoscaling"
_WIDE: Final = 98


def write_patches(advised: Iterable[Advice], world: Cluster | None, folder: str) -> tuple[str, ...]:
    """Writes a strategic merge patch for each workload and autoscaler, and kustomization.yaml;
    the files. What would be refused is left out. Raises BadInput, as write_files.
    """
    documents: dict[str, str] = {}
    ready = sorted((a for a in advised if a.today and not a.refused), key=lambda a: a.key)
    for _, group in groupby(ready, key=lambda a: (a.key.namespace, a.key.workload)):
        for name, text in _patches(list(group), world):
            documents[free_name(name, documents)] = text
    if documents:
        documents["kustomization.yaml"] = _component(documents)
    return write_files(documents, folder)


def _patches(group: Sequence[Advice], world: Cluster | None) -> Iterator[tuple[str, str]]:
    from martello.practices.resources.sizing.patch import lists

    today = group[0].today
    assert today is not None  # those without are left out above
    ref = today.ref
    if ref.kind not in _FIXED:
        body: Any = lists(group)
        for step in reversed(_TEMPLATES.get(ref.kind, ("spec", "template", "spec"))):
            body = {step: body}
        yield _file(ref), _document(ref, body, _reasons(group))
    targets = [target for one in group for target in one.targets]
    for name, some in groupby(sorted(targets, key=lambda t: t.scaler), key=lambda t: t.scaler):
        scaler = world.get(_SCALER, ref.namespace, name) if world is not None else None
        if scaler is not None:
            changed = list(some)
            body = {"spec": _retargeted(scaler.raw.get("spec") or {}, changed)}
            words = [
                f"{t.resource}: {t.now} % becomes {t.then} %, with the new requests"
                for t in changed
            ]
            yield _file(scaler.ref), _document(scaler.ref, body, words)


def _retargeted(spec: dict[str, Any], targets: Sequence[Target]) -> dict[str, Any]:
    """What of an autoscaler's spec changes; its list of metrics is replaced as a whole."""
    plain = {t.resource: t.then for t in targets if not t.container}
    if "targetCPUUtilizationPercentage" in spec and "cpu" in plain:
        return {"targetCPUUtilizationPercentage": plain["cpu"]}
    metrics = deepcopy(spec.get("metrics") or [])
    for metric in metrics:
        for part in ("resource", "containerResource"):
            of = metric.get(part) if isinstance(metric, dict) else None
            if not isinstance(of, dict):
                continue
            for target in targets:
                if (of.get("name"), str(of.get("container") or "")) == (
                    target.resource,
                    target.container,
                ):
                    aim = of.get("target")
                    if isinstance(aim, dict):
                        aim["averageUtilization"] = target.then
                    else:
                        of["targetAverageUtilization"] = target.then
    return {"metrics": metrics}


def _reasons(group: Sequence[Advice]) -> Iterator[str]:
    from martello.report.resources.advice.text import backtest

    for one in group:
        yield f"{one.key.container}: {'; '.join(one.reasons)}"
        if one.backtest is not None:
            yield f"backtest: {backtest(one.backtest)}"
        yield from one.cautions
        because = f": {'; '.join(one.because)}" if one.because else ""
        yield f"confidence {one.level}{because}"


def _document(ref: Ref, body: dict[str, Any], reasons: Iterable[str]) -> str:
    import yaml

    from martello.report.text import wrap

    metadata = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    plain = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata, **body}
    comments = [line for reason in reasons for line in wrap(clean(reason), _WIDE, "# ")]
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=False, width=_WIDE)
    return "".join(f"{line}\n" for line in comments) + str(text)


def _component(documents: Iterable[str]) -> str:
    import yaml

    body = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": [{"path": name} for name in sorted(documents)],
    }
    head = "# Name this directory under `components` of a kustomization.yaml.\n"
    return head + str(yaml.safe_dump(body, sort_keys=False))


def _file(ref: Ref) -> str:
    return "-".join(part for part in (ref.namespace, ref.kind.lower(), ref.name) if part)
