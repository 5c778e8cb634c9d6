"""Edits upon edits: what a second look at a trimmed cluster changes, told as edits of the first."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Ref, Resource
from martello.practices.access.edits import UNBIND, Edit


def merged(first: Sequence[Edit], second: Sequence[Edit], before: Cluster) -> list[Edit]:
    """Both as edits of the cluster as it was before either."""
    found = list(first)
    for edit in second:
        at = next((n for n, one in enumerate(found) if _about(one, edit)), None)
        if at is None:
            found.append(edit)
        else:
            found[at] = _one(found[at], edit, before)
    return found


def _about(one: Edit, edit: Edit) -> bool:
    """Whether an edit is of the binding that an earlier one is of, or has made."""
    return edit.binding is not None and (
        edit.binding == one.binding or any(edit.binding == each.ref for each in one.changed)
    )


def _one(one: Edit, edit: Edit, before: Cluster) -> Edit:
    objects = {each.ref: each for each in (*one.changed, *edit.changed)}
    for ref in edit.removed:
        objects.pop(ref, None)
        objects = {r: each for r, each in objects.items() if not _role_of(each, ref, before)}
    removed = dict.fromkeys((*one.removed, *(r for r in edit.removed if _there(r, before))))
    kind, because = one.kind, one.because
    if kind == UNBIND:
        kind, because = edit.kind, edit.because if edit.kind != UNBIND else because
    return msgspec.structs.replace(
        one,
        kind=kind,
        because=because,
        changed=tuple(objects.values()),
        removed=tuple(removed),
        closed=(*one.closed, *edit.closed)[:1000],
        closed_count=one.closed_count + edit.closed_count,
    )


def _role_of(each: Resource, binding: Ref, before: Cluster) -> bool:
    """Whether an object is the new role that was made with a binding, under the same name."""
    ref = each.ref
    same = (ref.namespace, ref.name) == (binding.namespace, binding.name)
    return same and f"{ref.kind}Binding" == binding.kind and not _there(ref, before)


def _there(ref: Ref, cluster: Cluster) -> bool:
    return cluster.get(ref.group_kind, ref.namespace, ref.name) is not None
