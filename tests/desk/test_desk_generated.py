"""Calls of the desk's own requests that schemathesis generates: no defect, whatever a page of this server may send."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CALLS = 20
"""Of each operation, beside those that cover its values."""


@pytest.mark.skipif(
    find_spec("schemathesis") is None, reason="schemathesis is not installed: uv sync --inexact --group programs"
)
def test_generated_calls_of_the_desk(tmp_path: Path) -> None:
    command = [sys.executable, str(TESTS / "generated_desk.py"), str(tmp_path)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None and server.stdout is not None
    try:
        port, cookie = server.stdout.readline().split()
        where = f"http://127.0.0.1:{port}"
        run = [sys.executable, "-m", "schemathesis.cli", "run", str(tmp_path / "openapi.json"), "--url", where]
        run += ["-H", f"Cookie: {cookie}", "-H", f"Origin: {where}", "--checks", "not_a_server_error", "--no-color"]
        run += ["--phases", "coverage,fuzzing", "-n", str(CALLS)]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
        found = re.search(r"(\d+) generated", done.stdout)
        assert found is not None and int(found[1]) >= 100, done.stdout[-1000:]
    finally:
        server.stdin.close()
        server.stdout.close()
        assert server.wait(60) == 0
