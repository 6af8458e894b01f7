"""The handwriting network: a small residual CNN, two BiLSTM layers, and a CTC head; an auxiliary head in training.

After G. Retsinas et al., "Best Practices for a Handwritten Text Recognition System", DAS 2022,
doi:10.1007/978-3-031-06555-2_17 (column collapse, CTC shortcut).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class CrnnConfig:
    """Shape of the network. ``height_px`` must be a multiple of 8; one frame covers ``STRIDE_PX`` columns."""

    classes: int
    height_px: int = 48
    channels: tuple[int, int, int] = (32, 64, 96)
    blocks: tuple[int, int] = (1, 2)
    hidden: int = 128
    recurrent_layers: int = 2
    dropout: float = 0.15


SIZES = {
    "fast": {"channels": (32, 64, 96), "blocks": (1, 2), "hidden": 128, "recurrent_layers": 2},
    "best": {"channels": (32, 96, 192), "blocks": (2, 3), "hidden": 256, "recurrent_layers": 3, "dropout": 0.25},
}
STRIDE_PX = 4


def _convolve(inputs: int, outputs: int, stride: tuple[int, int], kernel: int = 3) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = _convolve(channels, channels, (1, 1))
        self.outer = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(self.inner(x))


class Crnn(nn.Module):
    """Ink ``(n, 1, height_px, width)`` in [0, 1] -> logits ``(n, width / 4, classes)``; class 0 is the blank."""

    def __init__(self, config: CrnnConfig) -> None:
        super().__init__()
        self.config = config
        a, b, c = config.channels
        self.features = nn.Sequential(
            _convolve(1, a, (2, 2), kernel=5),
            _convolve(a, b, (2, 2)),
            *(ResidualBlock(b) for _ in range(config.blocks[0])),
            _convolve(b, c, (2, 1)),
            *(ResidualBlock(c) for _ in range(config.blocks[1])),
        )
        width = 2 * config.hidden
        self.collapse = nn.Conv2d(c, width, (config.height_px // 8, 1), bias=False)
        self.collapse_norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(config.dropout)
        self.recurrent = nn.ModuleList(
            nn.LSTM(width, config.hidden, batch_first=True, bidirectional=True) for _ in range(config.recurrent_layers)
        )
        self.head = nn.Linear(width, config.classes)
        self.shortcut = nn.Conv1d(width, config.classes, 3, padding=1)

    def columns(self, ink: Tensor) -> Tensor:
        """Features per frame, ``(n, t, 2 * hidden)``."""
        x = torch.relu(self.collapse_norm(self.collapse(self.features(ink))))  # (n, c, 1, t)
        return x.squeeze(2).transpose(1, 2)

    def forward(self, ink: Tensor) -> Tensor:
        return self.logits(self.columns(ink))

    def logits(self, x: Tensor) -> Tensor:
        for layer in self.recurrent:
            x = layer(self.dropout(x))[0]
        return self.head(self.dropout(x))

    def with_shortcut(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the network and of its auxiliary head, both ``(n, t, classes)``."""
        x = self.columns(ink)
        return self.logits(x), self.shortcut(x.transpose(1, 2)).transpose(1, 2)
