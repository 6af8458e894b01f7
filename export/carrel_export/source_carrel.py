"""Carrel's own checkpoints: a weights file of the training, or a model folder that holds ``weights.safetensors``."""

from __future__ import annotations

import pickle
from dataclasses import asdict
from pathlib import Path

from carrel.image.ink import LineInput
from carrel_export.augment import MARGIN_PX
from carrel_export.sizes import STRIDE_PX
from carrel_export.source import ExportError, Source
from carrel_export.training import load_network

LICENCE = "CC-BY-SA-4.0"
"""Of the weights: the strictest licence among the training sources."""


def read_carrel(path: Path) -> Source:
    """Read a checkpoint; nothing in it is executed."""
    try:
        network, alphabet, size = load_network(path)
    except (KeyError, ValueError, TypeError, RuntimeError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportError([f"{path}: no checkpoint of Carrel ({reason})"]) from error
    counted = sum(p.numel() for n, p in network.named_parameters() if not n.startswith("shortcut"))
    facts = {"size": size, "network": asdict(network.config), "parameters": counted}
    line_input = LineInput(network.config.height_px, MARGIN_PX)
    return Source(network, alphabet, line_input, STRIDE_PX, LICENCE, "carrel", facts)
