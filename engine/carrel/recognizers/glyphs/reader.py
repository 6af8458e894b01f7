"""Characters that stand alone: given boxes or pieces of a line, each read by itself, and searched along a pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Network
from carrel.decode.patterns.automaton import Dfa
from carrel.decode.patterns.lattice import Arc, Path, best_paths
from carrel.recognizers.glyphs.normalize import SIDE_PX, ink_levels, normalized, without_specks
from carrel.recognizers.glyphs.pieces import pieces_of

Gray = NDArray[np.uint8]
DIRT = 4.0
"""Price of taking a part of a line for dirt: a natural logarithm."""
MOST_CLASSES_AT_ONCE = 12
"""Classes of a piece that are followed, where no pattern chooses them."""
SLANTS = (0.0, 0.15, 0.25)
"""Slants to the right, px for each px upwards, that a character in a box is read with, taken out: their mean counts."""
EMPTY_SHARE = 0.02
"""Share of a box's inside that is ink, below which the box is empty."""
FAINT_SHARE = 0.006
"""Share of ink from which an empty box may hold a thin pen's writing (480 empty boxes of worn slips hold 0.0024 at most)."""


class GlyphReader:
    """A reader of single characters with the network of a ``glyphs`` model.

    Parameters
    ----------
    classes
        The texts of the classes after the first, which is that of no character.
    network
        ``ink`` float32 ``(n, 1, 28, 28)`` to ``logits`` ``(n, classes)``.
    """

    name = "glyphs"

    def __init__(self, classes: Sequence[str], network: Network) -> None:
        self.classes = tuple(classes)
        self._network = network

    def log_probabilities(self, inks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return natural logarithms of the probabilities ``(n, 1 + classes)`` of characters, given by their ink
        ``(h, w)``; what holds no ink is no character."""
        glyphs = [normalized(without_specks(ink)) for ink in inks]
        blank = np.zeros((SIDE_PX, SIDE_PX), np.float32)
        stacked = np.stack([blank if glyph is None else glyph for glyph in glyphs])[:, None]
        logits = self._network.run({"ink": np.ascontiguousarray(stacked)})["logits"]
        found = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        nothing = np.array([glyph is None for glyph in glyphs])
        found[nothing] = -20.0
        found[nothing, 0] = 0.0
        return found

    def read_line(self, gray: Gray, dfa: Dfa | None = None, count: int = 3) -> list[Path]:
        """Return the best texts of a line of a few characters, uint8 ``(h, w)``, ink dark, that a pattern allows.

        Their scores are natural logarithms, the best first; there is none where the line holds no ink, or the pattern
        allows nothing of what could be read.
        """
        pieces, parts = pieces_of(gray)
        if not pieces:
            return []
        arcs = [Arc(part, part + 1, "", -DIRT) for part in range(parts)]
        allowed = dfa.characters if dfa else None
        for piece, row in zip(pieces, self.log_probabilities([piece.ink for piece in pieces]), strict=True):
            arcs += self._arcs(piece.start, piece.end, row, allowed)
        return best_paths(arcs, parts, dfa, count)

    def read_boxes(self, boxes: Sequence[Gray], dfa: Dfa | None = None, count: int = 3) -> list[Path]:
        """Return the best texts of characters that stand in a box each, as `read_line` does; an empty box is none of them.

        ``boxes`` are the insides, uint8 ``(h, w)``, without the frame.
        """
        filled = [ink for ink in map(_writing_in, boxes) if _share_of(ink) >= EMPTY_SHARE]
        if not filled:
            return []
        upright = [self.log_probabilities([upright_ink(ink, slant) for ink in filled]) for slant in SLANTS]
        rows, allowed = np.mean(upright, axis=0), dfa.characters if dfa else None
        arcs = [arc for place, row in enumerate(rows) for arc in self._arcs(place, place + 1, row, allowed)]
        return best_paths(arcs, len(filled), dfa, count)

    def leaves_out(self, boxes: Sequence[Gray]) -> bool:
        """Tell whether a box that `read_boxes` takes for empty may hold faint writing."""
        return any(FAINT_SHARE <= _share_of(_writing_in(box)) < EMPTY_SHARE for box in boxes)

    def _arcs(self, start: int, end: int, row: NDArray[np.float32], allowed: frozenset[str] | None) -> list[Arc]:
        if allowed is not None:
            kept = [k for k, text in enumerate(self.classes) if text in allowed]
        else:
            kept = np.argsort(-row[1:], kind="stable").tolist()[:MOST_CLASSES_AT_ONCE]
        return [Arc(start, end, self.classes[k], float(row[1 + k])) for k in kept]


def _writing_in(box: Gray) -> NDArray[np.float32]:
    return without_specks(ink_levels(box))


def _share_of(ink: NDArray[np.float32]) -> float:
    return float((ink > 0.5).mean())


def upright_ink(ink: NDArray[np.float32], slant: float) -> NDArray[np.float32]:
    """Take a slant to the right out of a character's ink ``(h, w)``: px for each px upwards. The result is wider."""
    import cv2

    if not slant:
        return ink
    height, width = ink.shape
    room = int(slant * height / 2) + 2
    change = np.array([[1.0, slant, -slant * height / 2], [0.0, 1.0, 0.0]])
    moved = cv2.warpAffine(np.pad(ink, ((0, 0), (room, room))), change, (width + 2 * room, height))
    return np.asarray(moved, np.float32)
