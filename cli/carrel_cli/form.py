"""``carrel form``: a template proposed from one page of a form, to be edited and used with ``--form``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.errors import OutputError
from carrel.image.files import shown
from carrel.options import ReadOptions
from carrel_cli.common.reading import reading_options
from carrel_cli.common.streams import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from carrel.forms.fields import Template


@click.command("form")
@click.argument("files", nargs=1, required=True, type=click.Path(path_type=Path), metavar="PAGE")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the template here.  [default: stdout]",
)
@click.option("--page", "number", type=click.IntRange(min=1), default=1, show_default=True, help="Page of the file.")
@click.option("--name", help="Name of the form.  [default: that of the file]")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PNG",
    help="Also draw the fields on the page.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@reading_options
def command(
    files: Path,
    output: Path | None,
    number: int,
    name: str | None,
    picture: Path | None,
    *,
    force: bool,
    read: ReadOptions,
) -> None:
    """Propose a template of the form that PAGE shows, blank or filled.

    Boxes, lines to write on, squares and columns become fields, named by what is printed beside them. Edit the template (names,
    kinds, patterns, lexicons; see docs/forms.md), then read pages with carrel read --form or carrel batch --form.
    """
    from dataclasses import replace

    from carrel.forms.proposal.json_text import template_json
    from carrel.forms.proposal.propose import propose
    from carrel.loading import budget_for
    from carrel.output import write_file
    from carrel.reader import Reader
    from carrel.workers.decoder import Decoder

    for target in (output, picture):
        if target is not None and target.exists() and (not force or target.resolve() == files.resolve()):
            raise OutputError(f"{shown(target)}: is there; choose another name, or replace it with --force")
    options = replace(read, form=None)
    budget = budget_for(options)
    with Decoder(options, budget) as decoder:
        scan, pages = decoder.scan(files, number - 1), decoder.count_pages(files)
        page = Reader(options, budget=budget).read_scan(scan)
        template = propose(scan.gray, page, _name(name or files.stem))
        if picture is not None:
            write_file(picture, drawn(template, scan.gray, page.provenance.skew_degrees))
    if output is not None:
        write_file(output, template_json(template))
    else:
        sys.stdout.buffer.write(template_json(template))
    if pages > 1:
        click.echo(f"page {number} of {pages}; a template is of one page, --page names another", err=True)
    table = f", a table of {counted(len(template.rows), 'row')}" if template.rows else ""
    click.echo(
        f"{counted(len(template.fields), 'field')}{table}, {counted(len(template.labels), 'printed word')}, "
        f"{counted(len(template.rulings), 'ruling')}",
        err=True,
    )


def _name(text: str) -> str:
    """The nearest name that a form may have."""
    kept = "".join(c if (c.isascii() and c.isalnum()) or c in "_-" else "-" for c in text)
    return (kept if kept[:1].isalpha() else f"form-{kept}")[:40]


def drawn(template: Template, gray: NDArray[np.uint8], skew_degrees: float) -> bytes:
    """Return a PNG of the page without its skew, with the template's boxes and names on it."""
    import cv2

    from carrel.forms.registration.rulings import working_frame

    to_work, size = working_frame(gray.shape, skew_degrees)
    scale = size[0] / template.width_px
    flat = cv2.warpAffine(gray, to_work[:2], size, borderValue=(255,))
    canvas = cv2.cvtColor(flat, cv2.COLOR_GRAY2BGR)
    for field in template.fields:
        boxes = [b for b in (field.box, *field.boxes, *(o.box for o in field.options)) if b]
        if field.column and field.box:
            boxes = [(field.box[0], template.rows[0][0], field.box[2], template.rows[-1][1])]
        for n, box in enumerate(boxes):
            left, top, right, bottom = (round(v * scale) for v in box)
            cv2.rectangle(canvas, (left, top), (right, bottom), (40, 40, 220), 2)
            if n == 0:
                told = f"{field.name} ({field.kind})"
                cv2.putText(
                    canvas,
                    told,
                    (left + 4, max(14, top - 4)),
                    cv2.FONT_HERSHEY_SIMPLEX,
                    0.5,
                    (160, 60, 0),
                    1,
                    cv2.LINE_AA,
                )
    return cv2.imencode(".png", canvas)[1].tobytes()
