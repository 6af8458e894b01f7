"""Line packs: line pictures with their text, as recognizers learn from them. ``docs/line-packs.md`` describes the format.

The pictures are cut out of the scan as at run time, by `carrel.image.crop`.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from carrel.errors import InputError
from carrel.output import write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from carrel.image.source import Scan
    from carrel.page import Line

HEIGHT_PX = 64  # of the pictures in packs that Carrel writes
ROWS = "lines.jsonl"
VAL_SHARE = 0.1  # of the pages; of the lines where no page falls into it
MOST_BYTES = 64 * 1024 * 1024  # of the list of rows
_TIME = (1980, 1, 1, 0, 0, 0)  # the same bytes for the same lines


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line without its picture: one row of ``lines.jsonl``.

    ``raw`` is the text before it was normalized, ``split`` train, val or test, ``width`` that of the picture in px, 0
    where the pack does not say.
    """

    image: str
    text: str
    page: str
    split: str
    raw: str = ""
    width: int = 0


@dataclass(frozen=True)
class LineSample:
    """One line picture with its transcription. ``gray`` is uint8 ``(height, width)``, ink dark."""

    source: str
    name: str
    page: str
    split: str
    text: str
    gray: NDArray[np.uint8]


def line_picture(scan: Scan, line: Line) -> NDArray[np.uint8]:
    """Cut ``line`` out of its scan as at run time, `HEIGHT_PX` high: uint8 ``(64, width)``, ink dark."""
    import cv2
    import numpy as np

    from carrel.image.crop import crop_line

    gray = crop_line(scan.gray, np.array(line.baseline, np.float32), np.array(line.polygon, np.float32)).gray
    interpolation = cv2.INTER_AREA if gray.shape[0] > HEIGHT_PX else cv2.INTER_LINEAR
    width = max(1, round(gray.shape[1] * HEIGHT_PX / gray.shape[0]))
    return cv2.resize(gray, (width, HEIGHT_PX), interpolation=interpolation).astype(np.uint8)


def write_pack(file: Path, lines: Iterable[tuple[LineRow, NDArray[np.uint8]]]) -> int:
    """Write a pack, whole or not at all; lines that it holds already stay unless a new one has their name.

    Parameters
    ----------
    file
        ``SOURCE.zip``.
    lines
        Rows with their gray pictures. Without a split, a row goes to train or val as `assigned` says.

    Returns
    -------
    int
        How many lines the pack holds.

    Raises
    ------
    InputError
        ``file`` is there and is no pack.
    OutputError
        It cannot be written.
    """
    rows: dict[str, LineRow] = {}
    pictures: dict[str, bytes] = {}
    if file.exists():
        with _opened(file) as archive:
            rows = {row.image: row for row in _rows(archive, file)}
            pictures = {name: archive.read(name) for name in rows}
    for row, gray in lines:
        rows[row.image] = replace(row, width=gray.shape[1])
        pictures[row.image] = _png(gray)
    _write(file, assigned(sorted(rows.values(), key=lambda row: row.image)), pictures)
    return len(rows)


def _write(file: Path, rows: Iterable[LineRow], pictures: Mapping[str, bytes]) -> None:
    ordered = sorted(rows, key=lambda row: row.image)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for row in ordered:
            archive.writestr(zipfile.ZipInfo(row.image, _TIME), pictures[row.image])
        archive.writestr(zipfile.ZipInfo(ROWS, _TIME), b"".join(map(_encoded, ordered)))
    write_file(file, buffer.getvalue())


def drop_pages(file: Path, pages: Collection[str]) -> int:
    """Write a pack without the lines of these pages; returns how many lines are left. Without any, it stays as it is.

    Raises
    ------
    InputError
        ``file`` is no pack.
    OutputError
        It cannot be written.
    """
    with _opened(file) as archive:
        rows = [row for row in _rows(archive, file) if row.page not in pages]
        pictures = {row.image: archive.read(row.image) for row in rows}
    if rows:
        _write(file, rows, pictures)
    return len(rows)


