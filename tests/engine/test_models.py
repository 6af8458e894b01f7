"""Model folders are verified before anything in them is used."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from carrel.engines import HANDWRITING_MODEL
from carrel.errors import ModelError
from carrel.store.models import open_model, shipped_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shipped = Path(str(resources.files("carrel_models"))) / HANDWRITING_MODEL
    return Path(shutil.copytree(shipped, tmp_path / "model"))


def _edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps({k: v for k, v in manifest.items() if v is not None}), "utf-8")


def test_shipped_model_is_whole() -> None:
    model = shipped_model(HANDWRITING_MODEL, "recognition")
    for role in model.manifest["files"]:
        assert len(model.read_file(role)) == model.manifest["files"][role]["bytes"]
    assert model.manifest["training_sources"]
    assert model.manifest["licence"]


def test_flipped_bit_is_refused(folder: Path) -> None:
    path = folder / open_model(folder, "recognition").manifest["files"]["onnx-int8"]["path"]
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)
    with pytest.raises(ModelError, match=r"damaged.*SHA-256"):
        open_model(folder, "recognition").read_file("onnx-int8")


def test_truncated_file_is_refused(folder: Path) -> None:
    path = folder / open_model(folder, "recognition").manifest["files"]["onnx-int8"]["path"]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        open_model(folder, "recognition").read_file("onnx-int8")


def test_missing_file_is_named(folder: Path) -> None:
    path = folder / open_model(folder, "recognition").manifest["files"]["onnx-int8"]["path"]
    path.unlink()
    with pytest.raises(ModelError, match=str(path)):
        open_model(folder, "recognition").read_file("onnx-int8")


@pytest.mark.parametrize("path", ["../outside.onnx", "/etc/hostname"])
def test_file_outside_the_folder_is_refused(folder: Path, path: str) -> None:
    (folder.parent / "outside.onnx").write_bytes(b"x")
    files = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    files["onnx-int8"]["path"] = path
    _edit(folder, files=files)
    with pytest.raises(ModelError, match="outside the folder"):
        open_model(folder, "recognition").read_file("onnx-int8")


def test_link_out_of_the_folder_is_refused(folder: Path) -> None:
    path = folder / open_model(folder, "recognition").manifest["files"]["onnx-int8"]["path"]
    path.rename(folder.parent / "elsewhere.onnx")
    path.symlink_to(folder.parent / "elsewhere.onnx")
    with pytest.raises(ModelError, match="outside the folder"):
        open_model(folder, "recognition").read_file("onnx-int8")


def test_unknown_format_version(folder: Path) -> None:
    _edit(folder, format_version=99)
    with pytest.raises(ModelError, match="format version 1"):
        open_model(folder, "recognition")


def test_missing_alphabet(folder: Path) -> None:
    _edit(folder, alphabet=None)
    with pytest.raises(ModelError, match="lacks alphabet"):
        open_model(folder, "recognition")


def test_other_task(folder: Path) -> None:
    with pytest.raises(ModelError, match="for 'recognition', not for 'layout'"):
        open_model(folder, "layout")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model there"):
        open_model(tmp_path / "nowhere", "recognition")


def test_manifest_that_is_no_json(folder: Path) -> None:
    (folder / "manifest.json").write_text("<html>", "utf-8")
    with pytest.raises(ModelError, match="damaged"):
        open_model(folder, "recognition")
