"""The image policy: what may be in an image, who must vouch for it, what happens to unknowns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from martello.core.errors import BadInput
from martello.core.image import covers, parse_image

API: Final = "martello.dev/v1alpha1"
KIND: Final = "ImagePolicy"
Effect = Literal["fail", "warn", "ignore"]
Unknown = Literal["deny", "warn", "allow"]
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"([0-9]{1,6})([smhdw])")


class _Part(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A mapping of the policy's YAML: unknown keys are refused."""


class Vulnerabilities(_Part, frozen=True):
    """Which vulnerabilities fail an image."""

    fail_on: Literal["critical", "high", "medium", "low", "negligible", "none"] = "high"
    fixable_only: bool = False
    grace_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 0  # after the fix's publication
    exploited: Effect = "fail"  # whatever its severity, fix and grace
    epss_above: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None  # whatever its severity
    severity_from: tuple[Literal["distro", "advisory", "nvd"], ...] = ("distro", "advisory", "nvd")
    max_database_age: str = "72h"


class Licences(_Part, frozen=True):
    """Which licences packages may not have."""

    deny: tuple[str, ...] = ()


class System(_Part, frozen=True):
    """What holds for the image itself."""

    end_of_life: Effect = "fail"
    user: Literal["nonRoot", "any"] = "any"
    base_max_age: str = ""
    secrets: Effect = "fail"
    licences: Licences = Licences()


class Signer(_Part, frozen=True):
    """Whose signature counts: the file of a public key, or the key itself as PEM."""

    key: str


class Attestation(_Part, frozen=True):
    """An attestation that must be there: `vuln`, `cyclonedx`, …, or the URI of a predicate."""

    type: str
    max_age: str = ""


