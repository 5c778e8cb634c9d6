"""The page in a real browser: it renders in both schemes, narrow and wide, without a complaint."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from tests.support.reports import LIMITS, finding, report

from martello.report import html

QUIET = (
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


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_renders(width: int, scheme: str, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no browser: apt-get install chromium")
    out = io.StringIO()
    html.write(report(finding(), finding("db-" * 40, LIMITS)), out)
    page = tmp_path / "report.html"
    page.write_text(out.getvalue(), encoding="utf-8")
    shot = tmp_path / "shot.png"
    dark = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()
    done = subprocess.run(
        [
            chromium,
            *QUIET,
            *dark,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900",
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
