"""``carrel review``: what a person should look at, and what came of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carrel.errors import InputError, UsageError
from carrel_cli.documents import document_files, find_scan, load_document

if TYPE_CHECKING:
    from carrel.page import Page, Points
    from carrel.review.queue import Correction, Task

_SHOWN = 20
_FORMS = (".json", ".xml", ".html", ".hocr")
_STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem }
.line { border-top: 1px solid #ccc; padding: .7rem 0 } .line p { margin: .2rem 0; white-space: pre-wrap }
.where, .other { color: #666; font-size: .85rem } img { max-width: 100%; max-height: 8rem; display: block }
"""


@click.command("review")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--below", type=click.FloatRange(0, 1), default=0.8, show_default=True, help="Confidence to look below.")
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of the scans.")
@click.option(
    "--worksheet", type=click.Path(dir_okay=False, path_type=Path), help="Write the lines here, to be edited."
)
@click.option("--html", "html_file", type=click.Path(dir_okay=False, path_type=Path), help="Write them with pictures.")
@click.option("--corrected", type=click.Path(exists=True, path_type=Path), help="Worksheet or pages to read back.")
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep corrected lines here, for training."
)
@click.option(
    "--seconds-per-line", type=click.FloatRange(min=0), help="To look at a line and correct it.  [default: 12]"
)
def command(
    folder: Path,
    below: float,
    images: Path | None,
    worksheet: Path | None,
    html_file: Path | None,
    corrected: Path | None,
    keep: Path | None,
    seconds_per_line: float | None,
) -> None:
    """List the lines of pages that are least sure, the worst first, and take corrections back.

    FOLDER holds what ``carrel read`` or ``carrel batch`` wrote; JSON tells most. Corrections are an edited worksheet, or
    pages (ALTO, PAGE, hOCR, text) that carry the same names. With --keep each corrected line is kept with its picture
    (needs --images) in the folder's lines.jsonl.
    """
    from carrel.output import write_file
    from carrel.review.queue import SECONDS_A_LINE, tasks_of, worst_first
    from carrel.review.queue import worksheet as as_worksheet

    if keep and not (corrected and images):
        raise UsageError("--keep needs --corrected and --images")
    pages = _pages(folder)
    tasks = [task for name, page in pages.items() for task in tasks_of(name, page)]
    worst = worst_first(tasks, below)
    if corrected is None:
        seconds = SECONDS_A_LINE if seconds_per_line is None else seconds_per_line
        click.echo("\n".join(_summary(tasks, worst, seconds)))
    else:
        made = _read_back(pages, tasks, corrected)
        click.echo("\n".join(_outcome(made)))
        if keep and images:
            click.echo(f"{_keep(made, pages, images, keep)} lines kept in {keep}")
    if worksheet:
        write_file(worksheet, as_worksheet(worst).encode())
    if html_file:
        write_file(html_file, _html(worst, pages, images).encode())


def _pages(folder: Path) -> dict[str, Page]:
    from carrel.formats import read_page

    files = {name: path for name, path in document_files(folder).items() if path.suffix in _FORMS}
    if not files:
        raise InputError(f"{folder}: no pages in JSON, ALTO, PAGE or hOCR")
    return {name: read_page(path) for name, path in files.items()}


def _summary(tasks: list[Task], worst: list[Task], seconds_per_line: float) -> Iterable[str]:
    from carrel.review.queue import disagreements

    for task in worst[:_SHOWN]:
        yield f"{task.line.confidence:5.2f}  {task.identity}  {task.line.text or '(not read)'}"
    total, errors = sum(task.expected_errors for task in tasks), sum(task.expected_errors for task in worst)
    yield ""
    yield f"{len(worst)} of {len(tasks)} lines to look at, {len({task.document for task in worst})} pages"
    yield f"{errors:.0f} of {total:.0f} wrong words expected in them; about {len(worst) * seconds_per_line / 60:.0f} minutes"
    yield from _often("read as one thing or the other", disagreements(task.line for task in tasks))


