"""The page itself corrected in a real browser, by mouse and by keys; pages are drawn up at once, so that nothing has to be read."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from carrel.formats import read_page
from desk_at import At, scan
from desk_client import serving

pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
from playwright.sync_api import Browser

from desk_browser import CHROMIUM, Window, chromium, wait_until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[At]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    made = At(tmp_path / "desk")
    with serving(made.app, made.listening):
        made.enter()
        yield made


def page_of(at: At) -> Any:
    """The first page as the desk has it on its disk."""
    return at.client.get(f"/api/pages/{at.state()['pages'][0]['id']}").json


def texts(at: At) -> list[str]:
    return [line["now"] for line in page_of(at)["lines"]]


def settled(window: Window, at: At, what: Callable[[list[str]], bool]) -> None:
    """Wait until the desk has it, and the window has heard so."""
    wait_until(lambda: what(texts(at)))
    wait_until(lambda: window.page.inner_text("#layout-kept") == "Kept")


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
        box = page.locator("#view polygon[data-line]").nth(line).bounding_box()
        assert box
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
    view = page_of(at)
    drawn = next(line for line in view["lines"] if line["id"] == f"desk{view['step']}")["baseline"]
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
