"""Hundreds of pages in one session at the desk, through a real Chromium: added, looked at, corrected; memory stays flat.

    PYTHONPATH=engine:cli:tests python tests/soak_desk.py --pages 200

Prints the memory of the server and of the page in the browser as it goes; exit code 1 where either grows. ``--drawn`` takes
workers that draw their pages up at once, so that the desk alone is measured. ``--serve FOLDER`` is the desk of that.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TESTS = Path(__file__).resolve().parent
WIDTH_PX, HEIGHT_PX = 1654, 2339  # A4 at 200 dpi
MOST_SERVER_MIB, MOST_BROWSER_MIB = 12.0, 6.0
"""Growth from the first fifth of the pages to the last: the queue knows every line of every page."""
PAGE_S = 120.0


def sheet(number: int) -> Image.Image:
    """A page with three lines of print, unlike all others; its corner harms no worker."""
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(236, 242, (HEIGHT_PX, WIDTH_PX), dtype=np.uint8))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(44)
    for line in range(3):
        draw.text((150, 200 + 600 * line), f"sheet {number}, line {line + 1} of three", fill=25, font=font)
    draw.rectangle((0, 0, 15, 15), fill=0)
    return image


def resident_mib(process: int) -> float:
    """Return what a process holds in memory."""
    status = Path(f"/proc/{process}/status").read_text("ascii")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


def growth(series: list[float]) -> float:
    """Return how much the last fifth lies above the first, by their medians; the very first page is warming up."""
    part = max(1, len(series) // 5)
    return statistics.median(series[-part:]) - statistics.median(series[1 : 1 + part])


def start(folder: Path, *, drawn: bool) -> tuple[subprocess.Popen[bytes], str]:
    """Start a desk; returns it and a link that lets a browser in."""
    log = folder / "log"
    desk = [sys.executable, "-m", "carrel", "desk", str(folder / "desk"), "--port", "0", "--no-browser"]
    command = [sys.executable, str(TESTS / "soak_desk.py"), "--serve", str(folder / "desk")] if drawn else desk
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=file)
    until = time.monotonic() + 120
    while not (links := re.findall(r"http://\S+/enter\?\S+", log.read_text("utf-8"))):
        assert process.poll() is None and time.monotonic() < until, log.read_text("utf-8")
        time.sleep(0.05)
    return process, links[-1]


class Session:
    """Somebody at the desk with a stack of pages."""

    def __init__(self, folder: Path, window: object, server: int) -> None:
        from desk_browser import Window

        assert isinstance(window, Window)
        self.folder, self.window, self.server = folder, window, server
        self.memory = window.context.new_cdp_session(window.page)
        self.memory.send("HeapProfiler.enable")
        self.memory.send("Performance.enable")
        self.servers, self.browsers = list[float](), list[float]()

    def take(self, number: int) -> None:
        """Add a page, look at it, put its first line right."""
        from desk_browser import wait_until

        page, file = self.window.page, self.folder / f"sheet{number}.jpg"
        sheet(number).save(file)
        self.window.drop(file)
        option = page.locator("#pages option:not([disabled])", has_text=f"sheet{number} ")
        wait_until(option.count, PAGE_S)
        page.select_option("#pages", option.get_attribute("value"))
        tiles = "[...document.querySelectorAll('#view image')].map(i => i.getAttribute('href'))"
        identity = option.get_attribute("value")
        wait_until(lambda: page.evaluate(f"{tiles}.length > 0 && {tiles}.every(h => h.includes('/{identity}/'))"))
        self.window.type_line(f"sheet {number}, put right")
        wait_until(lambda: self.window.kept() == "Kept")
        page.keyboard.press("Enter")
        wait_until(lambda: self.window.kept() != "Keeping…")
        file.unlink()
        self.look()

    def look(self) -> None:
        self.memory.send("HeapProfiler.collectGarbage")
        metrics = {m["name"]: m["value"] for m in self.memory.send("Performance.getMetrics")["metrics"]}
        self.browsers.append(metrics["JSHeapUsedSize"] / 2**20)
        self.servers.append(resident_mib(self.server))


def soak(pages: int, folder: Path, *, drawn: bool) -> list[str]:
    """Work through so many pages; returns what is wrong."""
    from desk_browser import Window, chromium

    process, link = start(folder, drawn=drawn)
    try:
        with chromium() as browser:
            window = Window(browser, Link(link))
            session = Session(folder, window, process.pid)
            for number in range(pages):
                session.take(number)
                if number % max(1, pages // 10) == 0 or number == pages - 1:
                    told = f"server {session.servers[-1]:.0f} MiB, page {session.browsers[-1]:.1f} MiB"
                    print(f"{number + 1} pages: {told}", flush=True)
            errors = list(window.errors)
            window.context.close()
    finally:
        process.terminate()
        process.communicate(timeout=60)
    limits = (("server", session.servers, MOST_SERVER_MIB), ("page in the browser", session.browsers, MOST_BROWSER_MIB))
    for name, series, most in limits:
        if (more := growth(series)) > most:
            errors.append(f"the {name} grew by {more:.1f} MiB; {most:g} are allowed")
    return errors


class Link:
    """A desk that was started here."""

    def __init__(self, link: str) -> None:
        self.link = link


def serve(folder: Path) -> None:
    """Serve a desk of drawn pages until stdin ends or the process does."""
    import os

    os.environ["PYTHONPATH"] = str(TESTS)
    from desk_at import At
    from desk_client import serving

    at = At(folder)
    with serving(at.app, at.listening):
        print(at.link, file=sys.stderr, flush=True)
        sys.stdin.read()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--drawn", action="store_true")
    parser.add_argument("--serve", type=Path)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return 0
    with tempfile.TemporaryDirectory(prefix="soak-desk-") as folder:
        wrong = soak(given.pages, Path(folder), drawn=given.drawn)
    print("\n".join(wrong) or "flat")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.path.insert(0, str(TESTS))
    sys.exit(main())
