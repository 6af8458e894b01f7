"""Shapes of the handwriting network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CrnnConfig:
    """Shape of the network. ``height_px`` must be a multiple of 8; one frame covers ``STRIDE_PX`` columns."""

    classes: int
    height_px: int = 48
    channels: tuple[int, int, int] = (32, 64, 96)
    blocks: tuple[int, int] = (1, 2)
    hidden: int = 128
    recurrent_layers: int = 2
    gated_blocks: int = 0
    """Gated convolutions along the line, before the recurrent layers."""
    dropout: float = 0.15


SIZES: dict[str, dict[str, Any]] = {
    "fast": {"channels": (32, 64, 96), "blocks": (1, 2), "hidden": 128, "recurrent_layers": 2},
    "best": {"channels": (32, 64, 96), "blocks": (1, 3), "hidden": 128, "recurrent_layers": 2, "gated_blocks": 4},
}
GATED_REACH = 7
"""Frames to each side that a gated convolution sees."""
STRIDE_PX = 4
