"""Registration: from a template's px to a scan's, by printed words first and by rulings then; or a reason why none fits."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.forms.rulings import Mask, Rulings, rulings_of
from carrel.forms.template import Template
from carrel.page import Page

Points = NDArray[np.float64]
Matrix = NDArray[np.float64]
SAMPLE_STEP_PX = 15.0
"""Distance of the points on a ruling that are looked for on the page, in px of a page of `REFERENCE_PX`."""
REFERENCE_PX = 1600.0
REACHES = (0.03, 0.012, 0.006, 0.004)
"""How far a ruling is looked for, round after round, as shares of the working page's longest side; in the last it counts."""
MIN_WORD_LENGTH = 3
MOST_SAME_WORDS = 3
"""A word that stands more often on a page tells nothing."""
WORD_ERROR_SHARE = 0.012
"""Most that a word may be off, as a share of the page's longest side."""
MIN_WORDS, MIN_WORD_SHARE = 4, 0.4
MIN_RULED_SHARE, MIN_RULED_SHARE_BESIDE_WORDS, MIN_RULED_SHARE_ALONE = 0.35, 0.6, 0.75
"""Shares of the template's words and of its rulings that must be found: of both, of rulings with few words, of rulings alone."""
MIN_SAMPLES, MIN_CROSSING_SAMPLES = 40, 12
"""Points on rulings, from which these tell a page: of all, and of each direction where there are no words."""
WORD_WEIGHT = 0.3
"""Weight of a word beside a point on a ruling: Tesseract's boxes are off by a px or two."""
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


def mapped(matrix: Matrix, points: Points) -> Points:
    """Map points ``(n, 2)`` by a perspective."""
    homogeneous = np.c_[points, np.ones(len(points))] @ matrix.T
    return homogeneous[:, :2] / np.maximum(homogeneous[:, 2:], 1e-6)


def register(template: Template, gray: NDArray[np.uint8], page: Page) -> Fit:
    """Find where a template lies on a scan, uint8 ``(h, w)``, that was read as ``page``."""
    rulings = rulings_of(gray, page.provenance.skew_degrees)
    samples = _samples(template)
    found = _by_words(template, page)
    to_scan = np.linalg.inv(rulings.to_work)
    starts = [found] if found is not None else []
    starts += [to_scan @ start for start in _by_extent(template, rulings)]
    best: tuple[tuple[float, float], Matrix] | None = None
    for start in starts:
        words = _word_pairs(template, page, start)
        pairs = words[0], mapped(rulings.to_work, words[1])
        matrix, share = _refined(rulings.to_work @ start, samples, rulings, pairs)
        whole = to_scan @ matrix
        words = _words_in_place(template, page, whole)
        if best is None or (words + share, share) > best[0]:
            best = (words + share, share), whole
        if best[0][0] > 1.7 or (not len(samples[0]) and not len(samples[1])):
            break
    if best is None:
        return Fit(
            None, 0.0, 0.0, f"none of its {len(template.labels)} words and {len(template.rulings)} rulings is found"
        )
    whole, share = best[1], best[0][1]
    words = _words_in_place(template, page, whole)
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


def plain(text: str) -> str:
    """Return a word as it is compared: letters and digits alone, small, without accents."""
    bare = unicodedata.normalize("NFKD", text).casefold()
    return re.sub(r"[\W_]+", "", "".join(c for c in bare if not unicodedata.combining(c)))


