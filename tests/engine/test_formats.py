"""Pages written in every format: what importers need is there, and reading back gives the same bytes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from carrel import page as model
from carrel.errors import InputError, OutputError
from carrel.formats import FORMATS, OF_PAGE_ALONE, json_page, read_page
from carrel.formats.check.any_format import check
from carrel.formats.read.placing import place_words
from carrel.formats.write.interchange import interchange
from carrel.identity import with_ids
from carrel.options import ReadOptions
from carrel.page import Box, Correction, Line, Page, Region, Source, Word, Writing
from oracle_formats import escriptorium_alto, escriptorium_page, page_of, pages, sample_page, schema, schema_errors

slow = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
REAL = Path(__file__).parents[2].parent / "shared/data/pages"


def test_one_table_of_formats() -> None:
    assert all(name == format.name and format.suffix.startswith(".") for name, format in FORMATS.items())
    assert len({format.suffix for format in FORMATS.values()}) == len(FORMATS)
    assert [name for name, format in FORMATS.items() if format.needs_scan or format.multi_page] == ["pdf"]


@slow
@given(pages)
def test_json_reads_back_to_the_same_page(page: Page) -> None:
    data = FORMATS["json"].write(page)
    assert read_page(data) == replace(page, regions=with_ids(page.regions))
    assert FORMATS["json"].write(read_page(data)) == data


@slow
@given(pages)
def test_interchange_changes_nothing_twice(page: Page) -> None:
    once = interchange(page)
    assert interchange(once) == once


@slow
@given(pages)
@pytest.mark.parametrize("name", ["alto", "page", "hocr"])
def test_reading_back_and_writing_gives_the_same_bytes(name: str, page: Page) -> None:
    data = FORMATS[name].write(page)
    assert FORMATS[name].write(read_page(data)) == data


@slow
@given(pages)
@pytest.mark.parametrize("name", ["alto", "page", "hocr"])
def test_reading_back_loses_nothing_that_the_format_holds(name: str, page: Page) -> None:
    clean, again = interchange(page), read_page(FORMATS[name].write(page))
    assert (again.width_px, again.height_px, again.dpi) == (page.width_px, page.height_px, page.dpi)
    assert (again.source, again.uncovered_ink) == (clean.source, page.uncovered_ink)
    assert again.provenance == clean.provenance or name == "hocr"
    assert [(region.id, region.kind, region.polygon) for region in again.regions] == [
        (region.id, region.kind, region.polygon) for region in clean.regions
    ]
    for line, expected in zip(again.lines, clean.lines, strict=True):
        kept = ("id", "baseline", "polygon", "text", "recognizer", "line_type", "correction")
        assert all(getattr(line, field) == getattr(expected, field) for field in kept)
        assert line.writing.kind == expected.writing.kind
        words = [(word.text, word.box, word.confidence) for word in expected.words]
        assert [(word.text, word.box, word.confidence) for word in line.words] == words
        assert name == "alto" or (line.confidence, line.writing) == (expected.confidence, expected.writing)


@pytest.mark.parametrize("name", ["alto", "page", "hocr"])
@pytest.mark.parametrize("read", ["", "Paris", "Pans"])
def test_what_was_read_comes_back_beside_its_correction(name: str, read: str) -> None:
    correction = Correction("Paris", "Ann", "2026-01-31T12:00:00Z", "corrected")
    line = Line(
        ((5, 20), (60, 20)), ((5, 5), (60, 5), (60, 25)), Writing("printed", 1.0), read, 0.9, correction=correction
    )
    page = Page(80, 40, 300.0, (Region("MainZone", (), (line,)),), Source("a.png"))
    assert [(line.text, line.correction) for line in read_page(FORMATS[name].write(page)).lines] == [(read, correction)]


@slow
@given(pages)
@pytest.mark.parametrize("name", ["alto", "page", "hocr"])
def test_the_checker_finds_nothing_in_what_is_written(name: str, page: Page) -> None:
    page = replace(page, width_px=max(page.width_px, 4), height_px=max(page.height_px, 4))
    found = check(FORMATS[name].write(page))  # of random words in random places some stand in visual order
    assert [finding for finding in found if "visual order" not in finding.what] == []


@slow
@given(pages)
@pytest.mark.parametrize("kind", ["alto-4.2", "alto-4.3", "alto-4.4", "page"])
def test_valid_by_the_official_schemas(kind: str, page: Page) -> None:
    assert schema_errors(kind, FORMATS[kind.partition("-")[0]].write(page)) == []


@pytest.mark.parametrize("kind", ["alto-4.2", "alto-4.3", "alto-4.4", "page"])
def test_the_official_schemas_refuse_what_is_wrong(kind: str) -> None:
    data = FORMATS[kind.partition("-")[0]].write(page_of("word"))
    assert schema_errors(kind, data.replace(b'WC="0.9', b'WC="9.9').replace(b'conf="0.9', b'conf="9.9'))
    assert schema(kind) is schema(kind)


@slow
@given(pages)
def test_escriptorium_reads_every_line(page: Page) -> None:
    clean = interchange(page)
    expected = [(line.final_text, [list(point) for point in line.baseline]) for line in clean.lines]
    alto = escriptorium_alto(FORMATS["alto"].write(page))
    assert [line[:2] for line in alto] == expected
    assert [line[2] for line in alto] == [line.line_type for line in clean.lines]
    page_xml = escriptorium_page(FORMATS["page"].write(page))
    assert [line[:2] for line in page_xml] == expected
    assert [line[2] for line in page_xml] == [line.line_type for line in clean.lines]


@slow
@given(pages)
def test_page_can_be_read_by_region(page: Page) -> None:
    clean = interchange(page)
    root = etree.fromstring(FORMATS["page"].write(page))
    texts = ["\n".join(line.final_text for line in region.lines if line.final_text) for region in clean.regions]
    path = "{*}TextEquiv/{*}Unicode"
    assert [region.findtext(path, "") for region in root.iter("{*}TextRegion")] == texts


def test_page_has_border_and_print_space() -> None:
    """Marginal notes and page numbers are outside of the print space, by PAGE's own definition."""
    body, margin = page_of("one", "two").regions[0], Region("MarginTextZone", ((5, 5), (40, 5), (40, 90), (5, 90)), ())
    root = etree.fromstring(FORMATS["page"].write(page_of(regions=(body, margin))))
    points = {name: root.find(f"{{*}}Page/{{*}}{name}/{{*}}Coords").get("points") for name in ("Border", "PrintSpace")}
    assert points == {"Border": "0,0 999,0 999,799 0,799", "PrintSpace": "60,30 940,30 940,165 60,165"}
    assert etree.fromstring(FORMATS["page"].write(page_of(regions=(margin,)))).find(".//{*}PrintSpace") is None


