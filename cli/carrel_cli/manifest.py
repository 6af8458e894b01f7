"""``carrel manifest``: a folder of read pages as METS and IIIF."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.errors import InputError
from carrel_cli.paths import FOLDER

if TYPE_CHECKING:
    from carrel.formats.read.folders import PageFiles
    from carrel.page import Page


@click.command("manifest")
@click.argument("folder", type=FOLDER)
@click.option("--label", help="Title of the whole.  [default: the folder's name]")
@click.option("--images", type=FOLDER, help="Folder of the scans.  [default: beside the pages]")
@click.option("--base-url", help="Where the files will be found; with it, manifest.json for IIIF is written too.")
@click.option("--text", is_flag=True, help="Also write NAME.txt for each document of several pages: its whole text.")
def command(folder: Path, label: str | None, images: Path | None, base_url: str | None, text: bool) -> None:
    """Write mets.xml, and with --base-url a IIIF manifest.json, for the pages in FOLDER and its subfolders.

    Pages are the JSON, ALTO, PAGE or hOCR files there, in the order of their names, numbers as numbers; subfolders and
    documents of several pages are parts of the whole. Images are named as the pages name their scans, in the subfolder
    of the page; ALTO and PDF files of the same names are linked.
    """
    from carrel.batch.corrected import notes_of
    from carrel.formats import read_page
    from carrel.formats.read.folders import find_pages
    from carrel.formats.write.collection import write_iiif, write_mets
    from carrel.output import write_file
    from carrel.review.documents import write_texts

    files = {name: found for name, found in find_pages(folder).items() if found.page}
    if not files:
        raise InputError(f"{folder}: no pages in JSON, ALTO, PAGE or hOCR")
    pages = {name: read_page(found.page) for name, found in files.items() if found.page}
    entries = [_entry(name, page, files[name], images) for name, page in pages.items()]
    title = label or folder.resolve().name
    write_file(folder / "mets.xml", write_mets(entries, title))
    if base_url:
        write_file(folder / "manifest.json", write_iiif(entries, base_url, title))
    texts = write_texts(folder, pages) if text else {}
    with notes_of(folder) as notes:
        notes.wrote([folder / "mets.xml", *([folder / "manifest.json"] if base_url else [])])
        notes.wrote(path for path, written in texts.items() if written)
    click.echo(f"{len(entries)} pages{_told(texts) if text else ''}", err=True)


def _entry(name: str, page: Page, files: PageFiles, images: Path | None):
    """A page with the names of its files, relative to the folder."""
    from carrel.formats.write.collection import Entry

    place = Path(name).parent / Path(page.source.file_name).name
    if images is not None:
        place = Path(os.path.relpath(images / place, files.folder))
    alto, pdf = (
        files.files[kind].relative_to(files.folder).as_posix() if kind in files.files else ""
        for kind in ("alto", "pdf")
    )
    return Entry(page, place.as_posix(), alto, pdf, name)


def _told(texts: Mapping[Path, bool]) -> str:
    for path, written in texts.items():
        if not written:
            click.echo(f"{path}: not Carrel's, left as it is", err=True)
    return f", {sum(texts.values())} documents' texts"
