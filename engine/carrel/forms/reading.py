"""A page as a form: registered, its fields read, and put into the page as regions of their own.

A field is a region ``CustomZone:NAME``, of the table ``CustomZone:NAME#ROW`` from 1; its lines hold the value, so that every
format, the queue of review and the desk take it as they take any line. Each box of a choice is a line: its sign and its value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carrel.decode.patterns import Constraint
from carrel.forms.fields import BoxPx, Field
from carrel.forms.left_over import without_fields
from carrel.forms.places import Places, Strip, holds_writing, ink_mask, without_frame
from carrel.forms.registration.register import register
from carrel.forms.template import Form
from carrel.forms.ticks import SIGNS, marks_of
from carrel.forms.values import Recognizers, Value, of_the_whole, read_boxes, read_printed, read_written
from carrel.forms.zones import field_of, zone_of
from carrel.identity import with_ids
from carrel.image.crop import crop_line
from carrel.languages import tesseract_code
from carrel.page import Alternative, Box, Line, Page, Points, Region, Word, Writing
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread

CELL_FRAME_SHARE = 0.08
"""Share of a cell's side, at each edge, that is its frame and is not looked at."""
DOUBTFUL_CONFIDENCE = 0.4
"""Most confidence of a value of which there is more in the field than one row."""
CLEAR_CONFIDENCE = 0.8
"""Confidence of a value from which no other recognizer is asked."""
PREFERRED_GAIN = 0.3
"""Confidence by which the page's own reading of a field's line must be above that along its constraint to be taken."""
MIN_TEXT_CONFIDENCE = 0.3
"""Confidence of free text below which a field is taken for unread."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """A field at a place: that of its box, or of one row of its column."""

    field: Field
    row: int | None
    box: BoxPx

    @property
    def kind(self) -> str:
        return zone_of(self.field.name, None if self.row is None else self.row + 1)


class FormReader:
    """A reader of the fields of one form.

    Parameters
    ----------
    form
        See `carrel.forms.template.load_form`.
    recognizers
        What fields are read with.
    language
        Tesseract's code for fields that name no language.
    """

    def __init__(self, form: Form, recognizers: Recognizers, language: str) -> None:
        self.form, self._recognizers, self._language = form, recognizers, language

    @property
    def identity(self) -> str:
        """The template's name and digest."""
        return self.form.identity

    def read(self, gray: NDArray[np.uint8], page: Page, spread: Spread = ONE_AFTER_THE_OTHER) -> Page:
        """Return a page with its fields as regions; a page that does not fit the form as it is, with the reason.

        Parameters
        ----------
        gray
            The scan, uint8 ``(h, w)``, that ``page`` was read from.
        """
        fit = register(self.form.template, gray, page)
        if fit.matrix is None:
            return _told(page, f"{self.identity}: does not fit: {fit.reason}")
        places = Places(fit.matrix, gray, page.lines)
        labels = [label.box for label in self.form.template.labels]
        cells = list(self._cells())
        regions = spread.map(lambda cell: self._read(cell, places, gray, labels), cells) + self._choices(places)
        taken = [places.quad(cell.box) for cell in cells]
        rest = without_fields(page, taken)
        page = replace(page, regions=with_ids([*rest, *_in_order(self.form, regions)]))
        return _told(page, self.identity)

    def _cells(self) -> Sequence[_Cell]:
        template = self.form.template
        found: list[_Cell] = []
        for field in self.form.page_fields:
            if field.kind != "choice":
                found.append(_Cell(field, None, field.box or _around(field.boxes)))
        for row, (top, bottom) in enumerate(template.rows):
            for field in self.form.columns:
                assert field.box is not None
                found.append(_Cell(field, row, (field.box[0], top, field.box[2], bottom)))
        return found

    def _choices(self, places: Places) -> list[Region]:
        choices = [field for field in self.form.page_fields if field.kind == "choice"]
        options = [(field, option) for field in choices for option in field.options]
        marks = marks_of([places.picture(option.box) for _, option in options], self._recognizers.glyphs)
        lines: dict[str, list[Line]] = {field.name: [] for field in choices}
        for (field, option), mark in zip(options, marks, strict=True):
            quad = _points(places.quad(option.box))
            sign = SIGNS[mark.state]
            text = f"{sign} {option.value}" if sign else ""
            others = () if sign else (Alternative(f"{SIGNS['ticked']} {option.value}", mark.confidence, "marks"),)
            baseline = (quad[3], quad[2])
            writing = Writing("unknown", 0.5)
            lines[field.name].append(
                Line(
                    baseline, quad, writing, text, mark.confidence if sign else 0.0, (), others, "marks" if sign else ""
                )
            )
        return [
            Region(
                zone_of(f.name, None), _points(places.quad(_around([o.box for o in f.options]))), tuple(lines[f.name])
            )
            for f in choices
        ]

    def _read(self, cell: _Cell, places: Places, gray: NDArray[np.uint8], labels: Sequence[BoxPx]) -> Region:
        """Return the region of a field, its value read."""
        outline = _points(places.quad(cell.box))
        if cell.field.kind == "boxes":
            lines = self._lettered(cell, places, outline)
        else:
            lines = self._written(cell, places, gray, labels)
        if not lines and cell.field.required:  # it goes to review
            lines = [Line((outline[3], outline[2]), outline, Writing("unknown", 0.5), "", 0.0)]
        return Region(cell.kind, outline, tuple(lines))

    def _lettered(self, cell: _Cell, places: Places, outline: Points) -> list[Line]:
        glyphs = self._recognizers.glyphs
        assert glyphs is not None
        boxes = cell.field.boxes or _split(cell.box, cell.field.cells)
        pictures = [_within_frame(places.picture(box)) for box in boxes]
        value = read_boxes(pictures, self.form.constraints[cell.field.name], glyphs)
        return [_line(value, (outline[3], outline[2]), outline, Writing("handwritten", 0.5))] if value else []

    def _written(self, cell: _Cell, places: Places, gray: NDArray[np.uint8], labels: Sequence[BoxPx]) -> list[Line]:
        strips = places.strips(cell.box, labels)
        constraint = self.form.constraints.get(cell.field.name)
        read = [self._strip(strip, cell.field, gray) for strip in strips]
        read = [line for line in read if line is not None]
        if constraint is None or len(read) <= 1:
            return read
        best = max(read, key=lambda line: (constraint.accepts(line.text), line.confidence))
        others = tuple(
            Alternative(line.text, line.confidence, line.recognizer) for line in read if line is not best and line.text
        )
        return [
            replace(best, confidence=min(best.confidence, DOUBTFUL_CONFIDENCE), alternatives=best.alternatives + others)
        ]

    def _strip(self, strip: Strip, field: Field, gray: NDArray[np.uint8]) -> Line | None:
        constraint, line = self.form.constraints.get(field.name), strip.line
        writing = line.writing if line else Writing("handwritten", 0.5)
        baseline, polygon = (_points(points) for points in (strip.baseline, strip.polygon))
        if constraint is None and line is not None and strip.whole and line.text:
            return replace(line, id="", confidence=_whole(line))
        crop = crop_line(gray, strip.baseline, strip.polygon).gray
        if not holds_writing(without_frame(ink_mask(crop))):
            return None
        if constraint is None:
            value = self._free(
                crop, self._language_of(field), printed=line is not None and line.recognizer == "tesseract"
            )
        else:
            value = self._along(crop, constraint, line, self._language_of(field))
            if line is not None and strip.whole and _is_better(line, value, constraint):
                value = _preferred(line, value)
        return _line(value, baseline, polygon, writing)

    def _along(self, crop: NDArray[np.uint8], constraint: Constraint, line: Line | None, language: str) -> Value:
        """Read along a constraint by the recognizer of its kind of writing; by the other, too, where the kind is not clear and
        the first one's value is not clear. A page's line that the CTC network read better than Tesseract is not print."""
        kind = line.writing.kind if line else "handwritten"
        readers: list[Callable[[], Value]] = []
        if kind != "printed":
            readers.append(lambda: read_written(crop, constraint, self._recognizers))
        if kind != "handwritten":
            readers.append(lambda: read_printed(crop, constraint, self._recognizers, language))
        if line and line.recognizer == "tesseract":
            readers.reverse()
        values: list[Value] = []
        for read in readers:
            values.append(read())
            enough = 0.0 if line and line.recognizer == "ctc" else CLEAR_CONFIDENCE
            if constraint.accepts(values[-1].text) and values[-1].confidence >= enough:
                break
        return max(values, key=lambda value: (constraint.accepts(value.text), value.confidence))

    def _language_of(self, field: Field) -> str:
        return tesseract_code(field.language) if field.language else self._language

    def _free(self, crop: NDArray[np.uint8], language: str, *, printed: bool) -> Value:
        if printed:
            found = self._recognizers.tesseract.read(crop, language).recognition
            name = "tesseract"
        else:
            ctc = self._recognizers.ctc()
            found, name = ctc.read([crop])[0], ctc.name
        if found.confidence < MIN_TEXT_CONFIDENCE:
            return Value("", 0.0, ((found.text, found.confidence),) if found.text else ())
        confidence = found.confidence if printed else of_the_whole(found.text, found.confidence)
        return Value(found.text, round(confidence, 4), found.alternatives, name)