def test_hocr_has_a_paragraph_in_each_area_and_whole_numbers_of_dots() -> None:
    page = page_of("שלום", "1948 ספר", dpi=299.9994)
    root = etree.fromstring(FORMATS["hocr"].write(page))
    (area,) = root.iterfind(".//{*}div[@class='ocr_carea']")
    (paragraph,) = area
    assert (paragraph.get("class"), paragraph.get("dir")) == ("ocr_par", "rtl")
    assert [line.get("class") for line in paragraph] == ["ocr_line", "ocr_line"]
    assert "scan_res 300 300" in root.find(".//{*}div[@class='ocr_page']").get("title")
    assert read_page(FORMATS["hocr"].write(page)).dpi == 299.9994


@pytest.mark.parametrize(("end", "told"), [((70, 10), "textangle 90"), ((70, 790), "textangle 270")])
def test_hocr_tells_the_angle_of_steep_lines(end: tuple[int, int], told: str) -> None:
    """A slope has no number there."""
    start = (70, 800 - end[1])
    line = replace(page_of("up").lines[0], baseline=(start, end))
    data = FORMATS["hocr"].write(page_of(regions=(Region("MainZone", (), (line,)),)))
    assert told.encode() in data and b"; baseline" not in data
    assert read_page(data).lines[0].baseline == (start, end)


@slow
@given(pages)
def test_other_formats_hold_every_line(page: Page) -> None:
    clean = interchange(page)
    texts = [line.final_text for line in clean.lines if line.final_text]
    assert FORMATS["text"].write(page).decode().split() == " ".join(texts).split()
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"].write(page).decode(), newline="")))
    assert [row["text"] for row in rows] == [line.final_text for line in clean.lines]
    assert [(row["id"], row["read"]) for row in rows] == [(line.id, line.text) for line in clean.lines]
    tei = etree.fromstring(FORMATS["tei"].write(page))
    assert [segment.text for segment in tei.iter("{*}seg")] == texts
    zones = {zone.get("{http://www.w3.org/XML/1998/namespace}id") for zone in tei.iter("{*}zone")}
    assert zones == {item.id for region in clean.regions for item in (region, *region.lines)}
    ids = tei.xpath("//@xml:id")
    assert len(set(ids)) == len(ids)
    changed = [change.get("target") for change in tei.iter("{*}change")]
    assert changed == [f"#{line.id}" for line in clean.lines if line.correction]
    assert {element.get("facs").lstrip("#") for element in tei.iter("{*}lb", "{*}ab")} == zones


