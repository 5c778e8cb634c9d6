"""The page in a real browser: it renders in both schemes, narrow and wide, without a complaint."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from tests.support.browser import renders
from tests.support.reports import LIMITS, finding, report

from martello.report import html


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_renders(width: int, scheme: str, tmp_path: Path) -> None:
    out = io.StringIO()
    html.write(report(finding(), finding("db-" * 40, LIMITS)), out)
    renders(out.getvalue(), tmp_path, width, scheme)
