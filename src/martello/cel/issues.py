"""What is wrong with a text that does not compile, and how it is shown."""

from __future__ import annotations


class Issue:
    """One fault or warning: `severity` is error or warning, `start` and `end` are code points,
    `hint` may be empty.
    """

    __slots__ = ("end", "hint", "message", "severity", "start")

    def __init__(self, severity: str, message: str, start: int, end: int, hint: str = "") -> None:
        self.severity = severity
        self.message = message
        self.start = start
        self.end = end
        self.hint = hint

    def __repr__(self) -> str:
        return f"Issue({self.severity!r}, {self.text!r}, {self.start}, {self.end})"

    @property
    def text(self) -> str:
        """The message with its hint."""
        return f"{self.message}; {self.hint}" if self.hint else self.message


class CompileError(Exception):
    """A text that cannot be compiled, with every issue found in it."""

    def __init__(self, issues: list[Issue], source: str = "") -> None:
        first = issues[0] if issues else Issue("error", "cannot be compiled", 0, 0)
        line, column = place(source, first.start)
        more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
        super().__init__(f"{line}:{column}: {first.text}{more}")
        self.issues = issues
        self.source = source


class SyntaxFault(Exception):
    """A macro was given what it cannot take; raised by its expansion, turned into an issue by the
    parser.
    """

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


class BadInput(Exception):
    """An environment was built from declarations that clash or name what does not exist."""


def place(source: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of a code point."""
    before = source[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