def test_alto_word_by_word() -> None:
    line = Line(((10, 40), (190, 44)), ((8, 10), (195, 55), (8, 50)), Writing("handwritten", 0.9), "a bé", 0.5)
    letters = tuple(model.Character(letter, 0.5, Box(1, 1, 2, 2)) for letter in "bé")
    line = replace(line, words=(Word("a", Box(8, 12, 20, 50), 1.0), Word("bé", Box(30, 12, 60, 50), 0.25, letters)))
    page = page_of(regions=(Region("StampZone", (), (line,)),), width_px=200, height_px=100)
    root = etree.fromstring(FORMATS["alto"].write(page))
    strings = [dict(string.attrib) for string in root.iter("{*}String")]
    box = {"VPOS": "12", "HEIGHT": "38"}
    assert strings == [
        {"ID": "r0l0w0", "CONTENT": "a", "HPOS": "8", "WIDTH": "12", "WC": "1.0000"} | box,
        {"ID": "r0l0w1", "CONTENT": "bé", "HPOS": "30", "WIDTH": "30", "WC": "0.2500", "CC": "4 4"} | box,
    ]
    labels = {tag.get("ID"): tag.get("LABEL") for tag in root.iter("{*}OtherTag")}
    (text_line,) = root.iter("{*}TextLine")
    assert [labels[tag] for tag in text_line.get("TAGREFS").split()] == ["DefaultLine", "handwritten"]
    assert text_line.get("BASELINE") == "10 40 190 44"


def test_broken_words_are_put_together() -> None:
    data = FORMATS["alto"].write(page_of("an exam-", "ple of hy-", "phens-", "Here none-", "", "at all"))
    strings = [
        (s.get("CONTENT"), s.get("SUBS_TYPE"), s.get("SUBS_CONTENT")) for s in etree.fromstring(data).iter("{*}String")
    ]
    assert strings == [
        ("an", None, None),
        ("exam-", "HypPart1", "example"),
        ("ple", "HypPart2", "example"),
        ("of", None, None),
        ("hy-", "HypPart1", "hyphens-"),
        ("phens-", "HypPart2", "hyphens-"),
        ("Here", None, None),
        ("none-", None, None),
        ("", None, None),
        ("at", None, None),
        ("all", None, None),
    ]
    breaks = [b.get("break") for b in etree.fromstring(FORMATS["tei"].write(page_of("exam-", "ple"))).iter("{*}lb")]
    assert breaks == [None, "no"]


def test_empty_page() -> None:
    page = page_of(regions=())
    assert FORMATS["text"].write(page) == b""
    for name in OF_PAGE_ALONE:
        assert name in ("text", "csv", "tei") or read_page(FORMATS[name].write(page)).regions == ()


def test_json_follows_its_schema() -> None:
    schema_file = Path(json_page.__file__).with_name("carrel-page-2.schema.json")
    described = json.loads(schema_file.read_text("utf-8"))
    page, _ = sample_page("letter")
    jsonschema.validate(json.loads(FORMATS["json"].write(page)), described)
    jsonschema.validate(json.loads(FORMATS["json"].write(interchange(page))), described)
    for kind in ("source", "provenance", "region", "line", "word", "character", "alternative", "correction"):
        names = {field.name for field in fields(getattr(model, kind.capitalize()))}
        assert set(described["$defs"][kind]["properties"]) == names
    assert set(described["properties"]) == {field.name for field in fields(Page)} | {"format"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "carrel-page/3"}, "carrel-page/3"),
        ({"width_px": "10"}, r"Expected `int`, got `str` - at `\$.width_px`"),
        ({"width_px": True}, r"Expected `int`, got `bool` - at `\$.width_px`"),
        ({"regions": {}}, r"Expected `array`, got `object` - at `\$.regions`"),
        ({"regions": [3]}, r"Expected `object`, got `int` - at `\$.regions\[0\]`"),
        (
            {"regions": [{"kind": "x", "polygon": [[1]], "lines": []}]},
            r"length 2 - at `\$.regions\[0\].polygon\[0\]`",
        ),
        ({"regions": [{"kind": "x", "polygon": [], "lines": [], "id": 7}]}, r"got `int` - at `\$.regions\[0\].id`"),
        ({"colour": "red"}, r"unknown field `colour` - at `\$`"),
        ({"regions": [{"kind": "x", "polygon": [], "lines": [], "ids": ""}]}, r"`ids` - at `\$.regions\[0\]`"),
        ({"source": {}}, r"missing required field `file_name` - at `\$.source`"),
    ],
)
def test_json_of_another_shape_is_refused(change: dict[str, object], message: str) -> None:
    told = json.loads(FORMATS["json"].write(page_of("word"))) | change
    with pytest.raises(InputError, match=message):
        read_page(json.dumps(told).encode())


