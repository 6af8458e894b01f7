"""The whole path of a page: scan, prepare, find lines, cut them out, read them, put the page together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import carrel
from carrel.assembly import ScanFrame, assemble_region
from carrel.backends.ort import OrtBackend
from carrel.decode.ngram import NgramModel, parse_ngrams
from carrel.errors import InputError
from carrel.image.crop import extend, straighten
from carrel.image.prepare import binarize, prepare
from carrel.image.source import Scan, count_pages, open_scans
from carrel.layout import find_regions
from carrel.options import ReadOptions
from carrel.page import Page, Provenance
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.routing import Router
from carrel.recognizers.tesseract import TesseractRecognizer
from carrel.recognizers.writing import WritingClassifier
from carrel.store.models import Model, open_model, shipped_model

DEFAULT_MODEL = "handwriting-fast"
LANGUAGE_MODEL = "language-fr-en"


class Reader:
    """Reads pages; holds the recognizers, so that one reader serves many pages.

    Parameters
    ----------
    options
        See `ReadOptions`.

    Raises
    ------
    ModelError
        A model or a language of Tesseract is missing or damaged; raised at once, before any page is opened.
    """

    def __init__(self, options: ReadOptions | None = None) -> None:
        self.options = options or ReadOptions()
        self.threads = self.options.threads or len(os.sched_getaffinity(0))
        self._router  # noqa: B018  a missing model shall show now

    def pages(self, path: Path | str) -> Iterator[Page]:
        """The pages of a file, one after the other.

        Raises
        ------
        InputError
            The file cannot be read as an image or PDF; the message says why.
        """
        for scan in open_scans(Path(path), self.options.max_megapixels):
            yield self.read_scan(scan)

    def read(self, path: Path | str) -> Page:
        """The page of a file that holds one page; `pages` reads files with several.

        Raises
        ------
        InputError
            The file cannot be read, or holds more than one page.
        """
        count = count_pages(Path(path))
        if count != 1:
            raise InputError(f"{path}: holds {count} pages; read them with carrel.Reader().pages(path)")
        return next(self.pages(path))

    def read_scan(self, scan: Scan) -> Page:
        """Text of one scan."""
        prepared = prepare(scan.gray)
        if self.options.binarize:
            prepared = replace(prepared, gray=binarize(prepared.gray))
        found = find_regions(prepared.gray, scan.dpi)
        lines = [line for region in found for line in region.lines]
        crops = [straighten(prepared.gray, extend(line.baseline, line.polygon), line.polygon) for line in lines]
        readings = self._router.read([crop.gray for crop in crops], self.threads)
        height_px, width_px = scan.gray.shape
        frame = ScanFrame(prepared.to_scan, width_px, height_px)
        ends = [sum(len(r.lines) for r in found[: i + 1]) for i in range(len(found))]
        spans = [slice(end - len(region.lines), end) for region, end in zip(found, ends, strict=True)]
        regions = tuple(
            assemble_region(frame, region, crops[span], readings[span])
            for region, span in zip(found, spans, strict=True)
        )
        return Page(width_px, height_px, scan.dpi, regions, scan.source, self._provenance(prepared.skew_degrees))

    @property
    def models(self) -> tuple[str, ...]:
        """The models in use, as ``name@sha256[:12]``."""
        return self._handwriting.identity, self._writing.identity

    def _provenance(self, skew_degrees: float) -> Provenance:
        software = f"Carrel {carrel.__version__}"
        return Provenance(software, self.models, self.options.languages, round(skew_degrees, 3))

    @cached_property
    def _handwriting(self) -> Model:
        if self.options.model is not None:
            return open_model(self.options.model, "recognition")
        return shipped_model(DEFAULT_MODEL, "recognition")

    @cached_property
    def _writing(self) -> Model:
        return shipped_model("writing", "writing")

    @cached_property
    def _language(self) -> NgramModel | None:
        if not self.options.language_model:
            return None
        model = shipped_model(LANGUAGE_MODEL, "language")
        return parse_ngrams(model.read_file("ngram"), model.name)

    @cached_property
    def _router(self) -> Router:
        handwriting, writing = self._handwriting, self._writing
        network = OrtBackend(handwriting.read_file("onnx-int8"), handwriting.name)
        ctc = CtcRecognizer(handwriting, network, self._language)
        classifier = WritingClassifier(writing, OrtBackend(writing.read_file("onnx"), writing.name))
        printed = TesseractRecognizer(self.options.languages, self.options.line_timeout_s)
        return Router(printed, ctc, classifier.probability_printed, self.options.writing)


def read(path: Path | str, options: ReadOptions | None = None) -> Page:
    """Read a file that holds one page; see `Reader.read`."""
    return Reader(options).read(path)
