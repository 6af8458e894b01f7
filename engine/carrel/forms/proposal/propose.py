"""A template proposed from one page of a form: its ruled boxes, lines to write on, squares and columns, named by the print."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from carrel.errors import InputError
from carrel.forms.fields import BoxPx, Field, Label, Option, Template
from carrel.forms.proposal.boxes import Rect, frames_of, grid_of, in_rows, is_small, lines_to_write_on, runs
from carrel.forms.proposal.found import Proposal, label_before, middle_of, printed_words, word_after, words_in
from carrel.forms.registration.rulings import Rulings, rulings_of
from carrel.page import Page

SMALL_RULINGS_SHARE = 0.011
"""Least length of the sides of small squares, as a share of the page's longest side."""
MIN_LINE_SHARE = 0.09
"""Least length of a ruling to write on, as a share of the page's width."""
LINE_HEIGHTS_ABOVE, LINE_HEIGHTS_BELOW = 2.2, 0.5
"""Height of a field above the ruling that it is written on, and below it, in heights of the printed words."""
INSIDE_PX = 8.0
"""Distance from the edge of a field, working px, from which a stroke is what was written in it."""
MOST_SIGNED_SHARE, MOST_PRINTED_SHARE = 0.45, 0.2
"""Width of a ruling, as a share of the page's, up to which words under it name it, and share of it that print may stand on."""


def propose(gray: NDArray[np.uint8], page: Page, name: str) -> Template:
    """Propose a template of the form that a page shows, blank or filled.

    Parameters
    ----------
    gray
        The scan, uint8 ``(h, w)``, that ``page`` was read from.
    name
        Of the form.

    Raises
    ------
    InputError
        There are neither ruled boxes nor lines to write on.
    """
    rulings = rulings_of(gray, page.provenance.skew_degrees)
    fine = rulings_of(gray, page.provenance.skew_degrees, SMALL_RULINGS_SHARE)
    words = printed_words(page, rulings)
    tall = float(np.median([word.rect.height for word in words])) if words else 20.0
    found = Proposal(words, tall)
    frames = frames_of(rulings)
    small = [rect for rect in frames_of(fine) if is_small(rect)]
    large = [rect for rect in frames if not is_small(rect)]
    _add_small(found, small)
    rows = _add_table(found, large)
    _add_cells(found, [rect for rect in large if not _in_table(rect, rows, found)])
    wide = rulings.level.shape[1]
    lines = lines_to_write_on(rulings, frames + small, MIN_LINE_SHARE * wide)
    written = [word.rect for word in words]
    _add_lines(found, [(a, b, y) for a, b, y in lines if not _is_writing((a, y, b, y), written)], wide)
    if not found.fields:
        raise InputError("no boxes and no lines to write on are found; write the template by hand, see docs/forms.md")
    return _on_page(found, rows, rulings, name)


def _add_small(found: Proposal, small: Sequence[Rect]) -> None:
    """Letters in boxes, and boxes to tick with the word that follows each."""
    options: list[tuple[Rect, str]] = []
    for row in in_rows(small):
        for run in runs(row, lambda a, b: b.left - a.right < 0.6 * a.width):
            if len(run) >= 3:
                found.add(label_before(found, run[0]), "boxes", boxes=[list(rect) for rect in run])
                continue
            options += [(rect, value) for rect in run if (value := word_after(found, rect))]
    for group in _choices(options):
        values = dict[str, Rect]()
        for rect, value in group:
            values.setdefault(value, rect)
        label = label_before(found, group[0][0]) or f"choice {group[0][1]}"
        found.add(label, "choice", options=[{"value": v, "box": list(r)} for v, r in values.items()])


def _choices(options: Sequence[tuple[Rect, str]]) -> list[list[tuple[Rect, str]]]:
    """Boxes to tick in groups: one row, or one below the other."""
    groups: list[list[tuple[Rect, str]]] = []
    for option in options:
        rect = option[0]
        for group in groups:
            last = group[-1][0]
            same_row = abs(last.top - rect.top) < 0.5 * rect.height
            below = abs(last.left - rect.left) < 0.5 * rect.width and 0 < rect.top - last.bottom < 3 * rect.height
            if same_row or below:
                group.append(option)
                break
        else:
            groups.append([option])
    return groups


def _add_table(found: Proposal, large: Sequence[Rect]) -> list[tuple[float, float]]:
    """The columns of a grid of cells, named by what is printed above them or in its first row; returns its rows."""
    rows, columns = grid_of(large)
    if not rows:
        return []
    heads = [words_in(found, Rect(c.left, rows[0][0], c.right, rows[0][1])) for c in columns]
    if sum(bool(words) for words in heads) > len(columns) / 2:  # the first row is a heading
        rows = rows[1:]
    else:
        heads = [words_in(found, Rect(c.left, rows[0][0] - 5 * found.tall, c.right, rows[0][0])) for c in columns]
    for column, words in zip(columns, heads, strict=True):
        label = " ".join(word.text for word in words)
        found.add(label, None, column=True, box=[column.left, rows[0][0], column.right, rows[0][1]])
    return rows


