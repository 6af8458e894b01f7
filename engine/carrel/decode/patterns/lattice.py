"""Search in a lattice of characters along an automaton: for recognizers that give pieces with alternatives, not frames."""

from __future__ import annotations

import heapq
import math
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
            best = texts.items()
            if len(texts) > count:
                best = heapq.nlargest(count, best, key=lambda item: item[1])
            following = dfa.arcs[state] if dfa is not None else None
            for _, end, character, log_probability in leaving[place]:
                to = following.get(character, -1) if following is not None and character else state
                if to < 0:
                    continue
                kept = held[end].setdefault(to, {})
                for text, score in best:
                    longer, total = text + character, score + log_probability
                    if total > kept.get(longer, -math.inf):
                        kept[longer] = total
    ends: dict[str, float] = {}
    for state, texts in held[places].items():
        if dfa is None or state in dfa.accepting:
            for text, score in texts.items():
                ends[text] = max(score, ends.get(text, score))
    return heapq.nlargest(count, ((score, text) for text, score in ends.items()))


def of_positions(positions: Sequence[Sequence[tuple[str, float]]], skip: float) -> list[Arc]:
    """Return the lattice of a line read character by character: alternatives with their scores at each position, any of
    which may be nothing at the score ``skip``."""
    arcs: list[Arc] = []
    for place, choices in enumerate(positions):
        arcs += [Arc(place, place + 1, text, score) for text, score in choices]
        arcs.append(Arc(place, place + 1, "", skip))
    return arcs
