"""Other programs' files as pages, and files that nobody should read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.errors import InputError
from carrel.formats import read_page
from carrel.formats.xml_tree import MAX_BYTES, MAX_DEPTH, parse
from carrel.page import Box, Points

ALTO_2 = b"""<?xml version="1.0"?><alto xmlns="http://www.loc.gov/standards/alto/ns-v2#">
<Description><MeasurementUnit>mm10</MeasurementUnit><sourceImageInformation><fileName>news.tif</fileName>
</sourceImageInformation></Description><Layout><Page ID="P1" PHYSICAL_IMG_NR="1" WIDTH="2000.5" HEIGHT="3000">
<PrintSpace><ComposedBlock ID="C"><TextBlock ID="B" HPOS="10" VPOS="20" WIDTH="300" HEIGHT="90">
<TextLine ID="L" HPOS="10" VPOS="20" WIDTH="300" HEIGHT="40" BASELINE="50.4">
<String CONTENT="the" HPOS="10" VPOS="20" WIDTH="60" HEIGHT="40" WC="0.5" CC="0 9 3"/><SP/>
<String CONTENT="exam" HPOS="90" VPOS="20" WIDTH="80" HEIGHT="40" SUBS_TYPE="HypPart1" SUBS_CONTENT="example"/>
<HYP CONTENT="-"/></TextLine>
<TextLine ID="M" HPOS="10" VPOS="70" WIDTH="300" HEIGHT="40">
<String CONTENT="ple" HPOS="10" VPOS="70" WIDTH="60" HEIGHT="40"/></TextLine>
</TextBlock></ComposedBlock></PrintSpace></Page></Layout></alto>"""

ALTO_ESCRIPTORIUM = b"""<?xml version="1.0"?><alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">
<Description><MeasurementUnit>pixel</MeasurementUnit><sourceImageInformation><fileName>a.jpg</fileName>
</sourceImageInformation></Description><Tags><OtherTag ID="BT1" LABEL="Marginal"/>
<OtherTag ID="LT7" LABEL="Interlinear"/></Tags><Layout><Page WIDTH="500" HEIGHT="400" PHYSICAL_IMG_NR="0" ID="x">
<PrintSpace HPOS="0" VPOS="0" WIDTH="500" HEIGHT="400"><TextBlock ID="eSc_dummyblock_">
<TextLine ID="l1" BASELINE="10,50 90,52" TAGREFS="LT7"><Shape><Polygon POINTS="(10 30) (90 30) (90 60)"/></Shape>
<String CONTENT="two words" HPOS="10" VPOS="30" WIDTH="80" HEIGHT="30"/></TextLine></TextBlock>
<TextBlock ID="b2" TAGREFS="BT1" HPOS="1" VPOS="2" WIDTH="3" HEIGHT="4"/></PrintSpace></Page></Layout></alto>"""

PAGE_TRANSKRIBUS = b"""<?xml version="1.0"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2013-07-15"><Metadata><Creator>T</Creator></Metadata>
<Page imageFilename="b.jpg" imageWidth="500" imageHeight="400"><ReadingOrder><OrderedGroup id="o">
<RegionRefIndexed index="1" regionRef="r1"/><RegionRefIndexed index="0" regionRef="r2"/></OrderedGroup></ReadingOrder>
<TextRegion id="r1" type="marginalia"><Coords points="0,0 99,0 99,99"/>
<TextLine id="b" custom="readingOrder {index:1;}"><Coords points="0,50 90,50 90,80"/><Baseline points="0,75 90,75"/>
<TextEquiv index="1"><Unicode>other</Unicode></TextEquiv><TextEquiv index="0" conf="0.5"><Unicode>second</Unicode></TextEquiv>
</TextLine>
<TextLine id="a" custom="readingOrder {index:0;} structure {type:catch-word;}" production="handwritten-cursive">
<Coords points="0,0 90,0 90,40"/><Word id="w"><Coords points="0,0 40,0 40,39"/><TextEquiv><Unicode>first</Unicode></TextEquiv>
</Word></TextLine></TextRegion>
<TextRegion id="r2" custom="structure {type:TitlePageZone;}"><Coords points="100,0 199,0 199,99"/></TextRegion>
</Page></PcGts>"""

HOCR_TESSERACT = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title></title><meta name='ocr-system' content='tesseract 5.5.4' /></head>
<body><div class='ocr_page' id='page_1' title='image "/home/me/c.png"; bbox 0 0 600 300; ppageno 2; scan_res 200 200'>
<div class='ocr_carea' id='b' title="bbox 10 10 500 100"><p class='ocr_par' lang='eng' title="bbox 10 10 500 100">
<span class='ocr_header' id='l' title="bbox 10 10 500 50; baseline 0.01 -8; x_size 30">
<span class='ocrx_word' title='bbox 10 10 90 50; x_wconf 96'>R&amp;D</span>
<span class='ocrx_word' title='bbox 100 10 190 50; x_wconf 50'><strong><em>caf&eacute;</em></strong></span></span></p></div>
</div></body></html>"""


