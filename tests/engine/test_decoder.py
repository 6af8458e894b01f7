"""Decoding apart: what a stranger's bytes do is done to one confined process, within the memory and the time."""

from __future__ import annotations

import ast
import io
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image

from carrel.budget import Budget
from carrel.errors import CarrelError, InputError, PageTimeoutError
from carrel.image.source import count_pages, open_scans
from carrel.options import ReadOptions
from carrel.page import Source
from carrel.process_memory import MIB
from carrel.workers.decoder import Decoder
from drawn_pdfs import add_page, drawn, saved_pdf, text_of, words_at
from hostile import bad_files, odd_files
from oracle_formats import page_of


def nested_forms(levels: int = 9) -> bytes:
    """Forms that each draw the one inside ten times: 2 kB that PDFium makes 10 to the ``levels`` objects of."""
    pdf = Pdf.new()
    inner: pikepdf.Object | None = None
    for _ in range(levels):
        stream = Stream(pdf, b"0 0 1 1 re f\n" if inner is None else b"/F Do " * 10)
        stream[Name.Type], stream[Name.Subtype], stream[Name.BBox] = Name.XObject, Name.Form, Array([0, 0, 9, 9])
        if inner is not None:
            stream[Name.Resources] = Dictionary(XObject=Dictionary(F=inner))
        inner = pdf.make_indirect(stream)
    page = add_page(pdf, None, b"/F Do", points=(99, 99))
    page.obj.Resources[Name.XObject] = Dictionary(F=inner)
    return saved_pdf(pdf)


def endless_tiling() -> bytes:
    """A pattern with steps of a hundredth of a point over a page: minutes of work in a kilobyte."""
    pdf = Pdf.new()
    pattern = Stream(pdf, b"0 0 0.001 0.001 re f")
    pattern[Name.Type], pattern[Name.PatternType], pattern[Name.PaintType] = Name.Pattern, 1, 1
    pattern[Name.TilingType], pattern[Name.BBox] = 1, Array([0, 0, 1, 1])
    pattern[Name.XStep], pattern[Name.YStep], pattern[Name.Resources] = 0.01, 0.01, Dictionary()
    page = add_page(pdf, None, b"/Pattern cs /P scn 0 0 600 600 re f", points=(600, 600))
    page.obj.Resources[Name.Pattern] = Dictionary(P=pdf.make_indirect(pattern))
    return saved_pdf(pdf)


