"""Model folders are verified before anything in them is used; a manifest says how its network takes a line."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.errors import ModelError
from carrel.image.ink import LineInput, to_ink
from carrel.loading import HANDWRITING_MODEL, LANGUAGE_MODEL, load_engines
from carrel.models import folders
from carrel.models.folders import folder_of, model_folders, open_model, shipped_folder, shipped_model
from carrel.models.onnx_file import has_external_data
from carrel.options import ReadOptions
from carrel.recognizers.late import LateRecognizer


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
    for key, entry in model.manifest.files.items():
        assert len(model.read_file(key)) == entry.bytes
    assert model.manifest.training_sources
    assert model.manifest.licence


def test_flipped_bit_is_refused(folder: Path) -> None:
    path = folder / open_model(folder, "recognition").manifest.files["onnx-int8"].path
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)
    with pytest.raises(ModelError, match=r"damaged.*SHA-256"):
        open_model(folder, "recognition").read_file("onnx-int8")


def test_truncated_file_is_refused(folder: Path) -> None:
    path = folder / open_model(folder, "recognition").manifest.files["onnx-int8"].path
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        open_model(folder, "recognition").read_file("onnx-int8")


def test_missing_file_is_named(folder: Path) -> None:
    path = folder / open_model(folder, "recognition").manifest.files["onnx-int8"].path
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
    path = folder / open_model(folder, "recognition").manifest.files["onnx-int8"].path
    path.rename(folder.parent / "elsewhere.onnx")
    path.symlink_to(folder.parent / "elsewhere.onnx")
    with pytest.raises(ModelError, match="outside the folder"):
        open_model(folder, "recognition").read_file("onnx-int8")


def test_unknown_format_version(folder: Path) -> None:
    _edit(folder, format_version=99)
    with pytest.raises(ModelError, match="format version 1 or 2"):
        open_model(folder, "recognition")


def test_missing_alphabet(folder: Path) -> None:
    _edit(folder, alphabet=None)
    with pytest.raises(ModelError, match=r"\$\.alphabet: is missing"):
        open_model(folder, "recognition")


def test_other_task(folder: Path) -> None:
    with pytest.raises(ModelError, match="for 'recognition', not for 'layout'"):
        open_model(folder, "layout")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model there"):
        open_model(tmp_path / "nowhere", "recognition")


def test_a_shipped_model_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_model(folder_of(Path("segmenter")), "segmentation").folder == shipped_folder("segmenter")
    assert folder_of(Path("models/segmenter")) == Path("models/segmenter")
    with pytest.raises(ModelError, match="no model there"):
        open_model(folder_of(Path("segmentor")))
    (tmp_path / "segmenter").mkdir()
    assert folder_of(Path("segmenter")) == Path("segmenter"), "a folder comes before a name"


def test_manifest_that_is_no_json(folder: Path) -> None:
    (folder / "manifest.json").write_text("<html>", "utf-8")
    with pytest.raises(ModelError, match="damaged"):
        open_model(folder, "recognition")


def test_truncated_file_that_the_manifest_was_fitted_to_is_no_onnx(folder: Path) -> None:
    _replace(folder, "onnx-int8", open_model(folder).read_file("onnx-int8")[:-7])
    with pytest.raises(ModelError, match="no ONNX file"):
        open_model(folder).read_file("onnx-int8")


@pytest.mark.parametrize("location", ["../outside.bin", "/etc/hostname", "beside.bin"])
def test_onnx_file_with_weights_in_another_file_is_refused(folder: Path, location: str) -> None:
    _replace(folder, "onnx-int8", _onnx_with_external(location))
    with pytest.raises(ModelError, match="keeps weights in another file"):
        open_model(folder).read_file("onnx-int8")


def test_shipped_networks_keep_their_weights_inside() -> None:
    for folder in model_folders():
        assert open_model(folder).verify() == ()


def test_every_damage_is_found_at_once(folder: Path) -> None:
    files = open_model(folder).manifest.files
    (folder / files["onnx-int8"].path).unlink()
    (folder / files["weights"].path).write_bytes(b"short")
    found = [str(error) for error in open_model(folder).verify()]
    assert len(found) == 2
    assert "cannot be read" in found[0]
    assert "5 bytes" in found[1]


def test_pipe_in_place_of_a_file_is_refused(folder: Path) -> None:
    path = folder / open_model(folder).manifest.files["onnx-int8"].path
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ModelError, match="no file"):
        open_model(folder).read_file("onnx-int8")


@pytest.mark.parametrize(
    "changes",
    [
        {"files": ["model.onnx"]},
        {"files": {}},
        {"files": {"onnx-int8": {"path": "model.int8.onnx", "sha256": 7, "bytes": 3}}},
        {"files": {"onnx-int8": "model.int8.onnx"}},
        {"alphabet": ""},
        {"alphabet": ["a", 3]},
        {"blank": "0"},
        {"stride_px": -4},
        {"input": [48, 8]},
        {"name": ""},
    ],
)
def test_manifest_with_entries_of_the_wrong_type(folder: Path, changes: dict[str, Any]) -> None:
    _edit(folder, **changes)
    with pytest.raises(ModelError, match="the manifest is damaged: "):
        open_model(folder, "recognition")


def test_language_model_of_another_size_is_refused_at_once_and_one_with_other_bytes_at_the_first_handwriting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shipped_folder(LANGUAGE_MODEL), tmp_path / LANGUAGE_MODEL)

    def place(name: str) -> Path:
        return tmp_path / name if name == LANGUAGE_MODEL else shipped_folder(name)

    monkeypatch.setattr(folders, "shipped_folder", place)
    file = tmp_path / LANGUAGE_MODEL / "ngram.bin"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    late = load_engines(ReadOptions()).router.recognizers["ctc"]
    assert isinstance(late, LateRecognizer)
    with pytest.raises(ModelError, match="damaged"):
        late.opened()
    with pytest.raises(ModelError, match="damaged"):
        load_engines(ReadOptions(writing="handwritten"))
    file.write_bytes(whole[:-1])
    with pytest.raises(ModelError, match="damaged"):
        load_engines(ReadOptions())
    file.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_engines(ReadOptions())


def test_manifest_nested_without_end_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_text("[" * 100_000, "utf-8")
    with pytest.raises(ModelError, match="damaged"):
        open_model(folder)


def test_unknown_task(folder: Path) -> None:
    _edit(folder, task="telepathy")
    with pytest.raises(ModelError, match="this version knows"):
        open_model(folder)


@given(st.binary(max_size=200))
def test_any_bytes_are_walked_or_refused(contents: bytes) -> None:
    try:
        has_external_data(contents)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    "path",
    [
        (7, 5),  # graph, initializer
        (7, 1, 5, 5),  # graph, node, attribute, tensor
        (7, 1, 5, 6, 1, 5, 10),  # a graph in an attribute of a node: its node's tensors
        (7, 15, 2),  # graph, sparse initializer, indices
        (25, 7, 5, 5),  # function, node, attribute, tensor
        (20, 2, 5),  # training, algorithm, initializer
    ],
)
@given(noise=st.binary(max_size=40))
def test_tensor_elsewhere_is_found_at_every_place(path: tuple[int, ...], noise: bytes) -> None:
    inside, elsewhere = _field(14, 0), _field(14, 1)
    for number in reversed(path):
        inside, elsewhere = (_field(number, _field(99, noise) + tensor) for tensor in (inside, elsewhere))
    assert has_external_data(elsewhere)
    assert not has_external_data(inside)


def test_input_of_a_line_follows_the_manifest() -> None:
    rng = np.random.default_rng(5)
    gray = rng.integers(0, 256, (64, 301), np.uint8)
    assert np.array_equal(LineInput(48, 8).of(gray), to_ink(gray, 48, 8))
    theirs = LineInput(40, 16, "inverted", 1)
    given_in = theirs.of(gray)
    assert given_in.shape == (1, 1, 40, int(301 * 40 / 64) + 32)
    assert given_in.dtype == np.float32
    assert (given_in[..., :16] == 0).all()
    assert (given_in[..., -16:] == 0).all()


def test_inverted_input_keeps_gray_levels() -> None:
    gray = np.full((40, 100), 55, np.uint8)
    middle = LineInput(40, 16, "inverted", 1).of(gray)[0, 0, :, 16:-16]
    assert np.allclose(middle, 200 / 255)


def _replace(folder: Path, role: str, contents: bytes) -> None:
    """Give a file other contents, and the manifest their size and digest."""
    files = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    (folder / files[role]["path"]).write_bytes(contents)
    files[role] |= {"sha256": hashlib.sha256(contents).hexdigest(), "bytes": len(contents)}
    _edit(folder, files=files)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | bytes) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _onnx_with_external(location: str) -> bytes:
    """A model of one tensor that is kept in another file."""
    entry = _field(1, b"location") + _field(2, location.encode())
    tensor = _field(1, 4) + _field(2, 1) + _field(8, b"weights") + _field(13, entry) + _field(14, 1)
    return _field(1, 8) + _field(7, _field(2, b"graph") + _field(5, tensor))
