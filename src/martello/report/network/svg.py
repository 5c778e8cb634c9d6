"""SVG as text: elements with escaped attributes, classes instead of styles, no script."""

from __future__ import annotations

from html import escape
from typing import Final

# Printed and in both schemes readable: the glyph tells the verdict, the colour only helps.
STYLE: Final = """
.net { color-scheme: light dark; --ink: light-dark(#22252a, #e7e5e1);
  --soft: light-dark(#5c6169, #a3a8b0); --line: light-dark(#e4e1db, #33373d);
  --sheet: light-dark(#ffffff, #1e2125); --accent: light-dark(#2b5d8a, #8ab8e0);
  --open: light-dark(#a8390e, #ffa27a); --part: light-dark(#7a5600, #e9c46a);
  --shut: light-dark(#2c6a3f, #8fd0a2); --doubt: light-dark(#6b3fa0, #c7a6f0);
  font: 13px/1.2 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.net text { fill: var(--ink); } .net .soft { fill: var(--soft); }
.net .title { font-size: 15px; font-weight: 600; }
.net .sheet { fill: var(--sheet); stroke: var(--line); }
.net .grid { stroke: var(--line); stroke-width: 1; }
.net .open { fill: var(--open); } .net .part { fill: var(--part); }
.net .shut { fill: var(--shut); } .net .doubt { fill: var(--doubt); }
.net .hollow { fill: none; stroke: var(--part); stroke-width: 1.6; }
.net text.doubt { font-weight: 700; text-anchor: middle; }
.net .end { text-anchor: end; } .net .middle { text-anchor: middle; }
.net .edge { fill: none; stroke: var(--soft); stroke-width: 1.3; }
.net .edge.unsure { stroke-dasharray: 4 3; stroke: var(--doubt); }
.net .tip { fill: var(--soft); } .net .tip.unsure { fill: var(--doubt); }
.net .spot { fill: var(--sheet); stroke: var(--soft); }
.net .spot.focus { stroke: var(--accent); stroke-width: 2.5; }
.net .spot.outside, .net .spot.more { stroke-dasharray: 3 3; }
.net .label { font-size: 11px; fill: var(--soft); }
@media print { .net { color-scheme: light; } }
"""


def element(name: str, body: str = "", **attributes: str | float) -> str:
    """One element. `class_` is class, `_` in names is `-`; numbers are cut to a tenth."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{words}>{body}</{name}>" if body else f"<{name}{words}/>"


def words(text: str) -> str:
    """Text as content: escaped, with what a page cannot show made visible."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escape(shown)


def drawing(body: str, width: float, height: float, title: str, *, style: bool = False) -> str:
    """The outermost element, as wide as it needs and never wider than its room. A drawing of its
    own (a file) brings its style.
    """
    own = f"<style>{STYLE}</style>" if style else ""
    named = element("title", words(title))
    return element(
        "svg",
        f"{own}{named}{body}",
        xmlns="http://www.w3.org/2000/svg",
        class_="net",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=width,
        height=height,
        role="img",
        aria_label=title,
    )


def cut(text: str, most: int) -> str:
    """A label that is short enough; the middle goes, because names differ at both ends."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return words(value)
    return f"{value:.1f}".removesuffix(".0")
