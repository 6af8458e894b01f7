"""Corrections of the page itself: every operation on drawn pages, and any of them on any page."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.formats import FORMATS, read_page
from carrel.identity import is_xml_name
from carrel.page import Box, Correction, Line, Page, Provenance, Region, Source, Word, Writing
from carrel.review.structure import (
    LINE_TYPES,
    REGION_KINDS,
    Add,
    Delete,
    Join,
    MoveLine,
    MoveRegion,
    Operation,
    OperationError,
    OwnRegion,
    SetLineType,
    SetRegionKind,
    Split,
    apply,
)

WIDTH_PX, HEIGHT_PX = 600, 400


def line(identity: str, text: str, left: int, top: int, correction: str = "") -> Line:
    """A line 40 px high, 10 px a letter."""
    words: list[Word] = []
    at = left
    for word in text.split():
        words.append(Word(word, Box(at, top, at + 10 * len(word), top + 40), 0.5 + 0.1 * len(words)))
        at += 10 * len(word) + 10
    right = max(at - 10, left + 40)
    outline = ((left, top), (right, top), (right, top + 40), (left, top + 40))
    base = ((left, top + 30), (right, top + 30))
    said = Correction(correction, "me", "2026-01-31T12:00:00Z", "corrected") if correction else None
    return Line(
        base, outline, Writing("printed", 0.9), text, 0.6, tuple(words), (), "ctc", id=identity, correction=said
    )


def page_of(*regions: Region) -> Page:
    return Page(WIDTH_PX, HEIGHT_PX, 300.0, regions, Source("deed.tif"), Provenance("Carrel"), None)


@pytest.fixture
def page() -> Page:
    main = (line("l1", "one two three", 20, 20), line("l2", "four five", 20, 80, "four live"), line("l3", "", 20, 140))
    margin = (line("m1", "note", 450, 40),)
    return page_of(
        Region("MainZone", ((10, 10), (300, 10), (300, 200), (10, 200)), main, "r1"),
        Region("MarginTextZone", ((440, 30), (560, 30), (560, 90), (440, 90)), margin, "r2"),
    )


def order(page: Page) -> list[list[str]]:
    return [[line.id for line in region.lines] for region in page.regions]


def test_types(page: Page) -> None:
    assert apply(page, SetRegionKind("r2", "NumberingZone"), "x").regions[1].kind == "NumberingZone"
    assert apply(page, SetLineType("l1", "HeadingLine"), "x").lines[0].line_type == "HeadingLine"
    for operation in (SetRegionKind("r2", "Zone"), SetLineType("l1", "Line"), SetRegionKind("r9", "MainZone")):
        with pytest.raises(OperationError):
            apply(page, operation, "x")


def test_order(page: Page) -> None:
    assert order(apply(page, MoveLine("l3", "r1", 0), "x")) == [["l3", "l1", "l2"], ["m1"]]
    assert order(apply(page, MoveLine("l1", "r1", 99), "x")) == [["l2", "l3", "l1"], ["m1"]]
    assert order(apply(page, MoveRegion("r2", 0), "x")) == [["m1"], ["l1", "l2", "l3"]]
    emptied = apply(page, MoveLine("m1", "r1", 1), "x")
    assert order(emptied) == [["l1", "m1", "l2", "l3"]]
    around = Box.around(emptied.regions[0].polygon)
    assert around.right >= 490 and around.left == 10  # the region reaches round its new line
    alone = apply(page, OwnRegion("l2", "RunningTitleZone"), "x")
    assert order(alone) == [["l1", "l3"], ["l2"], ["m1"]]
    assert (alone.regions[1].kind, alone.regions[1].id) == ("RunningTitleZone", "x")


def test_split_gives_words_to_where_they_stand(page: Page) -> None:
    made = apply(page, Split("l1", 0.33), "x")
    one, two = made.lines[:2]
    assert ((one.id, one.text), (two.id, two.text)) == (("x", "one"), ("xb", "two three"))
    assert [word.text for word in two.words] == ["two", "three"]
    assert one.confidence == pytest.approx(0.5) and two.confidence == pytest.approx((0.6 * 3 + 0.7 * 5) / 8)
    assert Box.around(one.polygon).right - 1 == Box.around(two.polygon).left == one.baseline[-1][0] == 63
    assert order(made) == [["x", "xb", "l2", "l3"], ["m1"]]
    corrected = apply(page, Split("l2", 0.5), "x").lines[1:3]
    assert [line.final_text for line in corrected] == ["four", "live"]
    assert [line.correction.state for line in corrected if line.correction] == ["confirmed", "corrected"]
    with pytest.raises(OperationError, match="too near"):
        apply(page, Split("l1", 1e-6), "x")


def test_join_side_by_side_and_stacked(page: Page) -> None:
    halves = apply(page, Split("l1", 0.33), "x")
    again = apply(halves, Join(("xb", "x")), "y")  # the order of clicks does not matter, their places do
    assert order(again) == [["y", "l2", "l3"], ["m1"]]
    assert again.lines[0].text == "one two three"
    assert Box.around(again.lines[0].polygon) == Box.around(page.lines[0].polygon)
    assert 0.5 < again.lines[0].confidence < 0.7
    apart = apply(page, Join(("l1", "m1")), "x")
    assert order(apart) == [["x", "l2", "l3"]]
    assert apart.lines[0].baseline == ((20, 50), (150, 50), (450, 70), (490, 70))
    assert apart.lines[0].text == "one two three note"
    stacked = apply(page, Join(("l1", "l2")), "x").lines[0]
    assert stacked.final_text == "one two three four live" and stacked.text == "one two three four five"
    assert Box.around(stacked.polygon) == Box(20, 20, 151, 121)
    for lines in (("l1", "l1"), ("l1", "l9")):
        with pytest.raises(OperationError):
            apply(page, Join(lines), "x")


def test_add_and_delete(page: Page) -> None:
    made = apply(page, Add(((20, 75), (200, 75)), 12, 4), "x")
    assert order(made) == [["l1", "x", "l2", "l3"], ["m1"]]
    assert Box.around(made.lines[1].polygon) == Box(20, 63, 201, 80)
    beside = apply(page, Add(((455, 85), (555, 85)), 12, 4), "x")
    assert order(beside)[1] == ["m1", "x"]
    assert order(apply(page_of(), Add(((5, 20), (90, 20)), 12, 4), "x")) == [["x"]]
    assert order(apply(page, Delete("m1"), "x")) == [["l1", "l2", "l3"]]
    with pytest.raises(OperationError, match="lie on the page"):
        apply(page, Add(((-50, -50), (-5, -50)), 12, 4), "x")


IDS = st.sampled_from(["l1", "l2", "l3", "m1", "x0", "x0b", "x1", "x1b", "nothing"])
REGIONS = st.sampled_from(["r1", "r2", "x0", "x1", "nothing"])
POINTS = st.tuples(st.integers(-50, WIDTH_PX + 50), st.integers(-50, HEIGHT_PX + 50))
OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    st.builds(SetRegionKind, REGIONS, st.sampled_from(REGION_KINDS)),
    st.builds(SetLineType, IDS, st.sampled_from(LINE_TYPES)),
    st.builds(MoveLine, IDS, REGIONS, st.integers(0, 6)),
    st.builds(MoveRegion, REGIONS, st.integers(0, 6)),
    st.builds(OwnRegion, IDS, st.sampled_from(REGION_KINDS)),
    st.builds(Split, IDS, st.floats(0.001, 0.999)),
    st.builds(Join, st.lists(IDS, min_size=2, max_size=4).map(tuple)),
    st.builds(Add, st.lists(POINTS, min_size=2, max_size=4).map(tuple), st.integers(1, 80), st.integers(1, 80)),
    st.builds(Delete, IDS),
)


@settings(deadline=None)
@given(operations=st.lists(OPERATIONS, max_size=8))
def test_any_operations_leave_a_page_that_every_format_takes(operations: list[Operation]) -> None:
    page = page_of(
        Region("MainZone", (), (line("l1", "one two", 20, 20), line("l2", "a", 20, 80, "b c")), "r1"),
        Region("StampZone", ((440, 30), (560, 30), (560, 90)), (), "r2"),
    )
    for number, operation in enumerate(operations):
        before = page
        try:
            page = apply(page, operation, f"x{number}")
        except OperationError:
            assert page == before
    names = Counter(item.id for region in page.regions for item in (region, *region.lines))
    assert max(names.values(), default=1) == 1 and all(map(is_xml_name, names))
    if all(getattr(operation, "region", "") != "r2" for operation in operations):
        assert any(region.id == "r2" for region in page.regions)  # what holds no lines stays
    for known in page.lines:
        assert len(known.polygon) >= 3 and len(known.baseline) >= 2
        assert all(a != b for a, b in pairwise(known.baseline))
        assert all(0 <= x <= WIDTH_PX and 0 <= y <= HEIGHT_PX for x, y in (*known.polygon, *known.baseline))
        assert 0 <= known.confidence <= 1
    for name in ("json", "alto", "page", "hocr"):
        back = read_page(FORMATS[name].write(page))
        assert [known.final_text for known in back.lines] == [known.final_text for known in page.lines]
