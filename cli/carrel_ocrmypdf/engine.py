"""Carrel as an engine of OCRmyPDF: one reader a process, one line at a time; OCRmyPDF reads pages side by side."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from ocrmypdf.exceptions import (
    BadArgsError,
    ExitCodeException,
    InputFileError,
    MissingDependencyError,
    OutputFileAccessError,
)
from ocrmypdf.models.ocr_element import OcrElement
from ocrmypdf.pluginspec import OcrEngine, OrientationConfidence

import carrel
from carrel.errors import CarrelError, InputError, ModelError, OutputError, UsageError
from carrel.formats import FORMATS
from carrel.image.prepare import estimate_skew, flatten_illumination
from carrel.image.source import Scan, open_scans
from carrel.models.folders import folder_of
from carrel.options import ReadOptions
from carrel.page import Page
from carrel.process_memory import parse_memory
from carrel.reader import Reader
from carrel.recognizers.tesseract import installed_languages
from carrel_ocrmypdf.elements import element_of

_EXITS = (
    (UsageError, BadArgsError),
    (ModelError, MissingDependencyError),
    (InputError, InputFileError),
    (OutputError, OutputFileAccessError),
)
_one_at_a_time = Lock()


class CarrelEngine(OcrEngine):
    """Carrel, as OCRmyPDF asks an engine."""

    @staticmethod
    def version() -> str:
        """Return Carrel's version."""
        return carrel.__version__

    @staticmethod
    def creator_tag(options: Any) -> str:
        """Return what names the software in the PDF."""
        return f"Carrel {carrel.__version__}"

    def __str__(self) -> str:
        return f"Carrel {carrel.__version__}"

    @staticmethod
    def languages(options: Any) -> set[str]:
        """Return the languages of print that are installed."""
        return set(installed_languages())

    @staticmethod
    def get_orientation(input_file: Path, options: Any) -> OrientationConfidence:
        """Return the orientation of a page, and how many characters are legible in it."""
        with translated():
            degrees, legible = _reader(options).find_orientation(_scan(input_file, options))
        return OrientationConfidence(degrees, legible)

    @staticmethod
    def get_deskew(input_file: Path, options: Any) -> float:
        """Return the skew of a page in degrees."""
        with translated():
            return estimate_skew(flatten_illumination(_scan(input_file, options).gray))

    @staticmethod
    def supports_generate_ocr() -> bool:
        """Tell that pages come as trees of elements."""
        return True

    @staticmethod
    def generate_ocr(input_file: Path, options: Any, page_number: int = 0) -> tuple[OcrElement, str]:
        """Read a page; returns its elements and its text."""
        page = _read(input_file, options)
        return element_of(page, page_number), page.text

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: Any) -> None:
        """Read a page into a file of hOCR and one of text."""
        page = _read(input_file, options)
        output_hocr.write_bytes(FORMATS["hocr"].write(page))
        output_text.write_bytes(FORMATS["text"].write(page))

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: Any) -> None:
        """Read a page into a PDF that shows nothing, and a file of text."""
        from carrel.formats.pdf.document import write_text_only

        page = _read(input_file, options)
        output_pdf.write_bytes(write_text_only([page]))
        output_text.write_bytes(FORMATS["text"].write(page))


def prepare(options: Any) -> None:
    """Check the options and, where pages are read in this process, load what they need.

    Raises
    ------
    ExitCodeException
        They cannot be met.
    """
    with translated():
        if _in_one_process(options):
            _reader(options)
        else:
            read_options(options)


def read_options(options: Any) -> ReadOptions:
    """Return how Carrel reads, by the options of OCRmyPDF.

    Processes of OCRmyPDF (``--no-use-threads``) share the memory.

    Raises
    ------
    CarrelError
        The model is not there, or the memory is no amount of memory.
    """
    model, memory = getattr(options, "carrel_model", None), getattr(options, "carrel_memory", None)
    processes = 1 if _in_one_process(options) else max(1, getattr(options, "jobs", None) or 1)
    return ReadOptions(
        languages=tuple(getattr(options, "languages", None) or ("eng",)),
        writing=getattr(options, "carrel_writing", None) or "auto",
        model=folder_of(Path(model)).resolve() if model else None,
        memory_bytes=parse_memory(memory) // processes if memory else None,
        threads=1,
    )


def _in_one_process(options: Any) -> bool:
    return getattr(options, "use_threads", True)


@contextmanager
def translated() -> Generator[None]:
    """Turn Carrel's errors into OCRmyPDF's, which have its exit codes."""
    try:
        yield
    except CarrelError as error:
        kind = next((kind for ours, kind in _EXITS if isinstance(error, ours)), ExitCodeException)
        raise kind(str(error)) from error


def _read(input_file: Path, options: Any) -> Page:
    with translated():
        return _reader(options).read_scan(_scan(input_file, options))


def _scan(input_file: Path, options: Any) -> Scan:
    reader = _reader(options)
    return next(iter(open_scans(input_file, reader.options.max_megapixels, budget=reader.budget, own_text="force")))


def _reader(options: Any) -> Reader:
    with _one_at_a_time:
        return reader_of(read_options(options))


@lru_cache(maxsize=1)
def reader_of(options: ReadOptions) -> Reader:
    """Return the reader of this process."""
    return Reader(options)
