"""The camera in a real browser, which is shown a film: a sheet on a dark table, sharp, then blurred, then cut off."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desk_at import At

pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
from desk_browser import CHROMIUM, Window, chromium, wait_until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")
LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"
WIDTH_PX, HEIGHT_PX = 1280, 720
FRAMES = 6
"""Of each scene, at two frames a second."""


def scenes() -> list[NDArray[np.uint8]]:
    """Gray frames: sharp, blurred, cut off, an empty table."""
    letter = cv2.imread(str(LETTER), cv2.IMREAD_GRAYSCALE)
    assert letter is not None
    part = letter[150 : 150 + 560, 150 : 150 + 1000]
    table = np.full((HEIGHT_PX, WIDTH_PX), 40, np.uint8)
    whole, cut = table.copy(), table.copy()
    whole[80:640, 140:1140] = np.maximum(part, 90)
    cut[80:640, 300:1280] = np.maximum(part[:, :980], 90)
    return [whole, cv2.GaussianBlur(whole, (0, 0), 4).astype(np.uint8), cut, table]


def film(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    half = np.full((HEIGHT_PX // 2 * WIDTH_PX // 2,), 128, np.uint8).tobytes()
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH_PX} H{HEIGHT_PX} F2:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            for _ in range(FRAMES):
                file.write(b"FRAME\n" + frame.tobytes() + half + half)


def test_outline_and_sharpness_are_shown_and_a_bad_picture_is_named(at: At, tmp_path: Path) -> None:
    film(tmp_path / "film.y4m", scenes())
    with chromium(f"--use-file-for-fake-video-capture={tmp_path / 'film.y4m'}") as browser:
        window = Window(browser, at)
        page = window.page
        page.click("#camera")
        said = page.locator("#sharpness")
        for word in ("sharp", "blurred", "cutOff", "noSheet", "sharp"):
            wait_until(lambda wanted=word: said.get_attribute("data-word") == wanted, 30)
            if word == "sharp":
                corners = page.locator("#outline polygon").get_attribute("points") or ""
                found = np.array([[float(v) for v in pair.split(",")] for pair in corners.split()])
                assert np.abs(found - [[140, 80], [1140, 80], [1140, 640], [140, 640]]).max() < 12
        wait_until(lambda: said.get_attribute("data-word") == "blurred", 30)
        page.click("#take")
        page.locator("#told.bad").wait_for(timeout=10_000)
        assert "again" in page.inner_text("#notice")
        wait_until(lambda: at.state()["scans"] or at.state()["pages"])  # it was taken all the same
        assert window.errors == []
        window.context.close()
