"""Ids of lines and regions: valid, unique, and kept when a page is read again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.formats import FORMATS, read_page
from carrel.formats.check.any_format import check
from carrel.identity import carry_over, is_xml_name, with_ids
from carrel.page import Correction, Line, Page, Points, Region
from oracle_formats import page_of, pages

quick = settings(deadline=None, max_examples=30)


def ids_of(page: Page) -> list[str]:
    """All ids of a page in reading order."""
    return [item.id for region in page.regions for item in (region, *region.lines)]


def numbered(page: Page) -> Page:
    return replace(page, regions=with_ids(page.regions))


def moved(points: Points, down: int, right: int = 0) -> Points:
    return tuple((x + right, y + down) for x, y in points)


def shifted(line: Line, down: int, right: int = 0) -> Line:
    return replace(line, baseline=moved(line.baseline, down, right), polygon=moved(line.polygon, down, right))


@quick
@given(pages)
def test_ids_become_valid_and_unique(page: Page) -> None:
    named = numbered(page)
    assert len(set(ids_of(named))) == len(ids_of(named)) and all(map(is_xml_name, ids_of(named)))
    assert with_ids(named.regions) == named.regions
    once = [name for name in ids_of(page) if is_xml_name(name) and ids_of(page).count(name) == 1]
    assert all(after == before for before, after in zip(ids_of(page), ids_of(named), strict=True) if before in once)


@quick
@given(pages)
def test_read_again_the_same_is_the_same(page: Page) -> None:
    page = numbered(page)
    assert carry_over(page, page) == (page, ())


@quick
@given(pages, pages)
def test_carrying_over_twice_changes_nothing(earlier: Page, again: Page) -> None:
    earlier, again = numbered(earlier), numbered(replace(again, width_px=earlier.width_px, height_px=earlier.height_px))
    once = carry_over(earlier, again)
    assert carry_over(earlier, once.page) == once
    names = ids_of(once.page)
    assert len(set(names)) == len(names) and all(map(is_xml_name, names))
    kept = {line.id for line in once.page.lines} & {line.id for line in earlier.lines}
    lost = {line.id for line in once.lost}
    corrected = {line.id: line.correction for line in earlier.lines if line.correction}
    assert corrected.keys() <= kept | lost and not kept & lost
    assert all(line.correction == corrected[line.id] for line in once.page.lines if line.id in corrected)


@quick
@given(st.permutations(range(6)), st.sets(st.integers(0, 5)), st.integers(-15, 15), st.integers(-60, 60))
def test_the_same_lines_keep_their_ids(order: list[int], dropped: set[int], down: int, right: int) -> None:
    """Lines 55 px high, moved by less than a third of that and along themselves, in any order, some missing."""
    earlier = numbered(page_of(*"abcdef"))
    found = tuple(shifted(earlier.lines[index], down, right) for index in order if index not in dropped)
    new = replace(earlier.lines[0], baseline=((60, 700), (940, 700)), polygon=((60, 660), (940, 660), (940, 710)))
    lines = tuple(replace(line, id="") for line in (*found, new))
    again = numbered(replace(earlier, regions=(Region("MainZone", (), lines),)))
    page = carry_over(earlier, again).page
    assert [line.id for line in page.lines[:-1]] == [f"r0l{index}" for index in order if index not in dropped]
    assert page.lines[-1].id not in ids_of(earlier)
    assert page.regions[0].id == ("r0" if found else page.regions[0].id)


def test_lines_beside_or_in_part_are_others() -> None:
    earlier = numbered(page_of("a line"))
    (line,) = earlier.lines
    half = replace(line, baseline=((60, 70), (500, 70)), polygon=((60, 30), (500, 30), (500, 85), (60, 85)))
    for other in (shifted(line, 20), half):
        again = replace(earlier, regions=(replace(earlier.regions[0], lines=(other,)),))
        assert carry_over(earlier, again).page.lines[0].id not in ids_of(earlier)
    resized = replace(earlier, width_px=2000)
    assert carry_over(resized, earlier).page.lines[0].id not in ids_of(earlier)


def test_corrections_come_along_or_are_told() -> None:
    earlier = numbered(page_of("thc cat", "a rnan"))
    made = [Correction(text, "Ann", "2026-01-31T12:00:00Z", "corrected") for text in ("the cat", "a man")]
    lines = tuple(replace(line, correction=c) for line, c in zip(earlier.lines, made, strict=True))
    earlier = replace(earlier, regions=(replace(earlier.regions[0], lines=lines),))
    again = numbered(page_of("the cot"))
    page, lost = carry_over(earlier, again)
    assert (page.lines[0].text, page.lines[0].final_text) == ("the cot", "the cat")
    assert [line.correction for line in lost] == made[1:]


def test_stamps_without_lines_keep_their_ids() -> None:
    outlines = [tuple((x + dx, y) for x, y in ((0, 0), (90, 0), (90, 90), (0, 90))) for dx in (0, 300)]
    earlier = page_of(regions=tuple(Region("StampZone", outline, (), f"s{n}") for n, outline in enumerate(outlines)))
    again = page_of(
        regions=(
            Region("StampZone", moved(outlines[1], 9), (), "s0"),
            Region("StampZone", ((600, 0), (690, 0), (690, 90)), (), ""),
        )
    )
    assert ids_of(carry_over(earlier, again).page) == ["s1", "r1"]


FOREIGN = {
    "eScriptorium ALTO": b"""<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout>
