"""Searchable PDF/A-2b: the scan as it is, the text unseen above it, tagged in reading order.

Every file is checked as PDF/A-2b after it was made; one that is not is refused rather than handed out.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, pdfa

from carrel.errors import OutputError
from carrel.formats.languages import document_language
from carrel.formats.pdf.font import Codes, add_font
from carrel.formats.pdf.image import UPRIGHT, add_picture
from carrel.formats.pdf.text import text_operators
from carrel.formats.write.interchange import interchange
from carrel.page import Page, Region

_POINTS_PER_INCH = 72.0
_DEFAULT_DPI = 300.0
_SHORTEST_SIDE_POINTS, _LONGEST_SIDE_POINTS = 3.0, 14_400.0
_FLAVOUR = "2b"
_NOT_RECORDED = "1970-01-01T00:00:00Z"
_STRUCTURE = {"MarginTextZone": Name.Note, "TitlePageZone": Name.Sect, "TableZone": Name.Sect}


def write(page: Page, scan: bytes) -> bytes:
    """``page`` over its ``scan`` as PDF/A-2b: the same bytes for the same input.

    Raises
    ------
    InputError
        The scan cannot be decoded, or is not the page's.
    OutputError
        The result would not be PDF/A-2b.
    """
    return write_document([(page, scan)])


def write_document(pages: Iterable[tuple[Page, bytes]]) -> bytes:
    """Several pages with their scans as one document; raises as ``write`` does."""
    pdf, codes, structure = Pdf.new(), Codes(), _Structure()
    first: Page | None = None
    for read_page, scan in pages:
        page = interchange(read_page)
        first = first or page
        _add_page(pdf, page, scan, codes, structure)
    if first is None:
        raise OutputError("a PDF without pages")
    font = add_font(pdf, codes)
    for sheet in pdf.pages:
        sheet.obj[Name.Resources][Name.Font] = Dictionary(F1=font)
    structure.add_to(pdf)
    pdf.Root[Name.Lang] = pikepdf.String(document_language(first.provenance.languages))
    pdf.Root[Name.ViewerPreferences] = Dictionary(DisplayDocTitle=True)
    return _archived(pdf, first)


def _add_page(pdf: Pdf, page: Page, scan: bytes, codes: Codes, structure: _Structure) -> None:
    points_per_px = _points_per_px(page)
    width, height = page.width_px * points_per_px, page.height_px * points_per_px
    picture = add_picture(pdf, page, scan)
    a, b, c, d, e, f = UPRIGHT[picture.orientation]
    matrix = (a * width, b * height, c * width, d * height, e * width, f * height)
    operators = ["/Artifact BMC", "q", " ".join(f"{value:.4f}" for value in matrix) + " cm", "/Im0 Do", "Q", "EMC"]
    sheet = pdf.make_indirect(
        Dictionary(
            Type=Name.Page,
            MediaBox=Array([0, 0, round(width, 4), round(height, 4)]),
            Resources=Dictionary(XObject=Dictionary(Im0=pdf.make_indirect(picture.stream))),
            StructParents=len(pdf.pages),
            Tabs=Name.S,
        )
    )
    marks = structure.add_page(sheet, page)
    operators += ["BT", "3 Tr"]
    for mark, line in zip(marks, text_operators(page, points_per_px, codes), strict=True):
        operators.append(f"/Span << /MCID {mark} >> BDC")
        operators += line
        operators.append("EMC")
    operators.append("ET")
    sheet[Name.Contents] = pdf.make_indirect(pikepdf.Stream(pdf, "\n".join(operators).encode() + b"\n"))
    pdf.pages.append(pikepdf.Page(sheet))


def _points_per_px(page: Page) -> float:
    """Size of a pixel on the page; a page beyond the largest or smallest that PDF/A allows is scaled."""
    natural = _POINTS_PER_INCH / (page.dpi or _DEFAULT_DPI)
    least = _SHORTEST_SIDE_POINTS / min(page.width_px, page.height_px)
    return min(max(natural, least), _LONGEST_SIDE_POINTS / max(page.width_px, page.height_px))


class _Structure:
    """The tags of a document: one element for each region, its lines as marked content, in reading order."""

    def __init__(self) -> None:
        self._pages: list[tuple[pikepdf.Object, list[tuple[Region, list[int]]]]] = []

    def add_page(self, sheet: pikepdf.Object, page: Page) -> list[int]:
        """Take note of a page; gives the marks of its lines that have words."""
        marks, regions = 0, list[tuple[Region, list[int]]]()
        for region in page.regions:
            count = sum(bool(line.words) for line in region.lines)
            if count:
                regions.append((region, list(range(marks, marks + count))))
                marks += count
        self._pages.append((sheet, regions))
        return list(range(marks))

    def add_to(self, pdf: Pdf) -> None:
        """Write the structure tree."""
        root = pdf.make_indirect(Dictionary(Type=Name.StructTreeRoot))
        document = pdf.make_indirect(Dictionary(Type=Name.StructElem, S=Name.Document, P=root))
        elements, parents = Array(), Array()
        for index, (sheet, regions) in enumerate(self._pages):
            owners = Array()
            for region, marks in regions:
                kind = _STRUCTURE.get(region.kind, Name.P)
                element = Dictionary(Type=Name.StructElem, S=kind, P=document, Pg=sheet, K=Array(marks))
                elements.append(pdf.make_indirect(element))
                owners.extend([elements[-1]] * len(marks))
            parents.append(index)
            parents.append(pdf.make_indirect(owners))
        document[Name.K] = elements
        root[Name.K] = document
        root[Name.ParentTree] = pdf.make_indirect(Dictionary(Nums=parents))
        root[Name.ParentTreeNextKey] = len(self._pages)
        pdf.Root[Name.StructTreeRoot] = root
        pdf.Root[Name.MarkInfo] = Dictionary(Marked=True)


def _archived(pdf: Pdf, first: Page) -> bytes:
    """The document's bytes once they were found to be PDF/A-2b."""
    pdfa.prepare(pdf, _FLAVOUR)
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        metadata["dc:title"] = first.source.file_name
        metadata["xmp:CreatorTool"] = first.provenance.software or "Carrel"
        metadata["xmp:MetadataDate"] = _time(first.provenance.created)
    buffer = io.BytesIO()
    settings = pdfa.resolve_save_kwargs(pdfa.Flavour(_FLAVOUR), deterministic_id=True)
    pdf.save(buffer, **settings)
    report = pdfa.validate_written(buffer, _FLAVOUR, settings)
    if not report.passed:
        finding = report.findings[0] if report.findings else "not approved"
        raise OutputError(f"{first.source.file_name}: the result is no PDF/A-2b: {finding}")
    return buffer.getvalue()


def _time(created: str) -> str:
    try:
        datetime.fromisoformat(created)
    except ValueError:
        return _NOT_RECORDED
    return created