def _in_table(rect: Rect, rows: Sequence[tuple[float, float]], found: Proposal) -> bool:
    columns = [field.box for field in found.fields if field.column and field.box]
    if not rows or not columns:
        return False
    left, right = min(box[0] for box in columns), max(box[2] for box in columns)
    middle = (rect.left + rect.right) / 2
    return left < middle < right and rows[0][0] - 6 * found.tall < (rect.top + rect.bottom) / 2 < rows[-1][1]


def _add_cells(found: Proposal, cells: Sequence[Rect]) -> None:
    """Single boxes: named by a caption in them, or by the words or the printed box before them."""
    labels = {cell for cell in cells if _is_label_cell(found, cell)}
    for cell in cells:
        if cell in labels or any(other != cell and cell.holds(*middle_of(other)) for other in cells):
            continue
        caption = [
            word
            for word in words_in(found, cell)
            if word.rect.top < cell.top + max(0.45 * cell.height, 1.5 * found.tall)
        ]
        box = cell
        if caption and max(word.rect.bottom for word in caption) < cell.top + 0.6 * cell.height:
            box = cell._replace(top=max(word.rect.bottom for word in caption) + 2)
        label = " ".join(word.text for word in caption) or label_before(found, cell)
        found.add(label, None, box=list(box))


def _is_label_cell(found: Proposal, cell: Rect) -> bool:
    words = words_in(found, cell)
    if not words:
        return False
    middle = np.mean([(word.rect.top + word.rect.bottom) / 2 for word in words])
    covered = sum(word.rect.width for word in words) / cell.width
    return covered > 0.3 and bool(abs(middle - (cell.top + cell.bottom) / 2) < 0.25 * cell.height)


def _add_lines(found: Proposal, lines: Sequence[tuple[float, float, float]], width: float) -> None:
    """Lines to write on, with the words before each; a line without words before it or right under it only parts the page."""
    for left, right, y in lines:
        above = [b + LINE_HEIGHTS_BELOW * found.tall for a, c, b in lines if b < y and min(c, right) > max(a, left)]
        top = max([y - LINE_HEIGHTS_ABOVE * found.tall, *above])
        box = Rect(left, top, right, y + LINE_HEIGHTS_BELOW * found.tall)
        under = words_in(found, Rect(left, y, right, y + LINE_HEIGHTS_ABOVE * found.tall))
        label = label_before(found, box)
        if not label and right - left < MOST_SIGNED_SHARE * width:
            label = " ".join(word.text for word in under)
        printed = sum(word.rect.width for word in words_in(found, box._replace(bottom=y)))
        if label and printed < MOST_PRINTED_SHARE * box.width:
            found.add(label, None, box=list(box))


def _on_page(found: Proposal, rows: Sequence[tuple[float, float]], rulings: Rulings, name: str) -> Template:
    """The proposal in px of the scan without its skew."""
    scale = 1.0 / float(np.hypot(*rulings.to_work[0, :2]))
    height, width = (round(side * scale) for side in rulings.level.shape)

    def box(rect: Sequence[float]) -> BoxPx:
        left, top, right, bottom = (round(v * scale, 1) for v in rect)
        return (left, top, right, bottom)

    def placed(entry: Field) -> Field:
        options = tuple(Option(value=o.value, box=box(o.box)) for o in entry.options)
        own = box(entry.box) if entry.box else None
        return msgspec.structs.replace(entry, box=own, boxes=tuple(map(box, entry.boxes)), options=options)

    boxes = [Rect(*entry.box) for entry in found.fields if entry.box and not entry.column]
    table = [entry.box for entry in found.fields if entry.column and entry.box]
    if rows and table:
        boxes.append(Rect(min(b[0] for b in table), rows[0][0], max(b[2] for b in table), rows[-1][1]))
    filled = list(boxes)
    if rows and table:  # the rulings of a table are its own
        boxes.pop()
    inner = [Rect(b.left + INSIDE_PX, b.top + INSIDE_PX, b.right - INSIDE_PX, b.bottom - INSIDE_PX) for b in boxes]
    ruled = [s for s in rulings.segments() if not _is_writing(s, [*(word.rect for word in found.words), *inner])]
    clear = [w for w in found.words if w.clear and not any(b.holds(*middle_of(w.rect)) for b in filled)]
    return Template(
        name=name,
        width_px=max(50, width),
        height_px=max(50, height),
        fields=tuple(map(placed, found.fields)),
        rows=tuple((round(top * scale, 1), round(bottom * scale, 1)) for top, bottom in rows),
        labels=tuple(Label(text=word.text, box=box(word.rect)) for word in clear),
        rulings=tuple(map(box, ruled)),
    )


def _is_writing(segment: Sequence[float], written: Sequence[Rect]) -> bool:
    """Tell whether what looks like a ruling lies within writing for most of its length."""
    x1, y1, x2, y2 = segment
    points = np.linspace([x1, y1], [x2, y2], 7)[1:-1].tolist()
    return 2 * sum(any(rect.holds(x, y) for rect in written) for x, y in points) > len(points)
