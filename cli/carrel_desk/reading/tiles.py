"""The picture of a page for the screen: a pyramid of halvings, cut into WebP tiles and put into one pack.

A pack is ``CTP1``, the length of an index in JSON (4 bytes, big-endian), the index, and the tiles one after the other.
Workers make packs; whoever serves them reads the index and hands tiles out unseen.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from PIL import Image

from carrel import system

TILES = "tiles"
"""Name among the formats that a worker is asked for."""
TILE_PX = 512
QUALITY, METHOD = 80, 1
_MAGIC = b"CTP1"
_LENGTH = struct.Struct("!I")
_MOST_INDEX_BYTES = 2**22

Count = Annotated[int, Meta(ge=1, le=1000)]


class Level(msgspec.Struct, forbid_unknown_fields=True):
    """Tiles of one resolution, row by row; tile ``i`` lies from ``at[i]`` to ``at[i + 1]`` behind the index."""

    columns: Count
    rows: Count
    at: list[Annotated[int, Meta(ge=0, le=2**32)]]


class Index(msgspec.Struct, forbid_unknown_fields=True):
    """The pyramid; level 0 is the scan itself, each further level half as large."""

    width_px: Annotated[int, Meta(ge=1, le=2**17)]
    height_px: Annotated[int, Meta(ge=1, le=2**17)]
    levels: Annotated[list[Level], Meta(min_length=1, max_length=16)]


class PackError(ValueError):
    """A pack that is none."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The index of a pack's file and where its tiles begin."""

    index: Index
    start: int


def pack_tiles(gray: NDArray[np.uint8]) -> bytes:
    """Return the pack of a scan, uint8 ``(h, w)``."""
    height_px, width_px = gray.shape
    tiles: list[bytes] = []
    levels: list[Level] = []
    at, picture = 0, Image.fromarray(gray)
    while True:
        columns, rows = -(-picture.width // TILE_PX), -(-picture.height // TILE_PX)
        offsets = [at]
        for row in range(rows):
            for column in range(columns):
                tiles.append(_tile(picture, column, row))
                offsets.append(offsets[-1] + len(tiles[-1]))
        at = offsets[-1]
        levels.append(Level(columns, rows, offsets))
        if columns == rows == 1:
            break
        picture = picture.reduce(2)
    index = msgspec.json.encode(Index(width_px, height_px, levels))
    return b"".join([_MAGIC, _LENGTH.pack(len(index)), index, *tiles])


def _tile(picture: Image.Image, column: int, row: int) -> bytes:
    left, top = column * TILE_PX, row * TILE_PX
    box = (left, top, min(left + TILE_PX, picture.width), min(top + TILE_PX, picture.height))
    out = io.BytesIO()
    picture.crop(box).convert("RGB").save(out, "WEBP", quality=QUALITY, method=METHOD)
    return out.getvalue()


def parse_pack(head: bytes, size_bytes: int) -> Pack:
    """Return the index at the head of a pack of so many bytes.

    Raises
    ------
    PackError
        It is none, or says what cannot be.
    """
    try:
        (length,) = _LENGTH.unpack_from(head, 4)
        if head[:4] != _MAGIC or length > _MOST_INDEX_BYTES:
            raise PackError("no pack of tiles")
        index = msgspec.json.decode(head[8 : 8 + length], type=Index)
    except (struct.error, msgspec.MsgspecError) as error:
        raise PackError(str(error)) from error
    start = 8 + length
    for level in index.levels:
        if len(level.at) != level.columns * level.rows + 1 or sorted(level.at) != level.at:
            raise PackError("tiles that are not in order")
        if start + level.at[-1] > size_bytes:
            raise PackError("tiles beyond the end")
    return Pack(index, start)


def open_pack(path: Path) -> Pack:
    """Return the index of a pack's file.

    Raises
    ------
    PackError, OSError
        It is no pack, or not there.
    """
    with path.open("rb") as file:
        return parse_pack(file.read(8 + _MOST_INDEX_BYTES), path.stat().st_size)


def read_tile(path: Path, pack: Pack, level: int, column: int, row: int) -> bytes | None:
    """Return a tile as WebP; None where the pyramid has none there."""
    levels = pack.index.levels
    if not (0 <= level < len(levels) and 0 <= column < levels[level].columns and 0 <= row < levels[level].rows):
        return None
    number = row * levels[level].columns + column
    begin, end = levels[level].at[number : number + 2]
    descriptor = os.open(path, os.O_RDONLY | system.O_CLOEXEC | system.O_BINARY)
    try:
        return os.pread(descriptor, end - begin, pack.start + begin)
    finally:
        os.close(descriptor)
