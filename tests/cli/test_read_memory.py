"""The limit that a refusal names does for pages of every kind in turn, and is kept."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[1] / "pages"
KINDS = ("letter", "french", "two-columns")
READ = """
import atexit, sys
from carrel.process_memory import peak_bytes
from carrel_cli.main import main
atexit.register(lambda: print(peak_bytes()))
sys.argv[0] = "carrel"
main()
"""


def read(out: Path, *options: str) -> tuple[int, str, float]:
    """Exit code, standard error, and peak of resident memory in MiB of a process that reads pages of every kind."""
    files = [str(PAGES / f"{name}.jpg") for name in KINDS]
    command = [sys.executable, "-c", READ, "read", "-q", "-o", str(out), *options, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, int(done.stdout) / 2**20


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_pages_of_every_kind_are_read_within_the_limit_that_is_named(tmp_path: Path, precision: str) -> None:
    options = ("--backend", "onnxruntime", "--precision", precision)
    code, told, _ = read(tmp_path, "--memory", "120M", *options)
    named = re.search(r"--memory (\d+)M will do", told)
    assert code == 2 and named
    code, told, peak_mib = read(tmp_path, "--memory", f"{named[1]}M", *options)
    assert (code, told) == (0, "")
    assert peak_mib < int(named[1])
    assert sorted(file.stem for file in tmp_path.glob("*.txt")) == sorted(KINDS)
