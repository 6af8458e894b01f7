"""Calls that schemathesis generates from the OpenAPI document: no defect, no answer that is not described, no file left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
RUNS = (("coverage,fuzzing", 290), ("stateful", 20))
"""Phases of schemathesis, and how many calls of an operation or walks through several: more than 1,000 calls in all."""
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,unsupported_method,use_after_free,ignored_auth"
)


@pytest.mark.skipif(
    find_spec("schemathesis") is None, reason="schemathesis is not installed: uv sync --inexact --group programs"
)
def test_generated_calls(tmp_path: Path) -> None:
    command = [sys.executable, str(TESTS / "generated_calls.py"), str(tmp_path)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None and server.stdout is not None
    try:
        port, token = server.stdout.readline().split()
        where = f"http://127.0.0.1:{port}/v1/openapi.json"
        options = ["-H", f"Authorization: Bearer {token}", "--checks", CHECKS, "--no-color"]
        hooks = {"SCHEMATHESIS_HOOKS": "generated_calls", "PYTHONPATH": str(TESTS)}
        calls = 0
        for phases, count in RUNS:
            run = [
                sys.executable,
                "-m",
                "schemathesis.cli",
                "run",
                where,
                *options,
                "--phases",
                phases,
                "-n",
                str(count),
            ]
            done = subprocess.run(
                run, env={**os.environ, **hooks}, cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
            found = re.search(r"(\d+) generated", done.stdout)
            assert found is not None, done.stdout[-1000:]
            calls += int(found[1])
        assert calls >= 1000
        assert list((tmp_path / "bodies").iterdir()) == []
    finally:
        server.stdin.close()
        server.stdout.close()
        assert server.wait(60) == 0