def words_of(page: Page) -> dict[str, list[tuple[float, float]]]:
    """Return the middles of the words of a page, px of the scan, by the words as they are compared."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in page.lines:
        for word in line.words:
            key = plain(word.text)
            if len(key) >= MIN_WORD_LENGTH:
                found[key].append(((word.box.left + word.box.right) / 2, (word.box.top + word.box.bottom) / 2))
    return found


def _label_middles(template: Template) -> Iterator[tuple[str, float, float]]:
    for label in template.labels:
        left, top, right, bottom = label.box
        yield plain(label.text), (left + right) / 2, (top + bottom) / 2


def _by_words(template: Template, page: Page) -> Matrix | None:
    """The map that most of the words agree on."""
    import cv2

    known = words_of(page)
    pairs = [
        ((x, y), place)
        for text, x, y in _label_middles(template)
        if len(known.get(text, ())) <= MOST_SAME_WORDS
        for place in known.get(text, ())
    ]
    if len(pairs) < 3:
        return None
    source, target = (np.array(points, np.float32) for points in zip(*pairs, strict=True))
    error = WORD_ERROR_SHARE * max(page.width_px, page.height_px)
    estimates = (cv2.estimateAffinePartial2D, cv2.estimateAffine2D)  # perspective bends a similarity
    best: tuple[int, Matrix] | None = None
    for estimate, least in zip(estimates, (3, 6), strict=True):
        found: Any
        inside: Any
        found, inside = estimate(source, target, method=cv2.RANSAC, ransacReprojThreshold=error, maxIters=2000)
        count = 0 if found is None else int(inside.sum())
        if count >= least and (best is None or count > best[0]):
            best = count, np.vstack([np.asarray(found, np.float64), np.array([[0.0, 0.0, 1.0]])])
    return best[1] if best else None


def _words_in_place(template: Template, page: Page, matrix: Matrix) -> float:
    labels = list(_label_middles(template))
    if not labels:
        return 0.0
    known = words_of(page)
    places = mapped(matrix, np.array([(x, y) for _, x, y in labels]))
    most = WORD_ERROR_SHARE * max(page.width_px, page.height_px)
    near = [
        any(np.hypot(x - a, y - b) <= most for a, b in known.get(text, ()))
        for (text, _, _), (x, y) in zip(labels, places, strict=True)
    ]
    return sum(near) / len(labels)


def _word_pairs(template: Template, page: Page, matrix: Matrix) -> tuple[Points, Points]:
    """The middles of words in the template, and of the same words near where a map takes them, px of the scan."""
    labels, known = list(_label_middles(template)), words_of(page)
    most = WORD_ERROR_SHARE * max(page.width_px, page.height_px)
    source, target = list[tuple[float, float]](), list[tuple[float, float]]()
    for (text, x, y), (u, v) in zip(
        labels, mapped(matrix, np.array([(x, y) for _, x, y in labels])) if labels else (), strict=True
    ):
        near = [place for place in known.get(text, ()) if np.hypot(u - place[0], v - place[1]) <= most]
        if len(near) == 1:
            source.append((x, y))
            target.append(near[0])
    return np.array(source, np.float64).reshape(-1, 2), np.array(target, np.float64).reshape(-1, 2)


def _by_extent(template: Template, rulings: Rulings) -> Iterator[Matrix]:
    """Maps that lay the largest connected rulings of the template on those of the page, all on all, and page on page."""
    import cv2

    height, width = rulings.level.shape
    both = np.maximum(rulings.level, rulings.upright)
    if template.rulings and both.any():
        scale = REFERENCE_PX / max(template.width_px, template.height_px)
        drawn = np.zeros((round(template.height_px * scale) + 4, round(template.width_px * scale) + 4), np.uint8)
        for ends in template.rulings:
            x1, y1, x2, y2 = (round(value * scale) for value in ends)
            cv2.line(drawn, (x1, y1), (x2, y2), (1,), 3)
        for own, on_page in zip(_extents(drawn), _extents(both), strict=True):
            low, high = own[0] / scale, own[1] / scale
            if (high - low).min() > 0:
                factor = (on_page[1] - on_page[0]) / (high - low)
                yield _scaled(factor, on_page[0] - factor * low)
    yield _scaled(np.array([width / template.width_px, height / template.height_px]), np.zeros(2))


def _extents(mask: Mask) -> list[tuple[Points, Points]]:
    """The corners of the largest connected strokes of a mask, and those of all of them."""
    import cv2

    joined = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_WIDTH].astype(np.int64) * stats[1:, cv2.CC_STAT_HEIGHT]))
    found: list[tuple[Points, Points]] = []
    for chosen in ((labels == largest) & (mask > 0), mask > 0):
        rows, columns = np.nonzero(chosen)
        places = np.c_[columns, rows].astype(np.float64)
        found.append((np.percentile(places, 0.2, axis=0), np.percentile(places, 99.8, axis=0)))
    return found


def _scaled(scale: Points, shift: Points) -> Matrix:
    matrix = np.diag([*scale, 1.0])
    matrix[:2, 2] = shift
    return matrix


def _samples(template: Template) -> tuple[Points, Points]:
    """Points on the level and on the upright rulings, px of the template."""
    step = SAMPLE_STEP_PX * max(template.width_px, template.height_px) / REFERENCE_PX
    found: tuple[list[Points], list[Points]] = ([], [])
    for x1, y1, x2, y2 in template.rulings:
        count = max(2, round(np.hypot(x2 - x1, y2 - y1) / step))
        points = (
            np.linspace([x1, y1], [x2, y2], count)[1:-1] if count > 3 else np.array([[(x1 + x2) / 2, (y1 + y2) / 2]])
        )
        found[abs(y2 - y1) > abs(x2 - x1)].append(points)
    level, upright = (np.concatenate(points) if points else np.zeros((0, 2)) for points in found)
    return level, upright


def _refined(
    matrix: Matrix, samples: tuple[Points, Points], rulings: Rulings, words: tuple[Points, Points]
) -> tuple[Matrix, float]:
    """Lay the template's rulings onto the page's, px of the working picture, and its ``words`` onto theirs, which count less; returns
    the share of the rulings that is met."""
    side = max(rulings.level.shape)
    total = sum(map(len, samples))
    share = 0.0
    for n, reach in enumerate(REACHES):
        rows, offsets = list[Points](), list[Points]()
        for points, mask, axis in ((samples[0], rulings.level, 1), (samples[1], rulings.upright, 0)):
            at = mapped(matrix, points) if len(points) else points
            near, off = _offsets(at, mask, axis, reach * side)
            rows.append(_design(at[near] / side, axis))
            offsets.append(off / side)
        share = sum(map(len, offsets)) / total if total else 0.0
        if n == len(REACHES) - 1:
            break
        at = mapped(matrix, words[0]) if len(words[0]) else words[0]
        for axis in (0, 1):
            rows.append(WORD_WEIGHT * _design(at / side, axis))
            offsets.append(WORD_WEIGHT * (words[1] - at)[:, axis] / side)
        design, wanted = np.concatenate(rows), np.concatenate(offsets)
        if len(wanted) < 12:
            break
        matrix = _changed(matrix, _solved(design, wanted, perspective=n > 0), side)
    return matrix, share


def _offsets(at: Points, mask: Mask, axis: int, reach: float) -> tuple[NDArray[np.int64], Points]:
    """For points near a ruling of the mask: which they are, and how far it lies from them along an axis (1 downwards)."""
    height, width = mask.shape
    far = int(np.ceil(reach))
    x, y = (np.rint(at[:, k]).astype(np.int64) for k in (0, 1)) if len(at) else (np.zeros(0, np.int64),) * 2
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    steps = np.array(sorted(range(-far, far + 1), key=abs))
    place = (y if axis else x)[:, None] + steps
    limit = height if axis else width
    clipped = np.clip(place, 0, limit - 1)
    other = np.clip(x if axis else y, 0, (width if axis else height) - 1)[:, None]
    met = (mask[clipped, other] if axis else mask[other, clipped]) > 0
    met &= (place >= 0) & (place < limit)
    near = np.flatnonzero(inside & met.any(axis=1))
    first = met[near].argmax(axis=1)
    edge = place[near, first]
    # from the nearer edge of the ruling to its middle
    line = mask if axis else mask.T
    deep = np.array(
        [
            _thickness(line, int(e), int(o), int(np.sign(steps[f])) or 0)
            for e, o, f in zip(edge, other[near, 0], first, strict=True)
        ]
    )
    return near, (edge + deep - at[near, axis]).astype(np.float64)


def _thickness(line: Mask, edge: int, column: int, direction: int) -> float:
    """Half the thickness of a ruling from an edge of it in a direction; 0 from within: the offset is small then."""
    if not direction:
        return 0.0
    depth = 0
    while 0 <= edge + direction * depth < len(line) and depth < 8 and line[edge + direction * depth, column]:
        depth += 1
    return direction * (depth - 1) / 2


def _design(at: Points, axis: int) -> Points:
    """Rows of the linear system: what eight small changes of a perspective do to a point along an axis."""
    x, y = at[:, 0], at[:, 1]
    zero, one = np.zeros_like(x), np.ones_like(x)
    own = (zero, zero, zero, one, x, y, x * y, y * y) if axis else (one, x, y, zero, zero, zero, x * x, x * y)
    return np.stack(own, axis=1)


def _solved(design: Points, wanted: Points, *, perspective: bool) -> Points:
    """The changes that meet the offsets best, outliers counting little (Huber)."""
    columns = slice(None) if perspective else slice(0, 6)
    used = design[:, columns]
    weight = np.ones(len(wanted))
    found = np.zeros(used.shape[1])
    ridge = np.diag([1e-9, 1e-4, 1e-4] * 2 + [1e-3] * (used.shape[1] - 6)) * len(wanted)
    for _ in range(4):
        weighted = used * weight[:, None]
        found = np.linalg.solve(weighted.T @ used + ridge, weighted.T @ wanted)
        rest = np.abs(wanted - used @ found)
        scale = max(1.5 * float(np.median(rest)), 1e-5)
        weight = np.minimum(1.0, scale / np.maximum(rest, 1e-9))
    return np.concatenate([found, np.zeros(8 - len(found))]).astype(np.float64)


def _changed(matrix: Matrix, change: Points, side: float) -> Matrix:
    """The matrix followed by a small perspective, whose numbers are for px divided by ``side``."""
    a0, a1, a2, b0, b1, b2, g, h = change
    small = np.array([[1 + a1, a2, a0], [b1, 1 + b2, b0], [-g, -h, 1.0]])
    norm = np.diag([1 / side, 1 / side, 1.0])
    return np.asarray(np.linalg.inv(norm) @ small @ norm @ matrix, np.float64)
