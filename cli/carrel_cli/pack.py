"""``carrel pack``: transcribed pages and their scans become a line pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.errors import InputError
from carrel_cli.common.decoding import decode_apart
from carrel_cli.common.paths import FOLDER, PATH

if TYPE_CHECKING:
    from carrel.page import Page


@click.command("pack")
@click.argument("images", type=FOLDER)
@click.argument("transcriptions", type=PATH, nargs=-1, required=True, metavar="ALTO_OR_PAGE...")
@click.option(
    "--to", "target", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Line pack to write (.zip)."
)
def command(images: Path, transcriptions: tuple[Path, ...], target: Path) -> None:
    """Cut the lines of transcribed pages out of their scans in IMAGES, as at run time, into a line pack.

    ALTO_OR_PAGE are files in ALTO, PAGE, hOCR or Carrel's JSON, or folders of them, as eScriptorium, Transkribus and others
    export them. A scan is found by the name that the page tells, else by the page's own name; it must have the page's size.
    Pages without a scan and lines that cannot be cut are named, and the exit code is 3 then. Learning, training and export
    take the pack. One that is there gets the lines as well.
    """
    from carrel.review.packing import cut_lines, with_text
    from carrel.review.training_lines import write_pack

    if target.suffix.lower() != ".zip":
        raise InputError(f"{target}: a line pack is a zip file; name it SOURCE.zip")
    pages = _pages(transcriptions)
    lost: list[str] = []
    lines = list(cut_lines(pages, images, with_text, lost.append, decode_apart()))
    for reason in lost:
        click.echo(reason, err=True)
    if not lines:
        raise InputError(f"no line with text and a scan among {len(pages)} pages; is {images} the folder of the scans?")
    held = write_pack(target, lines)
    pages_cut = len({row.page for row, _ in lines})
    click.echo(f"{len(lines)} lines of {pages_cut} of {len(pages)} pages; {target} holds {held} lines")
    if lost:
        click.get_current_context().exit(3)


def _pages(paths: tuple[Path, ...]) -> dict[str, Page]:
    """Pages by name; a name that is taken gets that of its folder before it."""
    from carrel.formats import read_page
    from carrel_cli.common.documents import document_files

    pages: dict[str, Page] = {}
    for path in paths:
        for name, file in document_files(path).items():
            if file.suffix == ".txt":
                continue
            free = name if name not in pages else f"{file.resolve().parent.name}/{name}"
            if free in pages:
                raise InputError(f"{file}: two pages are called {free}; pack them one after the other")
            pages[free] = read_page(file)
    if not pages:
        raise InputError("no page in ALTO, PAGE, hOCR or JSON there")
    return pages
