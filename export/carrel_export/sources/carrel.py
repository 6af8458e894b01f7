"""Carrel's own checkpoints: a weights file of the training, or a model folder that holds ``weights.safetensors``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from carrel.image.ink import LineInput
from carrel_export.handwriting.augment import MARGIN_PX
from carrel_export.handwriting.network import Crnn, Mixture
from carrel_export.handwriting.sizes import STRIDE_PX
from carrel_export.handwriting.training import load_networks
from carrel_export.sources.source import ExportError, Source

LICENCE = "CC-BY-SA-4.0"
"""Of the weights: the strictest licence among the training sources."""


def read_carrel(path: Path) -> Source:
    """Read a checkpoint; nothing in it is executed."""
    networks, alphabet, size = load_networks(path)
    return mixture([source_of(network, alphabet, size) for network in networks])


def mixture(sources: Sequence[Source]) -> Source:
    """Return several networks as one, which gives the mean of their probabilities; a single one as it is.

    Raises
    ------
    ExportError
        Their alphabets or inputs differ.
    """
    first = sources[0]
    if len(sources) == 1:
        return first
    if any((s.alphabet, s.line_input) != (first.alphabet, first.line_input) for s in sources):
        raise ExportError(["networks with different alphabets or inputs cannot be mixed"])
    networks = [s.facts["network"] for s in sources]
    facts = {"networks": networks, "parameters": sum(s.facts["parameters"] for s in sources)}
    return replace(first, network=Mixture([s.network for s in sources]).eval(), facts=facts)


def source_of(network: Crnn, alphabet: str, size: str) -> Source:
    """Return a trained network as the export takes it."""
    counted = sum(p.numel() for n, p in network.named_parameters() if not n.startswith("shortcut"))
    facts = {"size": size, "network": asdict(network.config), "parameters": counted}
    line_input = LineInput(network.config.height_px, MARGIN_PX)
    return Source(network, alphabet, line_input, STRIDE_PX, LICENCE, "carrel", facts)
