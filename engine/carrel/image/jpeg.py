"""The markers of a JPEG: what coding it uses, where its picture ends, and how much of it there is (ITU-T T.81)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

END = b"\xff\xd9"
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_START_OF_SCAN, _END_OF_IMAGE, _RESTART_INTERVAL, _ADOBE = 0xDA, 0xD9, 0xDD, 0xEE
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # in coded data, zeros and restart marks are no markers


class Segment(NamedTuple):
    """A marker and its contents; ``start`` is where the marker stands, ``end`` where its contents end."""

    marker: int
    start: int
    end: int
    contents: bytes


class JpegHeader(NamedTuple):
    """Coding of a JPEG.

    ``transform`` is what an Adobe marker says of its colors, None without one; ``refined`` whether the last scan that
    begins holds the last bits of its coefficients; ``end`` is where the file's first picture ends.
    """

    coding: int
    precision: int
    width_px: int
    height_px: int
    components: tuple[int, ...]
    sampling: tuple[tuple[int, int], ...]
    jfif: bool
    transform: int | None
    restart_interval: int
    refined: bool
    whole: bool
    end: int

    @property
    def fits_pdf(self) -> bool:
        """True where PDF's DCTDecode knows it: baseline, extended or progressive, Huffman coded, 8 bits."""
        known = self.coding in (_BASELINE, _EXTENDED, _PROGRESSIVE)
        return known and self.precision == 8 and len(self.components) in (1, 3, 4)

    @property
    def is_progressive(self) -> bool:
        return self.coding == _PROGRESSIVE

    @property
    def is_rgb(self) -> bool:
        """True where three components are red, green and blue rather than luma and chroma, as libjpeg tells it."""
        if len(self.components) != 3 or self.jfif:
            return False
        return self.transform == 0 if self.transform is not None else bytes(self.components) == b"RGB"


def segments(data: bytes) -> Iterator[Segment]:
    """Return the segments of the first picture in ``data``, past coded pixels; ends where there is no marker any more."""
    at = 2 if data[:2] == b"\xff\xd8" else len(data)
    while at + 4 <= len(data) or data[at : at + 2] == END:
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        if marker == _END_OF_IMAGE:
            yield Segment(marker, at, at + 2, b"")
            return
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        yield Segment(marker, at, end, data[at + 4 : end])
        at = end
        if marker == _START_OF_SCAN:
            found = _MARKER.search(data, at)
            at = found.start() if found else len(data)


def jpeg_header(data: bytes) -> JpegHeader | None:
    """Return the coding of the first picture in ``data``; None where it has none that can be told."""
    frame, jfif, transform, interval, refined, whole, end = b"", False, None, 0, False, False, len(data)
    coding = 0
    for marker, _, segment_end, contents in segments(data):
        if marker in _START_OF_FRAME and not frame:
            coding, frame = marker, contents
        elif marker == 0xE0 and contents[:5] == b"JFIF\0":
            jfif = True
        elif marker == _ADOBE and contents[:5] == b"Adobe" and len(contents) >= 12:
            transform = contents[11]
        elif marker == _RESTART_INTERVAL and len(contents) >= 2:
            interval = int.from_bytes(contents[:2], "big")
        elif marker == _START_OF_SCAN and contents:
            refined = contents[-1] & 0x0F == 0
        elif marker == _END_OF_IMAGE:
            whole, end = True, segment_end
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        return None
    precision, height_px, width_px, count = struct.unpack_from(">BHHB", frame)
    entries = [frame[6 + 3 * k : 9 + 3 * k] for k in range(count)]
    ids, sampling = tuple(e[0] for e in entries), tuple((e[1] >> 4, e[1] & 0x0F) for e in entries)
    return JpegHeader(
        coding, precision, width_px, height_px, ids, sampling, jfif, transform, interval, refined, whole, end
    )
