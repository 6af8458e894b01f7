"""A server in a thread of this process, and a client of a few lines over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

import desk_pages
from carrel.options import ReadOptions
from carrel.workers.launch import Places
from carrel.workers.messages import Work
from carrel.workers.pool import Limits, LocalPool
from carrel_desk.http.server import make_server
from carrel_desk.reading.local import make_private
from carrel_desk.reading.room import Readers

TOKEN = "a-token-for-tests"


def drawn_readers(
    folder: Path, workers: int = 1, page_timeout_s: float = 20.0, entry: str = desk_pages.ENTRY
) -> Readers:
    """Workers of `desk_pages`; PYTHONPATH names the folder of tests."""
    return Readers(drawn_pool(folder, workers, page_timeout_s, entry))


def drawn_pool(
    folder: Path,
    workers: int = 1,
    page_timeout_s: float = 20.0,
    entry: str = desk_pages.ENTRY,
    options: ReadOptions | None = None,
) -> Callable[[], LocalPool]:
    """What makes the pool of such workers."""
    spool, cache = make_private(folder / "spool"), make_private(folder / "cache")
    work = Work(options or ReadOptions(), most_pages=50, most_bytes=2**20, entry=entry)
    limits = Limits(page_timeout_s, 20.0, None, 5.0)
    return lambda: LocalPool(workers, work, Places(spool, cache, work.options.own_files), limits)


@contextmanager
def serving(app: ASGIApp, listening: socket.socket) -> Generator[None]:
    """Serve ``app`` on the socket from a thread."""
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive()


def wait_until(what: Any, timeout_s: float = 30.0) -> None:
    """Wait until ``what()`` holds."""
    until = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.02)


@dataclass(frozen=True)
class Told:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Asks a server on a port of this machine; ``headers`` go with every request."""

    port: int
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {TOKEN}"})
    timeout_s: float = 30.0

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str | None] | None = None) -> Told:
        """Send a request; a header that is None is left out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        given = {**self.headers, **(headers or {})}
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before the body was over
                connection.request(method, path, body, {k: v for k, v in given.items() if v is not None})
            answer = connection.getresponse()
            return Told(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> Told:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, body: Any, headers: Mapping[str, str | None] | None = None) -> Told:
        return self.ask("POST", path, body, {"Content-Type": "application/octet-stream", **(headers or {})})
