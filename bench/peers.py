"""The programs and libraries that are measured beside ours, in an environment of their own."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

from bench.material import BUILD, ROOT


def environment() -> Path:
    """Its directory of programs; installed anew where the pinned requirements are not those."""
    home = BUILD / "venv"
    requirements = ROOT / "requirements" / "bench.txt"
    installed = home / "installed.txt"
    if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
        print("  installing peers into build/bench/venv ...", flush=True)
        venv.create(home, with_pip=True)
        pip = (str(home / "bin" / "pip"), "--quiet", "--disable-pip-version-check")
        subprocess.run((*pip, "install", "--require-hashes", "-r", str(requirements)), check=True)
        installed.write_bytes(requirements.read_bytes())
    return home / "bin"
