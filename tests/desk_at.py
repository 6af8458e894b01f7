"""A desk that is being served from a thread of the test, with workers that draw their pages up at once."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

import batch_pages
import desk_pages
from carrel.forms.template import load_form
from carrel.options import ReadOptions
from carrel_desk.api.jobs import Jobs
from carrel_desk.api.service import Service
from carrel_desk.desk.app import make_desk
from carrel_desk.desk.desk import Desk
from carrel_desk.desk.session import Sessions
from carrel_desk.http.guard import Rules
from carrel_desk.http.server import hosts_of, listen
from carrel_desk.reading.local import make_private
from carrel_desk.reading.room import Readers
from carrel_desk.store.pages import Store
from desk_client import Client, Told, drawn_pool, wait_until

MOST_BYTES = 2**20


class At:
    """A desk that is being served, and its browser."""

    def __init__(
        self, folder: Path, *, kiosk: bool = False, entry: str = desk_pages.ENTRY, form: Path | None = None
    ) -> None:
        self.folder = folder
        make_private(folder)
        make_private(folder / ".desk")
        self.listening = listen(0)
        self.port: int = self.listening.getsockname()[1]
        self.store = Store(folder, "tester", load_form(form) if form else None)
        bodies = make_private(folder / ".desk" / "bodies")
        readers = Readers(drawn_pool(folder / ".desk", entry=entry, options=ReadOptions(form=form)))
        service = Service(readers, Jobs(folder / ".desk" / "jobs"), ReadOptions(), bodies)
        self.sessions = Sessions(folder / ".desk" / "sessions")
        self.desk = Desk(self.store, service, self.sessions, f"carrel_{self.port}", 60.0 if kiosk else None, kiosk)
        self.app = make_desk(self.desk, Rules(hosts_of(self.listening), self.sessions.tokens, MOST_BYTES))
        self.client = Client(self.port, {})

    def enter(self) -> None:
        told = self.client.get(f"/enter?token={self.sessions.new_entry()}")
        assert told.status == 303
        cookie = told.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        self.client.headers = {"Cookie": cookie.partition(";")[0], "Origin": f"http://127.0.0.1:{self.port}"}

    @property
    def link(self) -> str:
        """A link that lets one window in."""
        return f"http://127.0.0.1:{self.port}/enter?token={self.sessions.new_entry()}"

    def add(self, body: bytes, name: str = "deed.tif") -> None:
        assert self.client.post(f"/api/scans?name={name}", body).status == 202

    def state(self) -> Any:
        return self.client.get("/api/state").json

    def read(self, count: int = 1) -> list[str]:
        """Ids of the pages, once so many are read."""
        wait_until(lambda: sum(page["state"] == "read" for page in self.state()["pages"]) == count)
        return [page["id"] for page in self.state()["pages"]]

    def keep(self, *changes: dict[str, Any]) -> Told:
        return self.client.post("/api/keys", json.dumps(changes), {"Content-Type": "application/json"})


def scan(what: int = batch_pages.HARMLESS, pages: int = 1) -> bytes:
    frames = [Image.fromarray(batch_pages.page(number, what)) for number in range(pages)]
    out = io.BytesIO()
    frames[0].save(out, "TIFF", save_all=True, append_images=frames[1:])
    return out.getvalue()


def change(
    page: str, s: int, text: str = "", op: str = "text", who: str = "a", base: int = 0, line: str = "r0l1"
) -> Any:
    return {"page": page, "line": line, "op": op, "who": who, "s": s, "base": base, "text": text}


def page_of(at: At) -> Any:
    """The first page as the desk has it on its disk."""
    return at.client.get(f"/api/pages/{at.state()['pages'][0]['id']}").json


def texts(at: At) -> list[str]:
    return [line["now"] for line in page_of(at)["lines"]]
