"""A font of one box for invisible text: any character, every one half an em wide.

Text is written in clusters (a letter with its combining marks); each distinct cluster of a document gets a code, and
ToUnicode gives the cluster back. So all of Unicode can be searched and copied, and the font stays at one glyph. That
one is a box and not empty because PDFium leaves out single characters without extent.
"""

from __future__ import annotations

import struct

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

ADVANCE_EM = 0.5
ASCENT_EM = 0.8
DESCENT_EM = 0.2
_EM = 1000
_NAME = "CarrelBoxes"
_MADE_S = 3850070400  # 2026-01-01 in seconds since 1904
_ENTRIES_PER_BLOCK = 100  # at most, by the CMap specification


class Codes:
    """The codes of a document's clusters, given in order of first use; 0 stays free for a missing glyph."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def encode(self, cluster: str) -> str:
        """Return the code of ``cluster`` as four hexadecimal digits."""
        if cluster not in self._codes and len(self._codes) >= 0xFFFE:
            cluster = "\ufffd" if "\ufffd" in self._codes else next(iter(self._codes))
        return f"{self._codes.setdefault(cluster, len(self._codes) + 1):04X}"

    def __len__(self) -> int:
        return len(self._codes)

    def unicode_map(self) -> bytes:
        """Return the ToUnicode CMap."""
        entries = [f"<{code:04X}> <{_utf16(cluster)}>" for cluster, code in self._codes.items()]
        blocks = [entries[start : start + _ENTRIES_PER_BLOCK] for start in range(0, len(entries), _ENTRIES_PER_BLOCK)]
        lines = [
            "/CIDInit /ProcSet findresource begin",
            "12 dict begin",
            "begincmap",
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            "/CMapName /Adobe-Identity-UCS def",
            "/CMapType 2 def",
            "1 begincodespacerange",
            "<0000> <FFFF>",
            "endcodespacerange",
        ]
        for block in blocks:
            lines += [f"{len(block)} beginbfchar", *block, "endbfchar"]
        lines += ["endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end"]
        return "\n".join(lines).encode() + b"\n"


def _utf16(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()


def font_dictionary(pdf: Pdf, codes: Codes) -> Dictionary:
    """Return the font as a Type 0 font of ``pdf`` that shows the clusters of ``codes``."""
    program = pikepdf.Stream(pdf, true_type())
    program[Name.Length1] = len(true_type())
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name(f"/{_NAME}"),
        Flags=5,  # fixed pitch, symbolic
        FontBBox=Array([0, -round(DESCENT_EM * _EM), round(ADVANCE_EM * _EM), round(ASCENT_EM * _EM)]),
        ItalicAngle=0,
        Ascent=round(ASCENT_EM * _EM),
        Descent=-round(DESCENT_EM * _EM),
        CapHeight=round(ASCENT_EM * _EM),
        StemV=80,
        FontFile2=pdf.make_indirect(program),
    )
    every_code_one_glyph = pikepdf.Stream(pdf, b"\x00\x00" + b"\x00\x01" * len(codes))
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=Name(f"/{_NAME}"),
        CIDSystemInfo=Dictionary(Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("Identity"), Supplement=0),
        FontDescriptor=pdf.make_indirect(descriptor),
        DW=round(ADVANCE_EM * _EM),
        CIDToGIDMap=pdf.make_indirect(every_code_one_glyph),
    )
    return Dictionary(
        Type=Name.Font,
        Subtype=Name.Type0,
        BaseFont=Name(f"/{_NAME}"),
        Encoding=Name("/Identity-H"),
        DescendantFonts=Array([pdf.make_indirect(descendant)]),
        ToUnicode=pdf.make_indirect(pikepdf.Stream(pdf, codes.unicode_map())),
    )


def true_type() -> bytes:
    """Return a TrueType font with the tables that a PDF reader wants: glyph 0 is empty, glyph 1 a box."""
    advance, ascent, descent = (round(part * _EM) for part in (ADVANCE_EM, ASCENT_EM, DESCENT_EM))
    box = _box_glyph(0, -descent, advance, ascent)
    tables = {
        b"cmap": struct.pack(">HHHHI", 0, 1, 1, 0, 12) + struct.pack(">HHHHH", 6, 12, 0, 32, 1) + b"\x00\x01",
        b"glyf": box,
        b"head": struct.pack(
            ">IIIIHHqqhhhhHHhhh",
            *(0x00010000, 0x00010000, 0, 0x5F0F3CF5, 3, _EM, _MADE_S, _MADE_S),
            *(0, -descent, advance, ascent, 0, 8, 2, 0, 0),
        ),
        b"hhea": struct.pack(
            ">IhhhHhhhhhhhhhhhH", 0x00010000, ascent, -descent, 0, advance, 0, 0, advance, 1, *[0] * 7, 2
        ),
        b"hmtx": struct.pack(">HhHh", advance, 0, advance, 0),
        b"loca": struct.pack(">HHH", 0, 0, len(box) // 2),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x00010000, 2, 4, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
        b"name": struct.pack(">HHH", 0, 0, 6),
        b"post": struct.pack(">IIhhIIIII", 0x00030000, 0, -100, 50, 1, 0, 0, 0, 0),
    }
    return _assembled(tables)


def _box_glyph(left: int, bottom: int, right: int, top: int) -> bytes:
    """A rectangle as a simple glyph: four points on the curve, clockwise from the lower left."""
    header = struct.pack(">hhhhhHH", 1, left, bottom, right, top, 3, 0)
    across = struct.pack(">hhhh", left, 0, right - left, 0)
    up = struct.pack(">hhhh", bottom, top - bottom, 0, bottom - top)
    return header + b"\x01" * 4 + across + up


def _assembled(tables: dict[bytes, bytes]) -> bytes:
    """Tables behind their directory, with checksums."""
    directory, body = b"", b""
    start = 12 + 16 * len(tables)
    for tag, table in sorted(tables.items()):
        directory += struct.pack(">4sIII", tag, _checksum(table), start + len(body), len(table))
        body += table + b"\x00" * (-len(table) % 4)
    power = 1 << (len(tables).bit_length() - 1)
    ranges = (16 * power, power.bit_length() - 1, 16 * (len(tables) - power))
    font = struct.pack(">IHHHH", 0x00010000, len(tables), *ranges) + directory + body
    head = directory.index(b"head")
    offset = struct.unpack(">I", directory[head + 8 : head + 12])[0] + 8
    adjustment = (0xB1B0AFBA - _checksum(font)) & 0xFFFFFFFF
    return font[:offset] + struct.pack(">I", adjustment) + font[offset + 4 :]


def _checksum(data: bytes) -> int:
    padded = data + b"\x00" * (-len(data) % 4)
    return sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