<Page WIDTH="500" HEIGHT="400"><PrintSpace><TextBlock ID="eSc_textblock_9c1">
<TextLine ID="eSc_line_4f2d" BASELINE="10 50 90 52"><Shape><Polygon POINTS="10 30 90 30 90 60"/></Shape>
<String CONTENT="two words"/></TextLine></TextBlock></PrintSpace></Page></Layout></alto>""",
    "kraken ALTO": b"""<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout>
<Page WIDTH="500" HEIGHT="400"><PrintSpace><TextBlock ID="_3b5f6a0e-11aa-4c39">
<TextLine ID="_1f0d9d8c-77e1-4a5c" BASELINE="10 50 90 52"><Shape><Polygon POINTS="10 30 90 30 90 60"/></Shape>
<String CONTENT="two"/></TextLine></TextBlock></PrintSpace></Page></Layout></alto>""",
    "Transkribus PAGE": b"""<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2013-07-15">
<Page imageFilename="b.jpg" imageWidth="500" imageHeight="400"><TextRegion id="tr_1"><Coords points="0,0 99,0 99,99"/>
<TextLine id="tr_1_tl_2"><Coords points="0,50 90,50 90,80"/><Baseline points="0,75 90,75"/>
<TextEquiv><Unicode>second</Unicode></TextEquiv></TextLine></TextRegion></Page></PcGts>""",
    "Tesseract hOCR": b"""<html><body><div class='ocr_page' title='bbox 0 0 500 400'>
<div class='ocr_carea' id='block_1_1' title="bbox 10 10 400 100"><span class='ocr_line' id='line_1_1'
title="bbox 10 10 400 50"><span class='ocrx_word' title='bbox 10 10 90 50'>word</span></span></div></div></body></html>""",
}


@pytest.mark.parametrize("name", ["alto", "page", "hocr", "json"])
@pytest.mark.parametrize("source", FOREIGN)
def test_foreign_ids_are_kept_through_every_format(source: str, name: str) -> None:
    page = read_page(FOREIGN[source])
    assert all(ids_of(page)) and all(name.encode() in FOREIGN[source] for name in ids_of(page))
    again = read_page(FORMATS[name].write(page))
    assert ids_of(again) == ids_of(page)
    assert all(name in FORMATS["tei"].write(page).decode() for name in ids_of(page))


@pytest.mark.parametrize("wrong", [b"1f0d", b"a b", b"_3b5f6a0e-11aa-4c39"])
@pytest.mark.parametrize("name", ["alto", "page", "hocr", "json"])
def test_bad_foreign_ids_are_told_and_mended(wrong: bytes, name: str) -> None:
    data = FOREIGN["kraken ALTO"].replace(b"_1f0d9d8c-77e1-4a5c", wrong)
    told = [str(finding) for finding in check(data)]
    assert any("identifier" in finding and wrong.decode() in finding for finding in told), told
    written = FORMATS[name].write(read_page(data))
    assert not any("identifier" in str(finding) for finding in check(written))
    names = ids_of(read_page(written))
    assert len(set(names)) == 2 and all(map(is_xml_name, names))


def test_bad_ids_in_json_are_told() -> None:
    told = json.loads(FORMATS["json"].write(page_of("one", "two")))
    told["regions"][0]["lines"][1]["id"] = "r0l0"
    told["regions"][0]["id"] = "0"
    found = [str(finding) for finding in check(json.dumps(told).encode())]
    assert found[:2] == ["0: identifier is no XML name", "r0l0: identifier used 2 times"]


def test_version_1_is_still_read() -> None:
    told = json.loads(FORMATS["json"].write(page_of("one", "two")))
    told["format"] = "carrel-page/1"
    for item in (told["regions"][0], *told["regions"][0]["lines"]):
        del item["id"]
    for line in told["regions"][0]["lines"]:
        del line["correction"]
    page = read_page(json.dumps(told).encode())
    assert page == numbered(page_of("one", "two")) and ids_of(page) == ["r0", "r0l0", "r0l1"]


@pytest.mark.parametrize("state", ["corrected", "confirmed"])
def test_every_format_writes_the_final_text_and_marks_it(state: str) -> None:
    text = "the cat; sat" if state == "corrected" else "thc cat sat"
    made = Correction(text, "Ann Ö. {x}", "2026-01-31T12:00:00Z", state)  # type: ignore[arg-type]
    page = numbered(page_of("thc cat sat", "next"))
    first = replace(page.lines[0], correction=made)
    page = replace(page, regions=(replace(page.regions[0], lines=(first, page.lines[1])),))
    assert page.text == f"{text}\nnext"
    for name in ("text", "csv", "tei", "alto", "page", "hocr"):
        written = FORMATS[name].write(page).decode()
        assert all(word in written for word in text.split())
        assert name == "text" or state in written
    for name in ("json", "alto", "page", "hocr"):
        line = read_page(FORMATS[name].write(page)).lines[0]
        assert (line.text, line.correction) == ("thc cat sat", made)
    assert b'CS="true"' in FORMATS["alto"].write(page)
    assert "thc cat sat" in FORMATS["tei"].write(page).decode()
