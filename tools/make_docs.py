"""Writes the generated pages: docs/checks from the checks, docs/cli.md from the commands,
docs/rules.md from the rules of the monitor. `--check` compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from martello.catalogue.load import load
from martello.catalogue.page import markdown
from martello.cli.main import cli
from martello.core.check import Check
from martello.core.finding import PRACTICES
from martello.practices.monitor import packs
from martello.report.html import TITLES

DOCS = Path(__file__).parent.parent / "docs"
_RULES = """`martello monitor rules list` shows them, `rules check` which of them can fire on what
is connected, `rules test` runs the tests that each one carries. Why a rule matters, what to do,
what may silence it and which rules of others it covers stand beside it in
`practices/monitor/rules/`; how rules are written stands in
[practices/monitor-rules.md](practices/monitor-rules.md)."""
HEAD = "<!-- Written by `make docs`; change the source instead. -->\n"


def pages() -> dict[Path, str]:
    """Every generated page by its path."""
    checks = sorted(load(), key=lambda check: check.id)
    made = {DOCS / "checks" / f"{check.id}.md": HEAD + markdown(check) for check in checks}
    made[DOCS / "checks" / "README.md"] = HEAD + _index(checks)
    made[DOCS / "cli.md"] = HEAD + _commands()
    made[DOCS / "rules.md"] = HEAD + _rules()
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


def _rules() -> str:
    """The rules of the pack by file, whose first comment says what they are about."""
    rules = [rule for rule in packs.default() if "/" not in rule.id]
    lines = [f"# The {len(rules)} rules of the monitor", "", _RULES, ""]
    for name, text in packs.texts((str(packs.RULES),)):
        own = sorted((r for r in rules if r.source.file == name), key=lambda rule: rule.id)
        told = [line.removeprefix("# ") for line in text.split("\n\n")[0].splitlines()]
        lines += [f"## {Path(name).stem}", "", " ".join(told), ""]
        lines += ["| id | title | severity | events | ATT&CK |", "|---|---|---|---|---|"]
        lines += [
            f"| {r.id} | {r.title} | {r.severity} | {', '.join(r.kinds)} | {', '.join(r.attack)} |"
            for r in own
        ]
        lines.append("")
    return "\n".join(lines)


def _commands() -> str:
    lines = ["# The command line", ""]
    root = click.Context(cli, info_name="martello", **cli.context_settings)
    for context in (root, *_below(root)):
        if context is not root:
            lines += [f"## {context.command_path}", ""]
        lines += ["```", context.get_help(), "```", ""]
    return "\n".join(lines)


def _below(parent: click.Context) -> Iterator[click.Context]:
    """The contexts of all commands below a group, wide enough for a page."""
    parent.terminal_width = 100
    group = parent.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, parent, info_name=name, **command.context_settings)
        context.terminal_width = 100
        yield context
        yield from _below(context)


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
