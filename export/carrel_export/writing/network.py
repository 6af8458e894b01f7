"""Printed or handwritten: a small convolutional network over a line, averaged over the columns that hold ink."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HEIGHT_PX = 48
STRIDE_PX = 16


def _block(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class WritingNetwork(nn.Module):
    """``(n, 1, 48, w)`` ink in [0, 1] to the logit of handwriting ``(n,)``; paper added on the right changes nothing."""

    def __init__(self, widths: tuple[int, int, int, int] = (16, 32, 48, 64)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.features = nn.Sequential(
            nn.Conv2d(1, a, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(a),
            nn.ReLU(inplace=True),
            _block(a, b, (2, 2)),
            _block(b, c, (2, 2)),
            _block(c, d, (2, 2)),
        )
        self.column = nn.Conv2d(d, 1, (3, 1))
        self.scale = nn.Parameter(torch.tensor(1.0), requires_grad=False)
        self.shift = nn.Parameter(torch.tensor(0.0), requires_grad=False)

    def forward(self, ink: Tensor) -> Tensor:
        columns = self.column(self.features(ink)).flatten(1)  # (n, t)
        inked = nn.functional.avg_pool2d(
            ink, (HEIGHT_PX, STRIDE_PX), (HEIGHT_PX, STRIDE_PX), ceil_mode=True, count_include_pad=False
        )
        weight = torch.clamp(inked.flatten(1), max=0.1) + 1e-6
        logit = (columns * weight).sum(1) / weight.sum(1)
        return self.scale * logit + self.shift


class WithProbability(nn.Module):
    """The probability of handwriting in [0, 1], ``(n,)``: what is exported."""

    def __init__(self, network: WritingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, ink: Tensor) -> Tensor:
        return torch.sigmoid(self.network(ink))
