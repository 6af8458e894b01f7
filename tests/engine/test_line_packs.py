"""Line packs: written, read back, added to, and refused where they are none."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.errors import InputError
from carrel.image.crop import crop_line
from carrel.image.source import Scan
from carrel.page import Source
from carrel.review.training_lines import (
    HEIGHT_PX,
    ROWS,
    LineRow,
    assigned,
    line_picture,
    read_packs,
    read_rows,
    read_texts,
    write_pack,
)
from oracle_formats import page_of


def gray(width: int = 90, level: int = 7) -> np.ndarray:
    return np.full((HEIGHT_PX, width), level, np.uint8)


def test_written_and_read_back(tmp_path: Path) -> None:
    pack = tmp_path / "own.zip"
    rows = [LineRow(f"{n}.png", f"text {n}", "p", "val" if n else "train", f"Text {n}") for n in range(3)]
    assert write_pack(pack, [(row, gray(90 + n, n)) for n, row in enumerate(rows)]) == 3
    assert [(row.text, row.raw, row.width) for row in read_rows(pack)] == [
        ("text 0", "Text 0", 90),
        ("text 1", "Text 1", 91),
        ("text 2", "Text 2", 92),
    ]
    lines = list(read_packs(tmp_path, ("val",)))
    assert [(line.source, line.name, line.page, line.text) for line in lines] == [
        ("own", "1.png", "p", "text 1"),
        ("own", "2.png", "p", "text 2"),
    ]
    assert np.array_equal(lines[1].gray, gray(92, 2))
    assert read_texts(tmp_path, "train") == {"own": ["text 0"]}


def test_keeping_again_replaces_and_adds(tmp_path: Path) -> None:
    pack = tmp_path / "own.zip"
    write_pack(pack, [(LineRow("a.png", "old", "p", "train"), gray()), (LineRow("b.png", "b", "p", "train"), gray())])
    first = pack.read_bytes()
    assert write_pack(pack, []) == 2 and pack.read_bytes() == first
    assert write_pack(pack, [(LineRow("a.png", "new", "p", "train"), gray(50))]) == 2
    assert [(row.text, row.width) for row in read_rows(pack)] == [("new", 50), ("b", 90)]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), min_size=2, unique=True))
def test_every_pack_has_both_splits_and_pages_stay_whole(lines: list[tuple[int, int]]) -> None:
    rows = assigned([LineRow(f"{page}-{line}.png", "x", f"page {page}", "") for page, line in lines])
    assert {row.split for row in rows} <= {"train", "val"} and any(row.split == "val" for row in rows)
    of_page = {row.page: {other.split for other in rows if other.page == row.page} for row in rows}
    alone = {row.page for row in assigned([LineRow(f"{page}.png", "x", page, "") for page in of_page])}
    assert alone == of_page.keys()
    assert assigned(rows) == rows


def test_pictures_are_cut_as_at_run_time() -> None:
    page = page_of("a line")
    (line,) = page.lines
    scan = Scan(np.random.default_rng(1).integers(0, 255, (800, 1000)).astype(np.uint8), None, Source("scan.png"))
    cut = crop_line(scan.gray, np.array(line.baseline, np.float32), np.array(line.polygon, np.float32)).gray
    picture = line_picture(scan, line)
    assert picture.shape == (HEIGHT_PX, round(cut.shape[1] * HEIGHT_PX / cut.shape[0])) and picture.dtype == np.uint8
    assert abs(float(picture.mean()) - float(cut.mean())) < 2


def test_what_is_no_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no line packs"):
        list(read_packs(tmp_path, ("train",)))
    pack = tmp_path / "own.zip"
    pack.write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"own\.zip: no line pack"):
        read_rows(pack)
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(InputError, match=r"lines\.jsonl is missing"):
        read_rows(pack)
    for row, told in (
        (b'{"image":"a.png","text":"a","page":"p"}', "row 1: .*split"),
        (b'{"image":"a.png","text":1,"page":"p","split":"train"}', r"row 1: .*\$\.text"),
        (b"[", "row 1"),
    ):
        with zipfile.ZipFile(pack, "w") as archive:
            archive.writestr(ROWS, row)
        with pytest.raises(InputError, match=told):
            read_rows(pack)
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr(ROWS, b'{"image":"a.png","text":"a","page":"p","split":"train"}')
    with pytest.raises(InputError, match=r"picture a\.png is missing"):
        list(read_packs(tmp_path, ("train",)))
