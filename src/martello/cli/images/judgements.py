"""Images judged by policies: all targets, the exit code, the verdict in a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from martello.cli.images.flow import Verdict, report_of
from martello.cli.images.gating import Court, Judged, Vouching, canonical_name, judge_image
from martello.cli.images.inventories import facts_kept
from martello.cli.images.opening import closing_images
from martello.cli.images.settings import Places
from martello.cli.images.target import ImageTarget, parse_image_target
from martello.cli.progress import Progress
from martello.core.approval import APPROVE, DENY, UNASSESSED, Judgement, Reason
from martello.core.errors import BadInput
from martello.core.waiver import Waiver
from martello.practices.images.judge import judge_index
from martello.report.images.model import Images

if TYPE_CHECKING:
    from martello.practices.images.attest.keys import PrivateKey

_NAMED = ("reference", "registry", "docker", "podman")


def judge_targets(
    words: Sequence[str], flags: dict[str, Any], court: Court, where: Places, progress: Progress
) -> list[Judged]:
    """Every image of every target, judged. Raises BadInput for what is no image."""
    judged: list[Judged] = []
    vouching = Vouching(strict=bool(flags.get("record")))
    with facts_kept(where.state, flags) as store:
        for word in words:
            target = parse_image_target(word)
            if target.kind in ("sbom", "rootfs", "dir"):
                why = f"it is no image, and only images get into a registry: {target.kind}"
                raise BadInput(f"cannot judge {word}", why, f"martello image scan {word}")
            with closing_images(target, flags) as found:
                for opened in found:
                    name = _name(target, opened.name, flags.get("name", ""))
                    if not name:  # what an archive says of itself opens no door
                        opened = msgspec.structs.replace(opened, name=str(target))
                    judged.append(judge_image(opened, name, court, store, progress, vouching))
    return judged


def _name(target: ImageTarget, known: str, given: str) -> str:
    """The name by which the image is judged: the one it gets, else the one it was asked for by. An
    archive's own tags are its author's word: they choose no policy, no waiver and no VEX.
    """
    if given:
        name = canonical_name(given)
        if not name:
            raise BadInput(f"--as {given} is no image reference", "", "REGISTRY/NAME:TAG")
        return name
    return canonical_name(known) if target.kind in _NAMED else ""


def conclude(
    judged: Sequence[Judged], court: Court, flags: dict[str, Any], begun: float, target: str
) -> Images:
    """The report of a judgement: the exit code is the policy's, whatever the severities."""
    examined = [one.examined for one in judged]
    how = Verdict("never", True, "low", bool(flags.get("everything")))
    images = report_of(target, examined, how, begun, court.now, court.database)
    told = {effect: _policies(judged, effect) for effect in (DENY, UNASSESSED, APPROVE)}
    if told[DENY]:
        count = len({r for one in judged for r in _against(one, DENY)})
        code, reason = 1, f"denied by {told[DENY]}: {count} reason{'' if count == 1 else 's'}"
    elif told[UNASSESSED]:
        code, reason = 3, f"not assessed by {told[UNASSESSED]}, which denies what is unknown"
    else:
        code, reason = 0, f"approved by {told[APPROVE]}"
    following = _next(judged, images.report.next) if code else ""
    report = msgspec.structs.replace(images.report, exit=code, reason=reason, next=following)
    return msgspec.structs.replace(images, report=report)


def _next(judged: Sequence[Judged], usual: str) -> str:
    """The next step, by what decides: a vulnerability can be explained, a name must be listed."""
    checks = {r.check for one in judged for r in _against(one, DENY)}
    if not checks or checks & {"IMG-001", "IMG-003"}:
        return usual
    if "IMG-006" in checks:
        return "list the name in spec.repositories of a policy, or choose another registry"
    if checks & {"IMG-007", "IMG-008"}:
        return "martello image promote, with a key of the policy"
    return f"martello explain {min(checks)}"


def _policies(judged: Sequence[Judged], outcome: str) -> str:
    """The names of the policies that say so."""
    said = (j.policy for one in judged for j in one.judgements if j.outcome == outcome)
    return ", ".join(dict.fromkeys(name or "no policy: none lists its name" for name in said))


def _against(judged: Judged, effect: str) -> list[Reason]:
    return [r for j in judged.judgements for r in j.reasons if r.effect == effect]


def approved(judged: Sequence[Judged]) -> bool:
    """Whether every image passes every policy."""
    return bool(judged) and all(one.outcome == APPROVE for one in judged)


def decisions(judged: Sequence[Judged], whole: bool) -> list[Judgement]:
    """What goes into the ledger: the judgement of each image; and where the whole of an index was
    judged, those of the indexes that led there: of one platform nothing follows for the others.
    """
    found = [j for one in judged for j in one.judgements]
    indexes = [i for one in judged if whole for i in (one.opened.index, one.opened.top) if i]
    for digest in dict.fromkeys(index.digest for index in indexes):
        listed = [one for one in judged if _lists(one, digest)]
        found += on_index(listed, digest)
    return found


def _lists(one: Judged, digest: str) -> bool:
    return any(i is not None and i.digest == digest for i in (one.opened.index, one.opened.top))


def on_index(judged: Sequence[Judged], digest: str) -> list[Judgement]:
    """What each policy says of an index, by what it says of the images in it."""
    by_policy: dict[tuple[str, str, str], list[Judgement]] = {}
    for one in judged:
        for j in one.judgements:
            by_policy.setdefault((j.policy, j.policy_hash, j.keys_hash), []).append(j)
    return [judge_index(digest, some[0].image, some) for some in by_policy.values()]


def waivers_of(files: Sequence[str]) -> tuple[Waiver, ...]:
    """Our own waivers among files of exceptions; of checks here, of vulnerabilities elsewhere."""
    from martello.cli.accepted import read_accepted

    own = [file for file in files if file.endswith((".yaml", ".yml", ".json"))]
    own = [file for file in own if "trivyignore" not in file and "grype" not in file]
    return read_accepted(own, foreign=False)[0] if own else ()


def write_verdict(decided: Sequence[Judgement], key: PrivateKey, file: str) -> None:
    """Writes the verdicts as DSSE envelopes around in-toto statements: a line for each image and
    each index. Raises BadInput.
    """
    from martello.adapters.whole import whole
    from martello.cli.images.attesting import verdict_predicate
    from martello.practices.images.attest import dsse, intoto

    by_digest: dict[str, list[Judgement]] = {}
    for judgement in decided:
        by_digest.setdefault(judgement.digest, []).append(judgement)
    lines = []
    for digest, some in by_digest.items():
        predicate = verdict_predicate(some)
        statement = intoto.statement(digest, some[0].image, intoto.VERDICT, predicate, intoto.V1)
        lines.append(dsse.sign(statement, key))
    try:
        with whole(file) as out:
            out.write(b"\n".join(lines) + b"\n")
    except OSError as error:
        raise BadInput(f"cannot write {file}", error.strerror or "", "") from error
