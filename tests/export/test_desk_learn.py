"""A hand learned at the desk, in a real browser: 30 lines typed by keyboard, learned with torch, compared, used."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the learn extra (torch) is not installed")
pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")

from carrel.models.folders import open_model, shipped_folder
from carrel_desk.desk.learning import Learning
from desk_at import At
from desk_browser import CHROMIUM, Window, chromium, wait_until
from desk_client import serving
from drawn_lines import handwritten_page, texts
from hand_pages import ENTRY, MISREAD

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")
LEARN = "from carrel_export.learn import fine_tune, command; fine_tune.FEWEST_VIEWS = 300; command.command()"
LEARN_S = 1800.0

if not (shipped_folder("handwriting-fast") / "weights.safetensors").exists():
    pytest.skip("the weights that learning starts from are not installed", allow_module_level=True)


def test_a_hand_is_learned_compared_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    at = At(tmp_path / "desk", entry=ENTRY)
    used: list[Path] = []

    async def use(model: Path) -> None:
        used.append(model)

    at.desk.learning = Learning(at.store, command=(sys.executable, "-c", LEARN), use=use)
    at.desk.learning.changed = lambda: at.desk.events.tell("learning")
    picture = io.BytesIO()
    handwritten_page()[0].save(picture, "PNG")
    with serving(at.app, at.listening), chromium() as browser:
        at.enter()
        window = Window(browser, at)
        at.add(picture.getvalue(), "hand.png")
        wait_until(lambda: window.text() == MISREAD)
        for text in texts(30):
            window.type_line(text)
            window.page.keyboard.press("Enter")
        said = window.page.locator("#learning")
        learning = at.desk.learning
        wait_until(lambda: learning.lines() == 30 and "lines of handwriting are corrected" in said.inner_text())
        said.get_by_role("button", name="Learn").click()
        wait_until(lambda: "Learned. Of 6 kept lines" in said.inner_text(), LEARN_S)
        print(said.inner_text())
        assert float(learning.after.rstrip("%")) < float(learning.before.rstrip("%"))
        assert learning.before in said.inner_text() and learning.after in said.inner_text()
        assert used == []  # nothing is read with it before somebody says so
        said.get_by_role("button", name="Read with it from now on").click()
        wait_until(lambda: "Pages are read with what was learned" in said.inner_text())
        assert used == [at.folder / "models" / "desk-1"] and not open_model(used[0], "recognition").verify()
        assert window.errors == []
        window.context.close()
