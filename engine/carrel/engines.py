"""The models of a reader: verified, loaded, and put together for the options given."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.backends.ort import OrtBackend
from carrel.decode.ngram import NgramModel, parse_ngrams
from carrel.layout import Heatmaps
from carrel.options import ReadOptions
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.routing import Router
from carrel.recognizers.tesseract import TesseractRecognizer
from carrel.recognizers.writing import WritingClassifier
from carrel.store.models import Model, has_shipped_model, open_model, shipped_model

HANDWRITING_MODEL = "handwriting-fast"
LANGUAGE_MODEL = "language-fr-en"
WRITING_MODEL = "writing"
SEGMENTER_MODEL = "segmenter"


@dataclass(frozen=True)
class Engines:
    """What a page is read with. ``heatmaps`` is the line segmenter, None where it is not installed; ``models`` names
    every model as ``name@sha256[:12]``."""

    router: Router
    heatmaps: Heatmaps | None
    models: tuple[str, ...]


def load_engines(options: ReadOptions) -> Engines:
    """Load everything that reading needs.

    Raises
    ------
    ModelError
        A model or a language of Tesseract is missing or damaged.
    """
    if options.model is not None:
        handwriting = open_model(options.model, "recognition")
    else:
        handwriting = shipped_model(HANDWRITING_MODEL, "recognition")
    writing = shipped_model(WRITING_MODEL, "writing")
    segmenter = shipped_model(SEGMENTER_MODEL, "segmentation") if has_shipped_model(SEGMENTER_MODEL) else None
    language = shipped_model(LANGUAGE_MODEL, "language") if options.language_model else None
    ngrams = load_ngrams(language) if language else None
    ctc = CtcRecognizer(handwriting, OrtBackend(handwriting.read_file("onnx-int8"), handwriting.name), ngrams)
    classifier = WritingClassifier(writing, OrtBackend(writing.read_file("onnx"), writing.name))
    printed = TesseractRecognizer(options.languages, options.line_timeout_s)
    used = [model for model in (segmenter, writing, handwriting, language) if model is not None]
    return Engines(
        Router(printed, ctc, classifier.probability_printed, options.writing),
        _heatmaps(segmenter) if segmenter else None,
        tuple(model.identity for model in used),
    )


def load_ngrams(model: Model) -> NgramModel:
    """The n-grams of a ``language`` model."""
    return parse_ngrams(model.read_file("ngram"), model.name)


def _heatmaps(model: Model) -> Heatmaps:
    role = "onnx-int8" if "onnx-int8" in model.manifest["files"] else "onnx"
    backend = OrtBackend(model.read_file(role), model.name)
    return lambda ink: backend.run(ink[None, None])[0]
