"""A real Debian root file system, made once by mmdebstrap from the machine's package sources."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

_BUILD: Final = Path(__file__).parents[2] / "build" / "rootfs"
_INCLUDED: Final = "ca-certificates,openssl,libssl3"
_SECONDS: Final = 240


@lru_cache(maxsize=1)
def debian_rootfs() -> Path:
    """An uncompressed tar of a minimal bookworm with openssl, kept below build/. Skips where it
    cannot be made.
    """
    kept = _BUILD / "bookworm-minbase-openssl.tar"
    if kept.is_file():
        return kept
    program = shutil.which("mmdebstrap")
    if program is None:
        pytest.skip("no mmdebstrap: apt-get install mmdebstrap")
    _BUILD.mkdir(parents=True, exist_ok=True)
    with (_BUILD / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=_BUILD) as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker makes it, the others wait
        if kept.is_file():
            return kept
        made = Path(folder) / "root.tar"
        command = [program, "--variant=minbase", f"--include={_INCLUDED}", "bookworm", str(made)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"mmdebstrap did not end within {_SECONDS} s: is there a Debian mirror?")
        if done.returncode:
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            pytest.skip(f"mmdebstrap failed: {''.join(last)[:200]}")
        os.replace(made, kept)
    return kept
