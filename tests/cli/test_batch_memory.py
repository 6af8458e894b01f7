"""``carrel batch`` within a memory limit: a page too large for the workers is refused with what does for it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from subprocess import run

from PIL import Image

LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"


def batch(folder: Path, *options: str) -> str:
    """What a batch of a folder's ``in`` says at its end."""
    command = [str(Path(sys.executable).with_name("carrel")), "batch", str(folder / "in"), "-o", str(folder / "out")]
    return run([*command, *options], capture_output=True, text=True, check=False).stderr


def test_page_is_refused_with_the_limit_for_one_worker_and_read_under_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with Image.open(LETTER) as page:
        page.convert("RGB").resize((5300, 7550)).save(tmp_path / "in" / "large.png", compress_level=1)
    least = re.search(r"too little; --memory (\d+M) will do", batch(tmp_path, "--memory", "100M"))
    assert least is not None
    told = batch(tmp_path, "--memory", least[1])
    named = re.search(r"--memory (\d+M) with (--workers 1 --retry) will do", told)
    assert named is not None, told
    assert "1 page read" in batch(tmp_path, "--memory", named[1], *named[2].split())