class Signed(_Part, frozen=True):
    """Who must vouch for the image. One of the keys is enough."""

    by: tuple[Signer, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    match_name: bool = False  # the name inside the signature must be the image's own


class Exempt(_Part, frozen=True):
    """What admission lets pass without looking at it."""

    namespaces: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()


class Spec(_Part, frozen=True):
    """What the policy asks for."""

    repositories: tuple[str, ...] = ()  # empty: all, and public registries are not allowed
    vulnerabilities: Vulnerabilities = Vulnerabilities()
    system: System = System()
    signed: Signed = Signed()
    exempt: Exempt = Exempt()
    on_unknown: Unknown = "deny"
    on_error: Unknown = "deny"
    valid_for: str = "7d"  # how long an approval holds at most


class ImagePolicy(msgspec.Struct, frozen=True):
    """One policy, where it is written, and the hash of the keys that it names."""

    name: str
    spec: Spec = Spec()
    origin: str = ""
    keys_hash: str = ""

    @property
    def hash(self) -> str:
        """SHA-256 of what it asks for, defaults included: an approval holds for one hash only."""
        return hashlib.sha256(msgspec.json.encode(self.spec)).hexdigest()


DEFAULT: Final = ImagePolicy("default", origin="built in")


class _Metadata(msgspec.Struct, frozen=True):
    name: str = ""


class _Document(_Part, frozen=True):
    api_version: str
    kind: str
    metadata: _Metadata = _Metadata()
    spec: Spec = Spec()


def read_policies(documents: Iterable[tuple[Any, str]]) -> tuple[ImagePolicy, ...]:
    """The policies of parsed YAML documents, each with its origin (file and line). Empty documents
    are skipped. Raises BadInput that names the key, for whatever is unknown or of a wrong type.
    """
    policies: list[ImagePolicy] = []
    for raw, origin in documents:
        if raw is None:
            continue
        policy = _read(raw, origin)
        if any(policy.name == other.name for other in policies):
            raise BadInput(f"cannot use {origin}", f"there are two policies named {policy.name}")
        policies.append(policy)
    return tuple(policies)


def seconds(text: str, key: str = "duration", origin: str = "the policy") -> int:
    """`72h`, `7d`, `90d` in seconds. Raises BadInput."""
    match = _DURATION.fullmatch(text)
    if match is None:
        why = f"{key} is {text[:40]!r}, no duration such as 72h or 14d"
        raise BadInput(f"cannot use {origin}", why)
    return int(match[1]) * _UNITS[match[2]]


def applicable(policies: Sequence[ImagePolicy], image: str) -> tuple[ImagePolicy, ...]:
    """The policies that are meant for an image; all of them for one that has no name yet."""
    if not image:
        return tuple(policies)
    return tuple(
        policy
        for policy in policies
        if not policy.spec.repositories or _any_covers(policy.spec.repositories, image)
    )


def listed(policies: Sequence[ImagePolicy], image: str) -> bool | None:
    """Whether a policy lists the image by name; None where no policy lists anything."""
    lists = [policy.spec.repositories for policy in policies if policy.spec.repositories]
    return any(_any_covers(patterns, image) for patterns in lists) if lists else None


def with_keys(policy: ImagePolicy, keys: Mapping[str, bytes]) -> ImagePolicy:
    """The policy bound to the keys it names (as written there → the PEM): other keys make other
    approvals.
    """
    parts = sorted(keys[signer.key] for signer in policy.spec.signed.by)
    whole = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    found = hashlib.sha256(whole).hexdigest() if parts else ""
    return msgspec.structs.replace(policy, keys_hash=found)


def _any_covers(patterns: Iterable[str], image: str) -> bool:
    return any(covers(pattern, image) for pattern in patterns)


def _read(raw: Any, origin: str) -> ImagePolicy:
    if isinstance(raw, dict) and (raw.get("kind"), raw.get("apiVersion")) != (KIND, API):
        kind, version = raw.get("kind"), raw.get("apiVersion")
        why = f"it is {str(kind)[:60]} of {str(version)[:60]}, and no {KIND} of {API}"
        raise BadInput(f"cannot use {origin}", why)
    try:
        document = msgspec.convert(raw, _Document)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadInput(f"cannot use {origin}", _words(str(error))) from None
    _check(document.spec, origin)
    name = document.metadata.name or "default"
    return ImagePolicy(name, document.spec, origin)


def _words(text: str) -> str:
    """msgspec's own words, with the key first: `$.spec.user: expected …`."""
    said, _, where = text.partition(" - at `")
    key = where.rstrip("`").removeprefix("$").lstrip(".")
    said = re.sub(r"^Object (contains|missing)", r"it \1", said)
    return f"{key}: {said}" if key else said


def _check(spec: Spec, origin: str) -> None:
    """What types cannot say: durations, patterns, keys."""
    durations = {
        "spec.vulnerabilities.maxDatabaseAge": spec.vulnerabilities.max_database_age,
        "spec.validFor": spec.valid_for,
        "spec.system.baseMaxAge": spec.system.base_max_age or "1d",
    }
    for number, wanted in enumerate(spec.signed.attestations):
        durations[f"spec.signed.attestations[{number}].maxAge"] = wanted.max_age or "1d"
        if not wanted.type:
            raise BadInput(
                f"cannot use {origin}", f"spec.signed.attestations[{number}] has no type"
            )
    for key, text in durations.items():
        seconds(text, key, origin)
    for key, patterns in (
        ("spec.repositories", spec.repositories),
        ("spec.exempt.repositories", spec.exempt.repositories),
    ):
        for pattern in patterns:
            _check_pattern(pattern, key, origin)
    if spec.signed.attestations and not spec.signed.by:
        why = "spec.signed.attestations names no key in spec.signed.by that could have signed them"
        raise BadInput(f"cannot use {origin}", why)
    if any(not signer.key.strip() for signer in spec.signed.by):
        raise BadInput(f"cannot use {origin}", "a key of spec.signed.by is empty")


def _check_pattern(pattern: str, key: str, origin: str) -> None:
    """A pattern that can cover nothing would refuse everything, or exempt nothing, in silence."""
    host, _, rest = pattern.strip().rstrip("/").partition("/")
    bad = not host or "" in rest.split("/")[:-1] or re.search(r"[\s@:]", rest)
    plain = re.sub(r"[*?]+", "x", pattern.strip().rstrip("/").lower())
    if bad or parse_image(plain if "/" in plain else f"{plain}/x") is None:
        why = f"{key}: {pattern[:90]!r} is no pattern of names such as reg.local/shop/*"
        raise BadInput(f"cannot use {origin}", why, "leave tag and digest out: names are compared")
