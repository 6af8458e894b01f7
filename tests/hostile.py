"""Odd and broken files, made on demand and the same each time: what a scanner, a phone or an enemy may hand over."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pikepdf
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

WIDTH, HEIGHT = 90, 60  # of most pictures


@dataclass(frozen=True)
class BadFile:
    """``says`` is a part of the line that refuses it; ``pages_before`` are handed out before."""

    name: str
    data: bytes
    says: str
    pages_before: int = 0

    def write(self, folder: Path) -> Path:
        (folder / self.name).write_bytes(self.data)
        return folder / self.name


@dataclass(frozen=True)
class OddFile:
    """Unusual but sound: ``gray`` is what is to be seen, within ``tolerance``, on each of ``pages``."""

    name: str
    data: bytes
    gray: NDArray[np.uint8]
    tolerance: int = 0
    pages: int = 1

    def write(self, folder: Path) -> Path:
        (folder / self.name).write_bytes(self.data)
        return folder / self.name


def picture() -> NDArray[np.uint8]:
    """A smooth gray picture without any symmetry, so that a wrong turn shows."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    return (40 + 1.6 * across + 1.1 * down).astype(np.uint8)


def bad_files() -> Iterator[BadFile]:
    """Files that are to be refused under a limit of 30 megapixels."""
    yield BadFile("empty.png", b"", "the file is empty")
    yield BadFile("one-byte.jpg", b"\xff", "is not PNG")
    yield BadFile("text.jpg", b"Dear Sir,\n" * 50, "is not PNG")
    yield BadFile("page.tif", b"<!doctype html><html></html>" * 20, "is not PNG")
    yield BadFile(
        "photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(64), "is HEIC, which Carrel does not read"
    )
    yield BadFile("book.djvu", b"AT&TFORM" + bytes(64), "is DjVu, which Carrel does not read")
    yield from _bad_sizes()
    yield from _bad_png()
    yield from _cut_short()
    yield from _bad_tiff()
    yield from _bad_pdf()


def odd_files() -> Iterator[OddFile]:
    """Files that are to be read."""
    gray = picture()
    plain = Image.fromarray(gray)
    yield OddFile("really-a-jpeg.png", _saved(plain, "JPEG", quality=95), gray, 3)
    yield OddFile("line\nbreak \u202egpj.\U0001f4dc.png", _saved(plain, "PNG"), gray)
    yield OddFile("trailing.png", _saved(plain, "PNG") + b"garbage" * 100, gray)
    yield OddFile("trailing.jpg", _saved(plain, "JPEG", quality=95) + b"\0" * 1000, gray, 3)
    yield from _odd_modes(gray)
    yield from _odd_containers(gray)
    yield from _turned(gray)


