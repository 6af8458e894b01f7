"""Recognition models of kraken (``.safetensors``, ``.mlmodel``), read by kraken itself in the export environment.

kraken scales a line to the network's height (Lanczos), turns it round and puts 16 white columns on either side; its
networks give logits with the blank at class 0, and a codec says what the classes stand for.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from carrel.image.ink import LineInput
from carrel_export.sources.source import ExportError, Source, compact, parameters_of, stride_of

PADDING_PX = 16
FIRST_VERSION = 7
LICENCE = "unknown; ask the model's makers before passing it on"


class KrakenNetwork(nn.Module):
    """kraken's layers with Carrel's shapes: lines ``(n, 1, height, width)`` -> logits ``(n, t, classes)``."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, ink: Tensor) -> Tensor:
        logits = self.layers(ink)[0]  # (n, classes, 1, t)
        return logits.squeeze(2).transpose(1, 2)


def read_kraken(path: Path) -> Source:
    """Read the recognition model of a file.

    Raises
    ------
    ExportError
        kraken is not installed here or cannot read the file, or the model needs what Carrel's run time does not do.
    """
    model, version = _load(path)
    problems = _problems(path, model)
    if problems:
        raise ExportError(problems)
    height_px = int(model.input[2])
    network = KrakenNetwork(model.nn).eval().float()
    classes = int(model.output[1])
    if height_px < 1 or classes < 2:
        raise ExportError([f"{path}: a network of {classes} classes for lines {height_px} px high"])
    metadata = model.user_metadata
    line_input = LineInput(height_px, PADDING_PX, "inverted", 1)
    facts = {"parameters": parameters_of(network), "network": {"vgsl": model.spec}}
    licence = str(metadata.get("license") or metadata.get("licence") or LICENCE)
    origin = f"kraken {version}, {path.name}"
    alphabet = compact(_symbols(model.codec, classes))
    return Source(network, alphabet, line_input, stride_of(network, height_px), licence, origin, facts)


def _load(path: Path) -> tuple[Any, str]:
    try:
        from importlib.metadata import version

        installed = version("kraken")
        from kraken.models import load_models
    except ImportError:
        need = "install kraken 7 beside the export extra"
        raise ExportError([f"{path}: a kraken model is read by kraken, which is not installed; {need}"]) from None
    if int(installed.split(".")[0]) < FIRST_VERSION:
        raise ExportError([f"{path}: kraken {installed} is too old; install kraken {FIRST_VERSION}"])
    try:
        models = load_models(path, tasks=["recognition"])
    except (ValueError, RuntimeError, OSError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ExportError([f"{path}: kraken {installed} cannot read it ({reason})"]) from error
    if len(models) != 1:
        raise ExportError([f"{path}: holds {len(models)} recognition models, not one"])
    return models[0], installed


def _problems(path: Path, model: Any) -> list[str]:
    """All that Carrel's run time cannot do for this model."""
    metadata: dict[str, Any] = getattr(model, "user_metadata", {})
    if not isinstance(getattr(model, "nn", None), nn.Module) or getattr(model, "codec", None) is None:
        return [f"{path}: not a VGSL network with a codec"]
    problems: list[str] = []
    _, channels, height, width = model.input
    if channels != 1 or height <= 1 or width != 0:
        problems.append(
            f"{path}: takes {channels} channels at {height} x {width or 'any'} px; one channel, a height needed"
        )
    if metadata.get("one_channel_mode") == "1":
        problems.append(f"{path}: was trained on bitonal images; Carrel reads gray ones")
    if metadata.get("seg_type") == "bbox":
        problems.append(
            f"{path}: was trained on bounding boxes with centre-line normalization; Carrel cuts along baselines"
        )
    if any(len(labels) != 1 for labels in model.codec.l2c):
        problems.append(f"{path}: its codec writes a character with several labels")
    if any(unicodedata.bidirectional(c) in ("R", "AL") for text in model.codec.c2l for c in text):
        problems.append(f"{path}: writes right to left, which Carrel does not reorder")
    return problems


def _symbols(codec: Any, classes: int) -> list[str]:
    """What classes 1, 2, ... stand for; a class that the codec does not name writes nothing."""
    known = {labels[0]: text for labels, text in codec.l2c.items()}
    return [known.get(label, "") for label in range(1, classes)]
