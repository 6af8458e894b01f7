"""Transcribed pages as a line pack: lines cut as at run time, and what cannot be cut named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from carrel.errors import InputError
from carrel.formats import FORMATS
from carrel.identity import with_ids
from carrel.image.source import open_scans
from carrel.page import Line, Page, Region, Source, Writing
from carrel.review.training_lines import line_picture, read_packs
from carrel_cli.pack import command
from drawn_lines import draw_line

TEXTS = ("the keeper of tide tables", "wrote both figures down", "and waited for an hour")


def drawn(file: Path, texts: tuple[str, ...] = TEXTS) -> Page:
    """A scan of drawn lines, and its transcription as somebody else has it: no line was read by Carrel."""
    scan, lines = Image.new("L", (900, 80 * len(texts) + 40), 230), list[Line]()
    for number, text in enumerate(texts):
        picture, top = draw_line(text), 20 + 80 * number
        scan.paste(picture, (30, top))
        right, foot = 30 + picture.width, top + 64
        polygon = ((30, top), (right, top), (right, foot), (30, foot))
        lines.append(Line(((30, top + 46), (right, top + 46)), polygon, Writing("unknown", 0.0), text, 0.0))
    scan.save(file)
    return Page(*scan.size, None, with_ids((Region("MainZone", (), tuple(lines)),)), Source(file.name))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """``scans/a/one.png`` in ALTO, ``scans/two.png`` in PAGE."""
    (tmp_path / "scans/a").mkdir(parents=True)
    (tmp_path / "text/a").mkdir(parents=True)
    one, two = drawn(tmp_path / "scans/a/one.png"), drawn(tmp_path / "scans/two.png", TEXTS[:2])
    (tmp_path / "text/a/one.xml").write_bytes(FORMATS["alto"].write(one))
    (tmp_path / "text/two.xml").write_bytes(FORMATS["page"].write(two))
    return tmp_path


def test_lines_of_alto_and_page_become_a_pack(place: Path) -> None:
    told = run(place / "scans", place / "text", "--to", place / "lines.zip")
    assert told.exit_code == 0, told.output
    assert told.stdout == f"5 lines of 2 of 2 pages; {place / 'lines.zip'} holds 5 lines\n"
    samples = list(read_packs(place, ("train", "val"), ["lines"]))
    assert sorted(sample.text for sample in samples) == sorted([*TEXTS, *TEXTS[:2]])
    assert {sample.page for sample in samples} == {"a/one", "two"} and {s.gray.shape[0] for s in samples} == {64}
    page = drawn(place / "scans/two.png", TEXTS[:2])
    expected = line_picture(next(open_scans(place / "scans/two.png", 10.0)), page.lines[0])
    (found,) = [s.gray for s in samples if s.page == "two" and s.text == TEXTS[0]]
    assert np.array_equal(found, expected)


def test_what_cannot_be_cut_is_named(place: Path) -> None:
    (place / "scans/two.png").unlink()
    page = drawn(place / "scans/a/one.png")
    lines = list(page.lines)
    lines[1] = replace(lines[1], polygon=((30, 100), (31, 100), (31, 160)))
    lines[2] = replace(lines[2], text="")
    (place / "text/a/one.xml").write_bytes(
        FORMATS["page"].write(replace(page, regions=(replace(page.regions[0], lines=tuple(lines)),)))
    )
    told = run(place / "scans", place / "text/a/one.xml", place / "text/two.xml", "--to", place / "lines.zip")
    assert told.exit_code == 3 and told.stdout.startswith("1 lines of 1 of 2 pages")
    assert told.stderr.splitlines() == [
        "one#r0l1: no baseline, or a polygon too small to be cut",
        f"two: no scan of 900 x 200 px in {place / 'scans'}",
    ]


def test_no_pack_of_nothing(place: Path) -> None:
    (place / "empty").mkdir()
    for arguments, reason in (
        ((place / "empty", place / "text", "--to", place / "lines.zip"), "no line with text and a scan"),
        ((place / "scans", place / "empty", "--to", place / "lines.zip"), "no page in ALTO"),
        ((place / "scans", place / "text", "--to", place / "lines.txt"), "a line pack is a zip file"),
    ):
        told = run(*arguments)
        assert isinstance(told.exception, InputError) and reason in str(told.exception)
    assert not (place / "lines.zip").exists()
