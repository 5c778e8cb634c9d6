"""Who may do a thing: the subjects of bindings, those of the control plane folded."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.cli.access.asking import namespace, told
from martello.cli.access.opening import Opened
from martello.cli.access.requests import Asked, parse
from martello.cli.access.telling import chain, place, subject_note
from martello.practices.access.bindings import Subject
from martello.practices.access.defaults import of_control_plane
from martello.practices.access.gaps import may_allow
from martello.practices.access.model import MASTERS, Answer
from martello.practices.access.posture import mappings
from martello.report.access.model import Holder, Holders

_HOME: Final = "default"  # where kubectl puts what does not say its namespace


def holders(opened: Opened, words: tuple[str, ...], flags: dict[str, Any]) -> Holders:
    """Everybody who may. Without a namespace: everywhere, and in single namespaces. Raises
    BadInput.
    """
    asked = parse(words, opened.cluster, namespace(flags), flags["subresource"], flags["fields"])
    found = [_holder(subject, scopes, answers) for subject, scopes, answers in _all(opened, asked)]
    found.sort(key=lambda h: (h.perhaps, h.system, bool(h.scopes)))
    listed = [h for h in found if flags["system"] or not h.system]
    words_of = asked.words if not asked.request.namespace else told(asked)
    return Holders(
        words=words_of,
        request={k: v for k, v in msgspec.structs.asdict(asked.request).items() if v},
        holders=tuple(listed),
        folded=len(found) - len(listed),
        notes=(*asked.notes, *_masters(opened)),
        missing=opened.missing,
        exit=3 if opened.missing and not flags["allow_incomplete"] else 0,
    )


def _masters(opened: Opened) -> list[str]:
    """Identities of outside that pass every authorizer, which no binding shows."""
    return [
        f"{one.outside} may too: it is mapped to {MASTERS} ({where})"
        for one in mappings(opened.cluster)
        if one.is_master
        for where in (place(one.resource) or str(one.resource.ref),)
    ]


def _all(opened: Opened, asked: Asked) -> list[tuple[Subject, list[str], list[Answer]]]:
    """Each subject once: where it may (nothing: everywhere), and by what."""
    rows: dict[Subject, tuple[list[str], list[Answer]]] = {}
    for subject, answer in opened.access.who_can(asked.request):
        rows[subject] = ([], [answer])
    if asked.namespaced and not asked.request.namespace:
        for space in _spaces(opened, asked):
            request = msgspec.structs.replace(asked.request, namespace=space)
            for subject, answer in opened.access.who_can(request):
                known = rows.get(subject)
                if known is not None and not known[0]:
                    continue
                scopes, answers = rows.setdefault(subject, ([], []))
                scopes.append(space)
                answers.append(answer)
    return [(subject, scopes, answers) for subject, (scopes, answers) in rows.items()]


def _spaces(opened: Opened, asked: Asked) -> list[str]:
    """The namespaces in which a binding grants it. A binding that does not say its own may land in
    any of them; where there is none, the one that kubectl takes stands for it.
    """
    index = opened.access.index
    roles = set(index.roles_with(index.allowing(asked.request)))
    found = {
        binding.resource.ref.namespace
        for place, binding in enumerate(index.bindings)
        if not binding.cluster_wide and index.role_of[place] in roles
    }
    home = msgspec.structs.replace(asked.request, namespace=_HOME)
    if not found and any(True for _ in may_allow(index.adrift, home)):
        found.add(_HOME)
    return sorted(found)


def _holder(subject: Subject, scopes: list[str], answers: list[Answer]) -> Holder:
    chains = tuple(chain(grant) for answer in answers for grant in answer.grants)
    because = dict.fromkeys(reason for answer in answers for reason in answer.because)
    perhaps = all(answer.verdict == "unknown" for answer in answers)
    note = subject_note(subject)
    system = of_control_plane(subject.kind, subject.name, subject.namespace)
    if system:  # files do not hold the accounts that the controller manager makes
        because.pop("the account does not exist", None)
    if note and any(note in reason for reason in because):
        because = {r: None for r in because if note not in r}
    return Holder(
        subject=str(subject),
        note=note,
        scopes=tuple(scopes),
        chains=chains,
        because=tuple(because),
        system=system,
        perhaps=perhaps,
    )
