"""The expressions of patterns: a documented subset of regular expressions, and elements for numbers, dates and check digits.

==================  =====================================================================================
``abc``             these characters; ``\\`` before one of ``\\ . [ ] ( ) { } < > * + ? |`` stands for itself
``.``               any character of `ANY`
``[a-z,]``          one of these; ``[^0-9]`` any of `ANY` but these
``\\d \\l \\u \\w \\s``  a digit, a small letter, a capital, a letter or digit, a space
``(a|b)``           one or the other
``* + ? {2} {2,4}`` repeated; ``{2,}`` at least twice
``<1-31>``          a whole number in this range; with equally many digits on both sides, ``<01-31>``, in so many digits
``<D.M.Y>``         a date, see `carrel.decode.patterns.elements`
``<luhn 10>``       so many digits, the last of them a check digit: ``luhn``, ``ean``, ``mod11``, ``mod97``
==================  =====================================================================================
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from carrel.decode.patterns.automaton import Dfa, Nfa, determinized
from carrel.errors import UsageError

LONGEST_PATTERN = 1000
MOST_REPEATS = 200
DEEPEST = 50
ANY = frozenset(
    c for c in map(chr, (*range(0x20, 0x7F), *range(0xA1, 0x180), 0x20AC)) if unicodedata.category(c)[0] != "C"
)
"""What ``.`` stands for: Latin letters with and without accents, digits and signs, U+0020 to U+017F."""
_ESCAPES = {
    "d": frozenset("0123456789"),
    "l": frozenset(c for c in ANY if c.isalpha() and c.islower()),
    "u": frozenset(c for c in ANY if c.isalpha() and c.isupper()),
    "w": frozenset(c for c in ANY if c.isalpha() or c in "0123456789"),
    "s": frozenset(" "),
}
_SIGNS = frozenset("\\.[](){}<>*+?|^-")

Part = Callable[[Nfa], tuple[int, int]]
"""Builds a part into an automaton; returns its first and last state."""


class PatternError(UsageError):
    """A pattern that cannot be understood; the message says where."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Dfa:
    """Return the automaton of a pattern.

    Raises
    ------
    PatternError
        It is none, or too large; the message names the pattern and the place.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(f"pattern of {len(pattern):,} characters: at most {LONGEST_PATTERN:,} are taken")
    parser = _Parser(pattern)
    part = parser.choice(0)
    if parser.at < len(pattern):
        raise parser.problem("')' without '('")
    nfa = Nfa()
    try:
        return determinized(nfa, *part(nfa))
    except ValueError as error:
        raise PatternError(f"pattern {pattern!r}: {error}") from None


@dataclass(slots=True)
class _Parser:
    """A reader of one pattern; ``at`` is the place reached."""

    text: str
    at: int = 0

    def problem(self, what: str) -> PatternError:
        return PatternError(f"pattern {self.text!r}, character {self.at + 1}: {what}")

    @property
    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    def taken(self, sign: str) -> bool:
        if self.next != sign:
            return False
        self.at += 1
        return True

    def choice(self, depth: int) -> Part:
        if depth > DEEPEST:
            raise self.problem(f"groups in groups, more than {DEEPEST} deep")
        parts = [self.sequence(depth)]
        while self.taken("|"):
            parts.append(self.sequence(depth))
        return parts[0] if len(parts) == 1 else _either(parts)

    def sequence(self, depth: int) -> Part:
        parts: list[Part] = []
        while self.next and self.next not in "|)":
            parts.append(self.repeated(self.atom(depth)))
        return _one_after_the_other(parts)

    def atom(self, depth: int) -> Part:
        if self.taken("("):
            inner = self.choice(depth + 1)
            if not self.taken(")"):
                raise self.problem("'(' is not closed")
            return inner
        if self.taken("["):
            return _one_of(self.characters())
        if self.taken("<"):
            return self.element()
        if self.taken("."):
            return _one_of(ANY)
        if self.next in "*+?{":
            raise self.problem(f"nothing to repeat before {self.next!r}")
        if self.next in "]}>":
            raise self.problem(f"{self.next!r} closes nothing; write \\{self.next} for the character")
        return _one_of(self.character())

    def character(self) -> frozenset[str]:
        if not self.taken("\\"):
            self.at += 1
            return frozenset(self.text[self.at - 1])
        sign = self.next
        if sign not in _ESCAPES and sign not in _SIGNS:
            raise self.problem(f"\\{sign} means nothing" if sign else "ends with \\")
        self.at += 1
        return _ESCAPES.get(sign, frozenset(sign))

    def characters(self) -> frozenset[str]:
        opposite, found = self.taken("^"), set[str]()
        while not self.taken("]"):
            if not self.next:
                raise self.problem("'[' is not closed")
            first = self.character()
            if self.next == "-" and self.text[self.at + 1 : self.at + 2] not in ("", "]"):
                self.at += 1
                last = self.character()
                if len(first) > 1 or len(last) > 1 or min(first) > min(last):
                    raise self.problem("a range runs from one character to a later one")
                first = frozenset(map(chr, range(ord(min(first)), min(ord(min(last)), 0x17F) + 1)))
            found |= first
        if not (chosen := ANY - found if opposite else frozenset(found)):
            raise self.problem("no character is left in '[]'")
        return chosen

    def element(self) -> Part:
        from carrel.decode.patterns.elements import element

        end = self.text.find(">", self.at)
        if end < 0:
            raise self.problem("'<' is not closed")
        try:
            dfa = element(self.text[self.at : end])
        except ValueError as error:
            raise self.problem(str(error)) from None
        self.at = end + 1
        return lambda nfa: nfa.embed(dfa)

    def repeated(self, part: Part) -> Part:
        times = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        while self.next and self.next in "*+?{":
            sign = self.next
            self.at += 1
            part = _repeated(part, *(self.bounds() if sign == "{" else times[sign]))
        return part

    def bounds(self) -> tuple[int, int | None]:
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at : max(end, self.at)].partition(",")
        if not low.isdecimal() or not (high.isdecimal() or not high):
            raise self.problem("expected {2}, {2,} or {2,4}")
        least, most = int(low), int(high) if high else None if comma else int(low)
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            raise self.problem(f"repeats from a number to one that is no less, at most {MOST_REPEATS}")
        self.at = end + 1
        return least, most


def _one_of(characters: frozenset[str]) -> Part:
    def build(nfa: Nfa) -> tuple[int, int]:
        start, end = nfa.state(), nfa.state()
        nfa.arcs[start].append((characters, end))
        return start, end

    return build


def _one_after_the_other(parts: list[Part]) -> Part:
    def build(nfa: Nfa) -> tuple[int, int]:
        start = end = nfa.state()
        for part in parts:
            first, last = part(nfa)
            nfa.empties[end].append(first)
            end = last
        return start, end

    return build


def _either(parts: list[Part]) -> Part:
    def build(nfa: Nfa) -> tuple[int, int]:
        start, end = nfa.state(), nfa.state()
        for part in parts:
            first, last = part(nfa)
            nfa.empties[start].append(first)
            nfa.empties[last].append(end)
        return start, end

    return build


def _repeated(part: Part, least: int, most: int | None) -> Part:
    def build(nfa: Nfa) -> tuple[int, int]:
        start = end = nfa.state()
        out = nfa.state()
        for n in range(least if most is None else most):
            if n >= least:
                nfa.empties[end].append(out)
            first, last = part(nfa)
            nfa.empties[end].append(first)
            end = last
        if most is None:
            first, last = part(nfa)
            again = nfa.state()
            nfa.empties[end].append(again)
            nfa.empties[again] += [first, out]
            nfa.empties[last].append(again)
        else:
            nfa.empties[end].append(out)
        return start, out

    return build
