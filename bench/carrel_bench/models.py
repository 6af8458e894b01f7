"""Models that benches open: those of a folder, or the shipped ones."""

from __future__ import annotations

from pathlib import Path

from carrel.backends import CPU
from carrel.backends.runtimes.networks import open_page_network
from carrel.backends.runtimes.ort import OrtBackend
from carrel.budget import Budget
from carrel.decode.model import LanguageModel
from carrel.layout import Heatmaps
from carrel.loading import HANDWRITING_MODEL, SEGMENTER_MODEL
from carrel.models.folders import Model, model_folders, open_model, shipped_model
from carrel.recognizers.ctc import CtcRecognizer


def handwriting_model(folder: Path | None = None) -> Model:
    """Return the recognition model of a folder, else the shipped default."""
    return open_model(folder, "recognition") if folder else shipped_model(HANDWRITING_MODEL, "recognition")


def handwriting_folders() -> list[Path]:
    """Return the folders of the shipped handwriting models, the default first."""
    shipped = [folder for folder in model_folders() if folder.name.startswith("handwriting-")]
    return sorted(shipped, key=lambda folder: folder.name != HANDWRITING_MODEL)


def recognizer_of(model: Model, language: LanguageModel | None = None, key: str | None = None) -> CtcRecognizer:
    """Return what reads lines with one file of a model, by default that in int8, or fp32 where there is no int8."""
    return CtcRecognizer(model, OrtBackend(model.read_file(key or model.network_file("int8")), model.name), language)


def heatmaps_of(folder: Path | None = None) -> Heatmaps:
    """Return the segmenter of a model folder, else the shipped one, run as reading a page does without a memory limit."""
    model = open_model(folder, "segmentation") if folder else shipped_model(SEGMENTER_MODEL, "segmentation")
    return open_page_network(model, CPU, Budget())
