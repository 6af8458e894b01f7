"""A blurred scan is said to be one, by ``carrel read`` and ``carrel inspect``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from command_line import exit_code_of

FRENCH = Path(__file__).parents[1] / "pages" / "french.jpg"


def test_blur_is_said_and_stands_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(FRENCH) as image:
        strip = image.crop((100, 360, 1700, 720)).convert("L")
    strip.save(tmp_path / "sharp.png")
    strip.filter(ImageFilter.GaussianBlur(3.2)).save(tmp_path / "blurred.png")
    files = tmp_path / "sharp.png", tmp_path / "blurred.png"
    assert exit_code_of("read", *files, "--lang", "fra", "-f", "json", "-o", tmp_path / "out") == 0
    sharp, blurred = capsys.readouterr().err.splitlines()
    assert "blurred" not in sharp.partition(":")[2]
    assert blurred.endswith("; blurred, scan it again")
    quality = [json.loads((tmp_path / "out" / f"{file.stem}.json").read_text())["quality"] for file in files]
    assert quality[0]["sharpness"] > 1.5 * quality[1]["sharpness"]
    assert exit_code_of("inspect", files[1], "--lang", "fra", "-o", tmp_path) == 0
    assert "blurred: scan it again; contrast" in capsys.readouterr().out
