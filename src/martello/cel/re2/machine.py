"""The linear-time machine: a lazy automaton says whether, a list of threads says where."""

from __future__ import annotations

from typing import Final

from martello.cel.re2.classes import contains
from martello.cel.re2.program import ASSERT, CLASS, JUMP, MATCH, SAVE, SPLIT, Program
from martello.cel.values import EvalError

Captures = tuple[int, ...]

_MAX_STATES: Final = 1000
_MAX_STATE_ITEMS: Final = 200_000
_TOO_MUCH: Final = "regular expression: too much work for this text"
_WORD: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


class Machine:
    """Runs one program over texts; time grows with program and text, and is bounded."""

    __slots__ = ("_classes", "_code", "_holds", "_items", "_memo", "_plain", "_states")

    def __init__(self, program: Program) -> None:
        self._code = program.code
        self._classes = program.classes
        self._holds = program.asserts
        self._plain = not program.asserts
        self._memo: list[dict[str, bool]] = [{} for _ in program.classes]
        self._states: dict[tuple[frozenset[int], int], _State] = {}
        self._items = 0

    def matches(self, text: str) -> bool:
        """Whether the pattern occurs anywhere in `text`."""
        state = self._state(frozenset((0,)), 0)
        work = work_for(text)[0]
        for char in text:
            following = state.after.get(char)
            if following is None:
                work -= len(self._code)
                if work < 0:
                    raise EvalError(_TOO_MUCH)
                following = self._advance(state, char)
            if following.final:
                return True
            state = following
        return self._closure(state.pcs, state.kind, 4)[1]

    def find(self, text: str, start: int, slots: int, work: list[int]) -> Captures | None:
        """Offsets of the leftmost match at or after `start`; `work[0]` counts down to a refusal."""
        code = self._code
        threads: list[tuple[int, Captures]] = []
        found: Captures | None = None
        empty: Captures = (-1,) * slots
        for at in range(start, len(text) + 1):
            if not threads and found is not None:
                break
            around = 0 if self._plain else _kind(text, at - 1) | _kind(text, at) << 3
            if found is None:
                threads.append((0, empty))
            runnable = self._follow(threads, at, around)
            work[0] -= len(runnable) + len(threads) + 1
            if work[0] < 0:
                raise EvalError(_TOO_MUCH)
            threads = []
            char = text[at] if at < len(text) else ""
            for pc, captures in runnable:
                operation, operand, _ = code[pc]
                if operation == MATCH:
                    found = (captures[0], at, *captures[2:])
                    break
                if char and self._accepts(operand, char):
                    threads.append((pc + 1, captures))
        return found

    def _follow(
        self, threads: list[tuple[int, Captures]], at: int, around: int
    ) -> list[tuple[int, Captures]]:
        """Threads at instructions that read or match, in order of preference."""
        code = self._code
        seen: set[int] = set()
        runnable: list[tuple[int, Captures]] = []
        stack = [
            (pc, (at, *captures[1:]) if captures[0] < 0 else captures)
            for pc, captures in reversed(threads)
        ]
        while stack:
            pc, captures = stack.pop()
            if pc in seen:
                continue
            seen.add(pc)
            operation, one, other = code[pc]
            if operation == SPLIT:
                stack.append((other, captures))
                stack.append((one, captures))
            elif operation == JUMP:
                stack.append((one, captures))
            elif operation == SAVE:
                if one < len(captures):
                    captures = (*captures[:one], at, *captures[one + 1 :])
                stack.append((pc + 1, captures))
            elif operation == ASSERT:
                if _holds(self._holds[one], around & 7, around >> 3):
                    stack.append((pc + 1, captures))
            else:
                runnable.append((pc, captures))
        return runnable

    def _accepts(self, index: int, char: str) -> bool:
        memo = self._memo[index]
        known = memo.get(char)
        if known is None:
            if len(memo) > 4096:
                memo.clear()
            known = memo[char] = contains(self._classes[index], ord(char))
        return known

    # -- the automaton: sets of instructions, made when first met

    def _state(self, pcs: frozenset[int], kind: int) -> _State:
        key = (pcs, kind)
        state = self._states.get(key)
        if state is None:
            self._items += len(pcs)
            if len(self._states) >= _MAX_STATES or self._items > _MAX_STATE_ITEMS:
                self._states.clear()
                self._items = len(pcs)
            state = self._states[key] = _State(pcs, kind)
        return state

    def _advance(self, state: _State, char: str) -> _State:
        kind = 0 if self._plain else _char_kind(char)
        reached, matched = self._closure(state.pcs, state.kind, kind)
        if matched:
            following = _FINAL
        else:
            pcs = {pc + 1 for pc in reached if self._accepts(self._code[pc][1], char)}
            pcs.add(0)
            following = self._state(frozenset(pcs), kind)
        if len(state.after) > 512:
            state.after.clear()
        state.after[char] = following
        return following

    def _closure(self, pcs: frozenset[int], before: int, after: int) -> tuple[list[int], bool]:
        code = self._code
        seen: set[int] = set()
        reached: list[int] = []
        stack = list(pcs)
        while stack:
            pc = stack.pop()
            if pc in seen:
                continue
            seen.add(pc)
            operation, one, other = code[pc]
            if operation == CLASS:
                reached.append(pc)
            elif operation == MATCH:
                return reached, True
            elif operation == SPLIT:
                stack.append(one)
                stack.append(other)
            elif operation == JUMP:
                stack.append(one)
            elif operation == SAVE or _holds(self._holds[one], before, after):
                stack.append(pc + 1)
        return reached, False


class _State:
    __slots__ = ("after", "final", "kind", "pcs")

    def __init__(self, pcs: frozenset[int], kind: int) -> None:
        self.pcs = pcs
        self.kind = kind
        self.final = False
        self.after: dict[str, _State] = {}


_FINAL: Final = _State(frozenset(), 0)
_FINAL.final = True


def work_for(text: str) -> list[int]:
    """How many steps of a thread one call may take: some seconds of them at the very worst."""
    return [4_000_000 + 64 * len(text)]


# What lies beside a position: 0 the start, 1 a newline, 2 a word character, 3 another, 4 the end.


def _char_kind(char: str) -> int:
    if char in _WORD:
        return 2
    return 1 if char == "\n" else 3


def _kind(text: str, at: int) -> int:
    if at < 0:
        return 0
    return 4 if at >= len(text) else _char_kind(text[at])


def _holds(name: str, before: int, after: int) -> bool:
    if name == "A":
        return before == 0
    if name == "z":
        return after == 4
    if name == "^":
        return before < 2
    if name == "$":
        return after in (1, 4)
    return ((before == 2) != (after == 2)) == (name == "b")
