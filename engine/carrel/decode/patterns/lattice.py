"""Search in a lattice of characters along an automaton: for recognizers that give pieces with alternatives, not frames."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from carrel.decode.patterns.automaton import Dfa

Path = tuple[float, str]


class Arc(NamedTuple):
    """A piece of a line from one place to a later one, read as a ``text`` of one character or none, with its natural
    logarithm of a probability."""

    start: int
    end: int
    text: str
    log_probability: float


def best_paths(arcs: Iterable[Arc], places: int, dfa: Dfa | None, count: int = 3) -> list[Path]:
    """Return the best texts through a lattice, with their scores: natural logarithms, the best first.

    Parameters
    ----------
    arcs
        Of places 0 to ``places``; a text runs from the first to the last.
    dfa
        Texts outside it are not followed; None follows all.
    count
        Texts to keep at every place and state, and to return.

    Returns
    -------
    list of tuple of float and str
        Empty where the automaton allows nothing that the lattice holds. Of a text that several ways lead to, the best.
    """
    leaving: list[list[Arc]] = [[] for _ in range(places + 1)]
    for arc in arcs:
        leaving[arc.start].append(arc)
    held: list[dict[int, dict[str, float]]] = [{} for _ in range(places + 1)]  # of each place: state -> text -> score
    held[0][0] = {"": 0.0}
    for place in range(places):
        for state, texts in held[place].items():
            best = heapq.nlargest(count, texts.items(), key=lambda item: item[1])
            for arc in leaving[place]:
                following = _step(dfa, state, arc.text)
                if following is None:
                    continue
                kept = held[arc.end].setdefault(following, {})
                for text, score in best:
                    longer, total = text + arc.text, score + arc.log_probability
                    if total > kept.get(longer, float("-inf")):
                        kept[longer] = total
    ends: dict[str, float] = {}
    for state, texts in held[places].items():
        if dfa is None or state in dfa.accepting:
            for text, score in texts.items():
                ends[text] = max(score, ends.get(text, score))
    return heapq.nlargest(count, ((score, text) for text, score in ends.items()))


def _step(dfa: Dfa | None, state: int, text: str) -> int | None:
    if dfa is None or not text:
        return state
    return dfa.arcs[state].get(text)


def of_positions(positions: Sequence[Sequence[tuple[str, float]]], skip: float) -> list[Arc]:
    """Return the lattice of a line read character by character: alternatives with their scores at each position, any of
    which may be nothing at the score ``skip``."""
    arcs: list[Arc] = []
    for place, choices in enumerate(positions):
        arcs += [Arc(place, place + 1, text, score) for text, score in choices]
        arcs.append(Arc(place, place + 1, "", skip))
    return arcs
