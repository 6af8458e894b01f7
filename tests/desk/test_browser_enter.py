"""How somebody comes to the desk in a real browser: from another machine by the password, with an old link, with a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel_desk.desk.app import make_desk
from carrel_desk.http.guard import Rules
from carrel_desk.http.password import Password
from desk_at import MOST_BYTES, At, scan, texts
from desk_client import serving

pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
from playwright.sync_api import Browser

from desk_browser import CHROMIUM, Window, chromium, wait_until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")
WRONG = ("This is not the password.", "Ce n’est pas le mot de passe.", "Das ist nicht das Passwort.")


@pytest.mark.usefixtures("tests_on_path")
def test_another_machine_enters_by_password_and_works(tmp_path: Path) -> None:
    at = At(tmp_path / "desk")
    at.desk.password = Password("a good long password")
    app = make_desk(at.desk, Rules(frozenset({f"desk.test:{at.port}"}), at.sessions.tokens, MOST_BYTES))
    # a name that is not this machine's, so that Chromium does without what it keeps for secure pages
    with serving(app, at.listening), chromium("--host-resolver-rules=MAP desk.test 127.0.0.1") as browser:
        page, errors = browser.new_page(), list[str]()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"http://desk.test:{at.port}/")
        assert not page.evaluate("isSecureContext") and page.inner_text("main").startswith("Carrel")
        assert not any(text in page.inner_text("main") for text in WRONG)
        page.keyboard.type("a good long passwort")
        page.keyboard.press("Enter")
        page.get_by_text(WRONG[0]).wait_for()
        assert all(text in page.inner_text("main") for text in WRONG)
        page.keyboard.type("a good long password")
        page.keyboard.press("Enter")
        page.locator("body[data-ready=yes]").wait_for()
        page.set_input_files("#files", {"name": "deed.tif", "mimeType": "image/tiff", "buffer": scan()})
        wait_until(lambda: page.locator("#text").is_visible() and page.input_value("#text"))
        page.locator("#text").fill("from another machine")
        wait_until(lambda: page.inner_text("#kept") == "Kept")
        page.click("#leave")
        page.locator("#password").wait_for()
        assert page.context.cookies() == [] and page.evaluate("sessionStorage.length + localStorage.length") == 0
        assert errors == []


def test_without_a_valid_link_it_is_said_where_one_is(browser: Browser, at: At) -> None:
    page = browser.new_page()
    for path in ("/", "/enter", "/enter?token=old"):
        page.goto(f"http://127.0.0.1:{at.port}{path}")
        for text in ("open the newest link", "ouvrez le dernier lien", "öffnen Sie den neuesten Link"):
            assert text in page.inner_text("main")
    page.close()


def test_a_folder_is_dropped_with_what_is_in_it(browser: Browser, at: At, tmp_path: Path) -> None:
    folder = tmp_path / "box 7"
    (folder / "b").mkdir(parents=True)
    for name in ("a.tif", "b/deed.tif", "c.tif"):
        (folder / name).write_bytes(scan())
    (folder / ".hidden").write_bytes(b"nothing")
    (folder / "notes.txt").write_bytes(b"nothing")
    window = Window(browser, at)
    session = window.context.new_cdp_session(window.page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 400, "data": data})
    at.read(3)
    assert [page["name"] for page in at.state()["pages"]] == ["a", "deed", "c"]
    wait_until(lambda: "notes.txt was not read" in window.page.inner_text("#notice"))
    assert ".hidden" not in window.page.inner_text("#notice")
    wait_until(window.text)
    assert window.text() in texts(at) and window.errors == []
    window.context.close()
