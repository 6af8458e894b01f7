"""A picture of what was found: lines, their order, and who read them, drawn over the scan."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.page import STAMP_ZONE, Line, Page, needs_review

COLOURS = {"printed": (20, 90, 200), "handwritten": (200, 70, 20), "unknown": (130, 30, 150)}
REFUSED = (220, 0, 0)
UNCOVERED = (255, 0, 160)
REGION, STAMP = (0, 140, 90), (170, 130, 0)
LONGEST_SIDE_PX = 2000
OVERLAY, OVERLAY_SUFFIX = "overlay", ".overlay.png"
"""Name of the picture among the formats, and the end of its file's name."""


def draw_overlay(
    page: Page, gray: NDArray[np.uint8], review_below: float = 0.0, uncovered: NDArray[np.bool_] | None = None
) -> bytes:
    """Return PNG of the scan, at most 2000 px long, with polygons, baselines, order and routing.

    Blue lines were taken for print, orange ones for handwriting, violet ones were unsure; red outlines were not read.
    Regions are outlined in green, stamps in olive.
    The label gives the place in reading order and the confidence in percent; that of lines to review is white on red.

    Parameters
    ----------
    gray
        The scan, uint8 ``(page.height_px, page.width_px)``.
    review_below
        Confidence under which lines are marked for review.
    uncovered
        Ink outside all lines, bool of any resolution, to be drawn too.
    """
    scale = min(1.0, LONGEST_SIDE_PX / max(page.width_px, page.height_px))
    size = (max(1, round(page.width_px * scale)), max(1, round(page.height_px * scale)))
    canvas = Image.fromarray(gray).resize(size, Image.Resampling.BOX).convert("RGB")
    if uncovered is not None:
        mask = Image.fromarray(np.where(uncovered, 255, 0).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
        canvas.paste(UNCOVERED, (0, 0), mask)
    draw = ImageDraw.Draw(canvas, "RGBA")
    for number, line in enumerate(page.lines, 1):
        _draw_line(draw, line, number, scale, marked=needs_review(line, review_below))
    for region in page.regions:
        corners = [(x * scale, y * scale) for x, y in region.polygon]
        stamp = region.kind == STAMP_ZONE
        draw.line([*corners, corners[0]], fill=(*(STAMP if stamp else REGION), 160), width=4 if stamp else 2)
    stamps = {"stamp": STAMP} if any(region.kind == STAMP_ZONE for region in page.regions) else {}
    _draw_legend(draw, {**stamps, **({"not in any line": UNCOVERED} if uncovered is not None else {})})
    out = io.BytesIO()
    canvas.save(out, "PNG", optimize=True)
    return out.getvalue()


def _draw_line(draw: ImageDraw.ImageDraw, line: Line, number: int, scale: float, *, marked: bool) -> None:
    colour = COLOURS[line.writing.kind] if line.final_text else REFUSED
    corners = [(x * scale, y * scale) for x, y in line.polygon]
    draw.polygon(corners, fill=(*colour, 36))
    draw.line([*corners, corners[0]], fill=(*colour, 170), width=1)
    baseline = [(x * scale, y * scale) for x, y in line.baseline]
    draw.line(baseline, fill=(*colour, 255), width=2)
    label = f"{number}  {100 * line.confidence:.0f}%"
    at = (max(baseline[0][0] - 2, _font(13).getlength(label)), baseline[0][1] - 2)
    if marked:
        draw.rectangle(draw.textbbox(at, label, font=_font(13), anchor="rs"), fill=(*REFUSED, 255))
        draw.text(at, label, fill=(255, 255, 255, 255), font=_font(13), anchor="rs")
    else:  # a white rim: on dark pages, too
        ink, rim = (*colour, 255), (255, 255, 255, 220)
        draw.text(at, label, fill=ink, font=_font(13), anchor="rs", stroke_width=2, stroke_fill=rim)


def _draw_legend(draw: ImageDraw.ImageDraw, further: dict[str, tuple[int, int, int]]) -> None:
    x, entries = 8, {**COLOURS, "not read": REFUSED, **further}
    draw.rectangle((0, 0, x + sum(30 + 8 * len(name) for name in entries), 24), fill=(255, 255, 255, 220))
    for name, colour in entries.items():
        draw.rectangle((x, 6, x + 12, 18), fill=(*colour, 255))
        draw.text((x + 17, 5), name, fill=(0, 0, 0, 255), font=_font(13))
        x += 30 + 8 * len(name)


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
