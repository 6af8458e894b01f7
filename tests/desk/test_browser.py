"""The desk in a real browser: Debian's Chromium, driven by playwright; skipped where Chromium is not installed."""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Generator
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from carrel.formats import read_page

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
from playwright.sync_api import Browser  # noqa: E402

from desk_browser import CHROMIUM, Window, wait_until  # noqa: E402

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")
LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"
FRENCH = LETTER.with_name("french.jpg")
READ_S = 200.0
"""Kernels may have to be compiled for the first page."""


class Served:
    """A ``carrel desk`` that can be killed and started again on the same folder and port."""

    def __init__(self, folder: Path, log: Path, *options: str, port: int = 0) -> None:
        self.folder, self.log, self.options, self.port = folder, log, options, port
        self.start()

    def start(self) -> None:
        carrel = str(Path(sys.executable).with_name("carrel"))
        command = [carrel, "desk", str(self.folder), "--port", str(self.port)]
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, "--no-browser", *self.options], stderr=log)
        wait_until(lambda: "/enter?" in self.log.read_text() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.log.read_text()
        self.port = int(re.findall(r"127\.0\.0\.1:(\d+)/", self.log.read_text())[-1])

    @property
    def link(self) -> str:
        return re.findall(r"http://\S+", self.log.read_text())[-1]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Generator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*options: str) -> Served:
        started.append(Served(tmp_path / "desk", tmp_path / "log", *options))
        return started[-1]

    yield start
    for served in started:
        served.process.send_signal(signal.SIGTERM)
        try:
            served.process.wait(15)
        except subprocess.TimeoutExpired:
            served.kill()
            raise


def warned_of_a_blurred_page(window: Window, tmp_path: Path) -> None:
    page = window.page
    with Image.open(FRENCH) as image:
        strip = image.crop((100, 360, 1700, 720)).convert("L")
    strip.filter(ImageFilter.GaussianBlur(3.2)).save(tmp_path / "shaken.png")
    window.drop(tmp_path / "shaken.png")
    wait_until(lambda: "shaken: blurred" in page.inner_text("#notice"), READ_S)
    shaken = page.locator("#pages option", has_text="shaken")
    assert "⚠" in (shaken.text_content() or "")
    assert page.inner_text("#quality") == ""  # of the letter, which is looked at
    page.select_option("#pages", shaken.get_attribute("value"))
    wait_until(lambda: "shaken: blurred" in page.inner_text("#quality"))


def test_a_letter_is_corrected_by_keyboard_and_nothing_kept_is_lost(
    browser: Browser, serve: Callable[..., Served], tmp_path: Path
) -> None:
    served = serve()
    window = Window(browser, served)
    window.drop(LETTER)
    wait_until(window.text, READ_S)
    page = window.page
    page.keyboard.press("F2")
    wrote: list[str] = []
    for number in range(5):
        wrote.append(f"corrected by hand {number}")
        window.type_line(wrote[-1])
        wait_until(lambda: "Kept" in window.kept())
        page.keyboard.press("Enter")
    wait_until(lambda: "doubtful" in page.inner_text("#left-over"))

    page.reload()
    window.ready()
    for _ in range(30):  # back to the first of them
        if window.text() == wrote[0]:
            break
        page.keyboard.press("Alt+ArrowUp")
    for text in wrote:
        assert window.text() == text
        page.keyboard.press("Alt+ArrowDown")

    last = "typed while the server was killed"
    page.keyboard.press("Control+a")
    page.keyboard.type(last[:10])
    wait_until(lambda: window.kept() == "Kept")
    served.kill()
    page.keyboard.type(last[10:])
    wait_until(lambda: "Not kept yet" in window.kept())
    served.start()
    wait_until(lambda: window.kept() == "Kept")
    served.kill()
    served.start()
    page.reload()
    window.ready()
    alto = read_page(window.save("alto", tmp_path / "letter.alto.xml").read_bytes())
    texts = [line.final_text for line in alto.lines]
    assert [text for text in texts if text in wrote] == wrote
    assert last in texts
    pdf = window.save("pdf", tmp_path / "letter.pdf")
    from pypdfium2 import PdfDocument

    document = PdfDocument(pdf)
    found = " ".join(document[0].get_textpage().get_text_range().split())
    document.close()
    assert all(text in found for text in [*wrote, last])

    warned_of_a_blurred_page(window, tmp_path)
    host = f"http://127.0.0.1:{served.port}/"
    assert [url for url in window.asked if not url.startswith((host, f"blob:{host}"))] == []
    assert window.errors == []
    assert page.evaluate("document.cookie") == ""
    window.context.close()


