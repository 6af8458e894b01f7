"""A trained line recognizer as the export takes it, whatever it was trained with; one module a framework reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from carrel.direction import is_right_to_left
from carrel.errors import CarrelError
from carrel.image.ink import LineInput

PROBE_WIDTH_PX = 512


class ExportError(CarrelError):
    """A model that cannot be published; ``problems`` are all that were found."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Source:
    """A network and what is needed to read with it.

    ``network`` takes lines as ``line_input`` makes them, float32 ``(n, 1, height_px, width)``, and gives logits
    ``(n, t, classes)``; class 0 is the blank, class ``i`` is written ``alphabet[i - 1]``. ``facts`` are further entries
    of the manifest. ``letter_order`` is "display" where the network gives lines from left to right as they stand on the page, whichever
    way they run.
    """

    network: nn.Module
    alphabet: str | list[str]
    line_input: LineInput
    stride_px: int
    licence: str
    origin: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    letter_order: Literal["logical", "display"] = "logical"


def order_of(symbols: Sequence[str]) -> Literal["logical", "display"]:
    """Return the order in which a network trained on text in display order gives letters: the difference is there only where its
    alphabet has letters that run from right to left."""
    leftwards = any(is_right_to_left(character) for symbol in symbols for character in symbol)
    return "display" if leftwards else "logical"


def compact(symbols: Sequence[str]) -> str | list[str]:
    """Return an alphabet as text where every class is one character, as a list where not."""
    return "".join(symbols) if all(len(s) == 1 for s in symbols) else list(symbols)


def stride_of(network: nn.Module, height_px: int) -> int:
    """Return columns of the input that one frame of the logits covers."""
    with torch.inference_mode():
        frames = network(torch.zeros(1, 1, height_px, PROBE_WIDTH_PX)).shape[1]
    return round(PROBE_WIDTH_PX / frames)


def parameters_of(network: nn.Module) -> int:
    """Number of weights."""
    return sum(p.numel() for p in network.parameters())
