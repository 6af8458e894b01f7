"""Registration: from a template's px to a scan's, by printed words first and by rulings then; or a reason why none fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from carrel.forms.fields import Template
from carrel.forms.registration.extent import by_extent
from carrel.forms.registration.maps import Matrix, Points, mapped
from carrel.forms.registration.refine import refined, samples_of
from carrel.forms.registration.rulings import rulings_of
from carrel.forms.registration.words import by_words, word_pairs, words_in_place
from carrel.page import Page

MIN_WORDS, MIN_WORD_SHARE = 4, 0.4
MIN_RULED_SHARE, MIN_RULED_SHARE_BESIDE_WORDS, MIN_RULED_SHARE_ALONE = 0.35, 0.6, 0.75
"""Shares of the template's words and of its rulings that must be found: of both, of rulings with few words, of rulings alone."""
MIN_SAMPLES, MIN_CROSSING_SAMPLES = 40, 12
"""Points on rulings, from which these tell a page: of all, and of each direction where there are no words."""
SCALES = (0.15, 7.0)
"""Least and most px of the scan for one of the template."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A registration. ``matrix``, float64 ``(3, 3)``, takes px of the template to px of the scan; None where the page does not
    fit, for the ``reason``."""

    matrix: Matrix | None
    words: float  # share in [0, 1] of the template's words that were found in their places; 0 without
    rulings: float  # share of its rulings
    reason: str = ""

    def points(self, points: Sequence[tuple[float, float]]) -> Points:
        """Return points of the template on the scan, ``(n, 2)``."""
        assert self.matrix is not None
        return mapped(self.matrix, np.array(points, np.float64))


def register(template: Template, gray: NDArray[np.uint8], page: Page) -> Fit:
    """Find where a template lies on a scan, uint8 ``(h, w)``, that was read as ``page``."""
    rulings = rulings_of(gray, page.provenance.skew_degrees)
    samples = samples_of(template)
    found = by_words(template, page)
    to_scan = np.linalg.inv(rulings.to_work)
    by_rulings = (to_scan @ start for start in by_extent(template, rulings))  # looked for where words alone do not do
    starts = chain([found] if found is not None else [], by_rulings)
    best: tuple[tuple[float, float], Matrix] | None = None
    for start in starts:
        words = word_pairs(template, page, start)
        pairs = words[0], mapped(rulings.to_work, words[1])
        matrix, share = refined(rulings.to_work @ start, samples, rulings, pairs)
        whole = to_scan @ matrix
        words = words_in_place(template, page, whole)
        if best is None or (words + share, share) > best[0]:
            best = (words + share, share), whole
        if best[0][0] > 1.7 or (not len(samples[0]) and not len(samples[1])):
            break
    if best is None:
        return Fit(
            None, 0.0, 0.0, f"none of its {len(template.labels)} words and {len(template.rulings)} rulings is found"
        )
    whole, share = best[1], best[0][1]
    words = words_in_place(template, page, whole)
    reason = _reason(template, words, share, (len(samples[0]), len(samples[1]))) or _odd(template, whole, gray.shape)
    return Fit(None if reason else whole / whole[2, 2], words, share, reason)


def _reason(template: Template, words: float, ruled: float, samples: tuple[int, int]) -> str:
    count = len(template.labels)
    has_words, has_rulings = count >= MIN_WORDS, sum(samples) >= MIN_SAMPLES
    crosses = min(samples) >= MIN_CROSSING_SAMPLES
    fits = (
        (has_words and words >= MIN_WORD_SHARE and (not has_rulings or ruled >= MIN_RULED_SHARE))
        or (has_words and has_rulings and words >= MIN_WORD_SHARE / 2 and ruled >= MIN_RULED_SHARE_BESIDE_WORDS)
        or (not has_words and has_rulings and crosses and ruled >= MIN_RULED_SHARE_ALONE)
    )
    if fits:
        return ""
    told = f"{round(words * count)} of its {count} words and {ruled:.0%} of its rulings are found in their places"
    return (
        told
        if has_words or (has_rulings and crosses)
        else "the template has too few words and rulings to tell a page by"
    )


def _odd(template: Template, matrix: Matrix, shape: tuple[int, ...]) -> str:
    """Why a registration cannot be: it turns the page over, or most of the form lies outside the scan."""
    w, h = float(template.width_px), float(template.height_px)
    corners = mapped(matrix, np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float64))
    sides = np.roll(corners, -1, axis=0) - corners
    turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    scale = float(
        np.sqrt(
            abs(np.cross(np.append(corners[2] - corners[0], 0), np.append(corners[3] - corners[1], 0))[2]) / (2 * w * h)
        )
    )
    if (turns <= 0).any() or not SCALES[0] <= scale <= SCALES[1]:
        return "its words and rulings are found, but not as one flat page shows them"
    inside = np.clip(corners, 0, [shape[1], shape[0]])
    if np.prod(np.ptp(inside, axis=0)) < 0.4 * np.prod(np.ptp(corners, axis=0)):
        return "most of the form lies outside the scan"
    return ""