def test_an_idle_kiosk_forgets_everything(browser: Browser, serve: Callable[..., Served]) -> None:
    served = serve("--kiosk", "--idle", "5")
    window = Window(browser, served, 1024, 600)
    window.drop(LETTER)
    wait_until(lambda: list((served.folder / "scans").iterdir()))
    cookies = window.context.cookies()
    wait_until(lambda: window.page.locator("#idle").is_visible(), 15)
    window.page.keyboard.press("Shift")
    wait_until(lambda: not window.page.locator("#idle").is_visible())
    assert list((served.folder / "scans").iterdir())
    wait_until(lambda: not list((served.folder / "scans").iterdir()), 30)
    wait_until(
        lambda: window.page.locator("body[data-ready=yes]").count() and not window.page.locator("#text").is_visible()
    )
    assert list((served.folder / "pages").iterdir()) == []
    assert window.context.cookies() != cookies
    kept = window.page.evaluate("JSON.stringify(Object.keys(sessionStorage)) + localStorage.length")
    assert "carrel-waiting" not in kept
    window.context.close()


# keystrokes

TRUTH = LETTER.with_suffix(".gt.txt").read_text("utf-8").splitlines()


def _changes(now: str, truth: str) -> list[tuple[int, int, str]]:
    """Places of ``now`` to be exchanged and what for, from right to left."""
    codes = SequenceMatcher(None, now, truth, autojunk=False).get_opcodes()
    return [(a, b, truth[c:d]) for kind, a, b, c, d in reversed(codes) if kind != "equal"]


class Typist:
    """Somebody who presses as few keys as the desk allows, and counts them."""

    def __init__(self, window: Window) -> None:
        self.window, self.keys = window, 0

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.window.page.keyboard.press(key)
        self.keys += times

    def selection(self) -> tuple[int, int]:
        start, end = self.window.page.evaluate("[text.selectionStart, text.selectionEnd]")
        return start, end

    def doubts(self) -> list[tuple[int, int]]:
        """What F2 would select, one after the other."""
        page, found = self.window.page, list[tuple[int, int]]()
        while True:
            page.keyboard.press("F2")
            if (at := self.selection()) in found or at[0] == at[1]:
                page.keyboard.press("Home")
                return found
            found.append(at)

    def correct(self, truth: str) -> int:
        """Make the line say ``truth``; returns the keys beyond the letters changed, Enter included."""
        self.keys, before = 0, self.window.text()
        readings = self.window.page.locator("#others button").count()
        for times in range(1, readings + 1):
            self.window.page.keyboard.press("F4")
            if self.window.text() == truth:
                self.keys = times
                break
        else:
            self.window.page.keyboard.press("Escape")
            wait_until(lambda: self.window.text() == before)
        changes = _changes(self.window.text(), truth)
        letters = sum(max(b - a, len(new)) for a, b, new in changes)
        doubts = self.doubts() if changes else []
        for a, b, new in changes:
            self._go(a, b, doubts)
            for _ in range(b - a if self.selection()[0] == self.selection()[1] else 0):
                self.press("Delete")
            self.window.page.keyboard.type(new)
            self.keys += len(new)
        assert self.window.text() == truth
        self.press("Enter")
        return self.keys - letters

    def _go(self, a: int, b: int, doubts: list[tuple[int, int]]) -> None:
        """To a place, by what takes fewest keys."""
        length, caret = len(self.window.text()), self.selection()[0]
        by_doubt = doubts.index((a, b)) + 1 if (a, b) in doubts and self.keys == 0 else 10**6
        ways = {"F2": by_doubt, "Home": 1 + a, "End": 1 + length - a, "": abs(a - caret)}
        best = min(ways, key=lambda way: ways[way])
        if best == "F2":
            self.press("F2", by_doubt)
            return
        if best:
            self.press(best)
        caret = self.selection()[0]
        self.press("ArrowRight" if a > caret else "ArrowLeft", abs(a - caret))


def test_a_doubtful_line_takes_few_keys_beyond_its_letters(browser: Browser, serve: Callable[..., Served]) -> None:
    window = Window(browser, serve())
    window.drop(LETTER)
    wait_until(window.text, READ_S)
    window.page.focus("#order")
    window.page.select_option("#order", "errors")
    wait_until(lambda: window.page.evaluate("document.activeElement.id") == "text")  # the queue's first line is there
    window.page.evaluate("window.text = document.getElementById('text')")
    typist, beyond = Typist(window), list[int]()
    for _ in range(40):
        left = window.page.inner_text("#left-over")
        if "No doubtful" in left:
            break
        read = window.text()
        truth = max(TRUTH, key=lambda line: SequenceMatcher(None, line, read, autojunk=False).ratio())
        beyond.append(typist.correct(truth))
        wait_until(lambda before=left: window.page.inner_text("#left-over") != before)
    print(f"keys beyond the letters changed, of {len(beyond)} lines: {sorted(beyond)}")
    assert len(beyond) >= 8 and "No doubtful" in window.page.inner_text("#left-over")
    assert statistics.median(beyond) <= 3
    window.context.close()
