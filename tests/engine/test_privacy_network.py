"""Nothing leaves: real commands under strace, with a fresh home and CI unset, and controls that show the test can fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from batch_pages import write_page
from faults import why_no_strace
from traffic import Traffic, watch_traffic

TESTS = Path(__file__).resolve().parents[1]
CARREL = [sys.executable, TESTS / "real_work.py"]
REASON = why_no_strace()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

ORT_ALONE = """
import sys, onnxruntime
options = onnxruntime.SessionOptions()
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
"""

ORT_FIRST = """
import sys, onnxruntime, carrel
assert carrel.Reader(carrel.ReadOptions(writing="handwritten", language_model=False)).read(sys.argv[1]).lines
"""

STOP_WHEN_THERE = """
result=$1; shift
"$@" & process=$!
turns=0
while [ ! -e "$result" ] && [ $turns -lt 300 ]; do sleep 0.2; turns=$((turns + 1)); done
kill -TERM $process; wait $process
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def run_batch(tmp_path: Path, home: Path, *, isolated: bool = False) -> Traffic:
    for number in range(2):
        write_page(tmp_path / "in" / f"{number}.png", number)
    arguments = ["batch", tmp_path / "in", "-o", tmp_path / "out", "--workers", "1"]
    entry = ["--pages-with", "batch_pages:infer_pages"]
    return watch_traffic([*CARREL, *arguments, *entry], home, isolated=isolated, environment={"PYTHONPATH": str(TESTS)})


@pytest.mark.parametrize("isolated", [False, True], ids=["with network", "without network"])
def test_batch_sends_nothing(tmp_path: Path, home: Path, isolated: bool) -> None:
    if isolated and subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("network namespaces are not allowed here")
    traffic = run_batch(tmp_path, home, isolated=isolated)
    assert traffic.code == 0, traffic.stderr
    assert len(list((tmp_path / "out").glob("*.txt"))) == 2
    assert traffic.sockets == ()
    assert tmp_path / "out" / "0.txt" in traffic.written, "the trace sees what is written"
    assert traffic.outside(tmp_path / "out", home / ".cache") == []
    # where there is a choice of runtimes, what they did on the lines that the program draws is kept
    assert {p.parent.name for p in home.rglob("*") if p.is_file()} <= {"runtime", "openvino"}


def test_watch_sends_nothing(tmp_path: Path, home: Path) -> None:
    write_page(tmp_path / "in" / "0.png", 0)
    arguments = [
        "watch",
        tmp_path / "in",
        "-o",
        tmp_path / "out",
        "--workers",
        "1",
        "--every",
        "0.2",
        "--quiet-for",
        "0",
    ]
    entry = ["--pages-with", "batch_pages:infer_pages"]
    environment = {"PYTHONPATH": str(TESTS)}
    stop = ["sh", "-c", STOP_WHEN_THERE, "sh", tmp_path / "out" / "0.txt"]
    traffic = watch_traffic([*stop, *CARREL, *arguments, *entry], home, environment=environment)
    assert traffic.code == 0, traffic.stderr
    assert "1 page read" in traffic.stderr
    assert traffic.sockets == ()
    assert traffic.outside(tmp_path / "out", home / ".cache") == []


def test_read_sends_nothing(tmp_path: Path, home: Path) -> None:
    with Image.open(TESTS / "pages" / "two-columns.jpg") as page:
        page.crop((0, 0, 700, 220)).save(tmp_path / "page.png")
    cache = Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    )  # compiled once, by whichever test is first
    command = [*CARREL, "read", tmp_path / "page.png", "-o", tmp_path / "out", "-q"]
    (spool := tmp_path / "tmp").mkdir()
    traffic = watch_traffic(command, home, environment={"XDG_CACHE_HOME": str(cache), "TMPDIR": str(spool)})
    assert traffic.code == 0, traffic.stderr
    assert traffic.sockets == ()
    assert traffic.outside(tmp_path / "out", cache / "carrel", spool) == []
    assert list(spool.iterdir()) == []
    assert list(home.iterdir()) == []


def test_onnxruntime_imported_first_sends_nothing(tmp_path: Path, home: Path) -> None:
    with Image.open(TESTS / "pages" / "letter.jpg") as page:
        page.crop((0, 0, 700, 420)).save(tmp_path / "page.png")
    environment = {"ORT_DISABLE_TELEMETRY": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", ORT_FIRST, tmp_path / "page.png"]
    traffic = watch_traffic(command, home, environment=environment)
    assert traffic.code == 0, traffic.stderr
    assert traffic.sockets == ()
    assert traffic.outside(tmp_path / "cache") == []
    assert list(home.iterdir()) == []


def test_a_socket_would_be_seen(tmp_path: Path, home: Path) -> None:
    traffic = watch_traffic([*CARREL, "--phone-home", "--version"], home)
    assert traffic.code == 0, traffic.stderr
    assert any(socket.startswith("AF_INET ->") for socket in traffic.sockets)


def test_onnxruntime_alone_would_be_seen(tmp_path: Path, home: Path) -> None:
    """With its telemetry on, as it comes: the same test must go red, or it proves nothing."""
    import carrel_models

    model = next((Path(carrel_models.__file__).parent / "handwriting-fast").glob("*.onnx"))
    shutil.copy(model, tmp_path / "model.onnx")
    traffic = watch_traffic([sys.executable, "-c", ORT_ALONE, tmp_path / "model.onnx"], home)
    assert traffic.code == 0, traffic.stderr
    if not traffic.sockets and not any(home.iterdir()):
        pytest.skip("this build of onnxruntime reports nothing")
    assert traffic.sockets or traffic.outside(tmp_path / "out")
