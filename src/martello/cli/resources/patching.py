"""Advice as files: a patch for each workload and autoscaler, with its reasons as comments, and a
kustomize component that applies them all. Of custom kinds it is a JSON patch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from martello.cli.resources.folder import aimed, free_name, write_files
from martello.core.resource import Ref
from martello.report.text import clean

if TYPE_CHECKING:
    from martello.core.cluster import Cluster
    from martello.core.sizing import Advice, Target

_TEMPLATE: Final = ("spec", "template", "spec")
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
    targets: dict[str, dict[str, Any]] = {}
    ready = sorted((a for a in advised if a.today and not a.refused), key=lambda a: a.key)
    for _, group in groupby(ready, key=lambda a: (a.key.namespace, a.key.workload)):
        for ref, text, aim in _patches(list(group), world):
            name = free_name(_file(ref), documents)
            documents[name], targets[name] = text, aim
    if documents:
        documents["kustomization.yaml"] = _component(targets)
    return write_files(documents, folder)


def _patches(
    group: Sequence[Advice], world: Cluster | None
) -> Iterator[tuple[Ref, str, dict[str, Any]]]:
    """What is changed, the patch, and what a component has to say of it."""
    from martello.practices.resources.sizing.patch import lists, merges

    today = group[0].today
    assert today is not None  # those without are left out above
    ref = today.ref
    if not merges(ref):
        yield from _stepwise(group, ref, world)
    elif ref.kind not in _FIXED:
        body: Any = lists(group)
        for step in reversed(_TEMPLATES.get(ref.kind, _TEMPLATE)):
            body = {step: body}
        yield ref, _document(ref, body, _reasons(group)), {}
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
            yield scaler.ref, _document(scaler.ref, body, words), {}


def _stepwise(
    group: Sequence[Advice], ref: Ref, world: Cluster | None
) -> Iterator[tuple[Ref, str, dict[str, Any]]]:
    import yaml

    from martello.practices.resources.sizing.patch import lists, resized, steps

    resource = world.get(ref.group_kind, ref.namespace, ref.name) if world is not None else None
    if resource is not None:
        path = _TEMPLATES.get(ref.kind, _TEMPLATE)
        made = steps(resized(resource, path, group), path, lists(group))
        text = yaml.safe_dump(made, sort_keys=False, allow_unicode=False, width=_WIDE)
        yield ref, _commented(_reasons(group)) + str(text), aimed(ref)


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

    metadata = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    plain = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata, **body}
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=False, width=_WIDE)
    return _commented(reasons) + str(text)


def _commented(reasons: Iterable[str]) -> str:
    from martello.report.text import wrap

    lines = (line for reason in reasons for line in wrap(clean(reason), _WIDE, "# "))
    return "".join(f"{line}\n" for line in lines)


def _component(patches: Mapping[str, dict[str, Any]]) -> str:
    import yaml

    body = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": [{"path": name, **patches[name]} for name in sorted(patches)],
    }
    head = "# Name this directory under `components` of a kustomization.yaml.\n"
    return head + str(yaml.safe_dump(body, sort_keys=False))


def _file(ref: Ref) -> str:
    return "-".join(part for part in (ref.namespace, ref.kind.lower(), ref.name) if part)
