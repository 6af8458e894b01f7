"""Whatever Pillow decodes, as 8-bit gray: 0 is ink, 255 is paper."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from carrel.image.frames import is_unsigned, orientation_of

_STRIP_ROWS = 256
_DECODER_BYTES = {"JPEG2000": 16, "WEBP": 8}
_FLOAT_WHITES = (1.0, 255.0, 65535.0)
_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def gray_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Decode an opened image to gray, upright after its EXIF orientation.

    Parameters
    ----------
    image
        As Pillow opened it; transparent parts become white.

    Returns
    -------
    ndarray of uint8, (h, w), C-contiguous
        Luma of ITU-R 601; deeper pixels are scaled by the number of bits that are in use, those in floating point by the
        lowest of 1, 255, 65,535 and their own highest that holds them all. Errors of Pillow's decoders pass through.
    """
    # a JPEG hands over its luma directly, a quarter of the memory
    image.draft("L", None)
    image.load()
    return np.ascontiguousarray(upright(_gray(image), orientation_of(image)))


def decoded_bytes_per_px(image: Image.Image) -> int:
    """Return what Pillow will take for each pixel of an opened image, before it is gray."""
    if image.format in _DECODER_BYTES:
        return _DECODER_BYTES[image.format]
    if image.format in ("JPEG", "MPO"):  # decoded to luma; a progressive one is held whole, in coefficients
        return (1 if image.mode in ("L", "RGB") else 4) + (6 if image.info.get("progressive") else 0)
    if image.mode in ("1", "L", "P"):
        return 1
    return 2 if image.mode.startswith("I;16") else 4


def release(image: Image.Image) -> None:
    """Give up the pixels of a loaded image, which may be sought to another page."""
    image._im = None  # pyright: ignore[reportPrivateUsage]  closing it would close the file


def _gray(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "F":
        return _from_floats(np.asarray(image))
    if image.mode in _DEEP_MODES:
        deep = np.asarray(image)
        return _from_deep(deep.view(np.uint32) if deep.dtype == np.int32 and is_unsigned(image) else deep)
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode == "LAB":
        return np.array(image.getchannel("L"))
    if image.mode not in ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"):
        image = image.convert("RGB")
    inverted = image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info
    gray = np.empty((image.height, image.width), np.uint8)
    for top in range(0, image.height, _STRIP_ROWS):  # Pillow hands pixels out through two copies
        bottom = min(top + _STRIP_ROWS, image.height)
        strip = image.crop((0, top, image.width, bottom))
        if inverted:  # Pillow takes every CMYK JPEG for one of Adobe's, which store less ink as more
            strip = ImageChops.invert(strip)
        gray[top:bottom] = np.asarray(strip.convert("L"))
    return gray


def _from_deep(deep: NDArray[Any]) -> NDArray[np.uint8]:
    bits = int(deep.max(initial=0)).bit_length()
    shift = max(bits - 8, 0)
    gray = np.empty(deep.shape, np.uint8)
    for top in range(0, len(deep), _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        gray[rows] = np.clip(deep[rows], 0, None) >> shift
    return gray


def _from_floats(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    highest = float(np.nanmax(values, initial=0.0, where=np.isfinite(values)))
    white = next((scale for scale in _FLOAT_WHITES if highest <= scale), highest)
    gray = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        gray[rows] = np.clip(np.nan_to_num(values[rows]) * (255.0 / white) + 0.5, 0, 255)
    return gray


def _on_white(image: Image.Image) -> NDArray[np.uint8]:
    gray = np.empty((image.height, image.width), np.uint8)
    for top in range(0, image.height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, image.height)
        strip = image.crop((0, top, image.width, bottom))
        strip = (strip.convert("LA") if strip.mode == "La" else strip).convert("RGBA")
        ink = 255 - np.asarray(strip.convert("RGB").convert("L"), np.uint16)
        alpha = np.asarray(strip.getchannel("A"), np.uint16)
        gray[top:bottom] = 255 - (ink * alpha + 127) // 255
    return gray


def upright(gray: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Rotate or mirror back what an EXIF orientation, 1 to 8, says: a view of stored pixels ``(h, w)`` as they are to be seen."""
    if orientation >= 5:
        gray = gray.T
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return gray[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
