"""What the desk's page says in a real browser of what it keeps, what it does not keep, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from carrel_desk.desk.handlers import MOST_CHANGES_BYTES
from carrel_desk.store.edits import MOST_CHARACTERS
from desk_at import At, change, scan, texts

pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
from playwright.sync_api import Browser

from desk_browser import CHROMIUM, Window, wait_until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")
# Routes are told to a test only while it asks the browser something: each wait below does.
WAITING = "JSON.parse(sessionStorage.getItem('carrel-waiting'))"


def open_page(browser: Browser, at: At) -> Window:
    at.add(scan())
    at.read()
    window = Window(browser, at)
    wait_until(window.text)
    return window


def test_what_waits_is_one_change_and_not_called_kept_before_it_is(browser: Browser, at: At) -> None:
    window = open_page(browser, at)
    page, held = window.page, list[Any]()
    window.type_line("kept")
    wait_until(lambda: window.kept() == "Kept")
    page.route("**/api/keys", lambda route: held.append(route))  # noqa: PLW0108, playwright looks at its parameters
    typed = "not yet " + "b" * 40
    window.type_line(typed)
    wait_until(lambda: window.text() == typed and held)
    assert page.evaluate(f"{WAITING}.length") == 2  # sent, and typed since
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("Alt+ArrowDown")
    assert (window.text(), window.kept()) == (typed, "Keeping…")
    page.reload()
    window.ready()
    assert (window.text(), window.kept()) == (typed, "Keeping…")
    wait_until(lambda: window.text() and len(held) == 2)  # the first went with the window
    held[-1].continue_()
    wait_until(lambda: window.kept() == "Kept" and typed in texts(at))
    window.context.close()


def test_a_line_takes_no_more_than_is_kept_and_runs_as_its_script_does(browser: Browser, at: At) -> None:
    window = open_page(browser, at)
    window.page.keyboard.press("Control+a")
    window.page.keyboard.insert_text("x" * (MOST_CHARACTERS + 500))
    wait_until(lambda: window.text() in texts(at) and window.text() == "x" * MOST_CHARACTERS)
    assert f"{MOST_CHARACTERS} characters" in window.page.inner_text("#notice")
    direction = "getComputedStyle(document.querySelector('#text')).direction"
    assert window.page.evaluate(direction) == "ltr"
    window.type_line("שלום abc")
    wait_until(lambda: window.kept() == "Kept" and "שלום abc" in texts(at))
    assert window.page.evaluate(direction) == "rtl"
    window.context.close()


def test_a_text_that_is_refused_holds_up_no_other_and_is_not_called_kept(browser: Browser, at: At) -> None:
    window = open_page(browser, at)
    page, held = window.page, list[Any]()
    page.route("**/api/keys", lambda route: route.continue_() if held else held.append(route))
    window.type_line("x")
    wait_until(lambda: window.kept() == "Keeping…" and held)
    script = f"t => {{ t.value = 'x'.repeat({MOST_CHARACTERS + 1}); t.dispatchEvent(new Event('input')); }}"
    page.locator("#text").evaluate(script)  # as text does that was read so
    page.keyboard.press("Alt+ArrowUp")
    window.type_line("the other")
    held[0].continue_()
    wait_until(lambda: window.kept() == "Kept" and "the other" in texts(at))
    refused = f"That failed: a line of more than {MOST_CHARACTERS} characters"
    assert refused in page.inner_text("#notice")
    page.keyboard.press("Alt+ArrowDown")
    assert (window.kept(), page.evaluate(f"{WAITING}.length")) == (refused, 0)
    window.type_line("short")
    wait_until(lambda: window.kept() == "Kept" and "short" in texts(at))
    window.context.close()


def test_more_long_lines_than_one_request_takes_are_kept_after_a_reload(browser: Browser, at: At) -> None:
    window = open_page(browser, at)
    identity = at.state()["pages"][0]["id"]
    changes = [change(identity, s, f"{s} " + "क" * (MOST_CHARACTERS - 10), line=f"r0l{s % 2}") for s in range(1, 101)]
    assert sum(len(c["text"].encode()) for c in changes) > MOST_CHANGES_BYTES
    window.page.evaluate("c => sessionStorage.setItem('carrel-waiting', JSON.stringify(c))", changes)
    window.page.reload()
    window.ready()
    wait_until(lambda: window.kept() == "Kept" and [text.split()[0] for text in texts(at)[:2]] == ["100", "99"])
    window.context.close()


def test_every_refusal_is_said_until_somebody_has_seen_it(browser: Browser, at: At, tmp_path: Path) -> None:
    window = Window(browser, at)
    page = window.page
    files = [tmp_path / name for name in ("a.png", "large.tif", "b.png", "huge.tif")]
    for file in files:
        file.write_bytes(b"nothing" if file.suffix == ".png" else bytes(2**20 + 1))
    page.set_input_files("#files", files)
    wait_until(lambda: "4 files or pages were refused" in page.inner_text("#notice"))
    told = page.locator("#refusals li").all_inner_texts()
    for file in files:
        assert sum(text.startswith(f"{file.name} was not ") for text in told) == 1, told
    page.select_option("#language", "fr")
    assert "4 fichiers" in page.inner_text("#notice")
    page.click("#notice-seen")
    assert page.inner_text("#notice") == "" and not page.locator("#refusals").is_visible()
    window.context.close()