def _is_better(line: Line, value: Value, constraint: Constraint) -> bool:
    """Whether the page's own reading of a line is allowed and much more confident: of written numbers it errs more."""
    return constraint.accepts(line.text) and line.confidence > value.confidence + PREFERRED_GAIN


def _whole(line: Line) -> float:
    """The chance that a line is right as a whole; Tesseract's confidence is that of its words already."""
    return line.confidence if line.recognizer == "tesseract" else of_the_whole(line.text, line.confidence)


def _preferred(line: Line, value: Value) -> Value:
    """The page's own reading of a line, as a value; it knows the language and the other lines of the page."""
    others = [(value.text, value.confidence)] if value.text not in ("", line.text) else []
    return Value(line.text, _whole(line), (*others, *value.alternatives), line.recognizer)


def _told(page: Page, form: str) -> Page:
    return replace(page, provenance=replace(page.provenance, form=form))


def _in_order(form: Form, regions: Sequence[Region]) -> list[Region]:
    """The fields as the template names them, those of the table row by row behind the others."""
    order = {field.name: n for n, field in enumerate(form.template.fields)}

    def place(region: Region) -> tuple[int, int]:
        name, row = field_of(region.kind) or ("", None)
        return row or 0, order.get(name, 0)

    return sorted(regions, key=place)


