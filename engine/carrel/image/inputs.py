"""Inputs that a caller may hand over to be read: a path, bytes, a file, a picture or an array."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carrel.errors import UsageError

Scannable = str | Path | bytes | bytearray | memoryview | BinaryIO | Image.Image | NDArray[np.uint8]
_KINDS = "a path, bytes, a binary file, a PIL image or an array of uint8 (h, w), (h, w, 3) or (h, w, 4)"


def path_or_stream(source: Scannable) -> Path | BinaryIO:
    """Return the path, or a stream of the same pages that can be read from its start more than once.

    A picture or an array is taken as it is, upright after its EXIF orientation, and not changed.

    Raises
    ------
    UsageError
        The source is none of these.
    """
    if isinstance(source, str | Path):
        return Path(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, Image.Image):
        return _as_file(source)
    if isinstance(source, np.ndarray):
        return _as_file(_picture(source))
    given = cast(Any, source)
    if not hasattr(given, "read") or isinstance(given, io.TextIOBase):
        raise UsageError(f"source: expected {_KINDS}, got {type(source).__name__}")
    seekable = hasattr(given, "seekable") and given.seekable()
    return given if seekable else io.BytesIO(given.read())


def _picture(array: NDArray[Any]) -> Image.Image:
    colours = array.shape[2:] in ((), (3,), (4,)) and array.ndim in (2, 3)
    if array.dtype != np.uint8 or not colours or array.size == 0:
        raise UsageError(f"source: expected {_KINDS}, got an array of {array.dtype} {array.shape}")
    return Image.fromarray(np.ascontiguousarray(array))


def _as_file(image: Image.Image) -> BinaryIO:
    """Write a picture to memory, uncompressed, so that it is checked and decoded as any file is."""
    stream = io.BytesIO()
    options = {"dpi": image.info["dpi"]} if "dpi" in image.info else {}
    from PIL import ImageOps

    ImageOps.exif_transpose(image).save(stream, "TIFF", **options)
    return stream
