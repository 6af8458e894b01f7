"""Pages of print with their text: the project's own, clean and degraded, or a folder's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carrel_bench.figures import BenchError, Table

OWN_PAGES = Path(__file__).parents[3] / "tests" / "pages"
BOOK_PAGES = ("french", "two-columns")
PAGES_OPTION: Table = {"--pages": {"type": Path, "metavar": "DIR", "help": "images with NAME.gt.txt beside them"}}
A4_PAGES = ("a4-caladea", "a4-ebgaramond12", "a4-oldstandard")


@dataclass(frozen=True)
class PrintedPage:
    """An image file and its text."""

    name: str
    image: Path
    text: str


@dataclass(frozen=True)
class Wear:
    """Damage of a page: skewed, blurred, ink turned gray, unevenly lit, noisy, saved as a JPEG."""

    skew_degrees: float
    blur_px: float
    contrast: float
    light_lost: float
    noise: float
    quality: int


COPIED = Wear(0.0, 1.6, 0.76, 0.45, 11.0, 35)
"""A copy of a copy: Tesseract alone loses a third of the letters."""
WORN = Wear(1.5, 1.3, 0.94, 0.45, 7.0, 40)
"""An office scan of poor quality; as strong as the pages on which peers were measured at about 1 %."""


def degraded(image: Path, target: Path, wear: Wear = COPIED) -> None:
    """Write the worn page as a JPEG at 300 dpi; the same bytes for the same file."""
    from PIL import Image, ImageFilter

    rng = np.random.default_rng(7)
    with Image.open(image) as scan:
        page = scan.convert("L")
    if wear.skew_degrees:
        page = page.rotate(-wear.skew_degrees, Image.Resampling.BICUBIC, fillcolor=255)
    gray = np.asarray(page.filter(ImageFilter.GaussianBlur(wear.blur_px)), np.float32)
    faded = 255 * (1 - wear.contrast) + wear.contrast * gray
    noisy = faded * _light(gray.shape, wear.light_lost) + rng.normal(0, wear.noise, gray.shape)
    out = io.BytesIO()
    worn = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    worn.save(out, "JPEG", quality=wear.quality, dpi=(300, 300))
    target.write_bytes(out.getvalue())


def worn_page(folder: Path, quality: int = WORN.quality) -> Path:
    """Write the first A4 page as an office scan of poor quality into ``folder``; its file."""
    target = folder / "worn.jpg"
    degraded(OWN_PAGES / "a4" / f"{A4_PAGES[0]}.png", target, replace(WORN, quality=quality))
    return target


def _light(shape: tuple[int, ...], lost: float) -> NDArray[np.float32]:
    """Return the light of a lamp over the upper left: 1 there, less by ``lost`` in the farthest corner."""
    down, across = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j].astype(np.float32)
    distance = np.hypot(across - 0.27, down - 0.23)
    return 1 - np.float32(lost) * (distance / distance.max()) ** 1.5


def own_pages(folder: Path, *, few: bool = False) -> Iterator[PrintedPage]:
    """Yield the project's printed pages, clean and degraded; ``folder`` takes the degraded ones, ``few`` leaves two out of three
    A4 pages out."""
    chosen = [(OWN_PAGES / f"{name}.jpg", COPIED) for name in BOOK_PAGES]
    chosen += [(OWN_PAGES / "a4" / f"{name}.png", WORN) for name in A4_PAGES[: 1 if few else None]]
    for image, wear in chosen:
        text = image.with_suffix(".gt.txt").read_text("utf-8")
        yield PrintedPage(f"{image.stem}, clean", image, text)
        worse = folder / f"{image.stem}-degraded.jpg"
        degraded(image, worse, wear)
        yield PrintedPage(f"{image.stem}, degraded", worse, text)


def pages_of(folder: Path) -> list[PrintedPage]:
    """Return the images of a folder that have their text beside them (``NAME.gt.txt``).

    Raises
    ------
    BenchError
        It holds none.
    """
    found: list[PrintedPage] = []
    for ground_truth in sorted(folder.glob("*.gt.txt")):
        stem = ground_truth.name.removesuffix(".gt.txt")
        images = [p for p in sorted(folder.glob(f"{stem}.*")) if p.suffix.lower() in (".jpg", ".png", ".tif", ".tiff")]
        if images:
            found.append(PrintedPage(stem, images[0], ground_truth.read_text("utf-8")))
    if not found:
        raise BenchError(f"no images with NAME.gt.txt in {folder}", 3)
    return found