def _line(value: Value, baseline: Points, polygon: Points, writing: Writing) -> Line:
    others = tuple(Alternative(text, confidence, value.recognizer) for text, confidence in value.alternatives)
    box = Box.around(polygon)
    words = (Word(value.text, box, value.confidence),) if value.text and " " not in value.text else ()
    return Line(
        baseline, polygon, writing, value.text, value.confidence, words, others, value.recognizer if value.text else ""
    )


def _points(points: NDArray[np.floating]) -> Points:
    whole = np.maximum(np.rint(points), 0).astype(int).tolist()
    return tuple((x, y) for x, y in whole)


def _around(boxes: Sequence[BoxPx]) -> BoxPx:
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))


def _split(box: BoxPx, cells: int) -> list[BoxPx]:
    edges = np.linspace(box[0], box[2], cells + 1).tolist()
    return [(a, box[1], b, box[3]) for a, b in pairwise(edges)]


def _within_frame(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cell without its frame: what runs along the edges becomes paper."""
    height, width = picture.shape
    down, across = round(CELL_FRAME_SHARE * height), round(CELL_FRAME_SHARE * width)
    inner = np.ascontiguousarray(picture[down : height - down, across : width - across])
    ink = ink_mask(inner)
    gone = (ink > 0) & (without_frame(ink) == 0)
    return np.where(gone, np.uint8(np.median(inner)), inner)
