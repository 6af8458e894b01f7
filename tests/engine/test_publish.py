"""Publishing a model folder: all problems at once and nothing written, or the whole folder in the place of the old one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from carrel.errors import ModelError, OutputError
from carrel.models import publish as publishing
from carrel.models.folders import Model, open_model, shipped_folder
from carrel.models.publish import publish

WRITING = shipped_folder("writing")


def manifest() -> dict[str, Any]:
    whole = json.loads((WRITING / "manifest.json").read_text("utf-8"))
    return {key: value for key, value in whole.items() if key not in ("format_version", "files")}


FILES = {"onnx": WRITING / "writing.onnx"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_published_model_is_whole_and_of_the_newest_version(tmp_path: Path) -> None:
    seen: list[Model] = []
    model = publish(tmp_path / "new" / "writing", manifest(), FILES, gate=seen.append, card="# Card\n")
    assert model.verify() == ()
    assert model.folder == tmp_path / "new" / "writing"
    assert model.manifest.format_version == 2
    assert model.manifest.files == open_model(WRITING).manifest.files
    assert seen[0].identity == model.identity
    assert sorted(contents(tmp_path / "new")) == ["writing/card.md", "writing/manifest.json", "writing/writing.onnx"]


def test_older_model_is_replaced_and_what_lies_beside_it_kept(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shipped_folder("segmenter"), tmp_path / "model"))
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("mine")
    card = (folder / "card.md").read_bytes()
    publish(folder, manifest(), FILES)
    assert sorted(contents(folder)) == ["card.md", "manifest.json", "notes/mine.txt", "writing.onnx"]
    assert (folder / "card.md").read_bytes() == card
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_every_problem_is_named_and_the_old_model_stays(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(WRITING, tmp_path / "model"))
    before = contents(folder)
    broken = manifest()
    broken["calibration"]["scale"] = float("nan")
    del broken["input"]["height_px"]
    with pytest.raises(ModelError) as caught:
        publish(folder, broken, FILES)
    assert all(p in str(caught.value) for p in ("$.calibration.scale", "$.input.height_px", str(folder)))
    assert contents(folder) == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_network_of_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"model/segmenter\.int8\.onnx: does not fit its manifest.*Nothing was published"
    ):
        publish(tmp_path / "model", manifest(), {"onnx": shipped_folder("segmenter") / "segmenter.int8.onnx"})
    assert list(tmp_path.iterdir()) == []


def test_gate_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    def refuse(model: Model) -> None:
        assert model.verify() == ()
        raise ModelError("reads worse")

    with pytest.raises(ModelError, match="reads worse"):
        publish(tmp_path / "model", manifest(), FILES, gate=refuse)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_model_is_not_replaced(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "letters"
    if kind == "folder":
        target.mkdir()
        (target / "letter.txt").write_text("keep")
    else:
        target.write_text("keep")
    with pytest.raises(OutputError, match="something else than a model"):
        publish(target, manifest(), FILES)
    assert (target / "letter.txt" if kind == "folder" else target).read_text() == "keep"


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert publish(tmp_path / "model", manifest(), FILES).verify() == ()


def test_everything_is_on_the_disk_before_it_is_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(shutil.copytree(WRITING, tmp_path / "model"))
    flushed: list[tuple[str, bool]] = []
    flush = publishing._flush  # pyright: ignore[reportPrivateUsage]

    def watch(path: Path) -> None:
        flushed.append((path.name, path.is_relative_to(folder)))
        flush(path)

    monkeypatch.setattr(publishing, "_flush", watch)
    publish(folder, manifest(), FILES)
    assert {name for name, _ in flushed[:-1]} == {"card.md", "manifest.json", "writing.onnx", "model"}
    assert not any(in_place for _, in_place in flushed)
    assert flushed[-1][0] == tmp_path.name


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        publish(tmp_path / "file" / "model", manifest(), FILES)
