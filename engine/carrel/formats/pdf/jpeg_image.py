"""JPEG streams as they are: whole files, and the strips of a TIFF joined to one picture without decoding them."""

from __future__ import annotations

import struct

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image

from carrel.formats.pdf.stream import image_stream
from carrel.image.jpeg import END, Segment, jpeg_header, segments

_JPEG_COMPRESSION = 7
_WHITE_IS_ZERO, _RGB, _INKS = 0, 2, 5  # TIFF's PhotometricInterpretation
_HUFFMAN_SEQUENTIAL = (0xC0, 0xC1)
_RESTART_INTERVAL, _FIRST_RESTART, _START_OF_SCAN = 0xDD, 0xD0, 0xDA
_LONGEST_INTERVAL = 0xFFFF
_BLOCK_PX = 8


def jpeg_image(pdf: Pdf, image: Image.Image, data: bytes) -> pikepdf.Stream | None:
    """Return the first JPEG in ``data``, opened as ``image``; None where its coding is none of PDF's."""
    header = jpeg_header(data)
    if header is None or not header.fits_pdf or image.mode not in ("L", "RGB", "CMYK"):
        return None
    if image.mode == "CMYK" and (header.transform not in (None, 0, 2)):
        return None
    own = data[: header.end] if header.whole else data + END
    stream = image_stream(pdf, own, image, Name.DCTDecode, _parameters(header.is_rgb))
    if image.mode == "CMYK" and header.transform is not None:  # Adobe's programs store less ink as more
        stream[Name.Decode] = Array([1, 0] * 4)
    return stream


def _parameters(rgb: bool) -> Dictionary | None:
    return Dictionary(ColorTransform=0) if rgb else None


def tiff_jpeg(pdf: Pdf, image: Image.Image, scan: bytes) -> pikepdf.Stream | None:
    """Return the JPEG strips of a TIFF's page, still to be decoded, as one image; None where they cannot be joined."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(259) != _JPEG_COMPRESSION or tags.get(284, 1) != 1 or 273 not in tags or tags.get(338):
        return None
    if image.mode not in ("L", "RGB", "YCbCr", "CMYK") or (image.mode == "CMYK") != (tags.get(262) == _INKS):
        return None
    strips = [scan[at : at + length] for at, length in zip(tags[273], tags[279], strict=True)]
    joined = join_strips(tags.get(347, b""), strips, (tags[256], tags[257]))
    if joined is None:
        return None
    stream = image_stream(
        pdf, joined, image, Name.DCTDecode, _parameters(tags.get(262) == _RGB), size=(tags[256], tags[257])
    )
    if tags.get(262) == _WHITE_IS_ZERO:
        stream[Name.Decode] = Array([1, 0])
    return stream


def join_strips(tables: bytes, strips: list[bytes], size: tuple[int, int]) -> bytes | None:
    """Return one JPEG of ``size`` (width, height) px from strips that share ``tables``.

    Strips of whole blocks become the stretches between restart marks of one scan, as the standard allows: each starts
    anew. None where they are coded in another way or differ in more than height.
    """
    headers = [jpeg_header(strip) for strip in strips]
    first = headers[0] if headers else None
    if first is None or first.coding not in _HUFFMAN_SEQUENTIAL or not first.fits_pdf or first.restart_interval:
        return None
    parts = [_parts(strip) for strip in strips]
    if any(part is None or part.before != parts[0].before for part in parts if parts[0] is not None):
        return None
    heights = [header.height_px for header in headers if header is not None]
    across, down = (_BLOCK_PX * max(side) for side in zip(*first.sampling, strict=True))
    interval = -(-size[0] // across) * (heights[0] // down)
    alone = len(strips) == 1
    sound = len(heights) == len(strips) and first.width_px == size[0] and sum(heights) >= size[1]
    if not sound or (not alone and (set(heights[:-1]) != {heights[0]} or heights[0] % down)):
        return None
    if not alone and not 0 < interval <= _LONGEST_INTERVAL:
        return None
    return _joined(tables, [part for part in parts if part is not None], size[1], 0 if alone else interval)


class _Parts:
    """A strip's headers but for its height, and its coded pixels."""

    def __init__(self, frame: Segment, others: bytes, scan: Segment, coded: bytes) -> None:
        self.frame, self.others, self.scan, self.coded = frame, others, scan, coded

    @property
    def before(self) -> tuple[bytes, bytes, bytes]:
        return self.frame.contents[:1] + self.frame.contents[3:], self.others, self.scan.contents


def _parts(strip: bytes) -> _Parts | None:
    frame: Segment | None = None
    others = b""
    found = list(segments(strip))
    for index, segment in enumerate(found):
        if segment.marker in _HUFFMAN_SEQUENTIAL:
            frame = segment
        elif segment.marker == _START_OF_SCAN:
            following = found[index + 1] if index + 1 < len(found) else None
            if frame is None or following is None or strip[following.start : following.start + 2] != END:
                return None
            return _Parts(frame, others, segment, strip[segment.end : following.start])
        else:
            others += strip[segment.start : segment.end]
    return None


def _joined(tables: bytes, parts: list[_Parts], height: int, interval: int) -> bytes:
    first = parts[0]
    shared = b"".join(tables[segment.start : segment.end] for segment in segments(tables) if segment.contents)
    frame = first.frame.contents[:1] + struct.pack(">H", height) + first.frame.contents[3:]
    data = b"\xff\xd8" + shared + first.others + _segment(first.frame.marker, frame)
    if interval:
        data += _segment(_RESTART_INTERVAL, struct.pack(">H", interval))
    data += _segment(_START_OF_SCAN, first.scan.contents)
    for index, part in enumerate(parts):
        data += part.coded
        if index < len(parts) - 1:
            data += bytes([0xFF, _FIRST_RESTART + index % 8])
    return data + END


def _segment(marker: int, contents: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(contents) + 2) + contents