def test_alto_2_of_a_newspaper() -> None:
    page = read_page(ALTO_2)
    assert (page.width_px, page.height_px, page.dpi, page.source.file_name) == (2001, 3000, 254.0, "news.tif")
    first, second = page.lines
    assert [line.text for line in page.lines] == ["the exam-", "ple"]
    assert first.baseline == ((10, 50), (309, 50)) and second.baseline == ((10, 100), (309, 100))
    assert [word.text for word in first.words] == ["the", "exam-"]
    assert first.words[0].box == Box(10, 20, 70, 60) and first.words[0].confidence == 0.5
    assert [round(character.confidence * 9) for character in first.words[0].characters] == [9, 0, 6]
    assert (first.confidence, second.confidence) == (0.5, 1.0)


def test_alto_of_escriptorium() -> None:
    page = read_page(ALTO_ESCRIPTORIUM)
    (line,) = page.lines
    assert (line.text, line.words, line.line_type) == ("two words", (), "Interlinear")
    assert line.baseline == ((10, 50), (90, 52)) and line.polygon == ((10, 30), (90, 30), (90, 60))
    assert [region.kind for region in page.regions] == ["MainZone", "Marginal"]


def test_alto_with_its_own_reading_order() -> None:
    order = b"<ReadingOrder><OrderedGroup ID='g'><ElementRef ID='e' REF='M'/><ElementRef ID='f' REF='L'/></OrderedGroup></ReadingOrder>"
    page = read_page(ALTO_2.replace(b"<Layout>", order + b"<Layout>"))
    assert [line.text for line in page.lines] == ["ple", "the exam-"]


def test_page_of_transkribus() -> None:
    page = read_page(PAGE_TRANSKRIBUS)
    assert [region.kind for region in page.regions] == ["TitlePageZone", "MarginTextZone"]
    first, second = page.lines
    assert (first.text, first.line_type, first.writing.kind) == ("first", "catch-word", "handwritten")
    assert first.baseline == ((0, 30), (90, 30)) and first.words[0].box == Box(0, 0, 41, 40)
    assert (second.text, second.confidence) == ("second", 0.5)
    assert [alternative.text for alternative in second.alternatives] == ["other"]


def test_hocr_of_tesseract() -> None:
    page = read_page(HOCR_TESSERACT)
    assert (page.source.file_name, page.source.page_index, page.dpi) == ("/home/me/c.png", 2, 200.0)
    (line,) = page.lines
    assert line.text == "R&D café" and [word.confidence for word in line.words] == [0.96, 0.5]
    assert line.baseline == ((10, 42), (499, 47)) and page.provenance.software == "tesseract 5.5.4"


@pytest.mark.parametrize(
    ("properties", "baseline", "polygon"),
    [
        ("baseline 0.1 -60", ((100, 140), (499, 180)), ((100, 100), (499, 140), (499, 199), (100, 159))),
        ("baseline -0.1 -20", ((100, 180), (499, 140)), ((100, 140), (499, 100), (499, 159), (100, 199))),
        ("baseline 0.9 -90", ((100, 110), (499, 469)), ((100, 100), (499, 100), (499, 199), (100, 199))),
        ("", ((100, 175), (499, 175)), ((100, 100), (499, 100), (499, 199), (100, 199))),
        ("textangle 180", ((499, 124), (100, 124)), ((100, 100), (499, 100), (499, 199), (100, 199))),
        ("textangle 90", ((399, 199), (399, 100)), ((100, 100), (499, 100), (499, 199), (100, 199))),
        ("textangle 270", ((199, 100), (199, 199)), ((100, 100), (499, 100), (499, 199), (100, 199))),
    ],
)
def test_hocr_of_slanted_and_turned_lines(properties: str, baseline: Points, polygon: Points) -> None:
    """The outline of a slanted line is a band along it: the whole box would hold the neighbours too."""
    line = f"<span class='ocr_line' title='bbox 100 100 500 200; {properties}'>x</span>"
    page = read_page(f"<html><div class='ocr_page' title='bbox 0 0 600 500'>{line}</div></html>".encode())
    assert [(line.baseline, line.polygon) for line in page.lines] == [(baseline, polygon)]


