"""Pictures of lines for ``carrel review``: in HTML, in spreadsheets, and kept for training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel_cli.common.decoding import decode_apart

if TYPE_CHECKING:
    from PIL.Image import Image

    from carrel.image.source import Scan
    from carrel.page import Line, Page
    from carrel.review.queue import Task

PACK = "corrections.zip"
_STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem }
.line { border-top: 1px solid #ccc; padding: .7rem 0 } .line p { margin: .2rem 0; white-space: pre-wrap }
.where, .other { color: #666; font-size: .85rem } img { max-width: 100%; max-height: 8rem; display: block }
"""


def keep_lines(pages: Mapping[str, Page], images: Path, folder: Path) -> int:
    """Write the lines that people have seen and that have text into the pack; a line kept before is replaced."""
    from carrel.output import make_folder
    from carrel.review.packing import cut_lines, seen_with_text
    from carrel.review.training_lines import write_pack

    make_folder(folder)
    decode = decode_apart()
    lines = list(cut_lines(pages, images, seen_with_text, lambda reason: click.echo(reason, err=True), decode))
    write_pack(folder / PACK, lines)
    return len(lines)


def line_pictures(pages: Mapping[str, Page], images: Path | None) -> Callable[[Task], Image | None]:
    """Return a function that cuts lines out of the scans among ``images``, one scan at a time."""
    from PIL.Image import fromarray

    from carrel.evaluate.pictures import cut_line
    from carrel.review.scans import scan_of

    opened: dict[str, Scan | None] = {}
    decode = decode_apart() if images else None

    def picture(task: Task) -> Image | None:
        if images is None or decode is None:
            return None
        if task.document not in opened:
            opened.clear()
            opened[task.document] = scan_of(images, task.document, pages[task.document], decode)
        scan = opened[task.document]
        return cut_line(fromarray(scan.gray), task.line.polygon) if scan else None

    return picture


def as_html(worst: Sequence[Task], picture: Callable[[Task], Image | None]) -> str:
    """Write the lines to look at as one HTML page, with pictures where there are scans."""
    from carrel.evaluate.pictures import data_uri
    from carrel.review.worksheet import expected_errors_shown, name_of

    parts = [
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Review</title>",
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; ",
        f"style-src 'unsafe-inline'\"><style>{_STYLE}</style></head><body><h1>{len(worst)} lines to look at</h1>",
    ]
    for task in worst:
        found = picture(task)
        image = f"<img src='{data_uri(found)}' alt=''>" if found else ""
        where = f"{name_of(task)}, {expected_errors_shown(task)} wrong characters expected, {task.line.writing.kind}"
        parts.append(f"<div class='line' dir='auto'><div class='where'>{escape(where)}</div>{image}")
        parts.append(
            f"<p>{escape(task.line.text) or '(not read)'}</p><p class='other'>{escape(_others(task.line))}</p></div>"
        )
    return "".join([*parts, "</body></html>\n"])


def _others(line: Line) -> str:
    return " / ".join(alternative.text for alternative in line.alternatives)