def mutants(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Small sound files of every kind, with bytes flipped, dropped, doubled, or cut off."""
    rng = np.random.default_rng(seed)
    plain = Image.fromarray(picture())
    kinds = ("PNG", "JPEG", "TIFF", "WEBP", "JPEG2000", "PDF")
    sound = {kind: _saved(plain, kind) for kind in kinds}
    for index in range(count):
        kind = kinds[index % len(kinds)]
        yield f"mutant-{index}.{kind.lower()}", _mutated(sound[kind], rng)


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 8))):
        at = int(rng.integers(len(changed)))
        deed = rng.integers(4)
        if deed == 0:
            changed[at] = int(rng.integers(256))
        elif deed == 1:
            del changed[at : at + int(rng.integers(1, 20))]
        elif deed == 2:
            changed[at:at] = changed[at : at + int(rng.integers(1, 20))]
        else:
            changed[at] ^= 1 << int(rng.integers(8))
        if len(changed) < 2:
            break
    return bytes(changed[: int(rng.integers(1, len(changed)))] if rng.random() < 0.2 else changed)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    if kind == "PDF":
        options = {"resolution": 150, "creationDate": None, "modDate": None} | options
    image.save(stream, kind, **options)
    return stream.getvalue()


def _bad_sizes() -> Iterator[BadFile]:
    yield BadFile("dot.png", _blank_png(1, 1), "1 x 1 px holds no line of text")
    yield BadFile("thread.png", _blank_png(1, 20_000), "1 x 20,000 px holds no line of text")
    yield BadFile("ribbon.png", _blank_png(60_000, 200), "60,000 x 200 px is longer than 32,000 px")
    yield BadFile("bomb.png", _blank_png(10_000, 10_000), "10,000 x 10,000 px is above the limit of 30 megapixels")
    signature = b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
    box = struct.pack(">I4sQ", 1, b"jp2h", 2**41) + bytes(30)  # no machine has the memory for what it announces
    yield BadFile("announced.jp2", signature + box, "is damaged")
    header = _png((_ihdr(100_000, 100_000), (b"IEND", b"")))
    yield BadFile("only-a-header.png", header, "100,000 x 100,000 px is above the limit")


def _bad_png() -> Iterator[BadFile]:
    whole = _saved(Image.fromarray(picture()), "PNG")
    at = whole.index(b"IDAT") + 30
    flipped = whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]
    yield BadFile("flipped-bit.png", flipped, "is damaged")
    text = b"Comment\0\0" + zlib.compress(b" " * 70_000_000)
    rows = zlib.compress(b"\0" * (HEIGHT * (WIDTH + 1)))
    bomb = _png((_ihdr(WIDTH, HEIGHT, depth=8), (b"zTXt", text), (b"IDAT", rows), (b"IEND", b"")))
    yield BadFile("text-bomb.png", bomb, "is damaged")
    yield BadFile("no-pixels.png", _png((_ihdr(WIDTH, HEIGHT), (b"IEND", b""))), "is damaged")


def _cut_short() -> Iterator[BadFile]:
    rng = np.random.default_rng(3)
    noisy = Image.fromarray(rng.integers(0, 256, (200, 300)).astype(np.uint8))
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "JPEG2000"):
        whole = _saved(noisy, kind)
        yield BadFile(f"half.{kind.lower()}", whole[: len(whole) // 2], "scan or")
    whole = _saved(noisy, "PDF")
    yield BadFile("head.pdf", whole[:200], "the PDF is damaged")


def _bad_tiff() -> Iterator[BadFile]:
    first, second = Image.fromarray(picture()), Image.fromarray(picture()[::-1])
    both = _saved(first, "TIFF", save_all=True, append_images=[second])
    yield BadFile("second-page-cut.tif", both[: -WIDTH * HEIGHT // 2], "page 2", pages_before=1)
    whole = _saved(first, "TIFF")
    yield BadFile("no-directory.tif", whole[:4] + struct.pack("<I", len(whole) + 9) + whole[8:], "")


def _bad_pdf() -> Iterator[BadFile]:
    yield BadFile("nonsense.pdf", b"%PDF-1.7\n" + b"nothing here " * 50, "the PDF is damaged")
    whole = _saved(Image.fromarray(picture()), "PDF")
    with pikepdf.open(io.BytesIO(whole)) as document:
        stream = io.BytesIO()
        lock = pikepdf.Encryption(owner="owner", user="user")
        document.save(stream, encryption=lock, deterministic_id=False)
        yield BadFile("locked.pdf", stream.getvalue(), "is protected by a password; save it without one")
    with pikepdf.open(io.BytesIO(whole)) as document:
        del document.pages[0]
        yield BadFile("no-pages.pdf", _pdf_bytes(document), "the PDF")
    with pikepdf.open(io.BytesIO(whole)) as document:
        image = document.pages[0].obj.Resources.XObject["/image"]
        image.Width = image.Height = 100_000
        yield BadFile("lying-image.pdf", _pdf_bytes(document), "100,000 x 100,000 px is above the limit")
    with pikepdf.open(io.BytesIO(whole)) as document:
        document.pages[0].MediaBox = pikepdf.Array([0, 0, 14_400, 14_400])
        document.pages[0].Contents = document.make_stream(b"")
        yield BadFile("poster.pdf", _pdf_bytes(document), "20,000 x 20,000 px is above the limit")


def _pdf_bytes(document: pikepdf.Pdf) -> bytes:
    stream = io.BytesIO()
    document.save(stream, deterministic_id=True)
    return stream.getvalue()


def _odd_modes(gray: NDArray[np.uint8]) -> Iterator[OddFile]:
    plain = Image.fromarray(gray)
    deep: NDArray[np.uint16] = (gray.astype(np.uint16) << 8 | 0xFF).astype(np.uint16)
    deep[-1, -1] = 0xFFFF
    seen = (deep >> 8).astype(np.uint8)
    yield OddFile("sixteen.png", _saved(Image.fromarray(deep), "PNG"), seen)
    yield OddFile("sixteen.tif", _saved(Image.fromarray(deep), "TIFF"), seen)
    yield OddFile("sixteen-big-endian.tif", _deep_tiff(deep, ">"), seen)
    yield OddFile("twelve-bits.png", _saved(Image.fromarray(deep >> 4), "PNG"), seen)
    yield OddFile("cmyk.jpg", _saved(plain.convert("RGB").convert("CMYK"), "JPEG", quality=95), gray, 4)
    yield OddFile("colour.jpg", _saved(plain.convert("RGB"), "JPEG", quality=95), gray, 3)
    yield OddFile("colour.webp", _saved(plain.convert("RGB"), "WEBP", lossless=True), gray, 1)
    yield OddFile("ycbcr.tif", _saved(plain.convert("YCbCr"), "TIFF"), gray, 1)
    yield OddFile(
        "palette.png", _saved(plain.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), gray, 6
    )
    yield from _deep_modes(gray)
    bits = gray > 120
    white = np.where(bits, np.uint8(255), np.uint8(0))
    yield OddFile("bits.png", _saved(Image.fromarray(bits), "PNG"), white)
    yield OddFile("fax.tif", _saved(Image.fromarray(bits), "TIFF", compression="group4"), white)
    alpha = np.where(np.arange(WIDTH) < WIDTH // 2, 255, 0)[None, :].repeat(HEIGHT, 0).astype(np.uint8)
    half = np.where(alpha == 255, gray, np.uint8(255))
    with_alpha = Image.merge("LA", (plain, Image.fromarray(alpha)))
    yield OddFile("see-through.png", _saved(with_alpha, "PNG"), half)
    yield OddFile("see-through.webp", _saved(with_alpha.convert("RGBA"), "WEBP", lossless=True), half, 1)
    key = np.where(gray == 100, np.uint8(255), gray)
    yield OddFile("colour-key.png", _saved(plain, "PNG", transparency=100), key)


def _deep_modes(gray: NDArray[np.uint8]) -> Iterator[OddFile]:
    for scale in (1 / 255, 1, 257):
        floats = gray.astype(np.float32) * np.float32(scale)
        yield OddFile(f"float-{scale:.0f}.tif", _saved(Image.fromarray(floats), "TIFF"), gray, 0 if scale > 1 else 1)
    deep = gray.astype(np.uint32) << 24
    deep[-1, -1] = 0xFFFFFFFF
    seen = (deep >> 24).astype(np.uint8)
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    for order in orders:
        yield OddFile(f"unsigned-{order}.tif", _deep_tiff(deep, order), seen)
    yield OddFile("signed.tif", _saved(Image.fromarray((deep >> 1).astype(np.int32)), "TIFF"), seen)


def _odd_containers(gray: NDArray[np.uint8]) -> Iterator[OddFile]:
    plain = Image.fromarray(gray)
    others = [plain.copy(), plain.copy()]
    yield OddFile("three-pages.tif", _saved(plain, "TIFF", save_all=True, append_images=others), gray, pages=3)
    yield OddFile(
        "one-of-many.webp", _saved(plain, "WEBP", save_all=True, append_images=others, lossless=True), gray, 1
    )
    yield OddFile("one-of-many.png", _saved(plain, "PNG", save_all=True, append_images=others), gray)
    yield OddFile("progressive.jpg", _saved(plain, "JPEG", progressive=True, quality=95), gray, 3)
    yield OddFile("lossless.jp2", _saved(plain, "JPEG2000"), gray)
    yield OddFile("lossless.j2k", _saved(plain, "JPEG2000", no_jp2=True), gray)
    for kind in ("BMP", "GIF", "PPM"):
        yield OddFile(f"plain.{kind.lower()}", _saved(plain, kind), gray)
    yield OddFile(
        "black-and-white.pbm", _saved(Image.fromarray(gray > 120), "PPM"), np.where(gray > 120, 255, 0).astype(np.uint8)
    )
    yield OddFile(
        "phone.mpo", _saved(plain.convert("RGB"), "MPO", save_all=True, append_images=others, quality=95), gray, 3
    )
    yield OddFile("strips.tif", _saved(plain, "TIFF", compression="jpeg", quality=95, tiffinfo={278: 16}), gray, 4)
    yield OddFile("with-mask.tif", _with_mask(plain), gray)
    associated = Image.merge("LA", (plain, Image.new("L", plain.size, 255)))
    yield OddFile("associated.tif", _with_tag(_saved(associated, "TIFF", tiffinfo={338: 2}), 338, 1), gray)
    yield OddFile("tiff-that-bites-its-tail.tif", _looped_tiff(plain), gray)
    yield OddFile("endless-directory.tif", _endless_tiff(plain), gray)
    yield OddFile("scan.pdf", _saved(plain, "PDF", quality=95), gray, 8)


def _turned(gray: NDArray[np.uint8]) -> Iterator[OddFile]:
    """All eight ways a camera may be held: pixels stored turned, to be shown as ``gray``."""
    stored = {
        2: gray[:, ::-1],
        3: gray[::-1, ::-1],
        4: gray[::-1],
        5: gray.T,
        6: np.rot90(gray),
        7: np.rot90(gray, 2).T,
        8: np.rot90(gray, -1),
    }
    for orientation, pixels in stored.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = Image.fromarray(np.ascontiguousarray(pixels))
        yield OddFile(f"held-{orientation}.png", _saved(image, "PNG", exif=exif), gray)
        yield OddFile(f"held-{orientation}.tif", _saved(image, "TIFF", tiffinfo={0x0112: orientation}), gray)


def _deep_tiff(deep: NDArray[Any], order: Literal["<", ">"]) -> bytes:
    """Unsigned gray, little (``<``) or big endian (``>``)."""
    height, width = deep.shape
    entries = [(256, 3, width), (257, 3, height), (258, 3, 8 * deep.itemsize), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    entries += [(277, 3, 1), (278, 3, height), (279, 4, deep.nbytes), (339, 3, 1)]
    pixels = deep.astype(deep.dtype.newbyteorder(order)).tobytes()
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        packed = struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value)
        directory += struct.pack(f"{order}HHI", tag, kind, 1) + packed
    mark = b"MM\0*" if order == ">" else b"II*\0"
    return mark + struct.pack(f"{order}I", 8 + len(pixels)) + pixels + directory + struct.pack(f"{order}I", 0)


def _with_mask(page: Image.Image) -> bytes:
    """A TIFF whose second directory is the transparency mask of the first."""
    stream = io.BytesIO()
    mask = page.convert("1")
    mask.encoderinfo = {"tiffinfo": {254: 4}}
    page.save(stream, "TIFF", save_all=True, append_images=[mask])
    return stream.getvalue()


def _with_tag(data: bytes, tag: int, value: int) -> bytes:
    """``data``, a little-endian TIFF, with a SHORT of its first directory changed."""
    changed = bytearray(data)
    (start,) = struct.unpack_from("<I", changed, 4)
    (count,) = struct.unpack_from("<H", changed, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", changed, at)[0] == tag:
            struct.pack_into("<H", changed, at + 8, value)
    return bytes(changed)


def _endless_tiff(image: Image.Image) -> bytes:
    """A directory that claims to go on far behind the end of the file; all that is needed comes first."""
    whole = bytearray(_saved(image, "TIFF"))
    struct.pack_into("<H", whole, struct.unpack_from("<I", whole, 4)[0], 0xFFFF)
    return bytes(whole)


def _looped_tiff(image: Image.Image) -> bytes:
    """A directory that names itself as the next."""
    whole = bytearray(_saved(image, "TIFF"))
    offset = struct.unpack_from("<I", whole, 4)[0]
    entries = struct.unpack_from("<H", whole, offset)[0]
    struct.pack_into("<I", whole, offset + 2 + 12 * entries, offset)
    return bytes(whole)


def _ihdr(width: int, height: int, depth: int = 1) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)


def _blank_png(width: int, height: int) -> bytes:
    """One bit a pixel, compressed as it is made."""
    row = b"\0" * (1 + (width + 7) // 8)
    squeeze = zlib.compressobj(1)
    rows = b"".join(squeeze.compress(row * min(64, height - top)) for top in range(0, height, 64)) + squeeze.flush()
    return _png((_ihdr(width, height), (b"IDAT", rows), (b"IEND", b"")))


def _png(chunks: tuple[tuple[bytes, bytes], ...]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in chunks:
        parts.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(parts)


assert PngImagePlugin.MAX_TEXT_MEMORY < 70_000_000, "the text bomb is too small for this Pillow"
