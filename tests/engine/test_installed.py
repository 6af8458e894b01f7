"""Versions of installed packages, as `importlib.metadata` names them."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from carrel.installed import installed_version, installed_versions


@pytest.mark.parametrize("package", ["numba", "numpy", "pillow", "onnxruntime"])
def test_versions_are_those_of_the_metadata(package: str) -> None:
    assert installed_version(package) == version(package)


def test_absent_package_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "absent"), str(Path(__file__))])
    (tmp_path / "onnxruntime-1.0.dist-info").mkdir()
    assert installed_version("onnxruntime-gpu") is None
    (tmp_path / "onnxruntime_gpu-2.0.dist-info").mkdir()
    assert installed_version("onnxruntime-gpu") == "2.0"
    assert installed_version("onnxruntime") == "1.0"


def test_the_first_folder_on_the_path_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, versions in (("a", ("One-1",)), ("b", ("one-2", "two_parts-3"))):
        for one in versions:
            (tmp_path / name / f"{one}.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "a"), str(tmp_path / "b")])
    assert installed_versions("two-parts", "one", "three") == {"two-parts": "3", "one": "1"}


def test_starting_imports_no_metadata() -> None:
    code = "import sys, carrel; carrel.Reader; assert not {'importlib.metadata', 'email', 'importlib.resources'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
