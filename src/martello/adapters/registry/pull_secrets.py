"""imagePullSecrets, matched to images as the kubelet matches them.

Source: Kubernetes' pkg/credentialprovider and the page "Pull an Image from a Private Registry":
hosts part by part with globs in each part, ports equal, the path a prefix of the image's; longer
and literal keys before shorter and globbed ones; all that fit are tried in turn.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from martello.adapters.registry.credentials import parse_entry
from martello.adapters.registry.settings import Credential
from martello.core.errors import BadInput

_LARGEST: Final = 1 << 20  # the API server takes no larger Secret
_HUB: Final = "index.docker.io"


class PullSecret(msgspec.Struct, frozen=True):
    """The entries of one Secret, in the kubelet's order."""

    source: str
    entries: tuple[tuple[str, Credential], ...]

    def find(self, name: str) -> tuple[Credential, ...]:
        """All credentials whose key fits `host/repository`."""
        found = tuple(credential for key, credential in self.entries if matches(key, name))
        if found or name.partition("/")[0] not in ("docker.io", _HUB):
            return found
        return tuple(credential for key, credential in self.entries if key == _HUB)


def from_pull_secret(data: Mapping[str, Any], name: str = "pull secret") -> PullSecret:
    """The keyring of a Secret's `data` (base64 values): of type kubernetes.io/dockerconfigjson or
    kubernetes.io/dockercfg. `name` is how messages call it. Raises BadInput.
    """
    for key in (".dockerconfigjson", ".dockercfg"):
        packed = data.get(key)
        if packed is None:
            continue
        try:
            content = base64.b64decode(packed, validate=True)
            body = msgspec.json.decode(content) if len(content) <= _LARGEST else None
        except (binascii.Error, ValueError, TypeError, RecursionError):
            body = None
        auths = (
            body.get("auths", {}) if isinstance(body, dict) and key[7:] == "configjson" else body
        )
        if not isinstance(auths, dict):
            raise BadInput(f"cannot read {name}", f"its {key} is no registry configuration")
        return PullSecret(name, _ordered(auths, name))
    raise BadInput(f"cannot read {name}", "it has neither .dockerconfigjson nor .dockercfg")


def matches(key: str, name: str) -> bool:
    """Whether a key (`host`, `*.host:port/path`) fits an image's `host/repository`."""
    pattern_host, _, pattern_path = key.partition("/")
    host, _, path = name.partition("/")
    wanted, wanted_port = _split(pattern_host)
    found, port = _split(host)
    if wanted_port != port or len(wanted) != len(found):
        return False
    if not path.startswith(pattern_path):  # letters, not components: so does the kubelet
        return False
    return all(_part(pattern, part) for pattern, part in zip(wanted, found, strict=True))


def _part(pattern: str, part: str) -> bool:
    return pattern == part or fnmatch.fnmatchcase(part, pattern.replace("[^", "[!"))


def _split(host: str) -> tuple[Sequence[str], str]:
    if host.startswith("["):
        address, _, port = host.partition("]")
        return (address,), port.removeprefix(":")
    address, _, port = host.partition(":")
    return address.split("."), port


def _ordered(auths: Mapping[str, Any], name: str) -> tuple[tuple[str, Credential], ...]:
    found = []
    for raw, value in auths.items():
        try:
            parsed = urlsplit(
                "https://" + raw.removeprefix("https://").removeprefix("http://"),
                allow_fragments=False,
            )
        except ValueError:
            continue  # the kubelet skips what is no address, and says so in its log only
        path = parsed.path[3:] if parsed.path.startswith(("/v1/", "/v2/")) else parsed.path
        credential = parse_entry(value, name)
        if credential is not None:
            found.append((parsed.netloc + (path if path != "/" else ""), credential))
    found.sort(key=lambda entry: entry[0], reverse=True)
    return tuple(found)
