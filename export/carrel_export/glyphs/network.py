"""Single characters: a small convolutional network over one normalized character."""

from __future__ import annotations

from torch import Tensor, nn

NONE = ""
"""The class of what is no single character."""
TICK = "\N{CHECK MARK}"
CLASSES = (*"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-/", TICK)
"""The classes after the one of no character."""


def _block(inputs: int, outputs: int, stride: int, side: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class GlyphNetwork(nn.Module):
    """``(n, 1, 28, 28)`` ink in [0, 1] to logits ``(n, classes)``, the first of no character."""

    def __init__(self, classes: int = 1 + len(CLASSES)) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _block(1, 24, 2, 5),
            _block(24, 32, 1),
            _block(32, 48, 2),
            _block(48, 64, 1),
            nn.AvgPool2d(2, ceil_mode=True),
        )  # (n, 64, 4, 4)
        self.drop = nn.Dropout(0.25)
        self.classify = nn.Conv2d(64, classes, 4)  # a layer of all to all, which int8 takes as a convolution

    def forward(self, ink: Tensor) -> Tensor:
        return self.classify(self.drop(self.features(ink))).flatten(1)
