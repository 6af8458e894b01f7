"""The worksheet as a spreadsheet with the lines' pictures (.xlsx), through openpyxl: the extra ``review``."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from carrel.errors import InputError, UsageError
from carrel.formats.write.interchange import clean_text
from carrel.review.worksheet import COLUMNS, HEAD, Row, expected_errors_shown, name_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from carrel.review.queue import Task

MOST_BYTES = 512 * 1024 * 1024  # unpacked
_MARK = b"PK\x03\x04"
_PICTURE_HEIGHT_PX = 48
_POINTS_PER_PX = 0.75
_WIDTHS = {"A": 24, "B": 10, "C": 10, "D": 70, "E": 90}  # characters


def is_spreadsheet(data: bytes) -> bool:
    """Tell whether ``data`` may be a spreadsheet."""
    return data.startswith(_MARK)


def as_spreadsheet(tasks: Iterable[Task], picture: Callable[[Task], Image | None]) -> bytes:
    """Write the lines to look at as a spreadsheet; ``picture`` gives a line's picture where its scan is there.

    Raises
    ------
    UsageError
        openpyxl is not installed.
    """
    book = _openpyxl().Workbook()
    sheet: Any = book.active
    sheet.title = "lines"
    sheet.append([*COLUMNS, "picture"])
    sheet.append([HEAD[1]])
    sheet.freeze_panes = "A2"
    for column, width in _WIDTHS.items():
        sheet.column_dimensions[column].width = width
    for number, task in enumerate(tasks, 3):
        for column, text in enumerate((name_of(task), expected_errors_shown(task), "", task.line.final_text), 1):
            cell = sheet.cell(number, column)
            cell.value = clean_text(text)
            cell.data_type, cell.number_format = "s", "@"  # text, whatever it begins with or looks like
        found = picture(task)
        if found is not None:
            _add_picture(sheet, number, found)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _add_picture(sheet: Any, row: int, picture: Image) -> None:
    from openpyxl.drawing.image import Image as Drawing

    width = max(1, round(picture.width * _PICTURE_HEIGHT_PX / picture.height))
    buffer = io.BytesIO()
    picture.resize((width, _PICTURE_HEIGHT_PX)).save(buffer, "PNG")
    sheet.add_image(Drawing(buffer), f"E{row}")
    sheet.row_dimensions[row].height = (_PICTURE_HEIGHT_PX + 4) * _POINTS_PER_PX


def rows_of_spreadsheet(data: bytes) -> Iterator[Row]:
    """Read the rows of an edited spreadsheet.

    Raises
    ------
    InputError
        It is none, is damaged, or unpacks to more than 512 MiB.
    UsageError
        openpyxl is not installed.
    """
    openpyxl = _openpyxl()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MOST_BYTES:
                raise InputError(f"a spreadsheet that unpacks to more than {MOST_BYTES} bytes")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        rows = [tuple(row[:4]) for row in book.worksheets[0].iter_rows(values_only=True)]
    except InputError:
        raise
    except Exception as error:  # openpyxl raises nearly anything on damaged files
        raise InputError(f"no spreadsheet that can be read ({error}); save it as .xlsx again") from error
    for number, values in enumerate(rows, 1):
        cells = [_text(value) for value in values] + [""] * (4 - len(values))
        if any(cells) and cells[0] not in (COLUMNS[0], HEAD[1]):
            yield Row(f"row {number}", cells[0], cells[2], cells[3])


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise UsageError("spreadsheets need openpyxl: pip install 'carrel[review]'; or use a .tsv worksheet") from error
    return openpyxl
