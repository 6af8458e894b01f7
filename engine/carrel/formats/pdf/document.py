"""Searchable PDF: the page as it is, the text unseen on it, tagged in reading order.

A page that was read from a PDF keeps all that it has; the text is laid on it and takes the place of older invisible
text. A picture becomes a page around its own bytes. Documents are PDF/A-2b where they can be; a note says where not.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

from carrel.errors import InputError, OutputError
from carrel.formats import WrittenDocument
from carrel.formats.pdf.archive import archived
from carrel.formats.pdf.image import UPRIGHT, add_picture, lossless
from carrel.formats.pdf.layer import Layers, sheet_of
from carrel.formats.pdf.old_text.hidden import HiddenText
from carrel.formats.pdf.parted import parted
from carrel.formats.pdf.structure import Structure
from carrel.formats.write.interchange import interchange
from carrel.image.pdf.opened import close_pdf, open_pdf
from carrel.image.pdf.render import draw_in_color
from carrel.image.pdf.text import RECOGNIZER
from carrel.languages import document_language
from carrel.options import ReadOptions
from carrel.page import Page

_POINTS_PER_INCH = 72.0
_DEFAULT_DPI = 300.0
_SHORTEST_SIDE_POINTS, _LONGEST_SIDE_POINTS = 3.0, 14_400.0
_NOT_RECORDED = "1970-01-01T00:00:00Z"
_PDF_MARK_WITHIN = 1024  # bytes that may stand before %PDF-
_log = logging.getLogger(__name__)


def write(page: Page, scan: bytes, options: ReadOptions | None = None) -> bytes:
    """Write ``page`` on its ``scan`` as a searchable PDF of one page: the same bytes for the same input.

    See `write_document`.
    """
    document = _written([(page, scan)], options or ReadOptions(), whole=False)
    for note in document.notes:
        _log.warning("%s: %s", page.source.file_name, note)
    return document.data


def write_document(pages: Sequence[tuple[Page, bytes]], options: ReadOptions | None = None) -> WrittenDocument:
    """Write several pages, with the files that they were read from, as one document.

    Parameters
    ----------
    pages
        In order. Pages of one PDF stay where they are in it, with all its other pages.
    options
        Those that the pages were read with: ``own_text`` and ``keep_rotation`` matter. Pages whose text was read anew
        from what they show become pictures, or they would hold it twice.

    Raises
    ------
    InputError
        A scan cannot be decoded, or is not the page's.
    OutputError
        There are no pages.
    """
    if not pages:
        raise OutputError("a PDF without pages")
    return _written(pages, options or ReadOptions(), whole=True)


def write_text_only(pages: Sequence[Page]) -> bytes:
    """Write the text of pages unseen on empty sheets of their scans' size: layers for programs that lay them on the scans
    themselves, and look for one stream and a font named F1, as Tesseract writes them."""
    buffer = io.BytesIO()
    with Pdf.new() as pdf:
        layers = Layers(pdf, font="F1")
        for page in map(interchange, pages):
            scale = _points_per_px(page)
            sheet = pdf.add_blank_page(page_size=(page.width_px * scale, page.height_px * scale))
            sheet.obj[Name.Contents] = pdf.make_stream(layers.operators(page, sheet_of(sheet), None))
            layers.add_font(sheet.obj)
        layers.finish()
        pdf.save(buffer, deterministic_id=True)
    return buffer.getvalue()


def _written(pages: Sequence[tuple[Page, bytes]], options: ReadOptions, *, whole: bool) -> WrittenDocument:
    """``whole``: with all pages of a PDF that they are from."""
    first, scan = pages[0]
    own = _is_pdf(scan) and all(other is scan or other == scan for _, other in pages)
    own = own and (whole or _count_pages(scan, first) == 1)
    with _opened(scan, first) if own else Pdf.new() as pdf:
        _Builder(pdf, own, options).build(pages)
        if Name.Lang not in pdf.Root:
            pdf.Root[Name.Lang] = pikepdf.String(document_language(first.provenance.languages))
        if not own:
            _describe(pdf, first)
        written = archived(pdf, _time(first.provenance.created))
        return written._replace(notes=(*_lost_signature(pdf), *written.notes))


def _lost_signature(pdf: Pdf) -> tuple[str, ...]:
    """What is to be said of a document that was signed: a signature covers the bytes as they were."""
    form = pdf.Root.get(Name.AcroForm)
    signed = isinstance(form, Dictionary) and int(form.get(Name.SigFlags, 0)) & 1
    return ("its signature no longer holds, since text was added; keep the original",) if signed else ()


def _is_pdf(scan: bytes) -> bool:
    return b"%PDF-" in scan[:_PDF_MARK_WITHIN]


def _count_pages(scan: bytes, page: Page) -> int:
    with _opened(scan, page) as pdf:
        return len(pdf.pages)


def _opened(scan: bytes, page: Page) -> Pdf:
    try:
        return pikepdf.open(io.BytesIO(scan))
    except pikepdf.PdfError as error:
        raise InputError(f"{page.source.file_name}: the PDF is damaged ({error}); save or scan it again") from error


class _Builder:
    """Lays the pages of a document on their sheets."""

    def __init__(self, pdf: Pdf, own: bool, options: ReadOptions) -> None:
        self._pdf, self._own, self._options = pdf, own, options
        self._layers, self._structure, self._hidden = Layers(pdf), Structure(), HiddenText()

    def build(self, pages: Sequence[tuple[Page, bytes]]) -> None:
        sheets = [self._sheet(page, scan) for page, scan in pages]  # all before any is parted: pages go by their number
        placed = [
            single
            for (page, _), sheet in zip(pages, sheets, strict=True)
            for single in parted(self._pdf, interchange(page), sheet)
        ]
        tagged = not self._own or _drop_orphaned_tags(self._pdf)
        for read_page, sheet in placed:
            page = _without_own_text(read_page)
            marks = self._structure.add_page(sheet.obj, page) if tagged else None
            # before what the page shows: there nothing has changed the coordinates yet
            operators = self._layers.operators(page, sheet_of(sheet), marks)
            sheet.contents_add(operators, prepend=True)
            self._layers.add_font(sheet.obj)
            if not self._options.keep_rotation:
                _stand_upright(sheet, page)
        self._layers.finish()
        if tagged:
            self._structure.add_to(self._pdf)

    def _sheet(self, page: Page, scan: bytes) -> pikepdf.Page:
        """The sheet of a page, without invisible text of its own."""
        if not _is_pdf(scan):
            return _picture_sheet(self._pdf, interchange(page), scan)
        if self._own:
            sheet = _page_of(self._pdf, page)
        else:
            with _opened(scan, page) as source:
                self._pdf.pages.append(_page_of(source, page))
            sheet = self._pdf.pages[-1]
        if self._options.own_text == "force":
            _become_picture(self._pdf, sheet, page, scan)
        else:
            self._hidden.remove(sheet)
        return sheet


def _without_own_text(page: Page) -> Page:
    """The lines that were recognized: the others stand on the sheet as they are."""
    regions = (
        replace(region, lines=tuple(line for line in region.lines if line.recognizer != RECOGNIZER))
        for region in page.regions
    )
    return replace(page, regions=tuple(regions))


def _page_of(pdf: Pdf, page: Page) -> pikepdf.Page:
    if page.source.page_index >= len(pdf.pages):
        raise InputError(
            f"{page.source.file_name}: the PDF has {len(pdf.pages)} pages, not page {page.source.page_index + 1};"
            " read it again"
        )
    return pdf.pages[page.source.page_index]


def _picture_sheet(pdf: Pdf, page: Page, scan: bytes) -> pikepdf.Page:
    """A new last page that shows the picture ``scan`` from edge to edge."""
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
            Contents=pdf.make_indirect(pikepdf.Stream(pdf, "\n".join(operators).encode() + b"\n")),
        )
    )
    pdf.pages.append(pikepdf.Page(sheet))
    return pdf.pages[-1]


def _become_picture(pdf: Pdf, sheet: pikepdf.Page, page: Page, scan: bytes) -> None:
    """Show a picture of a PDF's page in place of its contents; annotations and forms stay as they are."""
    document = open_pdf(io.BytesIO(scan))
    try:
        image = draw_in_color(document, page.source.page_index, (page.width_px, page.height_px))
    finally:
        close_pdf(document)
    shown = sheet_of(sheet)
    left, bottom, right, top = shown.box
    sides = (top - bottom, right - left) if shown.rotation % 180 else (right - left, top - bottom)
    place = [
        f"{' '.join(f'{value:.4f}' for value in matrix)} cm"
        for matrix in (shown.matrix, (sides[0], 0, 0, sides[1], 0, 0))
    ]
    contents = "\n".join(["/Artifact BMC", "q", *place, "/Im0 Do", "Q", "EMC"]).encode() + b"\n"
    sheet.obj[Name.Contents] = pdf.make_indirect(pikepdf.Stream(pdf, contents))
    sheet.obj[Name.Resources] = Dictionary(XObject=Dictionary(Im0=pdf.make_indirect(lossless(pdf, image))))