def _often(title: str, found: Counter[tuple[str, str]]) -> Iterable[str]:
    often = [(pair, times) for pair, times in found.most_common(_SHOWN // 2) if times > 1]
    if often:
        yield f"\n{title}:"
        yield from (f"{times:6}  {left!r} {right!r}" for (left, right), times in often)


def _read_back(pages: dict[str, Page], tasks: list[Task], corrected: Path) -> list[Correction]:
    from carrel.formats.read.any_format import load
    from carrel.review.queue import corrections, from_worksheet

    if corrected.is_file():
        text = load(corrected).decode("utf-8-sig", "replace")
        if any(row.count("\t") >= 2 and "#r" in row.partition("\t")[0] for row in text.splitlines()):
            return from_worksheet(text, tasks)
    files = document_files(corrected)
    common = sorted(files.keys() & pages.keys())
    if not common:
        raise InputError(f"{corrected}: neither a worksheet nor a document of the pages")
    return [made for name in common for made in corrections(name, pages[name], load_document(name, files[name]))]


def _outcome(made: list[Correction]) -> Iterable[str]:
    from carrel.evaluate import character_errors
    from carrel.review.queue import recurring

    changed = [correction for correction in made if correction.changed]
    errors = sum(character_errors(correction.text, correction.task.line.text) for correction in changed)
    characters = sum(len(correction.text) for correction in made)
    yield f"{len(changed)} of {len(made)} lines corrected, {errors} of {characters} characters"
    yield from _often("put right most often (right, read)", recurring(made))


def _keep(made: list[Correction], pages: dict[str, Page], images: Path, folder: Path) -> int:
    """Write each line's picture and its row of ``lines.jsonl``; a line kept before is replaced."""
    from carrel.output import make_folder, write_file

    make_folder(folder)
    index = folder / "lines.jsonl"
    rows = (
        {row["image"]: row for row in map(json.loads, index.read_text("utf-8").splitlines())} if index.exists() else {}
    )
    kept = 0
    for name in sorted({correction.task.document for correction in made}):
        page = pages[name]
        scan = find_scan(images, name, (page.source.file_name,), (page.width_px, page.height_px))
        if scan is None:
            click.echo(f"{name}: no scan of {page.width_px} x {page.height_px} px in {images}", err=True)
            continue
        for correction in (correction for correction in made if correction.task.document == name):
            picture, row = _kept_line(correction, scan)
            write_file(folder / row["image"], picture)
            rows[row["image"]] = row
            kept += 1
    write_file(index, "".join(json.dumps(rows[key], ensure_ascii=False) + "\n" for key in sorted(rows)).encode())
    return kept


def _kept_line(correction: Correction, scan: Any) -> tuple[bytes, dict[str, Any]]:
    """The line's part of the scan as PNG, and what is known of it, in px of that part."""
    import io

    from carrel.evaluate.pictures import crop_line

    task = correction.task
    picture, (left, top) = crop_line(scan, task.line.polygon)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")

    def moved(points: Points) -> list[list[int]]:
        return [[x - left, y - top] for x, y in points]

    return buffer.getvalue(), {
        "image": f"{task.document}-r{task.region}l{task.number}.png",
        "text": correction.text,
        "read": task.line.text,
        "page": task.document,
        "writing": task.line.writing.kind,
        "recognizer": task.line.recognizer,
        "confidence": task.line.confidence,
        "baseline": moved(task.line.baseline),
        "polygon": moved(task.line.polygon),
    }


def _html(worst: list[Task], pages: dict[str, Page], images: Path | None) -> str:
    from carrel.evaluate.pictures import cut_line, data_uri

    parts = [
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Review</title>",
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; ",
        f"style-src 'unsafe-inline'\"><style>{_STYLE}</style></head><body><h1>{len(worst)} lines to look at</h1>",
    ]
    opened: tuple[str, Any] = ("", None)
    for task in worst:
        page = pages[task.document]
        if images and opened[0] != task.document:
            size = (page.width_px, page.height_px)
            opened = (task.document, find_scan(images, task.document, (page.source.file_name,), size))
        image = f"<img src='{data_uri(cut_line(opened[1], task.line.polygon))}' alt=''>" if opened[1] else ""
        others = " / ".join(alternative.text for alternative in task.line.alternatives)
        where = f"{task.identity}, confidence {task.line.confidence:.2f}, {task.line.writing.kind}"
        parts.append(f"<div class='line' dir='auto'><div class='where'>{escape(where)}</div>{image}")
        parts.append(f"<p>{escape(task.line.text) or '(not read)'}</p><p class='other'>{escape(others)}</p></div>")
    return "".join([*parts, "</body></html>\n"])
