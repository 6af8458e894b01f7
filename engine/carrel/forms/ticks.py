"""Boxes to tick: empty, ticked, crossed, or doubtful, against the page's own empty boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carrel.forms.places import ink_mask
from carrel.recognizers.glyphs.normalize import ink_levels
from carrel.recognizers.glyphs.reader import GlyphReader

Mark = Literal["empty", "ticked", "crossed", "doubtful"]
SIGNS: dict[Mark, str] = {
    "empty": "\N{BALLOT BOX}", "ticked": "\N{BALLOT BOX WITH CHECK}", "crossed": "\N{BALLOT BOX WITH X}", "doubtful": "",
}  # fmt: skip
FRAME_SHARE = 0.14
"""Share of a box's side, at each edge, that is its frame and is not looked at."""
EMPTY_ABOVE, MARKED_ABOVE = 0.018, 0.07
"""Share of ink above that of the page's empty boxes up to which a box is empty, and from which it is marked."""
MOST_OF_EMPTY = 0.06
"""Most ink of a box that is taken for an empty one of the page: frame that reaches in, dirt, bleed-through."""
PAPER_SHARE = 0.9
"""Brightness of the page's lightest box at which the paper of every other lies at least."""
FULL = 0.6
"""Share of ink from which a box is filled or struck out: that may mean either."""
TICK, CROSS = "\N{CHECK MARK}", "X"


class Marked(NamedTuple):
    """The state of a box, its confidence in [0, 1], and the share of its inside that is ink."""

    state: Mark
    confidence: float
    ink: float


def marks_of(pictures: Sequence[NDArray[np.uint8]], glyphs: GlyphReader | None) -> list[Marked]:
    """Return the states of all boxes of a page, given as pictures, uint8 ``(h, w)``, frames included.

    Two clusters of a page's boxes are told apart by their ink: what is little more than the emptiest have is empty.
    """
    inner = [_inside(picture) for picture in pictures]
    paper = PAPER_SHARE * max((float(np.median(picture)) for picture in inner), default=0.0)
    shares = [float(_without_edges(ink_mask(picture, paper)).mean()) for picture in inner]
    base = min(min(shares, default=0.0), MOST_OF_EMPTY)
    return [_marked(picture, share, base, glyphs) for picture, share in zip(inner, shares, strict=True)]


def _marked(picture: NDArray[np.uint8], share: float, base: float, glyphs: GlyphReader | None) -> Marked:
    above = share - base
    if above <= EMPTY_ABOVE:
        return Marked("empty", round(1.0 - 0.3 * max(0.0, above) / EMPTY_ABOVE, 4), share)
    if above < MARKED_ABOVE or share > FULL:
        return Marked("doubtful", 0.3, share)
    state: Mark = "ticked"
    if glyphs is not None:
        row = glyphs.log_probabilities([ink_levels(picture)])[0]
        of = {text: float(row[1 + k]) for k, text in enumerate(glyphs.classes)}
        state = "crossed" if of.get(CROSS, -99.0) > of.get(TICK, -99.0) else "ticked"
    return Marked(state, round(min(1.0, 0.85 + above), 4), share)


def _inside(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape
    down, across = round(FRAME_SHARE * height), round(FRAME_SHARE * width)
    return np.ascontiguousarray(picture[down : height - down, across : width - across])


def _without_edges(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The ink without rows and columns at the edges that are ink for most of their length: the frame, a little off its place."""
    height, width = ink.shape
    found = ink.copy()
    reach = max(2, min(height, width) // 5)
    for rows in (range(reach), range(height - 1, height - 1 - reach, -1)):
        for row in rows:
            if ink[row].mean() > 0.7 and ink.mean() < FULL:
                found[row] = 0
    for columns in (range(reach), range(width - 1, width - 1 - reach, -1)):
        for column in columns:
            if ink[:, column].mean() > 0.7 and ink.mean() < FULL:
                found[:, column] = 0
    return found
