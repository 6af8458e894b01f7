"""The ink that finding lines and counting what they leave out share."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.layout import PageInk, segment_page, uncovered_ink
from carrel.layout.components import Components, components_of
from carrel.layout.ink import components_kept, find_ink
from carrel.layout.tables.rulings import without_long_rulings


def written_page(*, ruled: bool = False) -> NDArray[np.uint8]:
    """A page at 200 dpi with twelve lines of script, and a frame of rulings if need be."""
    page = np.full((2200, 1600), 255, np.uint8)
    for row in range(12):
        cv2.putText(
            page,
            "le quatorze juillet mil huit cent",
            (200, 300 + 130 * row),
            cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
            2,
            (30,),
            4,
        )
    if ruled:
        cv2.rectangle(page, (120, 160), (1500, 2000), (60,), 2)
    return page


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_components_kept_are_those_asked_for(share: float) -> None:
    mask = (np.random.default_rng(3).random((90, 70)) < 0.25).astype(np.uint8)
    count, labels, _, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = np.random.default_rng(4).random(count) < share
    expected = np.where(keep[labels.astype(np.int32)], mask, 0)
    assert (components_kept(mask, labels.astype(np.int32), keep) == expected).all()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_components_are_those_of_opencv_and_stay_so_when_some_are_left_out(share: float) -> None:
    mask = (np.random.default_rng(3).random((90, 70)) < 0.25).astype(np.uint8)
    parts = components_of(mask)
    keep = np.random.default_rng(4).random(len(parts.stats)) < share
    kept = parts.kept(keep)
    assert (kept.mask() == components_kept(mask, as_labels(parts), keep)).all()
    fresh = components_of(kept.mask())
    assert (as_labels(kept) == as_labels(fresh)).all()
    assert (kept.stats[1:] == fresh.stats[1:]).all()
    assert (kept is parts) == (share == 1.0)


def test_centers_and_shares_of_components() -> None:
    mask, area = np.zeros((2, 12, 20), np.uint8)
    mask[2:4, 5:9], mask[8, 1] = 1, 1
    area[:, :7] = 1
    parts = components_of(mask)
    assert parts.centers()[1:].tolist() == [[6.5, 2.5], [1.0, 8.0]]
    assert parts.shares_within(area)[1:].tolist() == [0.5, 1.0]


def as_labels(parts: Components) -> NDArray[np.int32]:
    labels = np.zeros(parts.shape, np.int32)
    labels.ravel()[parts.pixels] = parts.member
    return labels


def test_rules_that_join_the_writing_are_looked_for_however_little_ink_is_left_over() -> None:
    gray = written_page()
    for x in range(100, 1600, 24):
        cv2.line(gray, (x, 0), (x, 2199), (60,), 2)
    assert not PageInk(gray).ink.whole
    assert PageInk(written_page()).ink.whole


@pytest.mark.parametrize("ruled", [False, True])
def test_shared_ink_changes_no_result(ruled: bool) -> None:
    gray = written_page(ruled=ruled)
    page = PageInk(gray)
    found, alone = segment_page(page, None), segment_page(gray, None)
    assert [line.baseline.tolist() for r in found for line in r.lines] == [
        line.baseline.tolist() for r in alone for line in r.lines
    ]
    assert sum(len(region.lines) for region in found) == 12
    assert uncovered_ink(page, found[:1]) == uncovered_ink(gray, found[:1])
    assert uncovered_ink(page, ()) == 1.0


def test_ink_of_a_page_is_that_of_its_small_copy() -> None:
    gray = written_page()
    page, ink = PageInk(gray), find_ink(gray)
    assert page.ink.scale == ink.scale < 1
    assert (page.ink.mask == ink.mask).all()


def test_page_without_long_rules_is_itself() -> None:
    gray, ruled = written_page()[:1600], written_page(ruled=True)[:1600]
    assert without_long_rulings(gray) is gray
    cleaned = without_long_rulings(ruled)
    assert cleaned is not ruled
    assert cleaned[800, 120] == 255
