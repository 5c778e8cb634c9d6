"""Pages in a real browser: they render, in both schemes, without a complaint."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from PIL import Image

QUIET: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)


def renders(text: str, place: Path, width: int, scheme: str, height: int = 900) -> None:
    """Fails where a page complains, is blank, or is not in its scheme (`light`, `dark`)."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no browser: apt-get install chromium")
    page, shot = place / "page.html", place / "shot.png"
    page.write_text(text, encoding="utf-8")
    dark = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()
    done = subprocess.run(
        [
            chromium,
            *QUIET,
            *dark,
            f"--user-data-dir={place / 'profile'}",
            f"--window-size={width},{height}",
            f"--screenshot={shot}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "CONSOLE" not in done.stderr
    with Image.open(shot) as picture:
        pixels = picture.convert("RGB")
    assert pixels.width == width
    assert len(pixels.getcolors(maxcolors=1_000_000) or ()) > 50, "the page is not blank"
    corner = pixels.getpixel((1, 1))
    assert isinstance(corner, tuple)
    assert (max(corner) < 60) == (scheme == "dark")
