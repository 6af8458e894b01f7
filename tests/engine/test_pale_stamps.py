"""Stamps that are paler than the text under them are painted over; others, and hair strokes as pale as they, are left alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.layout import FoundLine, FoundRegion, without_pale_stamps
from carrel.page import STAMP_ZONE
from drawn_stamps import ring, stamped

Gray = NDArray[np.uint8]
TEXTS = (
    "The pilot refused to sail on a Friday",
    "which cost the owners a tide and most",
    "of a cargo of fish in that cold year",
)
STEP, SIZE, LEFT, TOP, SIDE = 44, 30, 260, 40, 180


def page(ink: int = 40) -> Gray:
    image = Image.new("L", (700, 280), 235)
    draw = ImageDraw.Draw(image)
    for k, text in enumerate(TEXTS):
        draw.text((40, 70 + STEP * k), text, fill=ink, font=ImageFont.load_default(SIZE))
    return np.asarray(image)


def regions(*own: FoundLine) -> list[FoundRegion]:
    lines = [placed(40, 660, 70 + SIZE + STEP * k) for k in range(len(TEXTS))]
    around = np.array([(40, 60), (660, 60), (660, 220), (40, 220)], np.float32)
    circle = cv2.ellipse2Poly((LEFT + SIDE // 2 + 4, TOP + SIDE // 2 + 4), (95, 95), 0, 0, 359, 10)
    return [FoundRegion("MainZone", around, tuple(lines)), FoundRegion(STAMP_ZONE, np.array(circle, np.float32), own)]


def placed(left: float, right: float, base: float) -> FoundLine:
    corners = [(left, base - SIZE), (right, base - SIZE), (right, base + 8), (left, base + 8)]
    return FoundLine(np.array([(left, base), (right, base)], np.float32), np.array(corners, np.float32), 16.0)


@pytest.mark.parametrize("darkness", [0.35, 0.55])
def test_a_pale_stamp_is_painted_over_and_the_text_stays(darkness: float) -> None:
    plain = page()
    with_stamp = stamped(plain, ring(SIDE, SIDE, "HARBOUR", "OFFICE", ("PAID",), line_px=5), LEFT, TOP, darkness)
    cleaned, found = without_pale_stamps(with_stamp, regions())
    assert len(found) == 2
    before, after = (np.abs(gray.astype(int) - plain) > 40 for gray in (with_stamp, cleaned))
    assert before.sum() > 2000
    assert after.sum() < 0.15 * before.sum()  # what touches letters stays


def test_a_stamp_as_dark_as_the_text_is_left_alone() -> None:
    given = stamped(page(), ring(SIDE, SIDE, "HARBOUR", "OFFICE", line_px=5), LEFT, TOP, 0.83)
    cleaned, _ = without_pale_stamps(given, regions())
    assert cleaned is given


def test_writing_with_strokes_as_pale_as_the_stamp_is_left_alone() -> None:
    given = np.minimum(page(), np.roll(page(150), 14, axis=0)).astype(np.uint8)  # every letter has pale strokes
    given = stamped(given, ring(SIDE, SIDE, "HARBOUR", "OFFICE", line_px=5), LEFT, TOP, 0.4)
    cleaned, _ = without_pale_stamps(given, regions())
    assert cleaned is given


def test_a_stamp_on_blank_paper_keeps_its_lines() -> None:
    given = stamped(page()[60:], ring(SIDE, SIDE, "HARBOUR", "OFFICE", ("PAID",), line_px=5), LEFT, 20, 0.4)
    own = placed(LEFT + 50, LEFT + 130, 110)
    cleaned, found = without_pale_stamps(given, regions(own)[1:])
    assert cleaned is given
    assert found[0].lines == (own,)


def test_lines_of_a_painted_stamp_stay_where_no_text_runs_through_them() -> None:
    given = stamped(page(), ring(SIDE, SIDE, "HARBOUR", "OFFICE", ("PAID",), line_px=5), LEFT, TOP, 0.4)
    free, crossed = placed(LEFT + 60, LEFT + 120, 62), placed(LEFT + 30, LEFT + 150, 118)
    _, found = without_pale_stamps(given, regions(free, crossed))
    assert found[1].lines == (free,)
