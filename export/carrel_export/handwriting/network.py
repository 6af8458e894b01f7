"""The handwriting network: a small residual CNN, gated convolutions, BiLSTM layers, and a CTC head.

After G. Retsinas et al., "Best Practices for a Handwritten Text Recognition System", DAS 2022,
doi:10.1007/978-3-031-06555-2_17 (column collapse, CTC shortcut), and, for the gated convolutions along the line,
Y. Dauphin et al., "Language Modeling with Gated Convolutional Networks", ICML 2017, doi:10.48550/arXiv.1612.08083.

Every residual part begins as the identity, so that a network can be grown from a trained one that lacks it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from carrel_export.handwriting.sizes import GATED_REACH, CrnnConfig

LEAST_PROBABILITY = 1e-12
"""Keeps the logarithm of a mixture finite."""


def _convolve(inputs: int, outputs: int, stride: tuple[int, int], kernel: int = 3) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = _convolve(channels, channels, (1, 1))
        self.outer = nn.Conv2d(channels, channels, 3, padding=1)
        _silence(self.outer)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(self.inner(x))


class GatedBlock(nn.Module):
    """``(n, channels, 1, t)``: a filter for each channel along the line, one projection gated by another, residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        window = (1, 2 * GATED_REACH + 1)
        self.along = nn.Conv2d(channels, channels, window, padding=(0, GATED_REACH), groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        _silence(self.project)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.norm(along_in_windows(self.along.weight, x) if x.is_cuda else self.along(x))
        return x + self.project(self.value(seen) * torch.sigmoid(self.gate(seen)))


def along_in_windows(weight: Tensor, x: Tensor) -> Tensor:
    """Return each channel convolved by itself, as `GatedBlock.along` does; cuDNN's own takes five times as long (H200, bfloat16)."""
    windows = functional.pad(x, (GATED_REACH, GATED_REACH)).unfold(3, 2 * GATED_REACH + 1, 1)
    return torch.einsum("nchtk,ck->ncht", windows, weight[:, 0, 0].to(x.dtype))


def _silence(layer: nn.Conv2d) -> None:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class Mixture(nn.Module):
    """The mean of what several networks of one alphabet hold probable; log probabilities ``(n, t, classes)``."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, ink: Tensor) -> Tensor:
        probable = [torch.softmax(network(ink), -1) for network in self.networks]
        return torch.log(torch.stack(probable).mean(0) + LEAST_PROBABILITY)


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
        self.gated = nn.Sequential(*(GatedBlock(width) for _ in range(config.gated_blocks)))
        self.dropout = nn.Dropout(config.dropout)
        self.recurrent = nn.ModuleList(
            nn.LSTM(width, config.hidden, batch_first=True, bidirectional=True) for _ in range(config.recurrent_layers)
        )
        self.head = nn.Linear(width, config.classes)
        self.shortcut = nn.Conv1d(width, config.classes, 3, padding=1)

    def columns(self, ink: Tensor) -> Tensor:
        """Return features per frame, ``(n, t, 2 * hidden)``."""
        x = torch.relu(self.collapse_norm(self.collapse(self.features(ink))))  # (n, c, 1, t)
        return self.gated(x).squeeze(2).transpose(1, 2)

    def forward(self, ink: Tensor) -> Tensor:
        return self.logits(self.columns(ink))

    def logits(self, x: Tensor) -> Tensor:
        for layer in self.recurrent:
            x = layer(self.dropout(x))[0]
        return self.head(self.dropout(x))

    def with_shortcut(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the network and of its auxiliary head, both ``(n, t, classes)``."""
        x = self.columns(ink)
        return self.logits(x), self.shortcut(x.transpose(1, 2)).transpose(1, 2)
