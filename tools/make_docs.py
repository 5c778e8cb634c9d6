"""Writes the generated pages: docs/checks from the checks, docs/cli.md from the commands. `--check`
compares.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from martello.catalogue.load import load
from martello.catalogue.page import markdown
from martello.cli.main import cli
from martello.core.check import Check
from martello.core.finding import PRACTICES
from martello.report.html import TITLES

DOCS = Path(__file__).parent.parent / "docs"
HEAD = "<!-- Written by `make docs`; change the source instead. -->\n"


def pages() -> dict[Path, str]:
    """Every generated page by its path."""
    checks = sorted(load(), key=lambda check: check.id)
    made = {DOCS / "checks" / f"{check.id}.md": HEAD + markdown(check) for check in checks}
    made[DOCS / "checks" / "README.md"] = HEAD + _index(checks)
    made[DOCS / "cli.md"] = HEAD + _commands()
    return made


def _index(checks: list[Check]) -> str:
    lines = [f"# The {len(checks)} checks", ""]
    for practice in PRACTICES:
        own = [check for check in checks if check.practice == practice]
        lines += [f"## {TITLES[practice]}", "", "| id | title | severity | profile |"]
        lines.append("|---|---|---|---|")
        for check in own:
            link = f"[{check.id}]({check.id}.md)"
            lines.append(f"| {link} | {check.title} | {check.severity} | {check.profile} |")
        lines.append("")
    return "\n".join(lines)


def _commands() -> str:
    lines = ["# The command line", ""]
    lines += ["```", _help(cli, "martello"), "```", ""]
    context = click.Context(cli, info_name="martello")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        lines += [f"## martello {name}", "", "```", _help(command, f"martello {name}"), "```", ""]
    return "\n".join(lines)


def _help(command: click.Command, name: str) -> str:
    with click.Context(command, info_name=name, max_content_width=100, terminal_width=100) as ctx:
        return command.get_help(ctx)


def main() -> int:
    """Writes the pages, or says which differ."""
    made = pages()
    stale = set((DOCS / "checks").glob("*.md")) - set(made)
    differing = [p for p, text in made.items() if not p.is_file() or p.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in sorted({*differing, *stale}):
            print(f"{path.relative_to(DOCS.parent)} differs from its source: make docs")
        return 1 if differing or stale else 0
    (DOCS / "checks").mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.unlink()
    for path in differing:
        path.write_text(made[path], encoding="utf-8")
    print(f"{len(made)} pages, {len(differing)} written, {len(stale)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
