"""Baselines traced in the segmenter's maps, with their x-heights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from carrel.image.median import median
from carrel.layout.lines.candidates import Candidate, join_candidates
from carrel.layout.lines.ridges import Ridge, trace_ridges
from carrel.layout.types import Floats, Heatmaps, Map, scale_to

SIDE_PX = 1024
CELL_HEIGHT_PX, CELL_WIDTH_PX = 2, 4
MULTIPLE_PX = (16, 32)
BASELINE, BODY, START, END = range(4)
MIN_CELL_PROBABILITY = 0.35
MIN_MEAN_PROBABILITY = 0.5
MIN_END_PROBABILITY = 0.4
PROBABLE = 0.60
"""Least probability of a line, fitted on validation pages. Cells of a table are short and may be less."""
SMALL_LETTERS_PX, TINY_LETTERS_PX = 9.5, 8.0
CLEAR_PROBABILITY = 0.82
FINE_FACTOR = 1.55  # px of the finer input per px of the first
X_HEIGHT_PER_BODY = 0.9
_INK_OF_LEVEL = (np.float32(255) - np.arange(256, dtype=np.float32)) / np.float32(255)
JOIN_GAP_BETWEEN_ENDS = 10.0  # ends and starts keep lines apart, white space need not


@dataclass(frozen=True, slots=True, eq=False)
class ScoredBaseline:
    """A baseline in px of the segmenter's input, the x-height there, and how probable line and body are on average."""

    candidate: Candidate
    x_height_px: float
    probability: float


def segmenter_input(gray: NDArray[np.uint8], scale: float) -> Map:
    """Prepare the ink of a flattened page at ``scale`` times its size, padded with paper."""
    if scale != 1.0:
        size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC).astype(np.uint8)
    height, width = gray.shape
    ink = np.zeros(
        [side + -side % multiple for side, multiple in zip(gray.shape, MULTIPLE_PX, strict=True)], np.float32
    )
    ink[:height, :width] = cv2.LUT(gray, _INK_OF_LEVEL)
    return ink


def find_baselines(gray: NDArray[np.uint8], heatmaps: Heatmaps) -> tuple[list[ScoredBaseline], float]:
    """Find the baselines of a page; return them and the px of the segmenter's input per px of ``gray``.

    Pages of small letters (registers, newspapers) are segmented again at a finer scale, unless their lines are clear.
    """
    scale = scale_to(gray.shape, SIDE_PX)
    found = trace_baselines(heatmaps(segmenter_input(gray, scale)))
    if not found or _is_clear(found):
        return found, scale
    return trace_baselines(heatmaps(segmenter_input(gray, FINE_FACTOR * scale))), FINE_FACTOR * scale


def _is_clear(found: list[ScoredBaseline]) -> bool:
    """Tell whether a finer scale would show nothing new: letters are large, or nine in ten lines are clear."""
    x_height = median([f.x_height_px for f in found])
    if x_height >= SMALL_LETTERS_PX:
        return True
    sorted_up = np.sort([f.probability for f in found])
    tenth = float(np.interp(0.1 * (len(found) - 1), np.arange(len(found)), sorted_up))  # np.quantile loads numpy.ma
    return x_height >= TINY_LETTERS_PX and tenth >= CLEAR_PROBABILITY


def _bands(baseline: Map, threshold: float) -> list[tuple[Floats, Floats]]:
    """Per column, the rows of the middles of runs above ``threshold`` and their highest values."""
    above = baseline > threshold
    edge = np.zeros((1, above.shape[1]), np.int8)
    change = np.diff(np.concatenate((edge, above.astype(np.int8), edge)), axis=0).T  # (columns, rows + 1)
    column, first = np.nonzero(change == 1)
    last = np.nonzero(change == -1)[1]
    weighted = np.cumsum(np.concatenate((np.zeros_like(baseline[:1]), baseline)), axis=0, dtype=np.float64)
    moment = baseline * np.arange(len(baseline), dtype=np.float32)[:, None]
    moments = np.cumsum(np.concatenate((np.zeros_like(baseline[:1]), moment)), axis=0, dtype=np.float64)
    mass = weighted[last, column] - weighted[first, column]
    rows = (moments[last, column] - moments[first, column]) / np.maximum(mass, 1e-9)
    strength = mass / np.maximum(last - first, 1)
    bounds = np.searchsorted(column, np.arange(baseline.shape[1] + 1))
    return [(rows[a:b], strength[a:b]) for a, b in pairwise(bounds)]