def test_json_cannot_hold_what_is_no_number() -> None:
    with pytest.raises(OutputError, match="number"):
        FORMATS["json"].write(page_of("word", dpi=float("nan")))


def test_words_follow_a_slanted_line() -> None:
    polygon = ((0, 0), (100, 100), (90, 110), (-10, 10))
    boxes = place_words("aaaa bbbb", ((0, 5), (100, 105)), polygon)
    assert boxes[0].bottom < boxes[1].bottom and boxes[0].right < boxes[1].right
    backwards = place_words("שלום עולם", ((0, 50), (100, 50)), ((0, 30), (100, 30), (100, 60), (0, 60)))
    assert backwards[0].left > backwards[1].right


@pytest.mark.parametrize(
    "path", sorted(REAL.glob("*.xml"))[::4] or [None], ids=lambda path: path.stem if path else "none"
)
def test_real_pages(path: Path | None) -> None:
    if path is None:
        pytest.skip("the folder with real pages is not there")
    page = read_page(path)
    told = path.with_suffix("").with_suffix(".gt.txt").read_text("utf-8").splitlines()
    assert len([line for line in told if line.strip()]) == len([line for line in page.lines if line.text.strip()])
    for name, kinds in {"alto": ("alto-4.2", "alto-4.3", "alto-4.4"), "page": ("page",), "hocr": ()}.items():
        data = FORMATS[name].write(page)
        assert check(data) == []
        assert FORMATS[name].write(read_page(data)) == data
        assert all(schema_errors(kind, data) == [] for kind in kinds)


@pytest.mark.parametrize("name", ["alto", "page", "hocr", "json"])
def test_stamps_are_written_and_read_back(name: str) -> None:
    outline = ((100, 40), (140, 60), (150, 90), (100, 120), (60, 80))
    line = Line(((80, 85), (130, 85)), ((78, 70), (132, 70), (132, 92)), Writing("printed", 0.9), "1896", 0.5)
    line = replace(line, words=(Word("1896", Box(80, 70, 130, 90), 0.5),))
    stamps = (Region("StampZone", outline, (line,)), Region("StampZone", tuple((x, y + 200) for x, y in outline), ()))
    page = page_of(
        regions=(Region("MainZone", ((0, 0), (900, 0), (900, 500)), (line,)), *stamps), width_px=1000, height_px=800
    )
    data = FORMATS[name].write(page)
    assert not check(data)
    again = read_page(data)
    assert [region.kind for region in again.regions] == ["MainZone", "StampZone", "StampZone"]
    assert [region.polygon for region in again.regions[-2:]] == [stamp.polygon for stamp in stamps]
    assert [[li.text for li in region.lines] for region in again.regions[-2:]] == [["1896"], []]


def test_csv_cells_that_look_like_formulas_are_escaped_by_option() -> None:
    page, _ = sample_page("letter")
    line = replace(page.lines[0], text='=HYPERLINK("x")', words=(), correction=None)
    region = replace(page.regions[0], lines=(line,))
    bare, safe = (
        FORMATS["csv"].write(replace(page, regions=(region,)), options=ReadOptions(csv_safe=choice)).decode()
        for choice in (False, True)
    )
    assert '"=HYPERLINK(""x"")"' in bare and "'=HYPERLINK" not in bare
    assert '"\'=HYPERLINK(""x"")"' in safe
