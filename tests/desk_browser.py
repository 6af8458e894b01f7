"""Debian's Chromium, driven by playwright, and a window of it at the desk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-domain-reliability",
    "--metrics-recording-only", "--no-pings", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip


@contextmanager
def chromium(*flags: str) -> Generator[Browser]:
    """A browser that is open."""
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield opened
        opened.close()


class HasLink(Protocol):
    """A desk that lets a window in."""

    @property
    def link(self) -> str: ...


def wait_until(what: Callable[[], object], timeout_s: float = 60.0) -> None:
    until = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.05)


class Window:
    """A browser's window at the desk; collects what it asks for, and what goes wrong in it."""

    def __init__(self, browser: Browser, served: HasLink, width_px: int = 1280, height_px: int = 800) -> None:
        self.context = browser.new_context(viewport={"width": width_px, "height": height_px}, accept_downloads=True)
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(served.link)
        self.ready()

    def ready(self) -> None:
        self.page.locator("body[data-ready=yes]").wait_for(timeout=90_000)

    def drop(self, file: Path) -> None:
        self.page.set_input_files("#files", file)

    def text(self) -> str:
        return self.page.input_value("#text") if self.page.locator("#text").is_visible() else ""

    def kept(self) -> str:
        return self.page.inner_text("#kept")

    def type_line(self, text: str) -> None:
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def save(self, format_name: str, to: Path) -> Path:
        self.page.select_option("#format", format_name)
        with self.page.expect_download(timeout=60_000) as download:
            self.page.click("#save")
        download.value.save_as(to)
        return to
