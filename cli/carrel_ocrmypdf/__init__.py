"""A plugin of OCRmyPDF: ``ocrmypdf --plugin carrel_ocrmypdf`` reads with Carrel, print and handwriting (extra ``[ocrmypdf]``)."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from shutil import which
from typing import Any

from ocrmypdf import hookimpl
from ocrmypdf.pluginspec import OcrEngine

TESSERACT_PLUGIN = "ocrmypdf.builtin_plugins.tesseract_ocr"


@hookimpl
def initialize(plugin_manager: Any) -> None:
    """Take the place of OCRmyPDF's Tesseract engine where its command is not installed: it would refuse to start."""
    if which("tesseract") is None:
        plugin_manager.set_blocked(TESSERACT_PLUGIN)


@hookimpl
def register_options() -> dict[str, Any]:
    """Return the options of the Tesseract engine where that was blocked: OCRmyPDF looks at them in any case."""
    if which("tesseract") is not None:
        return {}
    from ocrmypdf.builtin_plugins.tesseract_ocr import TesseractOptions

    return {"tesseract": TesseractOptions}


@hookimpl
def add_options(parser: ArgumentParser) -> None:
    """Add Carrel's options to the command line."""
    group = parser.add_argument_group("Carrel", "Reading print and handwriting with Carrel")
    group.add_argument("--carrel-writing", choices=["auto", "printed", "handwritten"], default="auto", help="Decide for each line, or send all to one recognizer.")  # fmt: skip
    group.add_argument("--carrel-model", metavar="NAME_OR_DIR", help="Another handwriting model: its folder, or the name of one that ships with Carrel.")  # fmt: skip
    group.add_argument("--carrel-memory", metavar="SIZE", help="Stay within this, like 400M or 2G.")


@hookimpl
def check_options(options: Any) -> None:
    """Refuse what cannot be met before any page is read.

    Raises
    ------
    ocrmypdf.exceptions.ExitCodeException
        A language or model is missing, or the memory will not do.
    """
    if not _is_chosen(options):
        return
    from carrel_ocrmypdf.engine import prepare

    prepare(options)


@hookimpl
def get_ocr_engine(options: Any) -> OcrEngine | None:
    """Return Carrel's engine, unless another was asked for."""
    if not _is_chosen(options):
        return None
    from carrel_ocrmypdf.engine import CarrelEngine

    return CarrelEngine()


@hookimpl
def rasterize_pdf_page(
    input_file: Path,
    output_file: Path,
    raster_device: str,
    raster_dpi: Any,
    pageno: int,
    page_dpi: Any,
    rotation: int | None,
    filter_vector: bool,
    stop_on_soft_error: bool,
    options: Any,
    use_cropbox: bool,
) -> Path | None:
    """Draw a page with every pixel of a scan as it is; what other programs are asked for is left to OCRmyPDF."""
    from carrel_ocrmypdf.drawing import MODES, draw_page

    kind = str(raster_device).lower()
    if kind not in MODES or getattr(options, "rasterizer", "auto") == "ghostscript":
        return None
    told_dpi, degrees = page_dpi or raster_dpi, rotation or 0
    draw_page(
        input_file, pageno, output_file, kind, dpi=raster_dpi, told_dpi=told_dpi, rotation=degrees, crop=use_cropbox
    )
    return output_file


def _is_chosen(options: Any) -> bool:
    return getattr(options, "ocr_engine", "auto") == "auto"
