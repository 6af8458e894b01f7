"""Start ``carrel serve``, have it read one scan, end it: ``python tests/serve_session.py SCAN [OPTIONS OF SERVE...]``.

``OPTIONS`` must name ``--state`` first, and ``--socket`` or ``--port``. The text is printed.
"""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

SERVE = [sys.executable, "-c", "from carrel_cli.main import main; main()", "serve"]


@contextmanager
def serving(options: list[str]) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Run a server; gives it and where it serves: ``unix:PATH`` or ``http://127.0.0.1:PORT``."""
    with subprocess.Popen([*SERVE, *options], stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            told = next(found for line in server.stderr if (found := re.search(r"serving (\S+)/v1/", line)))
            yield server, told[1]
        finally:
            server.terminate()


def ask(where: str, state: Path, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Send a request; status and body of the answer."""
    connection = http.client.HTTPConnection("localhost", timeout=120)
    if where.startswith("unix:"):
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(where.removeprefix("unix:"))
    else:
        connection.sock = socket.socket(socket.AF_INET)
        connection.sock.connect(("127.0.0.1", int(where.rpartition(":")[2])))
    host = where.removeprefix("http://") if where.startswith("http") else "localhost"
    token = (state / "token").read_text("ascii").strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream", "Host": host}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_ready(where: str, state: Path) -> int:
    """Wait until files can be read; returns how often that was asked, each time on a socket of its own."""
    until = time.monotonic() + 300
    for asked in count(1):
        if ask(where, state, "GET", "/v1/health")[0] == 200:
            return asked
        if time.monotonic() > until:
            break
        time.sleep(0.2)
    raise SystemExit("carrel serve does not get ready")


def session(scan: Path, options: list[str]) -> int:
    """Have one scan read."""
    state = Path(options[1])
    with serving(options) as (_, where):
        asked = wait_ready(where, state) + 1
        (state / "asked").write_text(str(asked), "ascii")
        status, text = ask(where, state, "POST", "/v1/pages?format=text", scan.read_bytes())
        sys.stdout.buffer.write(text)
        return 0 if status == 200 else 1


if __name__ == "__main__":
    raise SystemExit(session(Path(sys.argv[1]), sys.argv[2:]))
