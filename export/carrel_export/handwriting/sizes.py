"""Shapes of the handwriting network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from carrel.models.manifest import MAX_CLASSES

Channels = Annotated[int, Meta(ge=1, le=2048)]
Blocks = Annotated[int, Meta(ge=0, le=64)]


@dataclass(frozen=True)
class CrnnConfig:
    """Shape of the network. ``height_px`` must be a multiple of 8; one frame covers ``STRIDE_PX`` columns."""

    classes: Annotated[int, Meta(ge=2, le=MAX_CLASSES + 1)]
    height_px: Annotated[int, Meta(ge=8, le=1024)] = 48
    channels: tuple[Channels, Channels, Channels] = (32, 64, 96)
    blocks: tuple[Blocks, Blocks] = (1, 2)
    hidden: Channels = 128
    recurrent_layers: Blocks = 2
    gated_blocks: Blocks = 0
    """Gated convolutions along the line, before the recurrent layers."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.15


SIZES: dict[str, dict[str, Any]] = {
    "fast": {"channels": (32, 64, 96), "blocks": (1, 2), "hidden": 128, "recurrent_layers": 2},
    "best": {"channels": (32, 64, 96), "blocks": (1, 3), "hidden": 128, "recurrent_layers": 2, "gated_blocks": 4},
}
GATED_REACH = 7
"""Frames to each side that a gated convolution sees."""
STRIDE_PX = 4
