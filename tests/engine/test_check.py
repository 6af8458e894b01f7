"""Every rule of the checker goes red on a file that breaks it, and on nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from carrel.errors import InputError
from carrel.formats import FORMATS
from carrel.formats.check.any_format import check
from carrel.formats.write.interchange import interchange
from carrel_cli.machine.check import command
from oracle_formats import page_of

PAGE = page_of("one two", "three exam-", "ple")
ALTO, PAGE_XML, HOCR = (FORMATS[name].write(PAGE).decode() for name in ("alto", "page", "hocr"))


def _findings(text: str, old: str, new: str) -> list[str]:
    assert old in text
    return [str(finding) for finding in check(text.replace(old, new, 1).encode())]


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("ns-v4#", "ns-v5#", "alto: namespace 'http://www.loc.gov/standards/alto/ns-v5#' is not that of ALTO 2, 3 or 4"),
        ("alto-4-2.xsd", "alto-4-4.xsd", "alto: declares ALTO 4.4; importers accept up to 4.2"),
        (">pixel<", ">mm10<", "Description: MeasurementUnit is 'mm10', not 'pixel'"),
        (">scan.png<", "><", "Description: no image file name; importers match pages by it"),
        (">scan.png<", ">in/scan.png<", "Description: image file name 'in/scan.png' has folders; importers compare the bare name"),
        ('WIDTH="1000"', 'WIDTH="1000.5"', "page size '1000.5' x '800' is not in whole, positive pixels"),
        ('ID="r0l1"', 'ID="r0l0"', "r0l0: identifier used 2 times"),
        ('ID="r0l1"', 'ID="1"', "1: identifier is no XML name"),
        ('TAGREFS="LT1 ', 'TAGREFS="LT9 ', "r0l0: tag 'LT9' does not exist"),
        ('LABEL="DefaultLine"', 'LABEL=""', "r0l0: its first tag has no LABEL, which importers take for its type"),
        ('BASELINE="60 70 940 70"', "", "r0l0: no BASELINE; importers skip the line"),
        ('BASELINE="60 70 940 70"', 'BASELINE="70"', "r0l0: BASELINE '70' is not pairs of whole numbers"),
        ('BASELINE="60 70 940 70"', 'BASELINE="60,70 940,70"', "r0l0: BASELINE '60,70 940,70' is not pairs"),
        ('BASELINE="60 70 940 70"', 'BASELINE="60 70 60 70"', "r0l0: 1 distinct points; importers want 2"),
        ('BASELINE="60 70 940 70"', 'BASELINE="60 70 1000 70"', "r0l0: point 1000,70 is outside the page of 1000 x 800 px"),
        ('POINTS="60 30 940 30 940 85 60 85"', 'POINTS="60 30 940 30 60 30"', "r0l0: 2 distinct points; importers want 3"),
        ('POINTS="60 30 940 30 940 85 60 85"', 'POINTS="60 130 940 130 940 185"', "r0l0: box (60, 30, 941, 86) is not that of"),
        ('CONTENT="one"', 'CONTENT=""', "r0l0w0: an empty String among others"),
        ('WC="0.9000"', 'WC="1.2"', "r0l0w0: WC is '1.2', not a number within 0 and 1"),
        ('SUBS_TYPE="HypPart2"', "", "HypPart1 without a HypPart2 right after it: the next word is skipped"),
        ('SUBS_CONTENT="example"', 'SUBS_CONTENT="exams"', "the two halves of a broken word differ in SUBS_CONTENT"),
        ("<Layout>", "<ReadingOrder><ElementRef REF='zz'/></ReadingOrder><Layout>", "ReadingOrder: element 'zz' does not exist"),
        ('<String ID="r0l0w0"', '<SP/><String ID="r0l0w0"', "r0l0: begins with SP"),
    ],
)  # fmt: skip
def test_alto(old: str, new: str, finding: str) -> None:
    found = _findings(ALTO, old, new)
    assert any(finding in text for text in found), found
    assert len(found) <= 4


def test_alto_structure() -> None:
    nested = ALTO.replace("<TextBlock", "<ComposedBlock ID='c'><TextBlock").replace(
        "</TextBlock>", "</TextBlock></ComposedBlock>"
    )
    assert any("not directly in PrintSpace" in str(finding) for finding in check(nested.encode()))
    prefixed = ALTO.replace("<", "<a:").replace("<a:/", "</a:").replace("<a:?", "<?").replace("xmlns=", "xmlns:a=")
    assert [str(finding) for finding in check(prefixed.encode())] == [
        "alto: the namespace has a prefix; importers look for a default namespace"
    ]


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("2019-07-15", "2024-07-15", "PcGts: PAGE of 2024; importers accept 2013 to 2019"),
        ('"scan.png"', '"C:\\scan.png"', "has folders"),
        ('imageWidth="1000"', 'imageWidth="0"', "Page: page size '0' x '800'"),
        ('regionRef="r0"', 'regionRef="r7"', "ReadingOrder: region 'r7' does not exist"),
        ("{index:1;}", "{index:0;}", "r0: a readingOrder index occurs twice in custom"),
        ("readingOrder {index:1;} writing", "writing", "r0: some elements have a readingOrder index"),
        ("structure {type:MainZone;}", "structure {type:MainZone;", "r0: custom is not of the form"),
        ("structure {type:DefaultLine;}", "structure {type:DefaultLine;} x {y:z;}", "r0l0: structure is not the last"),
        ('points="60,70 940,70"', 'points="60,70"', "r0l0: Baseline '60,70' is not x,y pairs"),
        ('points="60,70 940,70"', 'points="60.5,70 940,70"', "is not x,y pairs of whole numbers"),
        ('points="60,70 940,70"', 'points="-6,70 940,70"', "is not x,y pairs of whole numbers"),
        ('<Baseline points="60,70 940,70" />', "", "r0l0: no Baseline; importers skip the line"),
        ("<Unicode>one</Unicode>", "<Unicode>won</Unicode>", "r0l0: the words' text is not the line's"),
        ('conf="0.9000"', 'conf="2"', "conf is '2'"),
        ("</TextLine>", "<TextEquiv><Unicode>x</Unicode></TextEquiv></TextLine>", "r0l0: 2 TextEquiv; importers join them"),
        ("<Unicode>one two\nthree", "<Unicode>x", "r0: the region's text is not"),
        ("</TextRegion>", "<TextEquiv><Unicode>x</Unicode></TextEquiv></TextRegion>", "r0: 2 TextEquiv; importers join them"),
    ],
)  # fmt: skip
def test_page(old: str, new: str, finding: str) -> None:
    text = PAGE_XML.replace("2019-07-15", "2024-07-15") if "2024" in new else PAGE_XML
    found = _findings(text, old if "2024" not in new else "2024-07-15", new)
    assert any(finding in text for text in found), found


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('class="ocr_line"', 'class="ocr_lyne"', "r0l0: class 'ocr_lyne' is not hOCR's"),
        ("bbox 60 30 941 86", "bbox 60 30", "r0l0: no bbox of four whole numbers"),
        ("bbox 60 30 941 86", "bbox 60 30 1941 86", "is empty or not inside the page"),
        ("x_wconf 90", "x_wconf 190", "no x_wconf within 0 and 100"),
        ('name="ocr-system"', 'name="ocr"', "head: 0 meta elements 'ocr-system', not one"),
    ],
)
def test_hocr(old: str, new: str, finding: str) -> None:
    found = _findings(HOCR, old, new)
    assert any(finding in text for text in found), found


def test_json() -> None:
    told = json.loads(FORMATS["json"].write(PAGE))
    assert [str(finding) for finding in check(json.dumps(told).encode())] == [
        "regions[0].polygon: 0 distinct points; importers want 3"
    ]
    told["regions"][0]["polygon"] = [[0, 0], [9, 0], [9, 9]]
    line = told["regions"][0]["lines"][0]
    line["confidence"], line["baseline"] = 1.5, [[5, 5], [5, 900]]
    line["words"] = [{"text": "won", "box": [5, 5, 5, 9], "confidence": 0.5}]
    where = "regions[0].lines[0]"
    assert [str(finding) for finding in check(json.dumps(told).encode())] == [
        f"{where}.baseline: point 5,900 is outside the page of 1000 x 800 px",
        f"{where}: the words' text is not the line's",
        f"{where}.words[0]: box (5, 5, 5, 9) is empty or not inside the page",
        f"{where}: confidence is 1.5, not within 0 and 1",
    ]


def test_what_cannot_be_parsed_is_an_error() -> None:
    with pytest.raises(InputError, match="document type"):
        check(b"<!DOCTYPE alto><alto/>")


def test_command(tmp_path: Path) -> None:
    good, bad, none = tmp_path / "good.alto.xml", tmp_path / "bad.page.xml", tmp_path / "none.xml"
    good.write_text(ALTO, "utf-8")
    bad.write_text(PAGE_XML.replace('regionRef="r0"', 'regionRef="r7"'), "utf-8")
    runner = CliRunner()
    assert runner.invoke(command, [str(good)]).exit_code == 0
    result = runner.invoke(command, [str(good), str(bad)])
    assert result.exit_code == 1
    assert result.stdout == f"{bad}: ReadingOrder: region 'r7' does not exist\n"
    assert runner.invoke(command, [str(bad), str(none)]).exit_code == 3


SHAPED = "\ufee3\ufeae\ufea3\ufe92\ufe8e"  # letters in the forms of their places, as old programs store them


@pytest.mark.parametrize("form", ["json", "alto", "page", "hocr"])
@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("שלום לכל הקוראים", True),
        ("םולש לכל םיארוקה", False),
        ("الرسالة القديمة", True),
        ("ةلاسرلا ةميدقلا", False),
        (SHAPED, True),
        (SHAPED[::-1], False),
        ("reading 1948 מים", True),
        ("כתב", True),
    ],
)
def test_letters_in_visual_order(form: str, text: str, right: bool) -> None:
    found = [finding.what for finding in check(FORMATS[form].write(interchange(page_of(text))))]
    assert found == [] if right else "letters in visual order" in "".join(found)


@pytest.mark.parametrize("form", ["json", "alto", "page", "hocr"])
def test_words_in_visual_order(form: str) -> None:
    """The first word of Hebrew is the rightmost."""
    page = interchange(page_of("שלום לכל הקוראים"))
    (line,) = page.lines
    boxes = [word.box for word in line.words][::-1]
    words = tuple(replace(word, box=box) for word, box in zip(line.words, boxes, strict=True))
    mixed = (replace(words[0], text="1948"), *words[1:])  # where numbers stand, the order is not that simple
    for found, expected in ((line.words, 0), (words, 1), (mixed, 0)):
        text = " ".join(word.text for word in found)
        region = replace(page.regions[0], lines=(replace(line, words=found, text=text),))
        said = check(FORMATS[form].write(replace(page, regions=(region,))))
        assert [finding.where for finding in said if "words in visual order" in finding.what] == ["r0l0"] * expected
