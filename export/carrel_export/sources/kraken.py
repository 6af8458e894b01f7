"""Recognition models of kraken (``.safetensors``, ``.mlmodel``): VGSL networks are read by kraken itself in the export
environment, PP-OCRv6 networks by `carrel_export.sources.kraken_ppocr`.

kraken scales a line to the network's height (Lanczos), turns it round and puts 16 white columns on either side; its
networks give logits with the blank at class 0, and a codec says what the classes stand for. Its text was put in display order for
training (unless somebody trained with ``--no-reorder``, which no file tells), so that is the order of their frames.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from carrel.image.ink import LineInput
from carrel_export.sources.kraken_ppocr import PpocrNetwork, Tensors
from carrel_export.sources.source import ExportError, Source, compact, order_of, parameters_of, stride_of

PADDING_PX = 16
FIRST_VERSION = 7
PPOCR = "PPOCRv6Model"
MIN_HEIGHT_PX, MAX_HEIGHT_PX = 32, 512
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
    ppocr = _read_ppocr(path) if path.suffix == ".safetensors" else None
    if ppocr is not None:
        return ppocr
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
    symbols = _symbols(model.codec, classes)
    stride = stride_of(network, height_px)
    return Source(network, compact(symbols), line_input, stride, licence, origin, facts, order_of(symbols))


def _read_ppocr(path: Path) -> Source | None:
    """The PP-OCRv6 network of a file; None where it holds something else."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            described = _described(file.metadata() or {})
            names = [name for name, entry in described.items() if entry.get("_model") == PPOCR]
            if len(names) != 1 or len(described) != 1:
                return None
            start = f"{names[0]}.nn."
            tensors = {k.removeprefix(start): file.get_tensor(k) for k in file.keys()}  # noqa: SIM118  no mapping
    except (SafetensorError, OSError) as error:
        raise ExportError([f"{path}: no whole .safetensors file ({error})"]) from error
    return _ppocr_source(path, described[names[0]], tensors)


def _described(metadata: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What the metadata say of each model in a file; nothing where they are none of kraken's."""
    try:
        found = json.loads(metadata.get("kraken_meta", "null"))
    except ValueError:
        return {}
    entries: dict[str, Any] = found if isinstance(found, dict) else {}
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}


def _ppocr_source(path: Path, metadata: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Source:
    taken = Tensors(tensors)
    problems: list[str] = []
    network, classes = None, 0
    try:
        network = PpocrNetwork(taken).eval()
        last = network.head.classes[-1]
        classes = last.out_features if isinstance(last, nn.Linear) else 0
    except (RuntimeError, ValueError, IndexError) as error:
        problems.append(f"{path}: its tensors do not fit together ({str(error).splitlines()[0]})")
    problems += [f"{path}: {problem}" for problem in taken.problems()]
    height_px, codec = metadata.get("height"), metadata.get("codec")
    if not isinstance(height_px, int) or not MIN_HEIGHT_PX <= height_px <= MAX_HEIGHT_PX:
        problems.append(f"{path}: reads lines {height_px!r} px high, not {MIN_HEIGHT_PX} to {MAX_HEIGHT_PX}")
    if not isinstance(codec, dict) or not all(_is_label(labels, classes) for labels in codec.values()):
        problems.append(f"{path}: no codec that names each character by one of {classes} classes")
    problems += _unreadable(path, metadata)
    if problems or network is None or not isinstance(height_px, int) or not isinstance(codec, dict):
        raise ExportError(problems)
    known = {labels[0]: text for text, labels in codec.items()}
    line_input = LineInput(height_px, PADDING_PX, "inverted", 1)
    try:
        stride = stride_of(network, height_px)
    except RuntimeError as error:
        raise ExportError([f"{path}: its tensors do not fit together ({str(error).splitlines()[0]})"]) from error
    facts = {"parameters": parameters_of(network), "network": {"ppocr": str(metadata.get("variant", ""))}}
    licence = str(metadata.get("license") or metadata.get("licence") or LICENCE)
    symbols, origin = [known.get(label, "") for label in range(1, classes)], f"kraken, {path.name}"
    return Source(network, compact(symbols), line_input, stride, licence, origin, facts, order_of(symbols))


def _is_label(labels: Any, classes: int) -> bool:
    return isinstance(labels, list) and len(labels) == 1 and isinstance(labels[0], int) and 0 < labels[0] < classes


def _unreadable(path: Path, metadata: Mapping[str, Any]) -> list[str]:
    """What kraken trained for that Carrel's run time does not do."""
    problems: list[str] = []
    if metadata.get("one_channel_mode") == "1":
        problems.append(f"{path}: was trained on bitonal images; Carrel reads gray ones")
    if metadata.get("seg_type") == "bbox":
        problems.append(
            f"{path}: was trained on bounding boxes with centre-line normalization; Carrel cuts along baselines"
        )
    return problems


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
    if any(len(labels) != 1 for labels in model.codec.l2c):
        problems.append(f"{path}: its codec writes a character with several labels")
    return problems + _unreadable(path, metadata)


def _symbols(codec: Any, classes: int) -> list[str]:
    """What classes 1, 2, ... stand for; a class that the codec does not name writes nothing."""
    known = {labels[0]: text for labels, text in codec.l2c.items()}
    return [known.get(label, "") for label in range(1, classes)]
