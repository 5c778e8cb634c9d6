"""RE2 syntax, as Go's `regexp` reads it: the text of a pattern becomes a tree of nodes."""

from __future__ import annotations

from typing import Final

from martello.cel.re2.classes import ANY, PERL, POSIX, Ranges, clean, fold, negate, unicode_class
from martello.cel.re2.nodes import (
    MAX_HEIGHT,
    MAX_REPEAT,
    Node,
    alternate,
    assertion,
    capture,
    concatenate,
    fail,
    one_of,
    repeat,
)

NOT_NEWLINE: Final[Ranges] = negate(((0x0A, 0x0A),))
_CONTROLS: Final = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_OCTAL: Final = frozenset("01234567")
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_ALNUM: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Tree:
    """A parsed pattern: its root, the number of groups, and the names of some of them."""

    __slots__ = ("groups", "names", "root")

    def __init__(self, root: Node, groups: int, names: dict[str, int]) -> None:
        self.root = root
        self.groups = groups
        self.names = names


class _Group:
    __slots__ = ("alternatives", "flags", "items", "number")

    def __init__(self, flags: frozenset[str], number: int) -> None:
        self.flags = flags
        self.number = number
        self.items: list[Node] = []
        self.alternatives: list[Node] = []


def parse(pattern: str) -> Tree:
    """Parse a pattern; `EvalError` when Go would refuse it, or it is too large."""
    return _Parser(pattern).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.flags: frozenset[str] = frozenset()
        self.stack = [_Group(self.flags, 0)]
        self.groups = 0
        self.names: dict[str, int] = {}
        self.repeated = False

    def parse(self) -> Tree:
        while self.at < len(self.text):
            repeated, self.repeated = self.repeated, False
            char = self.text[self.at]
            if char in "*+?":
                self.at += 1
                bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
                self._repeat(bounds[0], bounds[1], repeated)
            elif char == "{":
                self._brace(repeated)
            else:
                self._item(char)
        if len(self.stack) > 1:
            fail("missing closing )")
        group = self.stack.pop()
        return Tree(self._close(group), self.groups, self.names)

    def _item(self, char: str) -> None:
        if char == "\\":
            self._escape()
            return
        if char == "[":
            self.at += 1
            self._push_class(self._bracket())
            return
        if char == "(":
            self._open()
            return
        self.at += 1
        if char == "|":
            group = self.stack[-1]
            group.alternatives.append(concatenate(group.items))
            group.items = []
        elif char == ")":
            self._end_group()
        elif char == ".":
            self._push_class(ANY if "s" in self.flags else NOT_NEWLINE)
        elif char == "^":
            self._assert("^" if "m" in self.flags else "A")
        elif char == "$":
            self._assert("$" if "m" in self.flags else "z")
        else:
            self._literal(ord(char))

    # -- groups and flags

    def _open(self) -> None:
        if not self.text.startswith("(?", self.at):
            self.at += 1
            self._enter(capture=True)
            return
        rest = self.at + 2
        for mark in ("P<", "<"):
            if self.text.startswith(mark, rest):
                self._named(rest + len(mark))
                return
        self._set_flags(rest)

    def _enter(self, *, capture: bool) -> None:
        number = 0
        if capture:
            self.groups += 1
            number = self.groups
        if len(self.stack) > MAX_HEIGHT:
            fail("nested too deeply")
        self.stack.append(_Group(self.flags, number))

    def _named(self, start: int) -> None:
        end = self.text.find(">", start)
        name = self.text[start:end] if end >= 0 else ""
        if not name or not all(char in _ALNUM or char == "_" for char in name):
            fail("bad name of a group")
        self.at = end + 1
        self._enter(capture=True)
        self.names.setdefault(name, self.groups)

    def _set_flags(self, start: int) -> None:
        flags = set(self.flags)
        negative = seen = False
        for at in range(start, len(self.text)):
            char = self.text[at]
            if char in "imsU":
                (flags.discard if negative else flags.add)(char)
                seen = True
            elif char == "-" and not negative:
                negative, seen = True, False
            elif char in ":)" and (seen or not negative):
                self.at = at + 1
                if char == ":":
                    self._enter(capture=False)
                self.flags = frozenset(flags)
                return
            else:
                break
        fail("bad or unsupported (? syntax")

    def _end_group(self) -> None:
        if len(self.stack) == 1:
            fail("unexpected )")
        group = self.stack.pop()
        node = self._close(group)
        self.flags = group.flags
        self.stack[-1].items.append(capture(node, group.number) if group.number else node)

    def _close(self, group: _Group) -> Node:
        node = alternate((*group.alternatives, concatenate(group.items)))
        if node.height > 3 * MAX_HEIGHT:
            fail("nested too deeply")
        return node

    # -- repetition

    def _repeat(self, least: int, most: int | None, again: bool) -> None:
        greedy = "U" not in self.flags
        if self.text.startswith("?", self.at):
            self.at += 1
            greedy = not greedy
        items = self.stack[-1].items
        if again:
            fail("a repetition of a repetition")
        if not items:
            fail("nothing to repeat")
        child = items.pop()
        items.append(repeat(child, least, most, greedy))
        self.repeated = True

    def _brace(self, again: bool) -> None:
        bounds = self._bounds()
        if bounds is None:
            self.at += 1
            self._literal(ord("{"))
            return
        least, most, self.at = bounds
        if least > MAX_REPEAT or (most is not None and (most > MAX_REPEAT or most < least)):
            fail("bad repetition count")
        self._repeat(least, most, again)

    def _bounds(self) -> tuple[int, int | None, int] | None:
        end = self.text.find("}", self.at)
        if end < 0:
            return None
        low, comma, high = self.text[self.at + 1 : end].partition(",")
        if not _is_count(low) or (high and not _is_count(high)):
            return None
        least = int(low[:5])
        if not comma:
            return least, least, end + 1
        return least, int(high[:5]) if high else None, end + 1

    # -- single characters

    def _push_class(self, ranges: Ranges) -> None:
        self.stack[-1].items.append(one_of(ranges))

    def _literal(self, point: int) -> None:
        ranges: Ranges = ((point, point),)
        self._push_class(fold(ranges) if "i" in self.flags else ranges)

    def _assert(self, name: str) -> None:
        self.stack[-1].items.append(assertion(name))

    def _escape(self) -> None:
        after = self.text[self.at + 1 : self.at + 2]
        if after and after in "AbBz":
            self.at += 2
            self._assert(after)
        elif after == "Q":
            end = self.text.find("\\E", self.at + 2)
            quoted = self.text[self.at + 2 : end if end >= 0 else len(self.text)]
            self.at = end + 2 if end >= 0 else len(self.text)
            for char in quoted:
                self._literal(ord(char))
        else:
            ranges = self._class_escape()
            if ranges is None:
                self._literal(self._point())
            else:
                self._push_class(ranges)

    def _class_escape(self) -> Ranges | None:
        """`\\d`, `\\W`, `\\pL`, `\\P{Greek}` at the current place, or None."""
        letter = self.text[self.at + 1 : self.at + 2]
        if letter and letter in "dswDSW":
            self.at += 2
            ranges = PERL[letter.lower()]
        elif letter and letter in "pP":
            ranges, letter = self._property(letter)
        else:
            return None
        if "i" in self.flags:
            ranges = fold(ranges)
        return negate(ranges) if letter.isupper() else ranges

    def _property(self, letter: str) -> tuple[Ranges, str]:
        start = self.at + 2
        if self.text.startswith("{", start):
            end = self.text.find("}", start)
            if end < 0:
                fail("bad character class range")
            name = self.text[start + 1 : end]
            self.at = end + 1
        else:
            name = self.text[start : start + 1]
            self.at = start + 1
        if name.startswith("^"):
            name = name[1:]
            letter = letter.swapcase()
        ranges = unicode_class(name)
        if ranges is None:
            fail("unknown or unsupported class of characters")
        return ranges, letter

    def _point(self) -> int:
        """The code point that an escape stands for."""
        text = self.text
        self.at += 2
        char = text[self.at - 1 : self.at]
        if not char:
            fail("trailing backslash")
        if char in _OCTAL:
            return self._octal(char)
        if char == "x":
            return self._hex()
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char >= "\x80" or char in _ALNUM:
            fail("bad escape")
        return ord(char)

    def _octal(self, char: str) -> int:
        following = self.text[self.at : self.at + 1]
        if char != "0" and (not following or following not in _OCTAL):
            fail("references to groups are not supported")
        digits = char
        while len(digits) < 3 and self.text[self.at : self.at + 1] in _OCTAL:
            digits += self.text[self.at]
            self.at += 1
        return int(digits, 8)

    def _hex(self) -> int:
        text = self.text
        if text.startswith("{", self.at):
            end = text.find("}", self.at)
            digits = text[self.at + 1 : end] if end >= 0 else ""
            self.at = end + 1
        else:
            digits = text[self.at : self.at + 2]
            if len(digits) < 2:
                digits = ""
            self.at += 2
        if not digits or not all(char in _HEX for char in digits):
            fail("bad escape")
        point = int(digits[-8:] if not digits[:-8].strip("0") else "FFFFFFFF", 16)
        if point > 0x10FFFF:
            fail("bad escape")
        return point

    # -- bracket expressions

    def _bracket(self) -> Ranges:
        text = self.text
        inverted = text.startswith("^", self.at)
        self.at += inverted
        found: list[tuple[int, int]] = []
        start = self.at
        while self.at == start or not text.startswith("]", self.at):
            if self.at >= len(text):
                fail("missing closing ]")
            named = self._posix() if text.startswith("[:", self.at) else None
            if named is None and text.startswith("\\", self.at):
                named = self._class_escape()
            if named is not None:
                found.extend(named)
                continue
            low = high = self._member()
            after = text[self.at + 1 : self.at + 2]
            if text.startswith("-", self.at) and after and after != "]":
                self.at += 1
                high = self._member()
                if high < low:
                    fail("bad character class range")
            found.extend(fold(((low, high),)) if "i" in self.flags else ((low, high),))
        self.at += 1
        ranges = clean(found)
        return negate(ranges) if inverted else ranges

    def _posix(self) -> Ranges | None:
        end = self.text.find(":]", self.at + 2)
        if end < 0:
            return None
        name = self.text[self.at + 2 : end]
        inverted = name.startswith("^")
        ranges = POSIX.get(name[inverted:])
        if ranges is None:
            fail("bad character class range")
        self.at = end + 2
        if "i" in self.flags:
            ranges = fold(ranges)
        return negate(ranges) if inverted else ranges

    def _member(self) -> int:
        if self.at >= len(self.text):
            fail("missing closing ]")
        if self.text[self.at] == "\\":
            return self._point()
        self.at += 1
        return ord(self.text[self.at - 1])


def _is_count(text: str) -> bool:
    plain = text.isascii() and text.isdigit()
    return plain and (len(text) == 1 or text[0] != "0")
