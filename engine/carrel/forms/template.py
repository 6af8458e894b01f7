"""Templates of forms: the fields of a page by name, and what a page is recognized and registered by. JSON, checked at the door.

Coordinates are px of the page that the template was made of, deskewed, ``width_px`` by ``height_px``; pages of any other
size are registered onto it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from carrel.decode.patterns import Constraint, constraint_of
from carrel.errors import InputError, UsageError

FORMAT = "carrel-form/1"
MOST_BYTES = 4 * 1024 * 1024
MOST_LEXICON_BYTES = 16 * 1024 * 1024
MOST_PROBLEMS = 50
Kind = Literal["text", "number", "date", "choice", "boxes"]
DEFAULT_PATTERNS: dict[str, str] = {
    "number": r"\d{1,12}",
    "date": "<D.M.Y>|<D. M. Y>|<D/M/Y>|<D-M-Y>|<Y-MM-DD>|<D N Y>|<D. N Y>",
    "boxes": r"[0-9A-Z]{1,40}",
}
"""What fields of a kind may hold, where they have no pattern of their own."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")

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
        Unique; a letter, then letters, digits, ``_`` and ``-``, 40 at most.
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


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A template that holds together, with the constraint of every field that has one, by its name."""

    template: Template
    constraints: dict[str, Constraint]
    identity: str  # name and the start of a digest of the template and its lexicons
    lexicons: tuple[Path, ...]

    @property
    def page_fields(self) -> tuple[Field, ...]:
        """The fields outside the table."""
        return tuple(field for field in self.template.fields if not field.column)

    @property
    def columns(self) -> tuple[Field, ...]:
        """The columns of the table."""
        return tuple(field for field in self.template.fields if field.column)


def load_form(file: Path) -> Form:
    """Read a template and its lexicons.

    Raises
    ------
    InputError
        It cannot be read, or is no template: everything that is wrong, each with its place, such as ``$.fields[3].pattern``.
    """
    data = _bytes_of(file, MOST_BYTES)
    try:
        template = msgspec.json.decode(data, type=Template)
    except msgspec.ValidationError as error:
        raise InputError(f"{file}: no template of a form: {_placed(str(error))}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: no template of a form: not JSON: {error}") from None
    problems = list(_problems(template))
    digest, constraints, lexicons = hashlib.sha256(data), dict[str, Constraint](), list[Path]()
    for n, field in enumerate(template.fields):
        try:
            entries: list[str] = []
            if field.lexicon:
                if Path(field.lexicon).name != field.lexicon:
                    raise InputError(f"the lexicon {field.lexicon!r} is no name of a file beside the template")
                lexicons.append((file.parent / field.lexicon).resolve())
                content = _bytes_of(lexicons[-1], MOST_LEXICON_BYTES)
                digest.update(content)
                entries = [line.strip() for line in content.decode("utf-8-sig").splitlines()]
            pattern = field.pattern or ("" if entries else DEFAULT_PATTERNS.get(field.kind, ""))
            if (pattern or entries) and field.kind != "choice":
                constraints[field.name] = constraint_of(pattern, entries, hard=not field.lexicon_soft)
        except (InputError, UsageError, UnicodeDecodeError) as error:
            problems.append(f"$.fields[{n}] ({field.name!r}): {error}")
    if problems:
        more = f"; and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
        raise InputError(f"{file}: {'; '.join(problems[:MOST_PROBLEMS])}{more}")
    return Form(template, constraints, f"{template.name}@{digest.hexdigest()[:12]}", tuple(lexicons))


def _bytes_of(file: Path, most: int) -> bytes:
    try:
        if file.stat().st_size > most:
            raise InputError(f"{file}: larger than {most // 2**20} MiB")
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); check the name") from error


def _placed(message: str) -> str:
    what, _, place = message.partition(" - at `")
    return f"{place.rstrip('`') or '$'}: {what}"


def _problems(template: Template) -> Iterator[str]:
    """What the types do not say, each with its place."""
    if not NAME.fullmatch(template.name):
        yield f"$.name: {template.name!r} is no name: a letter, then letters, digits, _ and -, 40 at most"
    counts = Counter(field.name.lower() for field in template.fields)
    for n, (top, bottom) in enumerate(template.rows):
        if bottom <= top:
            yield f"$.rows[{n}]: its bottom {bottom:g} does not lie below its top {top:g}"
    for n, field in enumerate(template.fields):
        place = f"$.fields[{n}]"
        if not NAME.fullmatch(field.name):
            yield f"{place}.name: {field.name!r} is no name: a letter, then letters, digits, _ and -, 40 at most"
        elif counts[field.name.lower()] > 1:
            yield f"{place}.name: {field.name!r} is there twice"
        for problem in _problems_of_field(field, template):
            yield f"{place} ({field.name!r}): {problem}"


def _problems_of_field(field: Field, template: Template) -> Iterator[str]:
    if field.kind == "choice":
        if not field.options:
            yield "a choice needs options, each with value and box"
        if field.column:
            yield "a choice cannot be a column; name its boxes"
        if field.pattern or field.lexicon:
            yield "a choice has no pattern and no lexicon"
        if len({option.value for option in field.options}) < len(field.options):
            yield "two options have the same value"
    elif field.options or field.several:
        yield f"options and several are for choices, not for kind {field.kind!r}"
    yield from _problems_of_cells(field)
    if field.kind not in ("boxes", "choice") and field.box is None:
        yield "has no box"
    if field.column and not template.rows:
        yield "is a column, but the template has no rows"
    boxes = [b for b in (field.box, *field.boxes, *(option.box for option in field.options)) if b is not None]
    for box in boxes:
        yield from _problems_of_box(box, template)


def _problems_of_cells(field: Field) -> Iterator[str]:
    if field.kind == "boxes":
        if not field.boxes and not (field.box and field.cells):
            yield "letters in boxes need boxes, or a box and how many cells it has"
        if field.column and field.boxes:
            yield "boxes in a column are a box and its cells"
    elif field.boxes or field.cells:
        yield f"boxes and cells are for letters in boxes, not for kind {field.kind!r}"


def _problems_of_box(box: BoxPx, template: Template) -> Iterator[str]:
    left, top, right, bottom = box
    told = f"the box [{left:g}, {top:g}, {right:g}, {bottom:g}]"
    if right <= left or bottom <= top:
        yield f"{told} is empty: left, top, right, bottom are given in this order"
    elif right <= 0 or bottom <= 0 or left >= template.width_px or top >= template.height_px:
        yield f"{told} lies outside the page of {template.width_px} x {template.height_px} px"
