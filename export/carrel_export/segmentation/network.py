"""The line segmenter: a small U-Net from ink to maps of baselines, bodies and line ends.

Lines are wide and low, so cells are too: one cell of the finest grid is 2 px high and 4 px wide.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CELL_HEIGHT_PX, CELL_WIDTH_PX = 2, 4
MULTIPLE_PX = (16, 32)  # the input's height and width are multiples of these
CHANNELS = ("baseline", "body", "start", "end")


def _block(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Segmenter(nn.Module):
    """``(n, 1, h, w)`` ink in [0, 1] to logits ``(n, 4, h / 2, w / 4)``, channels as in `CHANNELS`."""

    def __init__(self, widths: tuple[int, int, int, int] = (32, 32, 64, 96)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.widths = widths
        self.patch = nn.Sequential(
            nn.Conv2d(1, a, (6, 8), (2, 4), (2, 2), bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True)
        )
        self.fine = _block(a, a)
        self.middle = nn.Sequential(_block(a, b, stride=2), _block(b, b))
        self.coarse = nn.Sequential(_block(b, c, stride=2), _block(c, c), _block(c, c))
        self.page = nn.Sequential(
            _block(c, d, stride=2), _block(d, d, dilation=2), _block(d, d, dilation=4), _block(d, d)
        )
        self.to_coarse = _block(d + c, c)
        self.to_middle = _block(c + b, b)
        self.to_fine = _block(b + a, a)
        self.head = nn.Conv2d(a, len(CHANNELS), (1, 3), padding=(0, 1))
        nn.init.constant_(self.head.bias, -3.0)  # type: ignore[arg-type]

    def forward(self, ink: Tensor) -> Tensor:
        fine = self.fine(self.patch(ink))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        page = self.page(coarse)
        coarse = self.to_coarse(torch.cat((_doubled(page), coarse), 1))
        middle = self.to_middle(torch.cat((_doubled(coarse), middle), 1))
        return self.head(self.to_fine(torch.cat((_doubled(middle), fine), 1)))


def _doubled(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
