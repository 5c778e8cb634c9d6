"""Image policies and the keys that they name, read from files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from martello.cli.images.flow import read_file
from martello.core.errors import BadInput
from martello.practices.images.attest.keys import PublicKey, public_keys
from martello.practices.images.policy import KIND, ImagePolicy, read_policies, with_keys


def load_policies(files: Sequence[str]) -> tuple[ImagePolicy, ...]:
    """The policies of files or directories, bound to the keys that they name; a key's file is
    meant from where its policy lies. None named: MARTELLO_IMAGE_POLICY, else none. Raises BadInput.
    """
    named = tuple(files) or tuple(filter(None, (os.environ.get("MARTELLO_IMAGE_POLICY", ""),)))
    if not named:
        return ()
    from martello.adapters.manifests import read_paths

    documents: list[tuple[object, str]] = []
    homes: dict[str, str] = {}
    for file in named:
        if not os.path.exists(file):
            raise BadInput(f"cannot read {file}", "there is no such file or directory", "check -p")
        reading = read_paths([file])
        for entry in reading.unassessed:
            raise BadInput(f"cannot read the policy in {entry.location}", entry.reason, "mend it")
        found = [r for r in reading.resources if r.ref.kind == KIND or os.path.isfile(file)]
        if not found:
            raise BadInput(f"no policy in {file}", f"it holds no object of kind {KIND}")
        for resource in found:
            origin = str(resource.locate(()))
            documents.append((resource.raw, origin))
            homes[origin] = os.path.dirname(resource.origin.where)
    policies = read_policies(documents)
    return tuple(with_keys(policy, _pems(policy, homes[policy.origin])) for policy in policies)


def keys_of(policies: Sequence[ImagePolicy]) -> Mapping[str, tuple[PublicKey, ...]]:
    """The keys of each policy, by its name."""
    found: dict[str, tuple[PublicKey, ...]] = {}
    for policy in policies:
        home = os.path.dirname(re.sub(r":\d+:\d+$", "", policy.origin))
        keys = _pems(policy, home)
        found[policy.name] = tuple(
            key for name, pem in keys.items() for key in public_keys(pem, short_key(name))
        )
    return found


def _pems(policy: ImagePolicy, home: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for signer in policy.spec.signed.by:
        if "-----BEGIN" in signer.key:
            found[signer.key] = signer.key.encode()
        else:
            found[signer.key] = read_file(os.path.join(home, signer.key), 1 << 20)
    return found


def short_key(name: str) -> str:
    """A key as a person would name it: its file, or that it is written in the policy."""
    return "the key in the policy" if "-----BEGIN" in name else name