def assigned(rows: Iterable[LineRow]) -> list[LineRow]:
    """Give rows without a split one: val for a tenth of the pages, told by the digest of their names, train for the others.

    A pack without a page in val gets a tenth of its lines there, one at least where it has two.
    """
    listed = [row if row.split else replace(row, split=_split_of(row.page)) for row in rows]
    if any(row.split == "val" for row in listed) or len(listed) < 2:
        return listed
    order = sorted(listed, key=lambda row: _digest(row.image))
    chosen = {row.image for row in order[: max(1, round(VAL_SHARE * len(listed)))]}
    return [replace(row, split="val") if row.image in chosen else row for row in listed]


def _split_of(page: str) -> str:
    return "val" if _digest(page) < VAL_SHARE else "train"


def _digest(text: str) -> float:
    """A number in [0, 1) that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def _encoded(row: LineRow) -> bytes:
    import msgspec

    return msgspec.json.encode(row) + b"\n"


def _png(gray: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "PNG")
    return buffer.getvalue()


def read_rows(file: Path, splits: Collection[str] = ()) -> list[LineRow]:
    """Read the rows of a pack, of some splits or of all; no picture is looked at.

    Raises
    ------
    InputError
        The file is no pack; the message says which row is wrong, and how.
    """
    with _opened(file) as archive:
        return [row for row in _rows(archive, file) if not splits or row.split in splits]


def pack_files(folder: Path, sources: Collection[str] | None = None) -> list[Path]:
    """List the packs in a folder, of some sources or of all, by name.

    Raises
    ------
    InputError
        There is none.
    """
    packs = sorted(pack for pack in folder.glob("*.zip") if sources is None or pack.stem in sources)
    if not packs:
        raise InputError(f"no line packs (*.zip) in {folder}; give the folder that holds them")
    return packs


def read_packs(folder: Path, splits: Collection[str], sources: Collection[str] | None = None) -> Iterator[LineSample]:
    """Yield the lines of the given splits from every pack in ``folder``, in a fixed order.

    Raises
    ------
    InputError
        There is no pack, a pack is damaged, or a picture is missing.
    """
    for file in pack_files(folder, sources):
        with _opened(file) as archive:
            for row in _rows(archive, file):
                if row.split in splits:
                    yield LineSample(file.stem, row.image, row.page, row.split, row.text, _gray(archive, file, row))


def read_texts(folder: Path, split: str) -> Mapping[str, list[str]]:
    """Read the transcriptions of one split, by source; sources without any are left out.

    Raises
    ------
    InputError
        There are none, or no packs.
    """
    texts = {
        pack.stem: [row.text for row in read_rows(pack, (split,)) if row.text.strip()] for pack in pack_files(folder)
    }
    found = {source: lines for source, lines in texts.items() if lines}
    if not found:
        raise InputError(f"no transcriptions of split {split!r} in the line packs (*.zip) of {folder}")
    return found


def _opened(file: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{file}: no line pack ({error}); see docs/line-packs.md") from error


def _rows(archive: zipfile.ZipFile, file: Path) -> list[LineRow]:
    import msgspec

    try:
        if archive.getinfo(ROWS).file_size > MOST_BYTES:
            raise InputError(f"{file}: {ROWS} is larger than {MOST_BYTES} bytes")
        text = archive.read(ROWS)
    except (KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: no line pack: {ROWS} is missing or damaged") from error
    rows: list[LineRow] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            rows.append(msgspec.json.decode(line, type=LineRow))
        except msgspec.DecodeError as error:
            raise InputError(f"{file}: {ROWS}, row {number}: {error}") from error
    return rows


def _gray(archive: zipfile.ZipFile, file: Path, row: LineRow) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(archive.read(row.image))) as image:
            return np.asarray(image.convert("L"))
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: the picture {row.image} is missing or damaged") from error
