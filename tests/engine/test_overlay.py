"""The overlay can be read on light and on dark pages."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from carrel.image.overlay import COLOURS, draw_overlay
from carrel.page import Line, Page, Region, Source, Writing

RING = ((100, 80), (300, 80), (300, 120), (100, 120))
LINE = Line(((100, 110), (300, 110)), RING, Writing("printed", 1.0), "Words", 0.95)
PAGE = Page(400, 300, None, (Region("MainZone", RING, (LINE,)),), Source("a.png"))


@pytest.mark.parametrize("level", [0, 60, 250])
def test_labels_and_legend_stand_out(level: int) -> None:
    drawn = np.asarray(Image.open(io.BytesIO(draw_overlay(PAGE, np.full((300, 400), level, np.uint8)))), np.int64)
    label, legend = drawn[92:112, 20:98], drawn[2:22, 20:200]
    assert (np.abs(label - COLOURS["printed"]).sum(axis=2) < 60).sum() > 20
    assert (label.min(axis=2) > 200).sum() > 60
    assert (legend.min(axis=2) > 200).mean() > 0.4
    assert (legend.max(axis=2) < 90).sum() > 50