def _points_per_px(page: Page) -> float:
    """Size of a pixel on the page; a page beyond the largest or smallest that PDF/A allows is scaled."""
    natural = _POINTS_PER_INCH / (page.dpi or _DEFAULT_DPI)
    least = _SHORTEST_SIDE_POINTS / min(page.width_px, page.height_px)
    return min(max(natural, least), _LONGEST_SIDE_POINTS / max(page.width_px, page.height_px))


def _stand_upright(sheet: pikepdf.Page, page: Page) -> None:
    """Turn a page by the right angles that it had to be turned by to be read."""
    degrees = round(page.provenance.skew_degrees / 90) * 90 % 360  # counterclockwise
    if degrees:
        sheet.obj[Name.Rotate] = (sheet_of(sheet).rotation - degrees) % 360


def _drop_orphaned_tags(pdf: Pdf) -> bool:
    """Whether the document has no tags of its own; those of a text layer that is gone are dropped."""
    if Name.StructTreeRoot not in pdf.Root:
        return True
    if any(_has_marks(sheet) for sheet in pdf.pages):
        return False
    del pdf.Root[Name.StructTreeRoot]
    return True


def _has_marks(sheet: pikepdf.Page) -> bool:
    contents = sheet.obj.get(Name.Contents, Array())
    streams = contents.as_list() if isinstance(contents, Array) else [contents]
    return any(b"/MCID" in stream.read_bytes() for stream in streams)


def _describe(pdf: Pdf, first: Page) -> None:
    """Say what a new document is; one that came as PDF says so itself."""
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        metadata["dc:title"] = first.source.file_name
        metadata["xmp:CreatorTool"] = first.provenance.software or "Carrel"
    pdf.Root[Name.ViewerPreferences] = Dictionary(DisplayDocTitle=True)


def _time(created: str) -> str:
    try:
        datetime.fromisoformat(created)
    except ValueError:
        return _NOT_RECORDED
    return created
