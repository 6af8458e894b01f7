"""What Carrel writes, read by the programs that it is written for: ``make check-importers`` installs and asks them.

Programs that no registry has are asked by their rules, written again from their sources (tests/oracle_formats.py).
"""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from carrel.formats import FORMATS
from carrel.formats.write.interchange import interchange
from carrel.forms.table import FieldValue, Row, csv_of
from carrel.forms.template import load_form
from carrel.page import Page, Source
from carrel_cli.manifest import command
from oracle_formats import page_of, sample_page
from spreadsheets import back_from, cells_of, has_office


def _page() -> Page:
    """Two regions out of the order of their places, a margin, and a line that a person has corrected."""
    body, margin = (
        page_of("The keeper of the harbour", "wrote every eve-", "ning & night").regions[0],
        page_of("1871").regions[0],
    )
    lines = tuple(replace(line, line_type="HeadingLine:title") for line in margin.lines)
    return interchange(page_of(regions=(replace(margin, kind="MarginTextZone", lines=lines), body)))


def _texts(page: Page) -> list[str]:
    return ["\n".join(line.final_text for line in region.lines) for region in page.regions]


PAGES = [_page(), interchange(sample_page("letter")[0]), interchange(page_of("שלום לכל", "הקוראים"))]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("level", ["region", "line"])
def test_dinglehopper_reads_page(page: Page, level: str) -> None:
    files: Any = pytest.importorskip("dinglehopper.ocr_files", reason="dinglehopper is not installed")
    tree = etree.parse(io.BytesIO(FORMATS["page"].write(page)))
    assert files.page_text(tree, textequiv_level=level) == "\n".join(_texts(page))


@pytest.mark.parametrize("page", PAGES)
def test_dinglehopper_reads_alto(page: Page) -> None:
    files: Any = pytest.importorskip("dinglehopper.ocr_files", reason="dinglehopper is not installed")
    tree = etree.parse(io.BytesIO(FORMATS["alto"].write(page)))
    assert files.alto_text(tree) == "\n".join(_texts(page))


@pytest.mark.parametrize("page", PAGES)
def test_archive_hocr_tools_find_paragraphs_and_lines(page: Page) -> None:
    parse: Any = pytest.importorskip("hocr.parse", reason="archive-hocr-tools are not installed")
    text: Any = pytest.importorskip("hocr.text")
    data = io.BytesIO(FORMATS["hocr"].write(replace(page, dpi=299.6)))
    for read in (parse.hocr_page_to_word_data, parse.hocr_page_to_word_data_fast):
        (element,) = (e for e in _copies(parse, data))
        found = read(element)
        lines = [[" ".join(word["text"] for word in line["words"]) for line in part["lines"]] for part in found]
        assert lines == [text.split("\n") for text in _texts(page)]
        assert [word["bbox"] for part in found for line in part["lines"] for word in line["words"]] == [
            list(word.box) for line in page.lines for word in line.words
        ]
    (element,) = _copies(parse, data)
    assert parse.hocr_page_get_dimensions(element) == (page.width_px, page.height_px)
    assert parse.hocr_page_get_scan_res(element) == (300, 300)
    assert text.hocr_page_text(element).split() == " ".join(_texts(page)).split()


def _copies(parse: Any, data: io.BytesIO) -> list[Any]:
    """Elements are cleared when the next is asked for."""
    from copy import deepcopy

    return [deepcopy(element) for element in parse.hocr_page_iterator(data)]


@pytest.mark.parametrize("page", PAGES)
def test_ocrd_reads_page(page: Page) -> None:
    ocrd_page: Any = pytest.importorskip("ocrd_models.ocrd_page", reason="ocrd is not installed")
    read = ocrd_page.parseString(FORMATS["page"].write(page), silence=True).get_Page()
    assert read.get_Border().get_Coords().get_points().startswith("0,0 ")
    assert read.get_PrintSpace() is not None
    regions = read.get_AllRegions(classes=["Text"], order="reading-order")
    assert [region.get_TextEquiv()[0].get_Unicode() for region in regions] == _texts(page)
    lines = [line for region in regions for line in region.get_TextLine()]
    assert [line.get_TextEquiv()[0].get_Unicode() for line in lines] == [line.final_text for line in page.lines]


@pytest.mark.parametrize("page", PAGES[:2])
def test_ocrd_finds_page_consistent(page: Page, tmp_path: Path) -> None:
    """Its validator compares the text of words, lines and regions.

    Boxes of words on a slanted line reach beyond it; of text that runs leftwards it wants the words from left to right,
    where eScriptorium joins them as they come.
    """
    pytest.importorskip("ocrd_models", reason="ocrd is not installed")
    validators: Any = pytest.importorskip("ocrd_validators")
    (tmp_path / "p.xml").write_bytes(FORMATS["page"].write(page))
    report = validators.PageValidator.validate(
        filename=str(tmp_path / "p.xml"), page_textequiv_consistency="strict", check_coords=False
    )
    assert [str(error) for error in report.errors] == []


