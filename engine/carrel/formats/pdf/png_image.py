"""A PNG's own compressed rows, which PDF's Flate filter reads as they are."""

from __future__ import annotations

import struct

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image

from carrel.formats.pdf.stream import image_stream

_MARK = b"\x89PNG\r\n\x1a\n"
_RGB, _PALETTE = 2, 3  # color types


def png_image(pdf: Pdf, image: Image.Image, data: bytes) -> pikepdf.Stream:
    """Return the rows of ``data``, a PNG that is neither interlaced nor transparent, opened as ``image``."""
    chunks = _chunks(data)
    _, _, depth, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    parameters = Dictionary(Predictor=15, Colors=3 if kind == _RGB else 1, BitsPerComponent=depth, Columns=image.width)
    stream = image_stream(pdf, chunks[b"IDAT"], image, Name.FlateDecode, parameters, depth=depth)
    if kind == _PALETTE:
        palette = chunks[b"PLTE"]
        stream[Name.ColorSpace] = Array([Name.Indexed, Name.DeviceRGB, len(palette) // 3 - 1, pikepdf.String(palette)])
    return stream


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Chunk contents by kind; several of one kind joined."""
    chunks: dict[bytes, bytearray] = {}
    position = len(_MARK)
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        chunks.setdefault(kind, bytearray()).extend(data[position + 8 : position + 8 + length])
        position += length + 12
    return {kind: bytes(content) for kind, content in chunks.items()}
