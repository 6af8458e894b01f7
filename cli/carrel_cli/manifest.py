"""``carrel manifest``: a folder of read pages as METS and IIIF."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.errors import InputError
from carrel_cli.common.paths import FOLDER

if TYPE_CHECKING:
    from carrel.formats.read.folders import PageFiles
    from carrel.formats.write.collection.entries import Entry
    from carrel.formats.write.collection.iiif import Presentation
    from carrel.page import Page

_PICTURES = (".jpg", ".jpeg", ".png", ".jp2", ".webp", ".tif", ".tiff")


@click.command("manifest")
@click.argument("folder", type=FOLDER)
@click.option("--label", help="Title of the whole.  [default: the folder's name]")
@click.option("--images", type=FOLDER, help="Folder of the scans, or of pictures of their pages.  [default: FOLDER]")
@click.option("--base-url", help="Where the files will be found; with it, manifest.json for IIIF is written too.")
@click.option(
    "--presentation",
    type=click.Choice(["2", "3"]),
    default="3",
    show_default=True,
    help="Version of IIIF's Presentation API.",
)
@click.option("--text", is_flag=True, help="Also write NAME.txt for each document of several pages: its whole text.")
def command(
    folder: Path, label: str | None, images: Path | None, base_url: str | None, presentation: Presentation, text: bool
) -> None:
    """Write mets.xml, and with --base-url a IIIF manifest.json, for the pages in FOLDER and its subfolders.

    Pages are the JSON, ALTO, PAGE or hOCR files there, in the order of their names, numbers as numbers; subfolders and
    documents of several pages are parts of the whole. Images are named as the pages name their scans, in the subfolder
    of the page; ALTO, TEI and PDF files of the same names are linked. A page of a PDF, or of another file of several
    pages, has no image of its own: put a picture of it, named as its results (deed-0002.jpg), into the folder of the
    scans.
    """
    from carrel.batch.corrected import notes_of
    from carrel.formats import read_page
    from carrel.formats.read.folders import find_pages
    from carrel.formats.write.collection.iiif import write_iiif
    from carrel.formats.write.collection.mets import write_mets
    from carrel.output import write_file
    from carrel.review.documents import write_texts

    files = {name: found for name, found in find_pages(folder).items() if found.page}
    if not files:
        raise InputError(f"{folder}: no pages in JSON, ALTO, PAGE or hOCR; read them with one of these formats too")
    pages = {name: read_page(found.page) for name, found in files.items() if found.page}
    entries = _entries(pages, files, images)
    title = label or folder.resolve().name
    write_file(folder / "mets.xml", write_mets(entries, title))
    if base_url:
        write_file(folder / "manifest.json", write_iiif(entries, base_url, title, presentation))
    texts = write_texts(folder, pages) if text else {}
    with notes_of(folder) as notes:
        notes.wrote([folder / "mets.xml", *([folder / "manifest.json"] if base_url else [])])
        notes.wrote(path for path, written in texts.items() if written)
    _tell_missing(entries)
    click.echo(f"{len(entries)} pages{_told(texts) if text else ''}", err=True)


def _entries(pages: Mapping[str, Page], files: Mapping[str, PageFiles], images: Path | None) -> list[Entry]:
    """Pages with the names of their files, relative to the folder."""
    scans = {name: Path(name).parent / Path(page.source.file_name).name for name, page in pages.items()}
    shared = {scan for scan, count in Counter(scans.values()).items() if count > 1}
    return [
        entry
        for name, page in pages.items()
        for entry in _parted(
            _entry(name, page, files[name], scans[name], images, alone=scans[name] not in shared), files[name]
        )
    ]


def _parted(entry: Entry, files: PageFiles) -> Iterator[Entry]:
    """A page, or both pages of a spread that is parted; their PDF has two pages then."""
    from carrel.formats.halves import box_of, cut_out, sides_of

    page = entry.page
    sides = sides_of(page)
    if not sides:
        yield entry
    for index, side in enumerate(sides):
        own = {
            kind: files.files[f"{kind}-{side}"].relative_to(files.folder).as_posix()
            if f"{kind}-{side}" in files.files
            else ""
            for kind in ("alto", "page")
        }
        number = index + 1 if "pdf" in files.files else entry.pdf_page
        part = box_of(page, side)
        yield replace(
            entry, page=cut_out(page, side), alto=own["alto"], xml=own["page"], pdf_page=number, side=side, part=part
        )


def _entry(name: str, page: Page, files: PageFiles, scan: Path, images: Path | None, *, alone: bool) -> Entry:
    from carrel.formats.write.collection.contents import document_of
    from carrel.formats.write.collection.entries import Entry

    folder = files.folder
    place = scan if images is None else Path(os.path.relpath(images / scan, folder))
    linked = {kind: path.relative_to(folder).as_posix() for kind, path in files.files.items()}
    is_pdf = scan.suffix.lower() == ".pdf"
    image = place.as_posix() if alone and page.source.page_index == 0 and not is_pdf else _picture(name, images, folder)
    pdf, number = linked.get("pdf", ""), 0
    if not pdf:
        whole = f"{document_of(name)}.pdf"
        pdf = whole if (folder / whole).is_file() else place.as_posix() if is_pdf else ""
        number = 0 if alone and page.source.page_index == 0 else page.source.page_index + 1
    xml, tei = linked.get("page", ""), linked.get("tei", "")
    return Entry(page, image, linked.get("alto", ""), pdf, name, number, xml, tei)


def _picture(name: str, images: Path | None, folder: Path) -> str:
    """A picture of a page that is named as the page's results are."""
    beside = folder if images is None else images
    found = next((path for ending in _PICTURES if (path := beside / f"{name}{ending}").is_file()), None)
    return Path(os.path.relpath(found, folder)).as_posix() if found else ""


def _tell_missing(entries: list[Entry]) -> None:
    missing = [entry for entry in entries if not entry.image]
    if missing:
        first = missing[0]
        click.echo(
            f"{len(missing)} of {len(entries)} pages have no image, {first.page.source.file_name} holds several or is a"
            f" PDF: put a picture of each page, such as {first.name}.jpg, into the folder of --images",
            err=True,
        )


def _told(texts: Mapping[Path, bool]) -> str:
    for path, written in texts.items():
        if not written:
            click.echo(f"{path}: not Carrel's, left as it is", err=True)
    return f", {sum(texts.values())} documents' texts"
