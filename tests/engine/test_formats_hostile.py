"""Foreign transcriptions that are made to cost: time in proportion to length, bounds, and one clear line."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from carrel.errors import InputError
from carrel.formats import read_page
from carrel.formats.check.any_format import check
from carrel.formats.read.values import MAX_POINTS
from carrel.page import Page

PAGE_HEAD = (
    '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"><Metadata/>'
    '<Page imageFilename="a.png" imageWidth="100" imageHeight="100">'
)


def hocr(title: str = "bbox 0 0 90 20", page: str = "", rest: str = "") -> bytes:
    line = f"<span class='ocr_line' title='{title}'>text</span>"
    head = "<html><body><div class='ocr_page' title='bbox 0 0 100 100; "
    return f"{head}{page}'>{line}</div>{rest}</body></html>".encode()


def page_xml(custom: str = "", points: str = "0,0 10,0 10,10", index: str = "0") -> bytes:
    line = f'<TextLine id="l"><Coords points="{points}"/><TextEquiv index="{index}"><Unicode>text</Unicode></TextEquiv></TextLine>'
    region = f'<TextRegion id="r" custom="{custom}"><Coords points="0,0 10,0 10,10"/>{line}</TextRegion>'
    return f"{PAGE_HEAD}{region}</Page></PcGts>".encode()


LONG: dict[str, Callable[[int], bytes]] = {
    "open quote": lambda n: hocr("a" * n + "&quot;"),
    "open quotes that are escaped": lambda n: hocr("image " + "\\&quot;" * n),
    "quoted quotes": lambda n: hocr("image &quot;" + "\\&quot;" * n),
    "image of the page": lambda n: hocr(page="image &quot;" + "\\&quot;" * n),
    "spaces": lambda n: hocr(" " * n + "&quot;"),
    "semicolons": lambda n: hocr(";" * n),
    "tags that do not end": lambda n: hocr(rest="<a " * n),
    "attributes": lambda n: hocr(rest="<a b='c' " * n),
    "comments that do not end": lambda n: hocr(rest="<!--" * n),
    "ends of nothing": lambda n: hocr(rest="</" * n),
    "quotes that do not end": lambda n: hocr(rest='<a b="' * n),
    "custom without braces": lambda n: page_xml("a" * n),
    "custom of open braces": lambda n: page_xml("a{" * n),
    "custom of closed braces": lambda n: page_xml("}" * n),
    "custom of spaces": lambda n: page_xml("a" + " " * n + "x"),
    "digits": lambda n: page_xml(points="9" * n),
    "signs": lambda n: page_xml(points="-+." * n),
}


def seconds(data: bytes) -> float:
    best = 60.0
    for _ in range(3):
        began = time.process_time()
        try:
            read_page(data)
        except InputError as error:
            assert str(error).isprintable()
        with suppress(InputError):
            check(data)
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("name", LONG)
def test_time_grows_with_length(name: str) -> None:
    seconds(LONG[name](100))  # imports
    assert seconds(LONG[name](80_000)) < 3 * seconds(LONG[name](40_000)) + 0.05


@pytest.mark.parametrize(
    "data",
    [
        hocr(page="ppageno " + "9" * 5000),
        hocr("bbox 0 0 90 20; x_wconf"),
        hocr("bbox 0 0 90 20; baseline 1e400 0"),
        page_xml("readingOrder {index:" + "9" * 5000 + ";}"),
        page_xml(index="9" * 5000),
        page_xml(points="nan,nan nan,nan"),
        page_xml(points="1,1 " * (MAX_POINTS + 1)),
        hocr(rest="<div>" * 5000),
        b"<html>" + b"\0" * 1000 + hocr(),
    ],
    ids=lambda data: data[:0] or str(len(data)),
)
def test_bounds_are_kept_in_one_line(data: bytes) -> None:
    with suppress(InputError):
        assert all(str(finding) for finding in check(data))
    try:
        assert isinstance(read_page(data), Page)
    except InputError as error:
        assert str(error).isprintable() and len(str(error)) < 300


@pytest.mark.parametrize(
    ("points", "says"),
    [("nan,nan 1,1 2", "not pairs of numbers"), ("here", "not pairs"), ("1,1 " * (MAX_POINTS + 1), "points; at most")],
)
def test_points_that_are_none_are_refused(points: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_page(page_xml(points=points))


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "four"])
def test_page_numbers_that_are_none_are_refused(number: str) -> None:
    with pytest.raises(InputError, match="no number of a page"):
        read_page(hocr(page=f"ppageno {number}"))


def test_what_was_read_still_is() -> None:
    page = read_page(
        hocr(
            "bbox 1 2 90 20; x_note &quot;a;b\\&quot;;c&quot;; x_type HeadingLine:title#1",
            page="image &quot;a; \\&quot;b\\&quot;.png&quot;; ppageno 3",
        )
    )
    assert (page.source.file_name, page.source.page_index) == ('a; "b".png', 3)
    assert page.lines[0].line_type == "HeadingLine:title#1" and page.lines[0].text == "text"
    custom = "readingOrder {index:1;} structure {type:marginalia;} other{a:b}"
    assert read_page(page_xml(custom)).regions[0].kind == "marginalia"


def test_html_is_forgiven(tmp_path: Path) -> None:
    data = (
        b"<!DOCTYPE html><html><meta name='ocr-system' content='x'><div class='ocr_page' title='bbox 0 0 100 100'>"
        b"<p class='ocr_par' title='bbox 0 0 90 90'><span class='ocr_line' title='bbox 0 0 90 20'>"
        b"<span class='ocrx_word' title='bbox 0 0 40 20; x_wconf 91'>one &amp; &eacute;</span> <br>"
        b"<span class='ocrx_word' title='bbox 50 0 90 20'>two\xff</span>"
    )
    (tmp_path / "page.html").write_bytes(data)
    page = read_page(tmp_path / "page.html")
    assert page.text == "one & é two�"
    assert page.lines[0].words == () and len(page.regions) == 1
