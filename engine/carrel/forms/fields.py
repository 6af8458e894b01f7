"""Templates of forms: the fields of a page by name, and what a page is recognized and registered by.

Coordinates are px of the page that the template was made of, deskewed, ``width_px`` by ``height_px``; pages of any other
size are registered onto it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

FORMAT = "carrel-form/1"
BETWEEN_VALUES = "|"
"""Sign between the values of a choice in a table."""
TABLE_COLUMNS = ("document", "file", "page", "row")
"""Columns of a table that stand before the fields."""
REVIEW_COLUMN = "review"
"""Column of a table that names the fields to look at."""
Kind = Literal["text", "number", "date", "choice", "boxes"]
Pixel = Annotated[float, Meta(ge=-100_000, le=200_000)]
BoxPx = tuple[Pixel, Pixel, Pixel, Pixel]
Short = Annotated[str, Meta(max_length=200)]


class Option(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One box of a choice, and the value that it stands for."""

    value: Annotated[str, Meta(min_length=1, max_length=100)]
    box: BoxPx


class Field(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field.

    Parameters
    ----------
    name
        Unique, and no column that a table has anyway; a letter, then letters, digits, ``_`` and ``-``, 40 at most.
    kind
        text, number, date, choice (boxes to tick), or boxes (a character in each).
    box
        Left, top, right, bottom; of a column of the table, only left and right count.
    pattern
        See `carrel.decode.patterns.syntax`; empty takes that of the kind.
    lexicon
        A text file of whole values, one a line, beside the template.
    lexicon_soft
        Values outside the lexicon are read, too.
    language
        The language of print in it; empty takes that of the page.
    required
        An empty field is to be reviewed.
    column
        A column of the template's table.
    several
        Of a choice, more than one box may be ticked.
    boxes
        Of letters in boxes, the box of each; empty where ``box`` is to be split evenly into ``cells``.
    """

    name: Short
    kind: Kind = "text"
    box: BoxPx | None = None
    pattern: Annotated[str, Meta(max_length=1000)] = ""
    lexicon: Short = ""
    lexicon_soft: bool = False
    language: Short = ""
    required: bool = False
    column: bool = False
    several: bool = False
    options: Annotated[tuple[Option, ...], Meta(max_length=200)] = ()
    boxes: Annotated[tuple[BoxPx, ...], Meta(max_length=200)] = ()
    cells: Annotated[int, Meta(ge=0, le=200)] = 0


class Label(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A printed word that every page of the form has."""

    text: Annotated[str, Meta(min_length=1, max_length=100)]
    box: BoxPx


class Template(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A form: its fields, the rows of its table, and the print and rulings that it is registered by."""

    format: Literal["carrel-form/1"] = FORMAT
    name: Short
    width_px: Annotated[int, Meta(ge=50, le=100_000)]
    height_px: Annotated[int, Meta(ge=50, le=100_000)]
    fields: Annotated[tuple[Field, ...], Meta(min_length=1, max_length=1000)]
    rows: Annotated[tuple[tuple[Pixel, Pixel], ...], Meta(max_length=1000)] = ()  # top and bottom of each
    labels: Annotated[tuple[Label, ...], Meta(max_length=2000)] = ()
    rulings: Annotated[tuple[BoxPx, ...], Meta(max_length=5000)] = ()  # x and y of both ends
