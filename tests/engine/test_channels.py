"""Writing that only a colour shows is seen; blank and ordinary pages stay as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carrel.budget import Budget
from carrel.image.source import open_scans

BLUE, RED = (70, 118, 214), (213, 72, 76)
"""Equal in gray: 114."""


def sheet(paper: tuple[int, int, int], ink: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (900, 500), paper)
    pen, face = ImageDraw.Draw(image), ImageFont.load_default(36)
    for y in range(60, 440, 70):
        pen.text((60, y), "Snow fell upon the market so heavily", fill=ink, font=face)
    return image


def opened(file: Path, budget: Budget | None = None) -> NDArray[np.uint8]:
    return next(open_scans(file, 50.0, budget=budget)).gray


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_red_on_blue_of_equal_gray_is_seen(tmp_path: Path, name: str) -> None:
    sheet(BLUE, RED).save(tmp_path / name, quality=92)
    gray = opened(tmp_path / name)
    ink = np.asarray(sheet((255, 255, 255), (0, 0, 0)).convert("L")) < 60
    paper = np.asarray(sheet((255, 255, 255), (0, 0, 0)).convert("L")) > 250
    assert float(np.median(gray[paper])) - float(np.median(gray[ink])) > 80


def test_a_picture_on_its_side_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    sheet(BLUE, RED).save(tmp_path / "a.jpg", quality=92, exif=exif)
    assert opened(tmp_path / "a.jpg").shape == (900, 500)
    assert np.ptp(opened(tmp_path / "a.jpg")) > 80


@pytest.mark.parametrize(("paper", "ink"), [(BLUE, BLUE), ((240, 240, 240),) * 2, ((240, 235, 220), (40, 30, 20))])
def test_blank_and_ordinary_pages_stay_gray(
    tmp_path: Path, paper: tuple[int, int, int], ink: tuple[int, int, int]
) -> None:
    sheet(paper, ink).save(tmp_path / "a.png")
    assert np.array_equal(opened(tmp_path / "a.png"), np.asarray(sheet(paper, ink).convert("L")))
