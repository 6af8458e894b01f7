"""``carrel doctor`` and ``python -m carrel``: in this installation, and where something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from carrel_cli.main import cli


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", *arguments])


def test_an_installation_that_reads_has_nothing_missing() -> None:
    done = doctor()
    assert done.exit_code == 0, done.output
    topics = {line.split()[0] for line in done.output.splitlines() if not line.startswith(" ")}
    assert topics >= {"carrel", "languages", "models", "kernels", "device", "memory", "cache", "sandbox"}
    assert len(done.output.splitlines()) <= 24  # one screen


def test_json_says_the_same() -> None:
    findings = json.loads(doctor("--json").stdout)["findings"]
    assert {"topic", "text", "remedy", "needed"} == set(findings[0])
    assert not any(finding["needed"] for finding in findings)


def test_missing_languages_are_named_with_their_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carrel.recognizers.tesseract.TESSDATA_FOLDERS", ())
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    (tmp_path / "eng.traineddata").touch()
    done = doctor()
    assert done.exit_code == 1
    assert "missing: fra osd" in done.output
    assert "-> apt-get install tesseract-ocr-fra tesseract-ocr-osd" in done.output


def test_a_relative_cache_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert "XDG_CACHE_HOME=cache is not absolute" in doctor().output


def test_without_kernels_the_remedy_is_warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carrel.kernels.native.shipped_folder", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = doctor()
    assert done.exit_code == 0
    assert "-> carrel warm" in done.output


def test_python_m_carrel_is_the_command() -> None:
    command = [sys.executable, "-m", "carrel", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stdout.split()[0]) == (0, "carrel,"), done.stderr
