"""``carrel serve`` itself, with its real workers: killed in the middle of a job; the sockets it asks for."""

from __future__ import annotations

import io
import json
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import serve_session
from traffic import watch_traffic

PAGES = Path(__file__).parents[1] / "pages"


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two printed lines: quick to read."""
    path = tmp_path_factory.mktemp("scan") / "lines.png"
    with Image.open(PAGES / "two-columns.jpg") as image:
        image.crop((0, 180, image.width, 420)).save(path, dpi=(220, 220))
    return path


def pages_of(scan: Path, count: int) -> bytes:
    out = io.BytesIO()
    with Image.open(scan) as image:
        image.save(out, "TIFF", save_all=True, append_images=[image] * (count - 1))
    return out.getvalue()


def test_a_job_of_a_killed_server_is_lost_by_name(scan: Path, tmp_path: Path) -> None:
    options = ["--state", str(tmp_path), "--port", "0", "--workers", "1"]
    with serve_session.serving(options) as (server, where):
        serve_session.wait_ready(where, tmp_path)
        status, told = serve_session.ask(where, tmp_path, "POST", "/v1/pages?wait=false", pages_of(scan, 40))
        path = f"/v1/jobs/{json.loads(told)['id']}"
        until = time.monotonic() + 120
        while not (state := json.loads(serve_session.ask(where, tmp_path, "GET", path)[1])).get("pages_done"):
            assert time.monotonic() < until and state["state"] in ("waiting", "reading")
            time.sleep(0.05)
        assert (status, state["state"]) == (202, "reading")
        assert list((tmp_path / "bodies").iterdir())
        server.send_signal(signal.SIGKILL)
    with serve_session.serving(options) as (_, where):
        assert list((tmp_path / "bodies").iterdir()) == []
        told = json.loads(serve_session.ask(where, tmp_path, "GET", path)[1])
        assert (told["state"], "send it again" in told["problem"]["detail"]) == ("lost", True)
        assert serve_session.ask(where, tmp_path, "GET", f"{path}/result")[0] == 503


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
@pytest.mark.parametrize("loopback", [False, True], ids=["UNIX socket", "loopback"])
def test_no_socket_but_the_one_that_was_asked_for(loopback: bool, scan: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    place = ["--port", "0"] if loopback else ["--socket", str(home / "s")]
    options = ["--state", str(home / "state"), *place, "--workers", "1"]
    seen = watch_traffic([sys.executable, str(Path(serve_session.__file__)), str(scan), *options], home)
    assert seen.code == 0, seen.stderr
    of_client = int((home / "state" / "asked").read_text("ascii"))  # which is in this trace, too
    assert len(seen.sockets) == (1 + of_client if loopback else 0), seen.sockets
    assert seen.outside(home) == []