def _candidate_of(ridge: Ridge) -> Candidate:
    return Candidate((ridge.columns + 0.5) * CELL_WIDTH_PX, (ridge.rows + 0.5) * CELL_HEIGHT_PX, ridge.strength)


def _filled_above(body: Map) -> NDArray[np.int64]:
    """For each cell of the map, in how many from it upwards there is body, at most an eighth of the rows."""
    rows = np.arange(len(body))[:, None]
    empty = np.maximum.accumulate(np.where(body > 0.4, -len(body), rows), axis=0)
    return np.minimum(rows - empty, len(body) // 8)


def _x_height(candidate: Candidate, filled: NDArray[np.int64]) -> float:
    """Median height of the body over the baseline, in px of the input."""
    column = np.clip((candidate.x / CELL_WIDTH_PX).astype(np.int64), 0, filled.shape[1] - 1)
    over = np.clip(np.rint(candidate.y / CELL_HEIGHT_PX).astype(np.int64) - 1, 0, filled.shape[0] - 2)
    return max(4.0, X_HEIGHT_PER_BODY * CELL_HEIGHT_PX * (1.0 + median(filled[over, column])))


def _found(candidate: Candidate, body: Map, filled: NDArray[np.int64]) -> ScoredBaseline:
    """Gaps that were joined do not count for the probability."""
    x_height = _x_height(candidate, filled)
    drawn = candidate.strength > 0
    over = np.arange(-1.0, 0.01, 0.1)[:, None] * x_height
    rows = np.clip(np.rint((candidate.y[drawn] + over) / CELL_HEIGHT_PX).astype(np.int64), 0, body.shape[0] - 1)
    columns = np.clip((candidate.x[drawn] / CELL_WIDTH_PX).astype(np.int64), 0, body.shape[1] - 1)
    probability = (float(candidate.strength[drawn].mean()) + float(body[rows, columns].mean())) / 2
    return ScoredBaseline(candidate, x_height, probability)


def trace_baselines(maps: Map) -> list[ScoredBaseline]:
    """Trace the baselines of the maps ``(4, rows, columns)``.

    Starts and ends are taken out of the baselines, so that lines which follow each other on one row stay apart.
    """
    ends = np.maximum(maps[START], maps[END])
    baseline = maps[BASELINE] * (1.0 - np.clip((ends - MIN_END_PROBABILITY) / (1.0 - MIN_END_PROBABILITY), 0.0, 1.0))
    ridges = trace_ridges(_bands(baseline.astype(np.float32), MIN_CELL_PROBABILITY), reach_rows=2.5, gap_columns=3)
    candidates = [
        s for s in map(_candidate_of, ridges) if len(s.x) > 1 and float(s.strength.mean()) >= MIN_MEAN_PROBABILITY
    ]
    if not candidates:
        return []
    filled = _filled_above(maps[BODY])
    heights = [_x_height(s, filled) for s in candidates]
    unit = median(heights)
    size = (maps.shape[2] * CELL_WIDTH_PX, maps.shape[1] * CELL_HEIGHT_PX)
    barrier = cv2.resize((ends > MIN_END_PROBABILITY).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(
        np.uint8
    )
    joined = join_candidates(candidates, barrier, unit, gap=JOIN_GAP_BETWEEN_ENDS)
    found = [_found(s, maps[BODY], filled) for s in joined]
    return [f for f in found if f.candidate.x[-1] - f.candidate.x[0] >= 0.7 * f.x_height_px]
