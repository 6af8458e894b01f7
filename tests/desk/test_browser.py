"""The desk in a real browser: Debian's Chromium, driven by playwright; skipped where Chromium is not installed."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from carrel.formats import read_page

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
from playwright.sync_api import Browser  # noqa: E402

from desk_browser import CHROMIUM, Window, chromium, wait_until  # noqa: E402

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")
LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"
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


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with chromium() as opened:
        yield opened


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

    host = f"http://127.0.0.1:{served.port}/"
    assert [url for url in window.asked if not url.startswith((host, f"blob:{host}"))] == []
    assert window.errors == []
    assert page.evaluate("document.cookie") == ""
    window.context.close()


def test_two_windows_see_each_other(browser: Browser, serve: Callable[..., Served]) -> None:
    served = serve()
    first = Window(browser, served)
    first.drop(LETTER)
    wait_until(first.text, READ_S)
    second = Window(browser, served)
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


def test_accessible(browser: Browser, serve: Callable[..., Served], tmp_path: Path) -> None:
    axe = _axe(tmp_path)
    served = serve()
    window = Window(browser, served)

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

    assert violations() == []
    window.drop(LETTER)
    wait_until(window.text, READ_S)
    assert violations() == []
    for button in ("#scan", "#camera"):
        window.page.click(button)
        assert violations() == []
        window.page.keyboard.press("Escape")
    for width_px, height_px in ((1024, 600), (640, 400)):  # a small touch screen; 1280 at 200 %
        window.page.set_viewport_size({"width": width_px, "height": height_px})
        assert violations() == []
        targets = window.page.locator("button:visible, select:visible").all()
        boxes = [box for target in targets if (box := target.bounding_box())]
        assert [box for box in boxes if min(box["width"], box["height"]) < 47.5] == []
        assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    window.context.close()
