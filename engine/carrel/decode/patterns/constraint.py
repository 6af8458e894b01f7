"""The constraint of a field: a pattern, a lexicon, or both, for the searches and for the check of what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from carrel.decode.lexicon import Lexicon
from carrel.decode.patterns.automaton import Dfa, bound, of_texts
from carrel.decode.patterns.syntax import compiled
from carrel.errors import UsageError

OUTSIDE_LEXICON = 0.02
"""Factor of a reading outside a lexicon that is soft."""


@dataclass(frozen=True, slots=True, eq=False)
class Constraint:
    """The texts that a field may hold.

    Parameters
    ----------
    dfa
        Its automaton.
    penalty
        Factor of a reading outside it: 0 allows none.
    spelled
        Whether it holds words, for which a language model is of use.
    """

    dfa: Dfa
    penalty: float
    spelled: bool

    @property
    def in_block(self) -> bool:
        """True where it holds no small letters: numbers, codes, block letters."""
        return not any(character.islower() for character in self.dfa.characters)

    def accepts(self, text: str) -> bool:
        """Return whether the whole text is allowed."""
        return self.dfa.accepts(text)

    def bound(self, symbols: Sequence[str], blank: int = 0) -> Lexicon:
        """Bind it to a network's classes; see `carrel.decode.patterns.automaton.bound`."""
        return bound(self.dfa, symbols, blank)


def constraint_of(pattern: str = "", entries: Iterable[str] = (), *, hard: bool = True) -> Constraint:
    """Return the constraint of a pattern, of a lexicon's entries, or of the entries that fit the pattern.

    Parameters
    ----------
    pattern
        See `carrel.decode.patterns.syntax`.
    entries
        Whole values of the field; a constraint takes them as they are.
    hard
        Nothing outside the lexicon is read. A pattern is always hard.

    Raises
    ------
    UsageError
        Neither is given, the pattern is none, it fits no entry, or it comes with a soft lexicon.
    """
    kept = sorted({entry for entry in entries if entry})
    if not kept:
        if not pattern:
            raise UsageError("a constraint needs a pattern or the entries of a lexicon")
        return _of_pattern(pattern)
    if not pattern:
        return Constraint(of_texts(kept), 0.0 if hard else OUTSIDE_LEXICON, spelled=True)
    if not hard:
        raise UsageError("a pattern goes with a hard lexicon; leave one of the two out")
    dfa = compiled(pattern)
    fitting = [entry for entry in kept if dfa.accepts(entry)]
    if not fitting:
        raise UsageError(f"none of the {len(kept):,} entries of the lexicon fits the pattern {pattern!r}")
    return Constraint(of_texts(fitting), 0.0, spelled=True)


@lru_cache(maxsize=256)
def _of_pattern(pattern: str) -> Constraint:
    dfa = compiled(pattern)
    return Constraint(dfa, 0.0, spelled=any(character.isalpha() for character in dfa.characters))
