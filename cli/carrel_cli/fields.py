"""``carrel fields``: the table of a form's fields, written anew from pages as they are stored, corrections included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.image.files import shown
from carrel.options import REVIEW_BELOW
from carrel_cli.common.decoding import decode_apart
from carrel_cli.common.paths import FOLDER
from carrel_cli.common.streams import counted

if TYPE_CHECKING:
    from carrel.forms.table import Row
    from carrel.page import Page


@click.command("fields")
@click.argument("folder", type=FOLDER)
@click.option(
    "--form", required=True, type=click.Path(path_type=Path), help="The template that the pages were read with."
)
@click.option("--state", type=click.Path(path_type=Path), help="Private folder of the batch.  [default: in FOLDER]")
@click.option(
    "--csv-safe", is_flag=True, help="Put an apostrophe before cells that a spreadsheet would take for a formula."
)
@click.option(
    "--images", type=FOLDER, help="Folder of the scans: also write a picture of every field, below fields-NAME."
)
@click.option(
    "--review-below",
    type=click.FloatRange(0, 1),
    default=REVIEW_BELOW,
    show_default=True,
    help="Values with less confidence are doubtful.",
)
@click.option("--force", is_flag=True, help="Replace a table that was changed since, or that Carrel did not write.")
def command(
    folder: Path,
    form: Path,
    state: Path | None,
    images: Path | None,
    review_below: float,
    *,
    csv_safe: bool,
    force: bool,
) -> None:
    """Write the fields of all pages in FOLDER as one table, fields-NAME.csv and .json.

    FOLDER holds what carrel read or carrel batch wrote with --form and -f json (or alto, page); corrections that carrel review or
    the desk took back are in the table.
    """
    from carrel.batch.corrected import notes_of
    from carrel.errors import OutputError
    from carrel.forms.table import rows_of, table_files
    from carrel.forms.template import load_form
    from carrel.output import write_file
    from carrel.review.read_back import stored_pages

    loaded = load_form(form)
    with notes_of(folder, state, alone=True) as notes:
        rows: list[Row] = []
        pages = {name: page for name, (_, page) in stored_pages(folder).items()}
        for name, page in sorted(pages.items()):
            rows += rows_of(name, page, loaded, review_below)
        files = {folder / name: contents for name, contents in table_files(rows, loaded, safe_cells=csv_safe).items()}
        for path, contents in files.items():
            if path.exists() and not force and not notes.is_own(path) and path.read_bytes() != contents:
                raise OutputError(
                    f"{shown(path)}: was changed since it was written; rename it, or replace it with --force"
                )
        for path, contents in files.items():
            write_file(path, contents)
        notes.wrote_anew(files)
        pictures = write_pictures(rows, pages, images, folder / f"fields-{loaded.template.name}") if images else []
        notes.wrote(pictures)
    review = sum(len(row.to_review) for row in rows)
    if images:
        click.echo(
            f"{counted(len(pictures), 'picture')} of fields in {shown(folder / f'fields-{loaded.template.name}')}",
            err=True,
        )
    click.echo(
        f"{counted(len(rows), 'row')}, {counted(review, 'field')} to review: {', '.join(shown(path) for path in files)}"
    )


def write_pictures(rows: Sequence[Row], pages: Mapping[str, Page], images: Path, folder: Path) -> list[Path]:
    """Write a picture of every field, ``DOCUMENT.FIELD.png``, of a table's row ``DOCUMENT.FIELD-ROW.png``; returns their paths."""
    import io

    from PIL.Image import fromarray

    from carrel.output import make_folder, write_file
    from carrel.review.scans import scan_of

    decode, written = decode_apart(), list[Path]()
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row.document, []).append(row)
    for document, own in of.items():
        scan = scan_of(images, document, pages[document], decode)
        if scan is None:
            click.echo(f"{document}: no scan of it in {shown(images)}; it has no pictures", err=True)
            continue
        for row in own:
            for value in (value for value in row.fields if value.box):
                picture, target = (
                    io.BytesIO(),
                    folder / f"{document}.{value.name}{f'-{row.row}' if row.row else ''}.png",
                )
                fromarray(scan.gray).crop(value.box).save(picture, "PNG")
                make_folder(target.parent)
                write_file(target, picture.getvalue())
                written.append(target)
    return written