BOMB = b'<!DOCTYPE alto [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><alto>&b;</alto>'
OUTSIDE = b'<!DOCTYPE alto [<!ENTITY a SYSTEM "file:///etc/passwd">]><alto>&a;</alto>'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (BOMB, "document type"),
        (OUTSIDE, "document type"),
        (b'<?xml version="1.0"?><!DOCTYPE PcGts SYSTEM "http://example.org/x.dtd"><PcGts/>', "document type"),
        (b"<alto>&a;</alto>", "not well-formed"),
        (b"<alto>", "not well-formed"),
        (b'<?xml version="1.0" encoding="utf-99"?><alto/>', "not well-formed"),
        (b"", "not well-formed"),
        (b"\x00\x01", "not well-formed"),
        (b"<mets/>", "neither ALTO"),
        (b"<a>" * (MAX_DEPTH + 1), "more than 100 levels"),
        (b"{", "not JSON"),
        (b"{" * 100_000, "not JSON"),
        (b'{"format": 1}', "format is 1"),
        (b"<html><body></body></html>", "without an ocr_page"),
        (b"<html><div class='ocr_page' title='bbox 0 0 1e300 5'></div></html>", "at most"),
        (b"<html><div class='ocr_page' title='bbox 0 0 5'></div></html>", "bbox of 3"),
        (b"<html>" + b"<div>" * 200, "more than 100 levels"),
        (ALTO_2.replace(b"mm10", b"furlong"), "furlong"),
        (ALTO_2.replace(b'HPOS="10"', b'HPOS="ten"'), "'ten', not a number"),
        (ALTO_2.replace(b'WIDTH="2000.5"', b'WIDTH="nan"'), "at most"),
        (ALTO_2.replace(b'HEIGHT="3000"', b'HEIGHT="0"'), "2000.5 x 0 px"),
        (ALTO_ESCRIPTORIUM.replace(b"10,50 90,52", b"10,50 90"), "not pairs of numbers"),
        (PAGE_TRANSKRIBUS.replace(b'imageWidth="500"', b""), "imageWidth"),
        (b"<alto/>", "without a Page"),
    ],
)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_page(data)


def test_size_is_limited_before_anything_is_parsed(tmp_path: Path) -> None:
    large = tmp_path / "large.xml"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(InputError, match=r"large\.xml: larger than"):
        read_page(large)
    with pytest.raises(InputError, match="at most"):
        read_page(b" " * (MAX_BYTES + 1))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.xml: no such file"):
        read_page(tmp_path / "none.xml")
    with pytest.raises(InputError, match="no such file"):
        read_page(tmp_path)


def test_namespace_prefix_is_seen() -> None:
    assert parse(b'<alto xmlns="u"/>').is_default
    assert not parse(b'<a:alto xmlns:a="u"/>').is_default
    assert parse(b'<a:alto xmlns:a="u"><a:Layout/></a:alto>').root[0].tag == "Layout"


@settings(deadline=None, max_examples=150)
@given(st.data())
@pytest.mark.parametrize("sample", [ALTO_2, ALTO_ESCRIPTORIUM, PAGE_TRANSKRIBUS, HOCR_TESSERACT])
def test_damage_is_read_or_refused_never_more(sample: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(sample)))
    length, put = data.draw(st.integers(0, 40)), data.draw(st.binary(max_size=6) | st.just(b"-1") | st.just(b"9" * 400))
    try:
        read_page(sample[:start] + put + sample[start + length :])
    except InputError as error:
        assert str(error)