def written(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("name", ["pypdfium2", "cv2"])
def test_a_missing_package_is_named_with_the_command_that_brings_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('gone', name='{name}')\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    path = written(tmp_path, "page.png", b"x")
    with (
        Decoder(ReadOptions(), Budget()) as decoder,
        pytest.raises(CarrelError, match=f"{name} is missing; pip install"),
    ):
        decoder.count_pages(path)


def test_pages_are_those_that_are_decoded_here(tmp_path: Path) -> None:
    with Decoder(ReadOptions(max_megapixels=30), Budget()) as decoder:
        for odd in odd_files():
            path = odd.write(tmp_path)
            here = list(open_scans(path, 30.0))
            assert decoder.count_pages(path) == count_pages(path) == len(here)
            for index, scan in enumerate(here):
                apart = decoder.scan(path, index)
                assert np.array_equal(apart.gray, scan.gray) and apart.gray.flags.writeable
                assert (apart.dpi, apart.source, apart.is_read, apart.note) == (
                    scan.dpi,
                    scan.source,
                    scan.is_read,
                    scan.note,
                )


def test_refusals_are_those_that_are_given_here(tmp_path: Path) -> None:
    with Decoder(ReadOptions(max_megapixels=30), Budget()) as decoder:
        for bad in bad_files():
            if bad.pages_before:
                continue
            path = bad.write(tmp_path)
            with pytest.raises(InputError) as here:
                list(open_scans(path, 30.0))
            with pytest.raises(InputError) as apart:
                decoder.scan(path, 0)
            assert str(apart.value) == str(here.value)


def test_text_of_a_pdf_comes_along(tmp_path: Path) -> None:
    pdf = Pdf.new()
    add_page(pdf, drawn(), words_at(140, 8, "HBR-000417", 10))
    path = written(tmp_path, "bates.pdf", saved_pdf(pdf))
    (here,) = open_scans(path, 30.0)
    with Decoder(ReadOptions(), Budget()) as decoder:
        scan = decoder.scan(path, 0)
        assert [line.text for region in scan.regions for line in region.lines] == ["HBR-000417"]
        assert [r.lines[0].words for r in scan.regions] == [r.lines[0].words for r in here.regions]


def test_a_bomb_costs_its_page_alone(tmp_path: Path) -> None:
    """The process that decodes dies within the memory; the next page is decoded by another."""
    bomb, page = pikepdf.open(io.BytesIO(nested_forms())), Pdf.new()
    add_page(page, drawn())
    bomb.pages.extend(page.pages)
    path = written(tmp_path, "bomb.pdf", saved_pdf(bomb))
    with Decoder(ReadOptions(max_megapixels=30), Budget(300 * MIB, watched=True), timeout_s=60) as decoder:
        assert decoder.count_pages(path) == 2
        with pytest.raises(InputError, match=r"bomb.pdf, page 1: cannot be decoded within \d+ MiB of memory; "):
            decoder.scan(path, 0)
        assert decoder.scan(path, 1).gray.shape == (300, 600)


def test_time_is_limited(tmp_path: Path) -> None:
    path = written(tmp_path, "tiling.pdf", endless_tiling())
    began = time.monotonic()
    with (
        Decoder(ReadOptions(), Budget(), timeout_s=3) as decoder,
        pytest.raises(PageTimeoutError, match="page 1: took longer than 3 s to decode"),
    ):
        decoder.scan(path, 0)
    assert time.monotonic() - began < 30


def test_memory_that_a_page_needs_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "large.png", _png(4000, 4000))
    with Decoder(ReadOptions(), Budget(100 * MIB)) as decoder, pytest.raises(InputError) as refused:
        decoder.scan(path, 0)
    assert "large.png: does not fit into 100 MiB of memory; --memory" in str(refused.value)


def _png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height), 255).save(buffer, "PNG")
    return buffer.getvalue()


def test_documents_are_written_apart(tmp_path: Path) -> None:
    pdf = Pdf.new()
    add_page(pdf, drawn())
    path = written(tmp_path, "scan.pdf", saved_pdf(pdf))
    page = page_of("one two", width_px=600, height_px=300, dpi=200.0)
    with Decoder(ReadOptions(), Budget()) as decoder:
        document = decoder.document(path, "pdf", [page])
        with pytest.raises(InputError, match="has 1 pages, not page 8"):
            decoder.document(path, "pdf", [replace(page, source=Source("scan.pdf", 7))])
    assert text_of(document.data) == "one two" and any("plain PDF" in note for note in document.notes)


def test_its_folder_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Decoder(ReadOptions(), Budget()) as decoder:
        decoder.count_pages(written(tmp_path, "page.png", _png(100, 100)))
        assert len(list(tmp_path.iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["page.png"]


def test_commands_decode_nothing_in_their_own_process() -> None:
    """Scans are strangers' bytes: commands, the desk and corrections get them from a confined process.

    Plugins of other programs do not: those programs decode the pages themselves before.
    """
    top = Path(__file__).parents[2]
    rooms = ("cli/carrel_cli", "cli/carrel_desk", "engine/carrel/review")
    files = [file for room in rooms for file in (top / room).rglob("*.py")]
    assert len(files) > 40
    names = {"open_scans", "count_pages", "largest_page"}
    imports = [
        f"{file.name}: {name.name}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "carrel.image.source"
        for name in node.names
        if name.name in names
    ]
    assert not imports
