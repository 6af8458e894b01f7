"""Finite automata over characters: made from expressions, cut down to what leads to an end, bound to a network's classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from carrel.decode.lexicon import Automaton, Lexicon
from carrel.errors import UsageError
from carrel.kernels.records import NODE_END, SEPARATOR

MOST_STATES = 20_000
"""Of an automaton, deterministic or not: a date of 300 years has about 1,300."""


@dataclass(frozen=True, slots=True, eq=False)
class Dfa:
    """A deterministic automaton: the arcs of each state by their characters, and the states at which a text may end.

    State 0 is the start.
    """

    arcs: tuple[Mapping[str, int], ...]
    accepting: frozenset[int]

    def accepts(self, text: str) -> bool:
        """Return whether the whole text is one of the automaton's."""
        state = 0
        for character in text:
            following = self.arcs[state].get(character)
            if following is None:
                return False
            state = following
        return state in self.accepting

    @property
    def characters(self) -> frozenset[str]:
        """Every character that an arc bears."""
        return frozenset(character for arcs in self.arcs for character in arcs)


@dataclass(slots=True)
class Nfa:
    """An automaton under construction: arcs by sets of characters, and arcs that take none."""

    arcs: list[list[tuple[frozenset[str], int]]] = field(default_factory=list[list[tuple[frozenset[str], int]]])
    empties: list[list[int]] = field(default_factory=list[list[int]])

    def state(self) -> int:
        """Return a new state.

        Raises
        ------
        ValueError
            There are `MOST_STATES` already.
        """
        if len(self.arcs) == MOST_STATES:
            raise ValueError(f"takes more than {MOST_STATES:,} states; repeat less of it")
        self.arcs.append([])
        self.empties.append([])
        return len(self.arcs) - 1

    def embed(self, dfa: Dfa) -> tuple[int, int]:
        """Copy a deterministic automaton; returns its start and its one end."""
        states = [self.state() for _ in dfa.arcs]
        end = self.state()
        for state, arcs in zip(states, dfa.arcs, strict=True):
            by_target: dict[int, set[str]] = {}
            for character, target in arcs.items():
                by_target.setdefault(target, set()).add(character)
            self.arcs[state] += [(frozenset(held), states[target]) for target, held in by_target.items()]
        for accepting in dfa.accepting:
            self.empties[states[accepting]].append(end)
        return states[0], end

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        """Return the states that are reached without a character."""
        found, open_states = set(states), list(states)
        while open_states:
            for target in self.empties[open_states.pop()]:
                if target not in found:
                    found.add(target)
                    open_states.append(target)
        return frozenset(found)


def determinized(nfa: Nfa, start: int, end: int) -> Dfa:
    """Return the deterministic automaton of the same texts, without states that lead to no end.

    Raises
    ------
    ValueError
        It would have more than `MOST_STATES`, or holds no text.

    References
    ----------
    M. O. Rabin, D. Scott, "Finite automata and their decision problems", 1959, doi:10.1147/rd.32.0114.
    """
    first = nfa.closure([start])
    numbers = {first: 0}
    order, arcs = [first], list[dict[str, int]]()
    while len(arcs) < len(order):
        targets: dict[str, set[int]] = {}
        for state in order[len(arcs)]:
            for characters, target in nfa.arcs[state]:
                for character in characters:
                    targets.setdefault(character, set()).add(target)
        of_sets: dict[frozenset[int], int] = {}
        found: dict[str, int] = {}
        for character, raw in targets.items():
            plain = frozenset(raw)
            if plain not in of_sets:
                closed = nfa.closure(plain)
                if closed not in numbers:
                    if len(order) == MOST_STATES:
                        raise ValueError(f"takes more than {MOST_STATES:,} states; repeat less of it")
                    numbers[closed] = len(order)
                    order.append(closed)
                of_sets[plain] = numbers[closed]
            found[character] = of_sets[plain]
        arcs.append(found)
    return trimmed(Dfa(tuple(arcs), frozenset(n for n, states in enumerate(order) if end in states)))


def trimmed(dfa: Dfa, allowed: frozenset[str] | None = None) -> Dfa:
    """Return the automaton without states from which no end is reached; with ``allowed`` characters alone, if given.

    Raises
    ------
    ValueError
        No text is left.
    """
    back: list[list[int]] = [[] for _ in dfa.arcs]
    for state, arcs in enumerate(dfa.arcs):
        for character, target in arcs.items():
            if allowed is None or character in allowed:
                back[target].append(state)
    alive, waiting = set(dfa.accepting), list(dfa.accepting)
    while waiting:
        for state in back[waiting.pop()]:
            if state not in alive:
                alive.add(state)
                waiting.append(state)
    if 0 not in alive:
        raise ValueError("allows no text at all")
    kept = {state: number for number, state in enumerate(sorted(alive))}
    arcs = tuple(
        {c: kept[t] for c, t in dfa.arcs[state].items() if t in kept and (allowed is None or c in allowed)}
        for state in sorted(alive)
    )
    return Dfa(arcs, frozenset(kept[state] for state in dfa.accepting))


def of_texts(texts: Iterable[str]) -> Dfa:
    """Return the automaton of some texts, none of them empty: a trie.

    Raises
    ------
    ValueError
        There is no text.
    """
    arcs: list[dict[str, int]] = [{}]
    accepting: set[int] = set()
    for text in texts:
        state = 0
        for character in text:
            following = arcs[state].setdefault(character, len(arcs))
            if following == len(arcs):
                arcs.append({})
            state = following
        if text:
            accepting.add(state)
    if not accepting:
        raise ValueError("allows no text at all")
    return Dfa(tuple(arcs), frozenset(accepting))


def bound(dfa: Dfa, symbols: Sequence[str], blank: int = 0) -> Lexicon:
    """Bind an automaton to a network's classes, as the lexicon that its beam search follows.

    Parameters
    ----------
    dfa
        What a whole line may hold.
    symbols
        The texts of the classes other than the blank, in order; only single characters are followed.
    blank
        Class index of the blank.

    Returns
    -------
    Lexicon
        With a penalty of 0 in `DecodeOptions`, readings outside the automaton are never opened.

    Raises
    ------
    UsageError
        No text of the automaton can be written in the network's characters.
    """
    classes = {symbol: i + (i >= blank) for i, symbol in enumerate(symbols) if len(symbol) == 1}
    try:
        own = trimmed(dfa, frozenset(classes))
    except ValueError:
        missing = "".join(sorted(dfa.characters - set(classes)))[:20]
        raise UsageError(f"the handwriting model cannot write what is asked for: it has no {missing!r}") from None
    numbers = np.full(len(symbols) + 2, -1, np.int32)
    numbers[-1] = SEPARATOR
    for number in classes.values():
        numbers[number] = number
    # node 0 is where the search takes a line to be between words, so no state is node 0
    nodes, arc_symbols, arc_nodes = [0], list[int](), list[int]()
    for state, arcs in enumerate(own.arcs):
        nodes.append(len(arc_symbols) | (NODE_END if state in own.accepting else 0))
        for number, target in sorted((classes[character], target) for character, target in arcs.items()):
            arc_symbols.append(number)
            arc_nodes.append(target + 1)
    nodes.append(len(arc_symbols))
    automaton = Automaton(np.array(nodes, np.uint32), np.array(arc_symbols, np.uint16), np.array(arc_nodes, np.uint32))
    return Lexicon(numbers, automaton, start=1)
