"""OCRmyPDF with Carrel as its engine, and with Tesseract: text of the PDF, time, memory.

``python -m carrel_bench pdf_engines [--pages DIR] [--quick]``: DIR holds images with their text beside them
(``NAME.gt.txt``); without it the project's own pages are read, one of them half handwriting. Both engines run in one
environment (extra ``[ocrmypdf]``), a process for each page, one job, in turns. ``CER`` is that of the text that PDFium finds
in the PDF. The peak is that of the largest process. ``carrel read`` stands beside them: the same page, no OCRmyPDF.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from carrel.evaluate import character_errors
from carrel_bench.accuracy.page_lines import fold
from carrel_bench.figures import BenchError, Figure, Options
from carrel_bench.measure import CARREL, in_turns, succeeded
from carrel_bench.peers.print_pages import OWN_PAGES, PAGES_OPTION, PrintedPage, pages_of

ROUNDS = 3
LANGUAGES = "eng+fra"
BASE = "ocrmypdf, tesseract"
OPTIONS = PAGES_OPTION


def commands(page: PrintedPage, folder: Path) -> dict[str, list[str]]:
    """Return for each program the command that makes ``folder/NAME.pdf`` of a page."""
    ocrmypdf = [sys.executable, "-m", "ocrmypdf", "-q", "--jobs", "1", "--image-dpi", "300", "-l", LANGUAGES]
    carrel = [*CARREL, "read", "-q", "-f", "pdf", "--force"]
    image, plugin = str(page.image), ["--plugin", "carrel_ocrmypdf"]
    return {
        "carrel read": [*carrel, "--threads", "1", "--lang", LANGUAGES, "-o", str(folder / "carrel read"), image],
        "ocrmypdf, carrel": [*ocrmypdf, *plugin, image, str(_pdf(folder, "ocrmypdf, carrel", page))],
        BASE: [*ocrmypdf, image, str(_pdf(folder, BASE, page))],
    }


def _pdf(folder: Path, program: str, page: PrintedPage) -> Path:
    return folder / program / f"{page.image.stem}.pdf"


def text_of(pdf: Path) -> str:
    """Return the text of a PDF's pages, as PDFium finds it."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


def measure(options: Options) -> Iterator[Figure]:
    """Yield for each page and program the CER of the PDF, and what the making takes, with ratios to Tesseract's engine.

    Raises
    ------
    BenchError
        A program is missing, or fails.
    """
    if find_spec("ocrmypdf") is None or not shutil.which("tesseract"):
        raise BenchError(
            "needs ocrmypdf and tesseract: pip install 'carrel[ocrmypdf]'; apt-get install tesseract-ocr", 3
        )
    pages = pages_of(options.pages or OWN_PAGES)[: 1 if options.quick else None]
    for page in pages:
        works = commands(page, options.scratch)
        for program in works:
            (options.scratch / program).mkdir(exist_ok=True)
        made = in_turns(works, options.rounds, warm_up=0)
        for program, figures in made.items():
            for run in figures.warm:
                succeeded(run)
            true, text = fold(page.text), fold(text_of(_pdf(options.scratch, program, page)))
            yield Figure("pdf_engines", program, page.name, "CER", character_errors(true, text) / len(true))
            yield from figures.rows("pdf_engines", program, page.name, made[BASE])