def _collection(folder: Path) -> Path:
    """Two pages with all their files, one of them in a subfolder."""
    (folder / "1902").mkdir()
    for name in ("cover", "1902/letter"):
        page = replace(_page(), source=Source(f"{name.rpartition('/')[2]}.jpg"))
        for form in ("alto", "page", "tei", "json"):
            (folder / f"{name}{FORMATS[form].suffix}").write_bytes(FORMATS[form].write(page))
    return folder


def _manifest(folder: Path, presentation: str) -> dict[str, Any]:
    arguments = [str(folder), "--base-url", "https://example.org/x/", "--presentation", presentation]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def test_ocrd_reads_mets(tmp_path: Path) -> None:
    models: Any = pytest.importorskip("ocrd_models", reason="ocrd is not installed")
    _manifest(_collection(tmp_path), "3")
    mets = models.OcrdMets(filename=str(tmp_path / "mets.xml"))
    assert mets.physical_pages == ["phys1", "phys2"]
    found = {(file.fileGrp, file.pageId): file.url or file.local_filename for file in mets.find_files()}
    assert found == {
        ("DEFAULT", "phys1"): "1902/letter.jpg",
        ("DEFAULT", "phys2"): "cover.jpg",
        ("FULLTEXT", "phys1"): "1902/letter.alto.xml",
        ("FULLTEXT", "phys2"): "cover.alto.xml",
        ("TRANSCRIPTION", "phys1"): "1902/letter.alto.xml",
        ("TRANSCRIPTION", "phys2"): "cover.alto.xml",
    }


def test_iiif_prezi_reads_presentation_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader: Any = pytest.importorskip("iiif_prezi.loader", reason="iiif-prezi is not installed")
    monkeypatch.setattr(loader, "jsonld", None)  # would fetch the context
    reader = loader.ManifestReader(json.dumps(_manifest(_collection(tmp_path), "2")), version="2.1")
    manifest = reader.read()
    assert [canvas.label for canvas in manifest.sequences[0].canvases] == ["letter.jpg", "cover.jpg"]
    assert [line for line in reader.get_warnings() if "SHOULD" not in line.upper()] == []
    json.loads(manifest.toString(compact=False))


def test_iiif_prezi3_reads_presentation_3(tmp_path: Path) -> None:
    prezi3: Any = pytest.importorskip("iiif_prezi3", reason="iiif-prezi3 is not installed")
    manifest = prezi3.Manifest(**_manifest(_collection(tmp_path), "3"))
    assert [canvas.label["none"] for canvas in manifest.items] == [["letter.jpg"], ["cover.jpg"]]
    assert len(manifest.structures) == 2


def test_a_canvas_without_an_image_is_valid(tmp_path: Path) -> None:
    """A page of a PDF."""
    prezi3: Any = pytest.importorskip("iiif_prezi3", reason="iiif-prezi3 is not installed")
    page = page_of("one", source=Source("deed.pdf", 1))
    (tmp_path / "deed-0002.json").write_bytes(FORMATS["json"].write(page))
    manifest = prezi3.Manifest(**_manifest(tmp_path, "3"))
    assert manifest.items[0].rendering[0].id.endswith("deed.pdf#page=2")


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
@pytest.mark.skipif(not has_office(), reason="LibreOffice is not installed")
def test_libreoffice_keeps_a_table_of_fields(kind: str, tmp_path: Path) -> None:
    """Every cell: numbers with leading zeros, dates, quotation marks, separators, formulas, line ends, any script."""
    names = ("no", "born", "name", "note")
    template = {
        "format": "carrel-form/1",
        "name": "card",
        "width_px": 100,
        "height_px": 100,
        "fields": [{"name": name, "box": [1, 1, 9, 9]} for name in names],
    }
    (tmp_path / "card.json").write_text(json.dumps(template), "utf-8")
    form = load_form(tmp_path / "card.json")
    values = (
        ("0017", "1.2.1900", "Müller, Anna", '9"7'),
        ("-3,5", "29.2.1904", "שלום", "=1+1"),
        ("1e5", "1-2", "a|b;c d", "+49"),
        ("", "1/2/1899", "'x", "two\nlines"),
    )
    rows = [
        Row(f"a,{n}", "a.png", n, 0, tuple(FieldValue(k, v, 0.9, "doubtful") for k, v in zip(names, own, strict=True)))
        for n, own in enumerate(values, 1)
    ]
    table = tmp_path / "fields-card.csv"
    table.write_bytes(csv_of(rows, form))
    cells = cells_of(table)
    assert [cell[4:8] for cell in cells[1:]] == [list(own) for own in values]
    assert back_from(table, kind, tmp_path) == cells
