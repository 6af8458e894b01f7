"""Carrel's own checkpoint -> shipped model folder, with its sources and their licences."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from carrel.loading import language_of
from carrel.models.folders import Model
from carrel.review.training_lines import read_packs
from carrel_export.build import Order, publish_source
from carrel_export.sources.carrel import mixture, read_carrel
from carrel_export.sources.training_sources import read_sources


def publish(
    checkpoints: Sequence[Path],
    packs: Path,
    target: Path,
    name: str,
    sources: Path,
    language: Path | None,
    gate: float = 0.003,
) -> Model:
    """Make the model folder ``target`` from a weights file of the training, or a mixture of several.

    ``language`` is the n-gram file to search with, the shipped model where there is none; ``sources`` the JSON of the licences and citations of ``packs``.

    Raises
    ------
    GateError
        int8 reads worse than fp32 by more than ``gate`` (CER, absolute) on the ``val`` lines.
    """
    samples = list(read_packs(packs, ("train", "val")))
    order = Order(
        name,
        [s for s in samples if s.split == "train"],
        [s for s in samples if s.split == "val"],
        language_of(language),
        gate=gate,
        with_weights=True,
        say=lambda line: print(line, file=sys.stderr, flush=True),
        facts={"training_sources": read_sources(sources, {s.source for s in samples})},
    )
    return publish_source(mixture([read_carrel(checkpoint) for checkpoint in checkpoints]), order, target)
