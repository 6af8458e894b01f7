"""Documents of several pages in a batch: one searchable PDF each, as soon as all pages are settled, kept up to date."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pypdfium2
from pikepdf import OutlineItem, Pdf
from PIL import Image

from batch_pages import fork_worker, page
from carrel.batch.folders import Folders
from carrel.batch.intake import find_files
from carrel.batch.run import Batch
from carrel.batch.settings import Settings
from carrel.budget import Budget, process_budget
from carrel.options import ReadOptions
from carrel.process_memory import MIB
from drawn_pdfs import add_page, drawn, saved_pdf
from drawn_readings import ENTRY


def _run(root: Path, *, flatten: bool = True, reread: bool = False) -> list[str]:
    (root / "cache").mkdir(exist_ok=True)
    log: list[str] = []
    chosen = Settings(ReadOptions(flatten=flatten), ("pdf", "text"), entry=ENTRY)
    batch = Batch(
        root / "in",
        Folders.of(root / "out"),
        chosen,
        cache=root / "cache",
        launch=fork_worker,
        reread=reread,
        log=log.append,
    )
    with batch:
        batch.add(find_files(batch.root))
        while not batch.finished:
            batch.step(0.05)
    return log


def _names(root: Path) -> set[str]:
    return {
        path.relative_to(root / "out").as_posix() for path in (root / "out").rglob("*.*") if ".carrel" not in str(path)
    }


def _texts(path: Path) -> list[list[str]]:
    with pypdfium2.PdfDocument(path) as pdf:
        return [sheet.get_textpage().get_text_range().split() for sheet in pdf]


def _words(root: Path, name: str, pages: int) -> list[list[str]]:
    files = [root / "out" / f"{name}-000{number}.txt" for number in range(1, pages + 1)]
    return [file.read_text("utf-8").split() for file in files]


def _tiff(path: Path, *numbers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = (Image.fromarray(page(number)) for number in numbers)
    first.save(path, save_all=True, append_images=others)


def test_a_tiff_of_several_pages_is_one_pdf(tmp_path: Path) -> None:
    _tiff(tmp_path / "in/deed.tif", 1, 2, 3)
    _tiff(tmp_path / "in/copy/same.tif", 1, 2, 3)
    _tiff(tmp_path / "in/leaf.tif", 4)
    _run(tmp_path)
    whole = tmp_path / "out/deed.pdf"
    pages = {f"{name}-000{number}.txt" for name in ("deed", "copy/same") for number in (1, 2, 3)}
    assert _names(tmp_path) == {"deed.pdf", "copy/same.pdf", "leaf.pdf", "leaf.txt"} | pages
    assert _texts(whole) == _words(tmp_path, "deed", 3) == _texts(tmp_path / "out/copy/same.pdf")
    assert all(_texts(whole))
    before = whole.read_bytes(), whole.stat().st_mtime_ns
    assert not any("set aside" in line for line in _run(tmp_path))
    assert (whole.read_bytes(), whole.stat().st_mtime_ns) == before
    whole.unlink()
    _run(tmp_path)
    assert whole.read_bytes() == before[0]


def test_a_reader_in_the_same_process_does_not_hold_up_documents(tmp_path: Path) -> None:
    held = process_budget(None, lambda: Budget(500 * MIB))
    _tiff(tmp_path / "in/deed.tif", 1, 2)
    _run(tmp_path)
    assert (tmp_path / "out/deed.pdf").is_file()
    held.close()


def test_the_pdf_follows_its_pages(tmp_path: Path) -> None:
    """Pages that are read again are in it; a document that somebody changed stays, with its pages."""
    _tiff(tmp_path / "in/deed.tif", 1, 2)
    _tiff(tmp_path / "in/mine.tif", 3, 4)
    _run(tmp_path)
    first = _texts(tmp_path / "out/deed.pdf")
    (tmp_path / "out/mine.pdf").write_bytes(b"%PDF- my own")
    log = _run(tmp_path, flatten=False, reread=True)
    assert _texts(tmp_path / "out/deed.pdf") == _words(tmp_path, "deed", 2) != first
    assert (tmp_path / "out/mine.pdf").read_bytes() == b"%PDF- my own"
    assert any("2 pages stay as they are: their results were changed" in line for line in log)


def test_the_pdf_of_a_pdf_is_that_pdf(tmp_path: Path) -> None:
    """Bookmarks stay, and a page that is refused costs its own text alone."""
    pdf = Pdf.new()
    add_page(pdf, drawn())
    add_page(pdf, None, points=(3, 3))
    add_page(pdf, drawn("The mill"))
    with pdf.open_outline() as outline:
        outline.root.append(OutlineItem("The mill", 2))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/book.pdf").write_bytes(saved_pdf(pdf))
    log = _run(tmp_path)
    assert any("page 2: refused" in line for line in log)
    written = (tmp_path / "out/book.pdf").read_bytes()
    with pikepdf.open(io.BytesIO(written)) as made:
        assert len(made.pages) == 3
        with made.open_outline() as outline:
            assert [item.title for item in outline.root] == ["The mill"]
    texts = _texts(tmp_path / "out/book.pdf")
    assert texts[0] and texts[2] and not texts[1]
    assert "book-0001.pdf" not in _names(tmp_path)
