"""Many at once: fifty uploads to two workers, and a stack of pages on the desk, within bounded memory and without a file left."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from carrel.options import ReadOptions
from carrel_desk.api.app import make_api
from carrel_desk.api.jobs import Jobs
from carrel_desk.api.service import Service
from carrel_desk.http.guard import Rules, digest
from carrel_desk.http.server import hosts_of, listen
from carrel_desk.reading.local import make_private
from carrel_desk.store.pages import Store
from desk_at import At, scan
from desk_client import TOKEN, Client, Told, drawn_readers, serving

UPLOADS, PAGES = 50, 60


pytestmark = pytest.mark.usefixtures("tests_on_path")


def test_fifty_uploads_at_once_are_all_answered(tmp_path: Path) -> None:
    listening, bodies = listen(0), make_private(tmp_path / "bodies")
    service = Service(drawn_readers(tmp_path, workers=2), Jobs(tmp_path / "jobs"), ReadOptions(), bodies, 2)
    rules = Rules(hosts_of(listening), {digest(TOKEN)}, 2**20)
    answers: list[Told] = []
    with serving(make_api(service, rules), listening):
        client = Client(listening.getsockname()[1], timeout_s=90.0)
        start = threading.Barrier(UPLOADS)

        def send() -> None:
            start.wait()
            answers.append(client.post("/v1/pages?format=text", scan(), {"Accept": "text/plain"}))

        threads = [threading.Thread(target=send) for _ in range(UPLOADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        assert [told.status for told in answers] == [200] * UPLOADS
        assert {told.body for told in answers} == {answers[0].body} and answers[0].body.startswith(b"first line")
        assert list(bodies.iterdir()) == [] and list((tmp_path / "spool").iterdir()) == []


def test_a_stack_of_pages_holds_few_of_them_in_memory(tmp_path: Path) -> None:
    at = At(tmp_path / "desk")
    with serving(at.app, at.listening):
        at.enter()
        for number in range(PAGES // 20):
            at.add(scan(pages=20), f"stack{number}.tif")
        for page in at.read(PAGES):
            assert at.client.get(f"/api/pages/{page}").status == 200
            assert at.client.get(f"/api/pages/{page}/tiles/0/0/0").status == 200
        assert len(at.store._opened) <= 8 and len(at.store._packs) <= 8  # pyright: ignore[reportPrivateUsage]
    again = Store(at.folder, "tester")
    assert len(again.pages) == PAGES and len(again._opened) <= 8  # pyright: ignore[reportPrivateUsage]
    again.journal.close()
