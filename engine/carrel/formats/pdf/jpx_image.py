"""JPEG 2000 as it is: whole JP2 files, and bare codestreams in the boxes that PDF asks for (ISO 15444-1, annex I)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pikepdf
from pikepdf import Name, Pdf
from PIL import Image

from carrel.formats.pdf.stream import image_stream

_CODESTREAM = b"\xff\x4f\xff\x51"
_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_ENUMERATED = 1  # method of a color box
_SRGB, _GRAY = 16, 17
_CIE_JAB = b"\0\0\0\x13"
_PLAIN_SPACES = {"RGB": _SRGB, "L": _GRAY}


def jpx_image(pdf: Pdf, image: Image.Image, data: bytes) -> pikepdf.Stream | None:
    """Return the JPEG 2000 file ``data``, opened as ``image``, as it is; None where it is not plain gray or sRGB of 8 bits."""
    if image.mode not in _PLAIN_SPACES or image.has_transparency_data:
        return None
    if data.startswith(_CODESTREAM):
        data = _boxed(data, image)
    elif not _is_plain(data, image.mode):
        return None
    return image_stream(pdf, data, image, Name.JPXDecode)


def _is_plain(data: bytes, mode: str) -> bool:
    """Whether the colors are gray or sRGB by number, of 8 bits, without palette or further channels."""
    boxes = dict(_boxes(data))
    head = dict(_boxes(boxes.get(b"jp2h", b"")))
    color, size = head.get(b"colr", b""), head.get(b"ihdr", b"")
    if len(color) < 7 or len(size) < 11 or b"pclr" in head or b"cdef" in head or b"jp2c" not in boxes:
        return False
    channels, depth = struct.unpack(">HB", size[8:11])
    plain = color[0] == _ENUMERATED and int.from_bytes(color[3:7], "big") == _PLAIN_SPACES[mode]
    return plain and channels == Image.getmodebands(mode) and depth == 7


def is_archivable(data: bytes) -> bool:
    """Tell whether PDF/A-2 takes the JPEG 2000 file: 1, 3 or 4 channels of one depth, colors named in a way it allows (ISO
    19005-2, 6.2.8.3)."""
    boxes = dict(_boxes(data))
    head = list(_boxes(boxes.get(b"jp2h", b"")))
    sizes = [contents for kind, contents in head if kind == b"ihdr" and len(contents) >= 11]
    colors = [contents for kind, contents in head if kind == b"colr" and contents]
    if not sizes or len(colors) != 1 or b"jp2c" not in boxes:
        return False
    channels, depth = struct.unpack(">HB", sizes[0][8:11])
    named = colors[0][0] in (1, 2, 3) and not (colors[0][0] == _ENUMERATED and colors[0][3:7] == _CIE_JAB)
    return channels in (1, 3, 4) and depth & 0x7F < 38 and named


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1 and at + 16 <= len(data):
            length, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        length = length or len(data) - at
        if length < head:
            return
        yield kind, data[at + head : at + length]
        at += length


def _boxed(codestream: bytes, image: Image.Image) -> bytes:
    width, height = image.size
    size = struct.pack(">IIHBBBB", height, width, len(image.getbands()), 7, 7, 0, 0)
    color = struct.pack(">BBBI", _ENUMERATED, 0, 0, _PLAIN_SPACES[image.mode])
    head = _box(b"ihdr", size) + _box(b"colr", color)
    kind = _box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return _SIGNATURE + kind + _box(b"jp2h", head) + _box(b"jp2c", codestream)


def _box(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I4s", len(contents) + 8, kind) + contents
