"""The desk in a real browser where nothing has to be read: the page itself corrected by mouse and by keys, several windows, axe."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carrel.formats import read_page
from carrel.forms.template import load_form
from desk_at import At, page_of, scan, texts

pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
from playwright.sync_api import Browser

from desk_browser import CHROMIUM, Window, wait_until
from form_pages import template

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")


def newest(at: At) -> Any:
    """The line that the last step made."""
    view = page_of(at)
    return next(line for line in view["lines"] if line["id"] == f"desk{view['step']}")


def settled(window: Window, at: At, what: Callable[[list[str]], bool]) -> None:
    """Wait until the desk has it, and the window has heard so."""
    wait_until(lambda: what(texts(at)))
    wait_until(lambda: window.page.inner_text("#layout-kept") == "Kept")


def test_a_word_gets_another_reading_by_key_and_by_click(browser: Browser, at: At) -> None:
    at.add(scan())
    at.read()
    window = Window(browser, at)
    page = window.page
    wait_until(window.text)
    assert (window.text(), page.locator("#choices button").all_inner_texts()) == ("secund line", ["second"])
    page.keyboard.press("F3")
    assert (window.text(), page.locator("#choices button").all_inner_texts()) == ("second line", ["secund"])
    page.keyboard.press("F3")
    assert window.text() == "secund line"
    page.keyboard.press("End")
    wait_until(lambda: not page.locator("#choices button").count())  # the last word has one reading
    page.keyboard.press("F3")
    assert page.evaluate("[text.selectionStart, text.selectionEnd]") == [0, 6]
    page.click("#choices button")
    assert window.text() == "second line"
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Enter")
    wait_until(lambda: texts(at) == ["first line", "second line", "", "faurth and last"])
    assert window.errors == []
    window.context.close()


def test_by_keys_alone(browser: Browser, at: At) -> None:
    at.add(scan())
    at.read()
    window = Window(browser, at)
    keys = window.page.keyboard
    wait_until(window.text)
    keys.press("F8")
    keys.press("ArrowUp")
    keys.press("Shift+ArrowDown")  # the first line is read after the second
    settled(window, at, lambda now: now == ["secund line", "first line", "", "faurth and last"])
    keys.press("ArrowUp")
    keys.press("s")
    keys.press("Shift+ArrowRight")
    keys.press("Shift+ArrowRight")
    keys.press("Enter")
    settled(window, at, lambda now: len(now) == 5 and now[0].startswith("read "))  # and both are read anew
    keys.press("j")
    settled(window, at, lambda now: len(now) == 4)
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    keys.press("Delete")
    settled(window, at, lambda now: len(now) == 3 and "" not in now)
    keys.press("a")
    keys.press("ArrowUp")
    keys.press("Enter")
    settled(window, at, lambda now: len(now) == 4)
    keys.press("r")
    keys.press("ArrowDown")
    settled(window, at, lambda _: page_of(at)["regions"][0]["kind"] == "MarginTextZone")
    for left in (4, 4 - 1, 4, 5, 4, 4):  # lines after each step back, all by key
        keys.press("Control+z")
        settled(window, at, lambda now, count=left: len(now) == count)
    assert page_of(at)["step"] == 0
    assert texts(at) == ["first line", "secund line", "", "faurth and last"]
    assert window.errors == []
    window.context.close()


def test_by_mouse(browser: Browser, at: At) -> None:
    at.add(scan())
    at.read()
    window = Window(browser, at, 1920, 1080)
    page = window.page
    wait_until(window.text)
    page.click("#edit")

    def where(x_share: float, line: int) -> tuple[float, float]:
        polygon = page.locator("#view polygon[data-line]").nth(line)
        boxes = (polygon.bounding_box() for _ in range(100))  # none for a moment when lines are drawn anew
        box = next(filter(None, boxes))
        return box["x"] + x_share * box["width"], box["y"] + box["height"] / 2

    page.click("#do-split")
    page.mouse.click(*where(0.5, 0))
    wait_until(lambda: len(texts(at)) == 5)
    halves = page_of(at)["lines"][:2]
    assert abs(halves[0]["baseline"][-1][0] - halves[1]["baseline"][0][0]) <= 1
    width = page_of(at)["width"]
    assert 0.4 < halves[1]["baseline"][0][0] / width < 0.6
    settled(window, at, lambda now: now[0].startswith("read "))
    page.mouse.click(*where(0.5, 0))
    page.keyboard.down("Control")
    page.mouse.click(*where(0.5, 0))
    page.mouse.click(*where(0.5, 1))
    page.keyboard.up("Control")
    page.click("#do-join")
    wait_until(lambda: len(texts(at)) == 4)
    page.mouse.click(*where(0.5, 3))
    page.click("#do-order")
    page.mouse.click(*where(0.5, 0))  # the first is read after the last
    wait_until(lambda: texts(at)[-2] == "faurth and last")
    page.click("#do-cancel")
    page.click("#do-add")
    (x0, y0), (x1, _) = where(0.1, 1), where(0.8, 1)
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, y0)
    page.mouse.move(x1, y0)
    page.mouse.up()
    page.click("#do-confirm")
    wait_until(lambda: len(texts(at)) == 5)
    drawn = newest(at)["baseline"]
    assert 0.5 < (drawn[-1][0] - drawn[0][0]) / width < 0.9
    page.select_option("#line-type", "HeadingLine")
    wait_until(lambda: any(line["type"] == "HeadingLine" for line in page_of(at)["lines"]))
    page.click("#do-own")
    wait_until(lambda: len(page_of(at)["regions"]) == 2)
    alto = read_page(window.save("alto", at.folder.parent / "deed.alto.xml").read_bytes())
    assert [line.final_text for line in alto.lines] == texts(at)
    assert len(alto.regions) == 2
    assert window.errors == []
    window.context.close()


def test_two_windows_see_each_other(browser: Browser, at: At) -> None:
    at.add(scan())
    at.read()
    first = Window(browser, at)
    wait_until(first.text)
    second = Window(browser, at)
    wait_until(second.text)
    assert second.text() == first.text()
    first.type_line("by the first")
    wait_until(lambda: first.kept() == "Kept")
    wait_until(lambda: second.text() == "by the first")
    second.context.set_offline(True)
    second.type_line("by the second")
    first.type_line("by the first again")
    wait_until(lambda: first.kept() == "Kept")
    second.context.set_offline(False)
    wait_until(lambda: second.kept() == "Kept")
    wait_until(lambda: "by the first again" in second.page.inner_text("#others"))
    for window in (first, second):
        assert window.errors == []
        window.context.close()


def test_two_windows_and_a_line_that_goes(browser: Browser, at: At) -> None:
    at.add(scan())
    at.read()
    first, second = Window(browser, at), Window(browser, at)
    wait_until(lambda: first.text() == second.text() == "secund line")
    second.page.click("#text")
    first.page.keyboard.press("F8")
    first.page.keyboard.press("Delete")
    wait_until(lambda: second.page.locator("#view polygon[data-line]").count() == 3)
    assert second.text() != "secund line"
    second.type_line("still works")
    wait_until(lambda: "still works" in texts(at))
    for window in (first, second):
        assert window.errors == []
        window.context.close()


def test_an_error_that_returns_is_changed_everywhere_and_taken_back(browser: Browser, at: At) -> None:
    for name in ("a.tif", "b.tif", "c.tif"):
        at.add(scan(), name)
    pages = at.read(3)
    window = Window(browser, at)
    page = window.page
    wait_until(lambda: window.text() == "secund line")
    window.type_line("second line")
    page.keyboard.press("Enter")
    page.locator("#same button").first.wait_for(timeout=5000)
    assert "2 more lines" in page.inner_text("#same")
    page.keyboard.press("F7")

    def seconds() -> list[str]:
        return [at.client.get(f"/api/pages/{name}").json["lines"][1]["now"] for name in pages]

    wait_until(lambda: seconds() == ["second line"] * 3)
    doubtful = {entry["page"] for entry in at.client.get("/api/queue").json["lines"] if entry["line"] == "r0l1"}
    assert doubtful == set(pages[1:])  # changed, but nobody has said that they are right
    page.keyboard.press("Control+z")
    wait_until(lambda: seconds() == ["second line", "secund line", "secund line"])
    assert window.errors == []
    window.context.close()


def test_a_refusal_is_said_until_somebody_has_seen_it(browser: Browser, at: At) -> None:
    at.add(b"nothing", "broken.png")
    window = Window(browser, at)
    page, told = window.page, lambda: window.page.inner_text("#notice")
    wait_until(lambda: "broken.png was not read" in told())
    page.click("#notice-seen")
    assert told() == "" and not page.locator("#notice-seen").is_visible()
    page.reload()
    window.ready()
    at.add(scan())
    wait_until(window.text)
    assert told() == ""
    at.add(b"nothing", "torn.png")
    wait_until(lambda: "torn.png was not read" in told())
    assert "broken.png" not in told() and window.errors == []
    window.context.close()


@pytest.mark.parametrize(("width_px", "height_px"), [(853, 533), (533, 853)])
def test_a_small_touch_screen_shows_page_and_text(browser: Browser, at: At, width_px: int, height_px: int) -> None:
    at.add(scan())
    at.read()
    window = Window(browser, at, width_px, height_px)
    wait_until(window.text)
    page = window.page
    for name, least in (("#view", 140), ("#text", 40), ("#right", 47)):
        box = page.locator(name).bounding_box()
        assert box and box["height"] >= least and box["y"] + box["height"] <= height_px, (name, box)
    page.click("summary")
    page.evaluate("document.getElementById('line').scrollTop = 9999")
    page.keyboard.press("Alt+ArrowDown")
    assert page.evaluate("document.getElementById('line').scrollTop") == 0
    page.set_viewport_size({"width": 1280, "height": 800})
    page.click("#remove")
    page.click("#remove")
    wait_until(lambda: not page.locator("#line").is_visible())
    box = page.locator("#view").bounding_box()
    assert box and box["width"] > 1200  # nothing stands beside it
    window.context.close()


def _axe(folder: Path) -> str:
    """The source of axe-core, from npm where there is one."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm for axe-core")
    try:
        done = subprocess.run(
            [npm, "pack", "axe-core@4", "--silent"], cwd=folder, capture_output=True, timeout=40, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not answer")
    packed = next(folder.glob("axe-core-*.tgz"), None)
    if done.returncode or packed is None:
        pytest.skip("axe-core could not be fetched by npm")
    with tarfile.open(packed) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source is not None
        return source.read().decode("utf-8")


def test_accessible(browser: Browser, at: At, tmp_path: Path) -> None:
    axe = _axe(tmp_path)
    at.store.form = load_form(template(tmp_path / "card.json"))
    window = Window(browser, at)

    def violations() -> list[str]:
        session = window.context.new_cdp_session(window.page)  # past the page's own policy of no eval
        session.send("Runtime.evaluate", {"expression": axe})
        told = session.send(
            "Runtime.evaluate",
            {
                "expression": "axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes.map(n => n.target).join(' ')))",
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        return told["result"]["value"]

    def none_stays() -> None:
        """What is drawn half, while a dialog opens, does not count."""
        found = violations()
        for _ in range(8):
            if found:
                time.sleep(0.5)
                found = violations()
        assert found == []

    none_stays()
    for name in ("a.png", "b.png"):
        at.add(b"nothing", name)
    wait_until(window.page.locator("#refusals").is_visible)
    window.page.select_option("#language", "de")
    none_stays()
    at.add(scan())
    wait_until(window.text)
    none_stays()
    assert {"Strg+Enter", "Umschalt+↑ ↓"} <= set(window.page.locator("#keys dt").all_text_contents())
    window.page.keyboard.press("F8")
    none_stays()
    for button in ("#scan", "#camera", "#fields"):
        window.page.click(button)
        none_stays()
        window.page.keyboard.press("Escape")
    for width_px, height_px in ((1920, 1080), (1024, 600), (640, 400)):  # a small touch screen; 1280 at 200 %
        window.page.set_viewport_size({"width": width_px, "height": height_px})
        none_stays()
        targets = window.page.locator("button:visible, select:visible").all()
        boxes = [box for target in targets if (box := target.bounding_box())]
        assert [box for box in boxes if min(box["width"], box["height"]) < 47.5] == []
        assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    window.context.close()
