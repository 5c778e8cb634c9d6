"""Images judged by policies: all targets, the exit code, the verdict in a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from martello.cli.images.flow import Verdict, report_of
from martello.cli.images.gating import Court, Judged, canonical_name, judge_image
from martello.cli.images.inventories import facts_kept
from martello.cli.images.opening import open_images
from martello.cli.images.settings import Places
from martello.cli.images.target import ImageTarget, parse_image_target
from martello.cli.progress import Progress
from martello.core.approval import APPROVE, DENY, UNASSESSED, Judgement, Reason
from martello.core.errors import BadInput
from martello.core.waiver import Waiver
from martello.practices.images.judge import judge_index
from martello.report.images.model import Images

_NAMED = ("reference", "registry", "docker", "podman")


def judge_targets(
    words: Sequence[str], flags: dict[str, Any], court: Court, where: Places, progress: Progress
) -> list[Judged]:
    """Every image of every target, judged. Raises BadInput for what is no image."""
    judged: list[Judged] = []
    with facts_kept(where.state, flags) as store:
        for word in words:
            target = parse_image_target(word)
            if target.kind in ("sbom", "rootfs", "dir"):
                why = f"it is no image, and only images get into a registry: {target.kind}"
                raise BadInput(f"cannot judge {word}", why, f"martello image scan {word}")
            for opened in open_images(target, flags):
                name = _name(target, opened.name, flags.get("name", ""))
                judged.append(judge_image(opened, name, court, store, progress))
    return judged


def _name(target: ImageTarget, known: str, given: str) -> str:
    """The name by which the image is judged: the one it gets, else the one it has."""
    if given:
        name = canonical_name(given)
        if not name:
            raise BadInput(f"--as {given} is no image reference", "", "REGISTRY/NAME:TAG")
        return name
    if target.kind in _NAMED or known != str(target):
        return canonical_name(known)
    return ""


def conclude(
    judged: Sequence[Judged], court: Court, flags: dict[str, Any], begun: float, target: str
) -> Images:
    """The report of a judgement: the exit code is the policy's, whatever the severities."""
    examined = [one.examined for one in judged]
    how = Verdict("never", True, "low", bool(flags.get("everything")))
    images = report_of(target, examined, how, begun, court.now, court.database)
    outcomes = {one.outcome for one in judged}
    policies = ", ".join(
        dict.fromkeys(j.policy or "no policy" for o in judged for j in o.judgements)
    )
    if DENY in outcomes:
        count = sum(1 for one in judged for r in _against(one, DENY))
        code, reason = 1, f"denied by {policies}: {count} reason{'' if count == 1 else 's'}"
    elif UNASSESSED in outcomes:
        code, reason = 3, f"not assessed by {policies}, which denies what is unknown"
    else:
        code, reason = 0, f"approved by {policies}"
    report = msgspec.structs.replace(images.report, exit=code, reason=reason)
    return msgspec.structs.replace(images, report=report)


def _against(judged: Judged, effect: str) -> list[Reason]:
    return [r for j in judged.judgements for r in j.reasons if r.effect == effect]


def approved(judged: Sequence[Judged]) -> bool:
    """Whether every image passes every policy."""
    return bool(judged) and all(one.outcome == APPROVE for one in judged)


def decisions(judged: Sequence[Judged]) -> list[Judgement]:
    """What goes into the ledger: the judgement of each image, and those of the indexes that list
    them.
    """
    found = [j for one in judged for j in one.judgements]
    by_index: dict[tuple[str, str, str], list[Judgement]] = {}
    for one in judged:
        if one.opened.index is not None:
            for j in one.judgements:
                key = (one.opened.index.digest, j.policy_hash, j.keys_hash)
                by_index.setdefault(key, []).append(j)
    for (digest, _, _), children in by_index.items():
        found.append(judge_index(digest, children[0].image, children))
    return found


def waivers_of(files: Sequence[str]) -> tuple[Waiver, ...]:
    """Our own waivers among files of exceptions; of checks here, of vulnerabilities elsewhere."""
    from martello.cli.accepted import read_accepted

    own = [file for file in files if file.endswith((".yaml", ".yml", ".json"))]
    own = [file for file in own if "trivyignore" not in file and "grype" not in file]
    return read_accepted(own, foreign=False)[0] if own else ()


def write_verdict(judged: Sequence[Judged], key: str, file: str) -> None:
    """Writes the verdicts as DSSE envelopes around in-toto statements, a line each. Raises
    BadInput.
    """
    from martello.adapters.whole import whole
    from martello.cli.images.attesting import verdict_predicate
    from martello.cli.images.signing import signing_key
    from martello.practices.images.attest import dsse, intoto

    if not key or not file:
        raise BadInput("a verdict needs a key and a file", "", "--key FILE --verdict FILE")
    signer = signing_key(key)
    lines = []
    for one in judged:
        name = one.judgements[0].image
        predicate = verdict_predicate(one.judgements)
        digest = one.opened.manifest.digest
        statement = intoto.statement(digest, name, intoto.VERDICT, predicate, intoto.V1)
        lines.append(dsse.sign(statement, signer))
    try:
        with whole(file) as out:
            out.write(b"\n".join(lines) + b"\n")
    except OSError as error:
        raise BadInput(f"cannot write {file}", error.strerror or "", "") from error
