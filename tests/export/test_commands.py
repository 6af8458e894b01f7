"""Errors of training and export are one line on stderr with an exit code, not a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

MODELS = Path(str(resources.files("carrel_models")))
pytest.importorskip("torch", reason="the export extra (torch) is not installed")


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *map(str, words)]
    beside = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=beside)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["carrel_export", "card", MODELS / "handwriting-fast", "figures.json"], "holds no figures"),
        (["carrel_export", "card", MODELS / "segmenter", "figures.json"], "not for 'recognition'"),
        (["carrel_export", "publish", "no.pt", ".", "--sources", "sources.json", "--language", MODELS, "--to", "m",
          "--name", "m"], "no line packs"),
        (["carrel_export", "clean", ".", "no.pt", "--out", "list.txt"], "no checkpoint of Carrel"),
        (["carrel_export.segmentation.publish", "--run", ".", "--pack", "no.zip", "--sources", "sources.json", "--out",
          "m"], "no folder of a training"),
        (["carrel_export.language", "--packs", ".", "--corpora", ".", "--sources", "sources.json", "--out", "m"], "line packs"),
    ],
)  # fmt: skip
def test_fault_of_the_user_is_a_message(
    words: list[object], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "figures.json").write_text("{}")
    (tmp_path / "sources.json").write_text(json.dumps({}))
    (tmp_path / "no.pt").write_bytes(b"x")
    done = run(*words)
    assert done.returncode in (1, 3, 4), done.stderr
    assert "Traceback" not in done.stderr
    assert told in done.stderr
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("contents", "told"), [("[", "no list of sources"), ("[]", "JSON object"), ('{"drawn": {"lic": "x"}}', "no 'cite'")]
)
def test_list_of_sources_is_checked(contents: str, told: str, tmp_path: Path) -> None:
    from carrel.errors import InputError
    from carrel_export.sources.training_sources import read_sources

    (tmp_path / "sources.json").write_text(contents)
    with pytest.raises(InputError, match=told):
        read_sources(tmp_path / "sources.json", ["drawn"])
