"""Cut lines out of scans for reports and reviews."""

from __future__ import annotations

import base64
import io

from PIL import Image, ImageDraw

from carrel.page import Box, Points

_MARGIN_PX = 6
_HIGHEST_PX = 160
_FADED = 150  # how light what is not the line's becomes, 0 to 255


def crop_line(scan: Image.Image, polygon: Points) -> tuple[Image.Image, tuple[int, int]]:
    """Cut out the box around ``polygon`` with a margin, with the place of its left upper corner in the scan."""
    box = Box.around(polygon)
    left, top = max(box.left - _MARGIN_PX, 0), max(box.top - _MARGIN_PX, 0)
    right, bottom = min(box.right + _MARGIN_PX, scan.width), min(box.bottom + _MARGIN_PX, scan.height)
    return scan.crop((left, top, max(right, left + 1), max(bottom, top + 1))), (left, top)


def cut_line(scan: Image.Image, polygon: Points) -> Image.Image:
    """Cut out the same, with what lies outside the polygon faded."""
    crop, (left, top) = crop_line(scan, polygon)
    mask = Image.new("L", crop.size, _FADED)
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in polygon], fill=0)
    crop.paste(255 if crop.mode == "L" else "white", mask=mask)
    return crop


def data_uri(picture: Image.Image) -> str:
    """Write ``picture`` as a JPEG inside the document, at most 160 px high."""
    if picture.height > _HIGHEST_PX:
        picture = picture.resize((max(picture.width * _HIGHEST_PX // picture.height, 1), _HIGHEST_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=70)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
