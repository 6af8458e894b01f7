"""Stamps: found where they are, none where there are none; what is theirs and what stays in the body of the text."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.image.prepare import prepare
from carrel.layout import FoundLine, FoundRegion, PageInk, segment_page, uncovered_ink
from carrel.layout.stamps.zones import find_stamps, in_order_with_stamps
from drawn_pages import Points, drawn_maps, page_of
from drawn_stamps import box, dry, ring, stamped

Gray = NDArray[np.uint8]
SAMPLES = Path(__file__).resolve().parents[1] / "pages"
BODY: list[Points] = [[(40, y), (600, y)] for y in range(60, 420, 40)]
"""Lines of a page that is blank from 420 px down."""
ROUND = ring(130, 130, "ARCHIVES", "NATIONALES", ("1896",))
OVAL = ring(170, 116, "BIBLIOTHEQUE", "DE LORIENT", ("FONDS",))


@pytest.fixture(scope="module")
def sample() -> Gray:
    """A page of print, blank in its lower third, 2480 px high; the stamps are the larger for it."""
    with Image.open(SAMPLES / "french.jpg") as image:
        return np.asarray(image.convert("L"))


def outlines(page: Gray) -> list[NDArray[np.float32]]:
    return [stamp.polygon for stamp in find_stamps(PageInk(page))]


def overlap(outline: NDArray[np.float32], drawn: NDArray[np.float32], shape: tuple[int, ...]) -> float:
    """Shared area over joint area."""
    masks = [cv2.fillPoly(np.zeros(shape, np.uint8), [np.rint(p).astype(np.int32)], (1,)) > 0 for p in (outline, drawn)]
    return float((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


def around(center: tuple[float, float], size: tuple[float, float], degrees: float, corners: int) -> NDArray[np.float32]:
    """The outline of an ellipse (72 corners) or a box (4)."""
    if corners == 4:
        return cv2.boxPoints((center, size, degrees)).astype(np.float32)
    whole = (round(center[0]), round(center[1])), (round(size[0] / 2), round(size[1] / 2))
    return np.array(cv2.ellipse2Poly(*whole, round(degrees), 0, 359, 360 // corners), np.float32)


@pytest.mark.parametrize(
    ("size", "degrees", "corners"),
    [((300, 300), 0.0, 72), ((300, 300), 30.0, 72), ((360, 250), 0.0, 72), ((360, 250), -15.0, 72),
     ((400, 150), -8.0, 4), ((400, 150), 4.0, 4)],
)  # fmt: skip
def test_stamps_on_blank_paper_are_outlined(sample: Gray, size: tuple[int, int], degrees: float, corners: int) -> None:
    if corners == 4:
        stamp = box(*size, ("RECU LE", "17 DEC 1896"), degrees)
    else:
        stamp = ring(*size, "ARCHIVES", "NATIONALES", ("R.F.",), degrees)
    page = stamped(sample, stamp, 900, 1950)
    center = (900 + stamp.shape[1] / 2, 1950 + stamp.shape[0] / 2)
    (found,) = outlines(page)
    assert overlap(found, around(center, size, degrees, corners), page.shape) > 0.85


@pytest.mark.parametrize("size", [(300, 300), (360, 250)])
def test_rings_that_are_dry_or_half_over_text_are_found(sample: Gray, size: tuple[int, int]) -> None:
    stamp = ring(*size, "ARCHIVES", "NATIONALES", ("R.F.",))
    for page, left, top in (
        (stamped(sample, dry(stamp, 5, share=0.1), 900, 1950, 0.5), 900, 1950),
        (stamped(sample, stamp, 60, 640), 60, 640),
    ):
        center = (left + stamp.shape[1] / 2, top + stamp.shape[0] / 2)
        (found,) = outlines(page)
        assert overlap(found, around(center, size, 0.0, 72), page.shape) > 0.85


def test_what_is_no_stamp(sample: Gray) -> None:
    assert not outlines(sample)
    assert not outlines(with_table(page_of(BODY)))
    assert not outlines(
        with_initial(page_of([[(180 if k < 3 else 40, y), (600, y)] for k, y in enumerate(range(60, 420, 40))]))
    )
    assert not outlines(with_frame(page_of(BODY), 0.0))
    assert not outlines(with_frame(page_of(BODY), 3.0))
    assert not outlines(with_flourish(page_of(BODY)))
    assert not outlines(stamped(page_of(BODY), box(300, 90, ("N 25",), 0.0), 100, 500))
    empty_loop = page_of(BODY)
    cv2.ellipse(empty_loop, (300, 560), (80, 60), 10, 0, 360, (40,), 3)
    assert not outlines(empty_loop)


def with_table(page: Gray) -> Gray:
    for y in range(30, 440, 40):
        cv2.line(page, (30, y), (610, y + 3), (60,), 2)
    for x in (30, 140, 330, 470, 610):
        cv2.line(page, (x, 30), (x - 3, 430), (60,), 2)
    return page


def with_initial(page: Gray) -> Gray:
    """An ornamental initial: a large letter in tendrils."""
    image = Image.fromarray(page)
    draw = ImageDraw.Draw(image)
    draw.text((100, 90), "O", fill=20, font=ImageFont.load_default(130), anchor="mm")
    for k in range(6):
        draw.arc((40 + 12 * k, 30, 90 + 12 * k, 150), 20 * k, 200 + 30 * k, fill=60, width=2)
    return np.array(image)


def with_frame(page: Gray, degrees: float) -> Gray:
    corners = cv2.boxPoints(((320, 230), (600, 410), degrees))
    cv2.polylines(page, [np.rint(corners).astype(np.int32)], True, (40,), 3)
    return page


def with_flourish(page: Gray) -> Gray:
    """A signature with a loop around it that does not close and is no ellipse."""
    turn = np.linspace(0.0, 4.4 * np.pi, 200)
    radius = 40 + 9 * turn
    loop = np.stack((320 + 1.6 * radius * np.cos(turn), 600 + 0.8 * radius * np.sin(turn + 0.5)), 1)
    cv2.polylines(page, [np.rint(loop).astype(np.int32)], False, (40,), 3)
    for k in range(8):
        cv2.line(page, (250 + 18 * k, 615), (260 + 18 * k, 580 - 3 * (k % 3)), (40,), 3)
    return page


def baselines(regions: tuple[FoundRegion, ...], kind: str) -> list[list[float]]:
    return [line.baseline.round().tolist() for r in regions if r.kind == kind for line in r.lines]


def test_body_lines_under_a_stamp_stay_in_the_body() -> None:
    plain = segment_page(page_of(BODY), None, drawn_maps(BODY))
    page = stamped(page_of(BODY), ROUND, 480, 330)
    regions = segment_page(page, None, drawn_maps(BODY))
    assert [region.kind for region in regions] == ["MainZone", "StampZone"]
    assert regions[1].lines == ()
    expected = [[line.baseline[:, 1].mean(), line.baseline[0, 0]] for line in plain[0].lines]
    kept = [[line.baseline[:, 1].mean(), line.baseline[0, 0]] for line in regions[0].lines]
    assert np.abs(np.array(expected) - np.array(kept)).max() < 3.0


def test_the_end_of_a_body_line_that_lies_in_a_stamp_stays_in_the_body() -> None:
    broken: list[Points] = [[(40, 60), (470, 60)], [(500, 60), (560, 60)], *BODY[2:]]
    regions = segment_page(stamped(page_of(broken), ROUND, 465, 0), None, drawn_maps(broken))
    assert "StampZone" in [region.kind for region in regions]
    assert len(baselines(regions, "MainZone")) == len(broken)


def line_at(points: Points) -> FoundLine:
    baseline = np.array(points, np.float32)
    ring = np.concatenate((baseline - np.array((0, 14), np.float32), baseline[::-1] + np.array((0, 4), np.float32)))
    return FoundLine(baseline, ring, 12.0)


def test_lines_across_a_stamp_are_its_own_and_those_along_its_ring_are_none() -> None:
    left, top = 240, 540
    x, y = left + OVAL.shape[1] / 2, top + OVAL.shape[0] / 2
    across: Points = [(x - 40, y + 6), (x + 40, y + 6)]
    over: Points = [(x - 45, y - 32), (x, y - 36), (x + 45, y - 32)]
    under: Points = [(x - 40, y + 44), (x, y + 50), (x + 40, y + 44)]
    beside: Points = [(x + 20, y + 90), (x + 200, y + 90)]
    page = PageInk(stamped(page_of(BODY), OVAL, left, top))
    lines = [line_at(points) for points in (*BODY, over, under, across, beside)]
    regions = in_order_with_stamps(lines, page)
    kept = {kind: baselines(regions, kind) for kind in ("MainZone", "StampZone")}
    assert kept["StampZone"] == [line_at(across).baseline.round().tolist()]
    assert kept["MainZone"] == [line_at(points).baseline.round().tolist() for points in (*BODY, beside)]


def test_a_stamp_follows_the_region_it_lies_in() -> None:
    columns: list[Points] = [[(x, y), (x + 240, y)] for x in (40, 360) for y in range(60, 720, 40)]
    regions = segment_page(stamped(page_of(columns), ROUND, 90, 300), None, drawn_maps(columns))
    assert [region.kind for region in regions] == ["MainZone", "StampZone", "MainZone"]


def test_a_stamp_on_an_empty_page_is_found_and_is_no_missed_ink() -> None:
    page = stamped(page_of([]), ROUND, 300, 300)
    regions = segment_page(page, None, drawn_maps([]))
    assert [(region.kind, region.lines) for region in regions] == [("StampZone", ())]
    assert uncovered_ink(page, ()) == 1.0
    assert uncovered_ink(page, regions) < 0.02


def test_stamps_are_found_on_prepared_pages_and_without_a_model(sample: Gray) -> None:
    page = stamped(sample, ring(300, 300, "ARCHIVES", "NATIONALES"), 900, 1950)
    prepared = prepare(page)
    regions = [region.on_scan(prepared.geometry) for region in segment_page(prepared.gray, None)]
    (stamp,) = [region for region in regions if region.kind == "StampZone"]
    assert overlap(stamp.polygon, around((1054, 2104), (300, 300), 0.0, 72), page.shape) > 0.85
