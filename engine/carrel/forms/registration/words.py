"""Printed words of a template on a page: which agree on a map, and which stand where a map takes them."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from carrel.forms.fields import Template
from carrel.forms.registration.maps import Matrix, Points, mapped
from carrel.page import Page

MIN_WORD_LENGTH = 3
MOST_SAME_WORDS = 3
"""A word that stands more often on a page tells nothing."""
WORD_ERROR_SHARE = 0.012
"""Most that a word may be off, as a share of the page's longest side."""


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


def by_words(template: Template, page: Page) -> Matrix | None:
    """Return the map that most of the words agree on; None where fewer than three do."""
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


def words_in_place(template: Template, page: Page, matrix: Matrix) -> float:
    """Return the share of the template's words that stand where a map takes them; 0 without any."""
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


def word_pairs(template: Template, page: Page, matrix: Matrix) -> tuple[Points, Points]:
    """Return the middles of words in the template, and of the same words near where a map takes them, px of the scan."""
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
